"""What can go wrong at the venue, on request: switches that the protocol looks at, and things that happen at once.

Every fault has a name, and the numbers that the list of live faults knows it by. A switch stays on until it is
switched off, for some seconds, or for so many occasions.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.errors import exception
from tradewind.sandbox.binance_spot.api_connection import ApiConnection
from tradewind.sandbox.binance_spot.connection import Connection, framed
from tradewind.sandbox.binance_spot.stream_connection import StreamConnection
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.refusal import Refusal
from tradewind.sandbox.units import parse

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

SWITCHES = {
    "silent_stall": ("F2", "streams and user data send nothing; pings go on"),
    "stalled_stream": ("F3", "the stream named `stream` sends nothing"),
    "quiet_market": ("F4", "the participants do nothing"),
    "dropped_diff": ("F14", "depth events get lost"),
    "duplicated_diff": ("F15", "depth events come twice"),
    "reordered_diffs": ("F16", "two depth events change places"),
    "old_snapshot": ("F17 F18", "book snapshots are as of when this was switched on"),
    "rest_error": ("F22 F48 F51", "REST at `path` (any) answers `status` (503) with `code` and `message`"),
    "nonsense_body": ("F26", "REST at `path` (any) answers 200 with `body` (a page of HTML)"),
    "timeout_accepted": ("F28", "an order is taken, and answered by -1007, or by nothing if `silent`"),
    "timeout_not_accepted": ("F29", "an order is lost, and answered by -1007, or by nothing if `silent`"),
    "late_order": ("F29", "an order is answered by -1007 and taken `seconds_later` (1)"),
    "read_lag": ("F29", "orders younger than `lag_seconds` (1) are not found"),
    "push_before_answer": ("F30", "answers to orders come `delay_seconds` (0.2) late, after the pushes"),
    "duplicated_fill": ("F31", "reports of fills come twice"),
    "lost_push": ("F45", "user data get lost"),
    "order_rate": ("F50", "orders are refused by -1015"),
    "cancel_races_fill": ("F32", "an order is filled just before its cancel"),
    "maintenance": ("F51", "markets are closed"),
}
"""Switches: the numbers of the fault, and what it does."""

ACTIONS = {
    "hard_close": ("F1 F9", "connections break off, in the middle of a frame if `partial`; `kind`: stream, api or all"),
    "announced_disconnect": ("F8", "serverShutdown, then the connection closes after `notice_seconds` (10)"),
    "control_flood": ("F6", "`number` (100) pings at once"),
    "unknown_event": ("F25", "an event of an unknown type on every stream connection"),
    "nonsense_frame": ("F25 F26", "a frame with `text` that is not JSON on every connection"),
    "expired_order": ("F38", "the venue ends the order `order_id`, or all open ones, with `reason`"),
    "user_stream_ends": ("F44", "eventStreamTerminated for `account`, or all"),
    "foreign_order": ("F46", "somebody else trades on `account`: `symbol`, `side`, `quantity`, `price` (market)"),
    "clock": ("F47", "the venue's clock goes `seconds` before ours"),
    "key_revoked": ("F52", "the key `api_key`, or all keys of `account`, may do nothing any more"),
    "ban": ("F48", "all addresses are banned for `seconds` (120)"),
    "transfer": ("F42 F45", "`amount` of `asset` goes into `account`, or out of it"),
}
"""Things that happen at once: the numbers of the fault, and what it does."""


@dataclass
class Switch:
    """A fault that is on."""

    parameters: dict[str, Any] = field(default_factory=dict)
    occasions: int | None = None
    timer: asyncio.TimerHandle | None = None


class Faults:
    """The switchboard.

    Parameters
    ----------
    server
        Whose faults they are.

    Examples
    --------
    >>> sorted(SWITCHES)[:2]
    ['cancel_races_fill', 'dropped_diff']

    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.active: dict[str, Switch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._snapshots: dict[str, dict[str, Any]] = {}

    def on(self, name: str, *, seconds: float | None = None, occasions: int | None = None, **parameters: Any) -> None:
        """Switch a fault on, for good, for some seconds or for so many occasions; or let it happen at once."""
        name = _known(name)
        if name in ACTIONS:
            if seconds is not None:
                parameters["seconds"] = seconds
            getattr(self, f"_{name}")(**parameters)
            return
        self.off(name)
        timer = None
        if seconds is not None:
            timer = asyncio.get_running_loop().call_later(seconds, self.off, name)
        self.active[name] = Switch(parameters, occasions, timer)
        if name == "old_snapshot":
            venue = self._server.venue
            self._snapshots = {key: venue.snapshot(market, 5_000) for key, market in venue.exchange.markets.items()}
        self._open_markets(name != "maintenance" and "maintenance" not in self.active)

    def off(self, name: str) -> None:
        """Switch a fault off."""
        found = self.active.pop(_known(name), None)
        if found is not None and found.timer is not None:
            found.timer.cancel()
        self._open_markets("maintenance" not in self.active)

    def clear(self) -> None:
        """Switch everything off."""
        for name in list(self.active):
            self.off(name)
        for task in self._tasks:
            task.cancel()

    def fires(self, name: str) -> Switch | None:
        """Whether a fault is on now; counts as an occasion."""
        found = self.active.get(name)
        if found is not None and found.occasions is not None:
            found.occasions -= 1
            if found.occasions <= 0:
                self.off(name)
        return found

    def fires_at(self, name: str, path: str) -> Switch | None:
        """Whether a fault of a path is on."""
        found = self.active.get(name)
        return self.fires(name) if found is not None and found.parameters.get("path", path) == path else None

    def snapshot(self, symbol: str) -> dict[str, Any] | None:
        """The old snapshot of a book, if that is what is given."""
        return self._snapshots.get(symbol) if self.fires("old_snapshot") else None

    def listed(self) -> dict[str, Any]:
        """All faults, and which are on."""
        rows = {**SWITCHES, **ACTIONS}
        return {name: {"ids": ids, "what": what, "on": name in self.active} for name, (ids, what) in rows.items()}

    def schedule(self, names: Iterable[str], *, seed: int, seconds: float, every_seconds: float = 5.0) -> None:
        """Let faults come and go by chance of a seed, for so long."""
        task = asyncio.get_running_loop().create_task(self._run(plan(names, seed, seconds, every_seconds)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, steps: Sequence[tuple[float, str, float]]) -> None:
        begun = asyncio.get_running_loop().time()
        for at, name, length in steps:
            await asyncio.sleep(max(begun + at - asyncio.get_running_loop().time(), 0))
            self.on(name, seconds=None if name in ACTIONS else length)

    def _open_markets(self, is_open: bool) -> None:
        for market in self._server.exchange.markets.values():
            market.is_open = is_open

    # What happens at once

    def _connections(self, kind: str = "all") -> list[Connection]:
        wanted = {"stream": StreamConnection, "api": ApiConnection, "all": Connection}.get(kind)
        if wanted is None:
            raise exception("bad_setting", f"fault: kind = {kind!r}", "stream, api or all")
        return [one for one in self._server.connections if isinstance(one, wanted)]

    def _hard_close(self, kind: str = "all", partial: bool = False) -> None:
        for one in self._connections(kind):
            if partial:
                one.send_now(framed(b"x" * 1_000)[:200])
                one.hang_up()
            else:
                one.drop("a fault")

    def _announced_disconnect(self, kind: str = "all", notice_seconds: float = 10.0) -> None:
        self._server.notice_seconds = notice_seconds
        for one in self._connections(kind):
            one.announce_end()

    def _control_flood(self, number: int = 100) -> None:
        for one in self._connections():
            for _ in range(number):
                one.send(b"\x89\x05flood")

    def _unknown_event(self) -> None:
        for one in self._connections("stream"):
            assert isinstance(one, StreamConnection)
            event = {"e": "neverHeardOf", "E": self._server.clock.now_ns() // one.scale, "x": {"y": None}}
            wrapped = {"stream": "!neverHeardOf", "data": event} if one.combined else event
            one.send(framed(msgspec.json.encode(wrapped)))

    def _nonsense_frame(self, text: str = '{"e":"trade","p":', kind: str = "all") -> None:
        for one in self._connections(kind):
            one.send(framed(text.encode()))

    def _expired_order(self, order_id: int | None = None, reason: str = "MARKET_HALT") -> None:
        exchange, now_ns = self._server.exchange, self._server.clock.now_ns()
        for orders in list(exchange.open_orders.values()):
            for order in list(orders.values()):
                if order_id in (None, order.id):
                    exchange.expire(order, reason, now_ns)

    def _user_stream_ends(self, account: int | None = None) -> None:
        for number in [account] if account is not None else list(self._server.exchange.accounts):
            for one in self._server.users.listeners(number):
                one.terminate_account(number)

    def _foreign_order(
        self, account: int, symbol: str, side: str = "BUY", quantity: str = "0.001", price: str | None = None
    ) -> None:
        exchange = self._server.exchange
        request = OrderRequest(
            symbol=symbol,
            buy=side == "BUY",
            kind="LIMIT" if price else "MARKET",
            client_id=f"web_{exchange.order_id:032x}",
            price=parse(price) if price else 0,
            quantity=parse(quantity),
        )
        try:
            exchange.submit(exchange.accounts[account], request, self._server.clock.now_ns())
        except Refusal as refusal:
            raise exception("bad_setting", f"fault: foreign_order: {refusal}") from None

    def _clock(self, seconds: float) -> None:
        self._server.clock.offset_ns = int(seconds * 1e9)

    def _key_revoked(self, api_key: str | None = None, account: int | None = None) -> None:
        for key in self._server.venue.keys.values():
            if (api_key is None or key.key == api_key) and (account is None or key.account == account):
                key.trading = key.reading = False
                if self._server.state is not None:
                    self._server.state.write_key(key)
                self._user_stream_ends(key.account)

    def _ban(self, seconds: float = 120.0) -> None:
        now_ms = self._server.clock.now_ns() // 1_000_000
        self._server.venue.meter.ban_all(now_ms + int(seconds * 1_000))

    def _transfer(self, account: int, asset: str, amount: str) -> None:
        units = -parse(amount[1:]) if amount.startswith("-") else parse(amount)
        try:
            exchange = self._server.exchange
            exchange.transfer(exchange.accounts[account], asset, units, self._server.clock.now_ns())
        except Refusal as refusal:
            raise exception("bad_setting", f"fault: transfer: {refusal}") from None


def plan(names: Iterable[str], seed: int, seconds: float, every_seconds: float) -> list[tuple[float, str, float]]:
    """When which fault begins, and how long it lasts: the same for the same seed.

    Examples
    --------
    >>> plan(["silent_stall"], seed=1, seconds=20, every_seconds=10)  # doctest: +ELLIPSIS
    [(1.442..., 'silent_stall', 2.625...), (8.283..., 'silent_stall', 4.775...), ...]

    """
    chance, known = random.Random(seed), [_known(name) for name in names]
    steps: list[tuple[float, str, float]] = []
    at = chance.expovariate(1 / every_seconds)
    while at < seconds:
        steps.append((at, chance.choice(known), chance.uniform(0.1, every_seconds)))
        at += chance.expovariate(1 / every_seconds)
    return steps


def _known(name: str) -> str:
    """The name of a fault by its name or a number such as F14."""
    table = {**SWITCHES, **ACTIONS}
    found = name if name in table else next((key for key, (ids, _) in table.items() if name in ids.split()), None)
    if found is None:
        raise exception("bad_setting", f"there is no fault {name!r}", f"one of {', '.join(table)}")
    return found
