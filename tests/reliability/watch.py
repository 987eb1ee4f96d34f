"""What a session does while it is put to the test, seen from beside it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import aiohttp
from session_bench import execution_of

from reliability.venue import AUDITOR
from tradewind.session.run import Prepared
from tradewind.venues import CancelRequest, OrderRequest
from tradewind.venues.connection.websocket import Channel, Link
from tradewind.venues.constants import constants

KINDS = ("trades", "quotes", "book")
SILENCE_SECONDS = 1.0
"""How soon a silent stream is asked about here; the data file says 15 to 30 s, which a suite has no time for."""
FRESH_SECONDS = 5.0
"""How old what is traded on may be: the silence, the second between glances, two seconds for the stream to follow."""
MOST_CANCELS = 60
"""The trader itself cancels what is open some times a second."""
_SYMBOL = "BTCUSDT"
_REFUSED = (403, 418, 429)


@dataclass(frozen=True)
class Sent:
    """An order that left."""

    at: float
    side: str
    ages: dict[str, float]
    """How long ago the last message of each stream came."""
    lag: float
    """How long before the decision the trade happened that it was taken on."""
    down: list[str]
    """Streams and connections that were known to be out of order."""


@dataclass
class Watch:
    """What was seen; times are those of the monotonic clock."""

    sent: list[Sent] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)
    cancels: Counter[str] = field(default_factory=Counter)
    """How often each order was asked to be cancelled."""
    changes: list[tuple[float, str, bool]] = field(default_factory=list)
    books: list[tuple[bool, Any]] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    """How old the trade of each decision was."""
    oldest: dict[str, float] = field(default_factory=dict)
    """How old each stream came to be while it counted as fresh."""

    def stale_trades(self) -> list[str]:
        """Orders that opened a position on data that were old, or known to be out of order."""
        found = []
        for one in self.sent:
            ages = {**one.ages, "a trade that is": one.lag}
            old = [f"{kind} {age:.1f} s old" for kind, age in ages.items() if age > FRESH_SECONDS]
            if one.side == "buy" and (old or one.down):
                found.append(f"a purchase left on {', '.join([*old, *(f'{name} down' for name in one.down)])}")
        stale = [f"stale: {len(found)} times: {found[0]}"] if found else []
        return stale + [
            f"stale: {kind} came to be {age:.1f} s old and counted as fresh"
            for kind, age in self.oldest.items()
            if age > FRESH_SECONDS
        ]

    def stormy_cancels(self) -> list[str]:
        """Orders that were cancelled again and again."""
        often = {order: count for order, count in self.cancels.items() if count > MOST_CANCELS}
        return [f"I5 {len(often)} orders were cancelled up to {max(often.values()):,} times"] if often else []

    def between(self, times: list[float], begin: float, end: float) -> int:
        """How many times are in a span."""
        return sum(begin <= at <= end for at in times)


class _Listener(logging.Handler):
    """Hears what the trader tells."""

    def __init__(self, heard: list[Any]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.args, tuple)
        self._heard.append(record.args[0])


@contextmanager
def _listening(name: str, heard: list[Any]) -> Iterator[None]:
    log, listener = logging.getLogger(name), _Listener(heard)
    level, propagates = log.level, log.propagate
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(listener)
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.setLevel(level)
        log.propagate = propagates


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch connections and requests of all sessions in this process; streams are judged soon."""
    watch = Watch()
    connect, request = Link._open, aiohttp.ClientSession._request
    silence = constants("binance_spot")["silence"]

    async def connecting(self: Link, channel: Channel) -> None:
        watch.connects.append(time.monotonic())
        await connect(self, channel)

    async def asking(self: aiohttp.ClientSession, *given: Any, **more: Any) -> Any:
        if self.headers.get("User-Agent") == AUDITOR:
            return await request(self, *given, **more)
        watch.asked.append(time.monotonic())
        response = await request(self, *given, **more)
        if response.status in _REFUSED:
            watch.refused.append((time.monotonic(), response.status))
        return response

    with ExitStack() as stack:
        stack.enter_context(patch.object(Link, "_open", connecting))
        stack.enter_context(patch.object(aiohttp.ClientSession, "_request", asking))
        stack.enter_context(patch.dict(silence, dict.fromkeys(KINDS, SILENCE_SECONDS)))
        stack.enter_context(_listening("reliability.trader.books", watch.books))
        stack.enter_context(_listening("reliability.trader.lags", watch.lags))
        yield watch


class Arrivals:
    """When the streams of a session last brought something; a snapshot brings a book something, too."""

    def __init__(self, ready: Prepared) -> None:
        self._market: Any = ready.session._venues["binance_spot"].market_data
        self._last: dict[str, int] = {}
        self._progress: dict[str, list[int]] = {}

    def ages(self) -> dict[str, float]:
        """Seconds since the last message of each stream that ever had one."""
        decoder, now_ns = self._market.decoder, self._market.clock()
        for kind in KINDS:
            progress = decoder.progress(_SYMBOL, kind, 0)
            if progress and progress != self._progress.get(kind):
                self._progress[kind], self._last[kind] = progress, now_ns
            self._last[kind] = max(decoder.arrival_ns(_SYMBOL, kind) or 0, self._last.get(kind, 0))
        return {kind: (now_ns - at) / 1e9 for kind, at in self._last.items() if at}


async def glance(watch: Watch, ready: Prepared) -> None:
    """Look now and then how old the streams are that count as fresh."""
    arrivals = Arrivals(ready)
    glanced = time.monotonic()
    while True:
        held_up, glanced = time.monotonic() - glanced > 1, time.monotonic()
        for kind, age in arrivals.ages().items():
            # Where nothing ran for a while, nothing was decided either.
            if not held_up and ready.session.health.connections.get(f"binance_spot:{_SYMBOL} {kind}"):
                watch.oldest[kind] = max(age, watch.oldest.get(kind, 0.0))
        await asyncio.sleep(0.2)


def attend(watch: Watch, ready: Prepared) -> None:
    """Watch the orders and the health of one session."""
    session = ready.session
    arrivals = Arrivals(ready)
    execution, stream, connection = execution_of(ready), session.stream, session.connection
    place, cancel = execution.place, execution.cancel

    def placing(order: OrderRequest) -> None:
        down = [name for name, is_up in session.health.connections.items() if not is_up]
        watch.sent.append(Sent(time.monotonic(), order.side, arrivals.ages(), watch.lags[-1], down))
        place(order)

    def cancelling(order: CancelRequest) -> None:
        watch.cancels[order.client_id] += 1
        cancel(order)

    def changing_stream(instrument: Any, kind: str, *, is_fresh: bool, time_ns: int | None = None) -> None:
        watch.changes.append((time.monotonic(), kind, is_fresh))
        stream(instrument, kind, is_fresh=is_fresh, time_ns=time_ns)

    def changing_connection(venue: str, *, is_connected: bool, time_ns: int | None = None) -> None:
        watch.changes.append((time.monotonic(), "orders", is_connected))
        connection(venue, is_connected=is_connected, time_ns=time_ns)

    execution.place, execution.cancel = placing, cancelling
    session.stream = changing_stream  # type: ignore[method-assign]
    session.connection = changing_connection  # type: ignore[method-assign]
