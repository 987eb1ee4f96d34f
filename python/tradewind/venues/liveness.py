"""Whether streams that are subscribed to still say what there is to say."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from tradewind.errors import TradewindError
from tradewind.times import duration_ns
from tradewind.venues.interface import StreamName

if TYPE_CHECKING:
    from tradewind.venues.streaming import StreamingMarketData

_GRACE_SECONDS = 2.0
_WATCH_SECONDS = 1.0
_QUIETEST = 8.0
_BEAT_SECONDS = 0.25
_STANDSTILL_NS = 2_000_000_000
"""After so long without a beat, what waits in the sockets is old."""


class Watched:
    """What is known about the liveness of one stream; times are monotonic, as a venue's clock may jump or stand still.

    ``moved`` is how far it had come when it last moved, ``seen`` how far it should have come by the venue's last word.
    """

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.moved: list[int] = []
        self.seen: list[int] = []
        self.quietness = 1.0
        self.failures = 0
        self.mended = 0


class Liveness:
    """Judges each stream of a venue.

    Where nothing new came for as long as the venue's data file says, the venue is asked over REST how far the stream
    should have come. Only if it says otherwise, and the stream does not follow within two seconds, it is stale: it is
    subscribed anew, and if that does not help the connection is replaced. A quiet market only makes the questions
    rarer, down to an eighth. A stream that was subscribed to counts as connected once something came, or once the venue
    says that what came last still holds.

    Parameters
    ----------
    data
        The venue's market data.

    """

    def __init__(self, data: StreamingMarketData) -> None:
        self._data = data
        self._catching_up_until_ns = 0
        self.beat_ns = 0
        self.watched: dict[StreamName, Watched] = {}
        self.awaited: dict[StreamName, int | None] = {}
        """Streams that were subscribed to, with when something last came before."""

    def drop(self, stream: StreamName) -> None:
        """Look after a stream no more."""
        self.watched.pop(stream, None)
        self.awaited.pop(stream, None)

    def subscribed(self, stream: StreamName) -> Watched:
        """Look after a stream from now on."""
        return self.watched.setdefault(stream, Watched(self._data.clock.monotonic_ns()))

    def look_for_first(self) -> None:
        """Tell of streams that were subscribed to, and of which something has come since."""
        if self._data.clock.monotonic_ns() < self._catching_up_until_ns:
            return
        for stream, before_ns in list(self.awaited.items()):
            if self.arrival_ns(stream) not in (None, before_ns):
                self._is_there(stream)

    def arrival_ns(self, stream: StreamName) -> int | None:
        """When something last came."""
        return self._data.decoder.arrival_ns(stream.symbol, stream.kind)

    def _is_there(self, stream: StreamName) -> None:
        self.awaited.pop(stream, None)
        self._data.report(stream, "resynced" if self._data.told.get(stream) == "gap" else "connected")

    async def beat(self) -> None:
        """Show that this process runs."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            now_ns = self._data.clock.monotonic_ns()
            self.look_for_standstill(now_ns)
            self.beat_ns = now_ns

    def look_for_standstill(self, now_ns: int) -> None:
        """Take what waits in the sockets for what it is: old, until there was the time to read all of it (T2).

        Asked by frames and by the beat: which of them comes first behind a standstill is the event loop's to say.
        """
        if now_ns - self.beat_ns <= _STANDSTILL_NS:
            return
        seconds = (now_ns - self.beat_ns) / 1e9
        self.beat_ns = now_ns
        self._catching_up_until_ns = now_ns + _STANDSTILL_NS
        for stream, watched in self.watched.items():
            watched.seen = []
            self.stale(stream, f"this process stood still for {seconds:.1f} s")

    async def watch(self) -> None:
        """Look at all streams each second, and ask the venue about those that are silent."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._data.look_at_clock()
            questions: list[Coroutine[Any, Any, None]] = []
            for stream, watched in list(self.watched.items()):
                now_ns = self._data.clock.monotonic_ns()
                patience = self._data.words["silence"].get(stream.kind, 60) + _seconds(stream.interval)
                is_overdue = now_ns - watched.since_ns > patience * watched.quietness * 1e9
                mark = self._mark(stream)
                if mark and mark != watched.moved:
                    self._moved(stream, watched, mark, now_ns)
                elif is_overdue or (stream in self.awaited and not watched.seen):
                    watched.since_ns = now_ns
                    questions.append(self._ask_about(stream, watched))
            await asyncio.gather(*questions)

    def _mark(self, stream: StreamName) -> list[int]:
        """How far a stream has come, or where that cannot be told, when something last came."""
        arrival_ns = self.arrival_ns(stream)
        return self._progress(stream) or ([] if arrival_ns is None else [arrival_ns])

    def _moved(self, stream: StreamName, watched: Watched, mark: list[int], now_ns: int) -> None:
        """Something new came: messages that say nothing new do not count, however many there are."""
        is_first = not watched.moved
        watched.moved, watched.since_ns = mark, now_ns
        # What is seen for the first time may have come before the subscription.
        if not (is_first and stream in self.awaited):
            watched.quietness, watched.mended = 1.0, 0

    async def _ask_about(self, stream: StreamName, watched: Watched) -> None:
        """Find out whether a silent stream has nothing to say, or does not say it.

        One that was subscribed to and has said nothing is compared with what the venue said after the subscription:
        what happened before does not come any more.
        """
        progress, is_awaited = self._progress(stream), stream in self.awaited
        ours = watched.seen if is_awaited else progress or watched.seen
        try:
            watched.seen = await self._data.latest(stream)
            if ours and watched.seen and watched.seen != ours:
                await asyncio.sleep(_GRACE_SECONDS)
                # Asked again, because the answer may have been older than what the stream said.
                watched.seen = await self._data.latest(stream)
        except TradewindError as error:
            watched.failures += 1
            if watched.failures > 2 and self.watched.get(stream) is watched:
                self.stale(stream, f"silent, and the venue cannot be asked: {error.message}")
            return
        watched.failures = 0
        if self.watched.get(stream) is not watched or self._progress(stream) != progress:
            return
        if stream in self.awaited and progress and progress == watched.seen:
            self._is_there(stream)
        elif ours and watched.seen and watched.seen != ours:
            if stream.kind == "quotes" or (watched.seen < ours and not is_awaited):
                # A number that was too high would have everything behind it taken for a repeat.
                self.forget(stream)
            self.stale(stream, "the venue says otherwise than what it sends")
            self._mend(stream, watched)
        elif ours:
            watched.quietness = min(watched.quietness * 2, _QUIETEST)

    def _progress(self, stream: StreamName) -> list[int]:
        interval_ns = int(_seconds(stream.interval) * 1e9)
        return self._data.decoder.progress(stream.symbol, stream.kind, interval_ns)

    def stale(self, stream: StreamName, reason: str) -> None:
        """Say that a stream must not be traded on until something comes."""
        self.awaited[stream] = self.arrival_ns(stream)
        self._data.report(stream, "stale", reason)

    def _mend(self, stream: StreamName, watched: Watched) -> None:
        """Subscribe anew, and where that has not helped, connect anew."""
        watched.mended += 1
        if watched.mended == 1:
            self._data.resubscribe(stream)
            return
        self._data.reconnect(stream)

    def forget(self, stream: StreamName) -> None:
        """Begin anew with a stream: what comes next is new, whatever its number."""
        self._data.decoder.forget(stream.symbol, stream.kind)
        if self._data.sink.tap is not None:
            self._data.sink.tap.anew(stream)
        if stream in self.watched:
            self.watched[stream].moved = []


def _seconds(interval: str) -> float:
    return duration_ns(interval) / 1e9 if interval else 0.0
