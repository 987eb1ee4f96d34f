"""What came before: history before trading, and what was missed in every gap (V4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradewind._core import Inbox
from tradewind.config.run import WarmUp
from tradewind.errors import TradewindError, exception
from tradewind.times import duration_ns
from tradewind.venues import MarketSink, StreamName, StreamStatus

if TYPE_CHECKING:
    from tradewind.session.feeds import MarketFeed
    from tradewind.session.session import Session, VenueParts

_WAITS_SECONDS = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Between questions for trades that the venue has sent and does not show yet."""
_MILLISECOND_NS = 1_000_000
log = logging.getLogger(__name__)


@dataclass
class Fetched:
    """What a venue remembers of an instrument, and between which times trades are missing."""

    bars: Inbox
    trades: Inbox
    gaps: list[tuple[int, int]] = field(default_factory=list)


class Past:
    """Joins what a venue remembers of trades to what it streams, without overlap.

    Trades are held back from the moment at which their stream broke. What was missed meanwhile is fetched and fed as
    warm-up rows: indicators, bars and histories take them, callbacks do not. Then the stream goes on. What the venue
    does not give is a gap.

    Parameters
    ----------
    session, venue
        Whose rows are joined.
    inbox
        Into which the venue streams.

    """

    def __init__(self, session: Session, venue: VenueParts, inbox: Inbox) -> None:
        self._session = session
        self._venue = venue
        self._inbox = inbox
        self._settings = session.history
        self._is_numbered = venue.market_data.numbers_trades
        self._held: dict[str, asyncio.Event] = {}
        self._fills: dict[str, asyncio.Task[None]] = {}
        self.awaited: set[str] = set()
        """Instruments whose trades go on with the first one, if nothing is missing before it."""
        self._cold: set[str] = set()
        self._fetched: dict[str, Fetched] = {}
        self._begun: dict[str, int] = {}

    # A stream that breaks, and goes on.

    def hold(self, name: str) -> None:
        """An instrument's trades wait from now on for those before them."""
        self._inbox.hold(name)
        self.awaited.discard(name)
        self._held.setdefault(name, asyncio.Event()).clear()

    def take_over(self, status: StreamStatus) -> bool:
        """Hear of a stream of trades; tells whether the engine hears of it from here."""
        assert status.stream is not None
        name = status.stream.instrument
        if status.state in ("disconnected", "stale"):
            if (fill := self._fills.pop(name, None)) is not None:
                fill.cancel()
            return False
        if name not in self._held:
            self._tell_beginning(name)
            return False
        self._held[name].set()
        if name not in self._fills and not self._session.kernel.is_warming:
            if status.state == "gap":
                self._tell(name, is_fresh=False)
            self._fills[name] = self._session.in_background(self._fill(name))
        return True

    def look(self) -> None:
        """Let streams go on whose first trade has come behind what was fetched."""
        for name in list(self.awaited):
            first = self._inbox.first_held(name)
            if first is None:
                continue
            self.awaited.discard(name)
            if self._continues(name, first):
                self._release(name)
                self._session.take_rows(self._inbox)
            else:
                self._tell(name, is_fresh=False)
                self._fills[name] = self._session.in_background(self._fill(name))

    def _continues(self, name: str, first: tuple[int, int]) -> bool:
        last = self._last(name)
        return last is None or not self._is_numbered or first[0] <= last[0] + 1

    async def _fill(self, name: str) -> None:
        last = self._last(name)
        from_ns = self._begun.get(name, 0) if last is None else last[1]
        fetched = await self._fetch(name, last, from_ns)
        self._fills.pop(name, None)
        self._feed(name, fetched)
        self._go_on(name)
        self._session.take_rows(self._inbox)
        self._tell(name, is_fresh=True)

    def _feed(self, name: str, fetched: Fetched) -> None:
        instrument = self._session.index.instrument(name)
        for from_ns, to_ns in fetched.gaps:
            self._session.gap(instrument, "trades", from_ns, to_ns)
        self._session.take_history(fetched.bars)
        self._session.take_history(fetched.trades)

    def _go_on(self, name: str) -> None:
        """Let held trades go on, or wait for the first: what the venue's history did not show yet may lie before it."""
        if self._inbox.first_held(name) is None:
            self.awaited.add(name)
        else:
            self._release(name)

    def _release(self, name: str) -> None:
        self._inbox.release(name)
        self._held.pop(name, None)

    def _tell(self, name: str, *, is_fresh: bool) -> None:
        self._session.stream(self._session.index.instrument(name), "trades", is_fresh=is_fresh)

    def _last(self, name: str) -> tuple[int, int] | None:
        return self._session.kernel.last_trade(self._session.index.instrument(name))

    # Before trading.

    def begin(self, streams: Sequence[StreamName], down_since_ns: int | None) -> None:
        """Hold what is streamed until what came before is there, if there is anything before."""
        for stream in streams:
            if stream.kind != "trades":
                continue
            if down_since_ns is None and not self._session.kernel.is_warming:
                self._cold.add(stream.instrument)
            else:
                self._begun[stream.instrument] = down_since_ns or 0
                self.hold(stream.instrument)

    def _tell_beginning(self, name: str) -> None:
        """Without a history the bars that are open when a stream begins lack their first trades."""
        intervals = [duration_ns(one) for one in self._intervals(name)]
        if name in self._cold and intervals:
            now_ns = self._session.now_ns()
            self._session.gap(self._session.index.instrument(name), "trades", now_ns - max(intervals), now_ns)
        self._cold.discard(name)

    async def learn(self) -> None:
        """Fetch what the system file declares, of every instrument of which trades or bars were named."""
        now_ns = self._session.now_ns()
        work = [asyncio.ensure_future(self._learn(name, now_ns)) for name in list(self._held)]
        try:
            await asyncio.gather(*work)
        finally:
            await _cancelled(work)

    async def close(self) -> None:
        """Fetch nothing more."""
        await _cancelled(list(self._fills.values()))

    async def _learn(self, name: str, now_ns: int) -> None:
        intervals = [duration_ns(one) for one in self._intervals(name)]
        # Bars are built from trades from here on; where lengths divide each other, every bar from its beginning.
        trades_ns = now_ns - duration_ns(self._settings.trades)
        from_ns = min([trades_ns, *(trades_ns // one * one for one in intervals)])
        self._begun[name] = from_ns
        bars = Inbox(self._session.index)
        problem = await self._fetch_bars(name, now_ns, from_ns, bars)
        fetched = await self._fetch(name, None, from_ns, needs_connection=True)
        fetched.bars = bars
        if any(from_ns % one for one in intervals):
            fetched.gaps.append((from_ns - max(intervals), from_ns - 1))
        if self._settings.required and (problem or fetched.gaps):
            raise exception(
                "not_warm",
                f"{name}: {problem or 'trades are missing in what the venue remembers'}",
                "run again later, declare less in [warm_up], or set warm_up.required = false",
            )
        self._fetched[name] = fetched

    async def _fetch_bars(self, name: str, now_ns: int, until_ns: int, bars: Inbox) -> str:
        """Fetch bars that have closed before a time; gives why they could not be had."""
        length_ns = duration_ns(self._settings.bars)
        sink = MarketSink(bars, self._session.stamp)
        for interval in self._intervals(name) if length_ns else ():
            stream = StreamName(name, "bars", interval)
            try:
                async with asyncio.timeout(self._seconds):
                    await self._venue.market_data.history(stream, now_ns - length_ns, until_ns, sink)
            except (TimeoutError, NotImplementedError, TradewindError) as error:
                log.warning("%s: no history: %s", stream, _why(error))
                return f"{stream}: {_why(error)}"
        return ""

    def teach(self) -> None:
        """Feed what was fetched, and what was streamed meanwhile."""
        names = list(self._held)
        for name in names:
            self._feed(name, self._fetched.pop(name))
            # What the venue streams later is joined then, where nothing has come yet.
            if self._held[name].is_set():
                self._go_on(name)
        self._session.take_history(self._inbox)
        for name in names:
            if name not in self._held or name in self.awaited:
                self._tell(name, is_fresh=True)

    # What the venue remembers.

    @property
    def _seconds(self) -> float:
        return duration_ns(self._settings.timeout) / 1e9

    def _intervals(self, name: str) -> list[str]:
        """The intervals of the bars that strategies named."""
        instruments, named = self._session.index.instruments, self._session.kernel.named_streams()
        kinds = [kind for at, kind in named if instruments[at].name == name and kind.startswith("bars")]
        return [kind.removeprefix("bars(").removesuffix(")") for kind in kinds]

    async def _fetch(
        self, name: str, last: tuple[int, int] | None, from_ns: int, *, needs_connection: bool = False
    ) -> Fetched:
        fetched = Fetched(Inbox(self._session.index), Inbox(self._session.index))
        try:
            async with asyncio.timeout(self._seconds):
                if needs_connection:
                    await self._held[name].wait()
                await self._fetch_trades(name, last, from_ns, fetched)
        except (TimeoutError, NotImplementedError, TradewindError) as error:
            log.warning("%s.trades: no history: %s", name, _why(error))
            first = self._inbox.first_held(name)
            holes = fetched.trades.join(name, last, self._inbox, self._is_numbered)
            is_joined = self._is_numbered and last is not None and first is not None
            fetched.gaps = holes if is_joined else [(from_ns, first[1] if first else self._session.now_ns())]
        return fetched

    async def _fetch_trades(self, name: str, last: tuple[int, int] | None, from_ns: int, fetched: Fetched) -> None:
        """Fetch trades since a time, those of its millisecond too, until they reach up to what is streamed."""
        sink = MarketSink(fetched.trades, self._session.stamp)
        for wait in (*_WAITS_SECONDS, None):
            to_ns = self._session.now_ns() + _MILLISECOND_NS
            await self._venue.market_data.history(StreamName(name, "trades"), from_ns, to_ns, sink)
            fetched.gaps = fetched.trades.join(name, last, self._inbox, self._is_numbered)
            if not fetched.gaps or wait is None:
                return
            from_ns = fetched.gaps[0][0]
            await asyncio.sleep(wait)


async def warm_up(session: Session, markets: Sequence[MarketFeed]) -> None:
    """Fetch what the system file declares and feed it; then trading begins."""
    await asyncio.gather(*(market.past.learn() for market in markets))
    # In one go: a run that is killed in it has taken all of it or nothing.
    for market in markets:
        market.past.teach()
        market.waits = False
    session.command("warmed_up")


async def _cancelled(work: Sequence[asyncio.Future[None]]) -> None:
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


def declares(settings: WarmUp) -> bool:
    """Whether there is a history to be fetched before trading."""
    return bool(duration_ns(settings.trades) or duration_ns(settings.bars))


def _why(error: Exception) -> str:
    if isinstance(error, TradewindError):
        return error.message
    return "it took too long" if isinstance(error, TimeoutError) else "the venue's adapter has none"
