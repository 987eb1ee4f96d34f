"""Books that are begun anew from a snapshot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradewind.errors import TradewindError
from tradewind.venues.connection.backoff import Backoff

if TYPE_CHECKING:
    from tradewind.venues.streaming import StreamingMarketData

_FOLLOWED_SECONDS = 30.0


class Resyncs:
    """The books of a venue that wait for a snapshot.

    Parameters
    ----------
    data
        The venue's market data.

    """

    def __init__(self, data: StreamingMarketData) -> None:
        self._data = data
        self._symbols: dict[str, int | None] = {}
        self._wanted = asyncio.Event()

    def want(self, symbol: str) -> None:
        """Begin a book anew as soon as may be."""
        self._symbols.setdefault(symbol, self._data.decoder.arrival_ns(symbol, "book"))
        self._wanted.set()

    async def run(self) -> None:
        """One book after the other, so that many that break together do not ask together."""
        loop = asyncio.get_running_loop()
        backoffs: dict[str, Backoff] = {}
        not_before: dict[str, float] = {}
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for symbol in list(self._symbols):
                stream = next(
                    (one for one in self._data.liveness.watched if one.symbol == symbol and one.kind == "book"), None
                )
                if stream is None:
                    self._symbols.pop(symbol, None)
                    continue
                backoff, due = backoffs.setdefault(symbol, Backoff()), not_before.get(symbol, 0.0)
                if loop.time() < due:
                    loop.call_later(due - loop.time(), self._wanted.set)
                    continue
                if loop.time() - due > _FOLLOWED_SECONDS:
                    backoff.reset()
                # A book that breaks again at once is not asked for again at once.
                not_before[symbol] = loop.time() + backoff.next()
                try:
                    is_done = await self._data.resync(symbol)
                except TradewindError as error:
                    self._data.report(stream, "stale", f"no snapshot: {error.message}")
                    is_done = False
                if is_done:
                    # A snapshot alone does not say that changes come.
                    self._data.liveness.awaited[stream] = self._symbols.pop(symbol, None)
                    self._data.liveness.look_for_first()
                else:
                    self._wanted.set()
