"""A file in which accounts, orders and fills survive the process.

Every action of the exchange appends one line with what it changed, before anybody is answered: a killed process loses
nothing that it answered. A line that was cut is the last one and is left out. At the start the lines are read, and
what the exchange took over of them is written anew as one; and again whenever most of the file is out of date.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tradewind.errors import exception
from tradewind.sandbox.account import Account, ApiKey, OrderCounts
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.market import Market
from tradewind.sandbox.observer import Changes
from tradewind.sandbox.order import Fill, Order, PreventedMatch

_JUMP = 1_000_000_000
"""Ids of markets go on so far above those of the process before: they never come again."""

_GROWN, _SMALL = 4, 64 << 20
"""A file is written anew once it has so many times the size of its first line and so many bytes more."""


class Line(msgspec.Struct, omit_defaults=True):
    """What one action changed; the last word on a thing holds."""

    accounts: list[Account] = []
    orders: list[Order] = []
    fills: list[Fill] = []
    prevented: list[PreventedMatch] = []
    keys: list[ApiKey] = []
    counts: dict[int, OrderCounts] = {}
    prices: dict[str, int] = {}
    fees: dict[str, int] = {}
    crowd: dict[str, int] = {}
    paid_in: dict[str, int] = {}
    jumps: int = 0


class Kept:
    """What was kept, all lines together."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.orders: dict[tuple[str, int], Order] = {}
        self.fills: list[Fill] = []
        self.prevented: list[PreventedMatch] = []
        self.keys: dict[str, ApiKey] = {}
        self.counts: dict[int, OrderCounts] = {}
        self.prices: dict[str, int] = {}
        self.fees: dict[str, int] = {}
        self.crowd: dict[str, int] = {}
        self.paid_in: dict[str, int] = {}
        self.jumps = 0

    def take(self, line: Line) -> None:
        """Take in a line."""
        self.accounts.update({account.number: account for account in line.accounts})
        self.orders.update({order.key: order for order in line.orders})
        self.fills.extend(line.fills)
        self.prevented.extend(line.prevented)
        self.keys.update({key.key: key for key in line.keys})
        self.counts.update(line.counts)
        self.prices.update(line.prices)
        self.fees.update(line.fees)
        self.crowd.update(line.crowd)
        self.paid_in.update(line.paid_in)
        self.jumps = max(self.jumps, line.jumps)

    @property
    def highest_id(self) -> int:
        """Above all ids of markets that were ever given; those of the next process begin there."""
        return self.jumps * _JUMP


class StateFile:
    """The file, open for appending once `begin` was called.

    Parameters
    ----------
    path
        Where it is; it is made where it is not, readable by its owner only.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._size = self._first_size = 0
        self._jumps = 0

    def read(self) -> Kept | None:
        """What the process before left."""
        if not self._path.exists():
            return None
        kept = Kept()
        try:
            self._read(self._path, kept)
        except OSError as error:
            raise exception("unreadable_file", f"{self._path} cannot be read: {error.strerror}") from error
        self._jumps = kept.jumps = kept.jumps + 1
        return kept

    def begin(self, exchange: Exchange, keys: Iterable[ApiKey], counts: dict[int, OrderCounts]) -> None:
        """Write everything as the first line of a file that takes the place of the old one."""
        fresh = self._path.with_name(self._path.name + ".new")
        old = self._file
        try:
            fresh.unlink(missing_ok=True)
            self._file, self._size = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 0
            self._write(self._whole(exchange, keys, counts))
            self._first_size = self._size
            fresh.replace(self._path)
        except OSError as error:
            raise exception("unreadable_file", f"{self._path} cannot be written: {error.strerror}") from error
        if old >= 0:
            os.close(old)

    @property
    def is_grown(self) -> bool:
        """Whether most of the file is out of date."""
        return self._size >= _GROWN * self._first_size + _SMALL

    def _whole(self, exchange: Exchange, keys: Iterable[ApiKey], counts: dict[int, OrderCounts]) -> Line:
        return Line(
            list(exchange.accounts.values()),
            list(exchange.orders.values()),
            [fill for fills in exchange.fills.values() for fill in fills],
            [match for matches in exchange.history.prevented.values() for match in matches],
            list(keys),
            counts,
            prices={name: market.last_price for name, market in exchange.markets.items()},
            fees=exchange.fees,
            crowd=exchange.crowd,
            paid_in=exchange.paid_in,
            jumps=self._jumps,
        )

    @staticmethod
    def _read(path: Path, kept: Kept) -> None:
        lines = path.read_bytes().split(b"\n")
        for number, text in enumerate(lines[:-1], 1):
            try:
                kept.take(msgspec.json.decode(text, type=Line))
            except msgspec.DecodeError as error:
                message = f"{path}: line {number} is not the state of a sandbox: {error}"
                raise exception("unreadable_file", message, "name another file, or remove this one") from None

    def write(self, exchange: Exchange, changes: Changes) -> None:
        """Append what an action changed."""
        sums: dict[str, Any] = {"fees": exchange.fees, "crowd": exchange.crowd} if changes.fills else {}
        accounts, orders = [exchange.accounts[number] for number in changes.accounts], list(changes.orders.values())
        self._write(Line(accounts, orders, changes.fills, changes.prevented, paid_in=exchange.paid_in, **sums))

    def write_key(self, key: ApiKey) -> None:
        """Append a key."""
        self._write(Line(keys=[key]))

    def write_counts(self, account: int, counts: OrderCounts) -> None:
        """Append how many orders an account has sent."""
        self._write(Line(counts={account: counts}))

    def note_markets(self, markets: Iterable[Market]) -> None:
        """Append the last prices."""
        self._write(Line(prices={market.symbol.name: market.last_price for market in markets}))

    def _write(self, line: Line) -> None:
        text = msgspec.json.encode(line) + b"\n"
        rest = text
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            # Half a line, such as on a full disk, must not be in the way of the next one.
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(text)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
        self._file = -1
