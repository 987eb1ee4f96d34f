"""What every client is pushed, beside what the exchange holds in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

from agreement import WrongError, demand
from course import held
from driver import Driver
from exchange import SYMBOL, Exchange

_PACE_SECONDS = 0.25
"""A client may send five messages a second, as on Binance."""


class Watch:
    """What a client is pushed while it and others trade.

    Parameters
    ----------
    exchange
        Where it trades.
    driver
        The client.
    words
        How its words are read.

    """

    def __init__(self, exchange: Exchange, driver: Driver, words: ModuleType) -> None:
        self.exchange, self.driver = exchange, driver
        self._split: Callable[[str, Any], Iterator[tuple[str, Any]]] = words.pushed
        self._missing: dict[str, Exception] = {}
        for stream in _STREAMS:
            self._attempt(stream, lambda stream=stream: driver.ask("watch", stream=stream))
            time.sleep(_PACE_SECONDS)
        for stream in _STREAMS[:-1]:
            if stream not in self._missing:
                self._attempt(stream, lambda stream=stream: driver.wait(lambda: _some(self.said(stream))))
        self.snapshot = exchange.get("depth", symbol=SYMBOL, limit=5_000)

    def _attempt(self, stream: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:  # shown in the stream's rows
            self._missing[stream] = error

    def said(self, name: str) -> list[Any]:
        """All that was pushed under a name."""
        streams = {name, _SOURCES.get(name, name)}
        rows = [(stream, row) for stream in streams for row in list(self.driver.pushes[stream])]
        return [value for stream, row in rows for found, value in self._split(stream, row) if found == name]

    def check(self, name: str, check: Callable[[Exchange, list[Any]], None]) -> None:
        """Wait until what was pushed under a name is right."""
        if (error := self._missing.get(_SOURCES.get(name, name))) is not None:
            raise error
        self.driver.wait(lambda: check(self.exchange, _some(self.said(name))))

    def differences(self) -> None:
        """A book that is built of its changes, each of which follows the one before, is the exchange's."""

        def check(exchange: Exchange, rows: list[Any]) -> None:
            last = self.snapshot["lastUpdateId"]
            book = {side: dict(self.snapshot[side]) for side in ("bids", "asks")}
            for row in (row for row in rows if row["last"] > last):
                if not row["first"] <= last + 1 <= row["last"]:
                    raise WrongError(f"a change from {row['first']} to {row['last']} follows {last}")
                last = row["last"]
                for side, levels in book.items():
                    levels |= dict(row[side])
            sides = {side: [level for level in levels.items() if Decimal(level[1])] for side, levels in book.items()}
            bids, asks = (sorted(levels, key=lambda level: Decimal(level[0])) for levels in sides.values())
            now = exchange.get("depth", symbol=SYMBOL, limit=5_000)
            demand({"id": last, "bids": bids[::-1], "asks": asks}, held("book", now))

        self.check("differences", check)

    def balances(self) -> None:
        """What is pushed is what there is, while an order locks a part of it."""
        price = self.exchange.bids()[-1][0]
        order = self.exchange.buy("0.01", price)
        self.check("balances", _balances)
        self.exchange.ask("DELETE", "order", symbol=SYMBOL, orderId=order["orderId"])


def _some(rows: list[Any]) -> list[Any]:
    if not rows:
        raise WrongError("nothing was pushed")
    return rows


def _numbered(exchange: Exchange, rows: list[Any], every: list[Any]) -> None:
    """From the first that was pushed on, each of the exchange's was."""
    pushed = {int(row["id"]): row for row in rows}
    wanted = [row for row in every if row["id"] >= min(pushed)]
    demand([pushed.get(row["id"]) for row in wanted], _some(wanted))


def _trades(exchange: Exchange, rows: list[Any]) -> None:
    _numbered(exchange, rows, held("trades", exchange.get("trades", symbol=SYMBOL, limit=1_000)))


def _aggregate_trades(exchange: Exchange, rows: list[Any]) -> None:
    _numbered(exchange, rows, held("aggregate_trades", exchange.get("aggTrades", symbol=SYMBOL, limit=1_000)))


def _last(call: str, path: str, **values: Any) -> Callable[[Exchange, list[Any]], None]:
    """The last that was pushed is what a request answers now."""
    return lambda exchange, rows: demand(rows[-1], held(call, exchange.get(path, symbol=SYMBOL, **values)))


def _rebuilt_book(exchange: Exchange, rows: list[Any]) -> None:
    now = held("book", exchange.get("depth", symbol=SYMBOL, limit=50))
    demand({side: rows[-1][side][:50] for side in ("bids", "asks")}, {side: now[side] for side in ("bids", "asks")})


def _klines(exchange: Exchange, rows: list[Any]) -> None:
    """The last minute in which anything was traded."""
    every = held("klines", exchange.get("klines", symbol=SYMBOL, interval="1m", limit=5))
    said, wanted = ([row for row in found if Decimal(str(row[5]))] for found in (rows, every))
    demand(_some(said)[-1], wanted[-1])


def _reports(exchange: Exchange, rows: list[Any]) -> None:
    """The last report of each order is what became of it; a cancel has a client id of its own."""

    def plain(order: Any) -> Any:
        return order | {"client_id": None} if order["status"] == "CANCELED" else order

    every = held("all_orders", exchange.ask("GET", "allOrders", symbol=SYMBOL))
    _numbered(exchange, [plain(row) for row in rows], [plain(order) for order in every])


def _own_fills(exchange: Exchange, rows: list[Any]) -> None:
    _numbered(exchange, rows, held("fills", exchange.ask("GET", "myTrades", symbol=SYMBOL)))
    demand({row["maker"] for row in rows} == {True, False}, True)


def _balances(exchange: Exchange, rows: list[Any]) -> None:
    known: dict[str, Any] = {}
    for row in rows:
        known |= row
    now = exchange.balances()
    demand({asset: known.get(asset) for asset in ("BTC", "USDT")}, {asset: now[asset] for asset in ("BTC", "USDT")})


_STREAMS = (
    "trades",
    "aggregate_trades",
    "differences",
    "partial_book",
    "rebuilt_book",
    "best",
    "klines",
    "day",
    "mini",
    "account",
)
_SOURCES = {"reports": "account", "own_fills": "account", "balances": "account"}

ROWS: dict[str, Callable[[Watch], None]] = {
    "trades": lambda watch: watch.check("trades", _trades),
    "aggregate trades": lambda watch: watch.check("aggregate_trades", _aggregate_trades),
    "changes of the book": Watch.differences,
    "partial book": lambda watch: watch.check("partial_book", _last("book", "depth", limit=5)),
    "the client's own book": lambda watch: watch.check("rebuilt_book", _rebuilt_book),
    "best bid and ask": lambda watch: watch.check("best", _last("best", "ticker/bookTicker")),
    "klines": lambda watch: watch.check("klines", _klines),
    "24-hour ticker": lambda watch: watch.check("day", _last("day", "ticker/24hr")),
    "24-hour mini ticker": lambda watch: watch.check("mini", _last("day", "ticker/24hr")),
    "orders": lambda watch: watch.check("reports", _reports),
    "fills": lambda watch: watch.check("own_fills", _own_fills),
    "balances": Watch.balances,
}
"""The pushes of the table."""
