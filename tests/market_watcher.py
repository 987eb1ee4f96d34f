"""Market data of a local exchange, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import patience
from patience import until

import tradewind as tw
from tradewind._core import Inbox
from tradewind.dataset import definition
from tradewind.sandbox import Sandbox
from tradewind.venues import BinanceSpotMarketData, MarketSink, StreamName, StreamStatus, VenueClock

BTC = "binance_spot:BTCUSDT"
KINDS = [StreamName(BTC, "trades"), StreamName(BTC, "quotes"), StreamName(BTC, "book"), StreamName(BTC, "bars", "1s")]


class Watcher:
    """Market data of a sandbox, with the book kept in the simplest way."""

    def __init__(self, box: Sandbox, **more: Any) -> None:
        self.box = box
        self.clock = VenueClock()
        self.data = BinanceSpotMarketData(
            stream_url=box.stream_url, rest_url=box.rest_url, clock=self.clock, silence_seconds=more
        )
        self.index = tw.Index([definition(tw.instruments.load(BTC))])
        self.inbox = Inbox(self.index)
        self.statuses: list[StreamStatus] = []
        self.events: list[Any] = []
        self.sides: dict[str, dict[float, float]] = {"buy": {}, "sell": {}}
        self.sink = MarketSink(self.inbox, self.clock, self.take, self.status)

    def status(self, status: Any) -> None:
        if isinstance(status, StreamStatus):
            self.statuses.append(status)

    def take(self) -> None:
        for event in self.inbox.take_events():
            self.events.append(event)
            if type(event).__name__ == "BookUpdate":
                if event.is_first:
                    self.sides = {"buy": {}, "sell": {}}
                self.sides[event.side][event.price] = event.quantity
                if not event.quantity:
                    del self.sides[event.side][event.price]

    def count(self, name: str) -> int:
        return sum(type(event).__name__ == name for event in self.events)

    def states(self, kind: str) -> list[str]:
        return [one.state for one in self.statuses if one.stream is not None and one.stream.kind == kind]

    def is_book_right(self) -> bool:
        market = self.box.server.exchange.markets["BTCUSDT"]
        whole = self.box.server.venue.snapshot(market, 5_000)
        theirs = [{float(price): float(size) for price, size, *_ in whole[side]} for side in ("bids", "asks")]
        return theirs == [self.sides["buy"], self.sides["sell"]]


@asynccontextmanager
async def watching(streams: list[StreamName] = KINDS, **more: Any) -> AsyncIterator[Watcher]:
    async with Sandbox(symbols=("BTCUSDT",), history_seconds=180) as box:
        watcher = Watcher(box, **more)
        watcher.data.subscribe(streams)
        await watcher.data.start(watcher.sink)
        try:
            await until(lambda: Counter(one.state for one in watcher.statuses)["connected"] == len(streams))
            yield watcher
        finally:
            await watcher.data.close()


def run(check: Callable[[Watcher], Awaitable[None]], streams: list[StreamName] = KINDS, **more: Any) -> None:
    async def wrapped() -> None:
        async with watching(streams, **more) as watcher:
            await check(watcher)

    patience.run(wrapped())
