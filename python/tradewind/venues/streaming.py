"""Market data over WebSockets: what all venues that stream have in common."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from tradewind.errors import TradewindError
from tradewind.times import duration_ns
from tradewind.venues.connection.backoff import Backoff, Budget
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.connection.rest import Rest
from tradewind.venues.connection.subscriptions import Subscriptions
from tradewind.venues.connection.websocket import Channel, Link
from tradewind.venues.interface import ClockStatus, MarketData, StreamName, StreamStatus
from tradewind.venues.sink import MarketSink

_GRACE_SECONDS = 2.0
_GLANCE_SECONDS = 0.02
_WATCH_SECONDS = 1.0
_CLOCK_SECONDS = 60.0
_QUIETEST = 8.0
_FOLLOWED_SECONDS = 30.0
_BEAT_SECONDS = 0.25
_STANDSTILL_NS = 2_000_000_000
_ERRORS_APART_NS = 1_000_000_000
_budgets: dict[str, Budget] = {}


class Decoder(Protocol):
    """What a decoder of frames offers (`tradewind._core`)."""

    def decode(self, frame: bytes, arrival_ns: int) -> tuple[str, str, str, int, int] | None:
        """Read a frame."""

    def add(self, symbol: str, name: str) -> None:
        """Know another instrument."""

    def arrival_ns(self, symbol: str, kind: str) -> int | None:
        """When a stream's last message arrived."""

    def progress(self, symbol: str, kind: str, interval_ns: int) -> list[int]:
        """How far a stream has come."""

    def forget(self, symbol: str, kind: str) -> None:
        """Forget a stream."""

    def is_live(self, symbol: str) -> bool:
        """Whether a book is followed."""


def budget(venue: str, connections: dict[str, Any]) -> Budget:
    """The connections that this process may make to a venue, shared by all that connect to it."""
    return _budgets.setdefault(venue, Budget(connections["most"], connections["per_seconds"]))


class _Watched:
    """What is known about the liveness of one stream.

    ``moved`` is how far it had come when it last moved, ``seen`` how far it should have come by the venue's last word.
    """

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.moved: list[int] = []
        self.seen: list[int] = []
        self.quietness = 1.0
        self.failures = 0
        self.mended = 0


class StreamingMarketData(MarketData):
    """Connects, subscribes, decodes, watches and repairs; a venue adds its words.

    **Liveness** is judged for each subscription: where nothing new came for as long as the venue's data file says, the
    venue is asked over REST how far the stream should have come. Only if it says otherwise, and the stream does not
    follow within two seconds, it is stale: it is subscribed anew, and if that does not help the connection is replaced.
    A quiet market only makes the questions rarer, down to an eighth. A stream that was subscribed to counts as
    connected once something came, or once the venue says that what came last still holds.
    """

    def __init__(self, venue: str, words: dict[str, Any], url: str, rest: Rest, clock: VenueClock) -> None:
        self.venue = venue
        self.words = words
        self.rest = rest
        self.clock = clock
        self.unreadable = 0
        self.ssl_context: ssl.SSLContext | None = None
        self._url = url
        self._names: dict[str, StreamName] = {}
        self._links: list[Link] = []
        self._topics: dict[int, dict[str, None]] = {}
        self._channels: dict[Channel, Subscriptions] = {}
        self._watched: dict[StreamName, _Watched] = {}
        self._awaited: dict[StreamName, int | None] = {}
        self._refused: dict[str, Backoff] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._resyncs: dict[str, int | None] = {}
        self._resync_wanted = asyncio.Event()
        self._clock_doubted = asyncio.Event()
        self._error_ns = 0
        self._beat_ns = 0
        self._catching_up_until_ns = 0
        self._told: dict[StreamName, str] = {}
        self.sink: MarketSink

    # What a venue adds.

    @abstractmethod
    def make_decoder(self, sink: MarketSink) -> Decoder:
        """Build the decoder that fills the sink's inbox."""

    @abstractmethod
    def topic(self, stream: StreamName) -> str:
        """What the venue calls a stream."""

    @abstractmethod
    def render(self, is_wanted: bool, topics: list[str], number: int) -> bytes:
        """Render the message that subscribes to topics, or leaves them."""

    @abstractmethod
    def control(self, link: Link, subscriptions: Subscriptions, message: bytes) -> None:
        """Read a message that is no data."""

    @abstractmethod
    async def latest(self, stream: StreamName) -> list[int]:
        """Ask the venue how far a stream should have come: what the decoder calls its progress."""

    @abstractmethod
    async def ask_clock(self) -> None:
        """Ask the venue for its time."""

    async def resync(self, symbol: str) -> bool:
        """Begin a book anew; tells whether it is followed now.

        Where the venue sends a snapshot of itself it is waited for, and subscribed to anew if it does not come.
        """
        for _ in range(int(_GRACE_SECONDS / _GLANCE_SECONDS)):
            if self.decoder.is_live(symbol):
                self.sink.on_rows()
                return True
            await asyncio.sleep(_GLANCE_SECONDS)
        stream = next((name for name in self._watched if name.symbol == symbol and name.kind == "book"), None)
        if stream is not None:
            self._resubscribe(stream)
        return False

    # The interface.

    async def observe_clock(self) -> None:
        """Put the venue's clock right before anything is stamped."""
        try:
            await self.ask_clock()
        finally:
            # What is prepared may never run; it connects anew when it does.
            await self.rest.close()

    async def start(self, sink: MarketSink) -> None:
        """Compare clocks, then connect."""
        self.sink = sink
        self.decoder = self.make_decoder(sink)
        try:
            await self.compare_clocks()
        except TradewindError as error:
            self._report(None, "error", f"clocks were not compared: {error.message}")
        streams, self._names = list(self._names.values()), {}
        self._beat_ns = self.clock()
        for work in (self._beat(), self._watch(), self._resync_books(), self._compare_on()):
            self.in_background(work)
        self.subscribe(streams)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something for as long as it is connected; what nobody looks after any more is stale."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                for stream in self._names.values():
                    self._report(stream, "stale", f"nobody looks after it: {type(error).__name__} {error}")

        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(ended)
        self._tasks.append(task)

    def subscribe(self, streams: Sequence[StreamName]) -> None:
        """Deliver these too."""
        fresh = {self.topic(one): one for one in streams if self.topic(one) not in self._names}
        self._names |= fresh
        if not self._tasks:
            return
        for topic, stream in fresh.items():
            self.decoder.add(stream.symbol, stream.instrument)
            place = self._place()
            self._topics[place][topic] = None
            link = self._links[place]
            for channel, subscriptions in self._channels.items():
                if channel.link is link:
                    subscriptions.add([topic])

    def unsubscribe(self, streams: Sequence[StreamName]) -> None:
        """Deliver these no more."""
        for stream in streams:
            topic = self.topic(stream)
            if self._names.pop(topic, None) is None:
                continue
            self._watched.pop(stream, None)
            self._awaited.pop(stream, None)
            self._told.pop(stream, None)
            for topics in self._topics.values():
                topics.pop(topic, None)
            for subscriptions in self._channels.values():
                subscriptions.remove([topic])
            if self._tasks:
                self.decoder.forget(stream.symbol, stream.kind)

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for link in self._links:
            await link.close()
        for subscriptions in self._channels.values():
            subscriptions.close()
        self._links, self._channels, self._topics = [], {}, {}
        await self.rest.close()

    # Connections.

    def _place(self) -> int:
        """The first connection with room, a new one if there is none."""
        most = self.words["stream"]["streams_per_connection"]
        for place, topics in self._topics.items():
            if len(topics) < most:
                return place
        link = Link(
            self._url,
            self._opened,
            self._received,
            self._lost,
            budget(self.venue, self.words["connections"]),
            lifetime_seconds=self.words["stream"]["lifetime_seconds"],
            ssl_context=self.ssl_context,
        )
        self._links.append(link)
        self._topics[len(self._links) - 1] = {}
        link.start()
        return len(self._links) - 1

    def _opened(self, channel: Channel) -> None:
        for old in [one for one in self._channels if one.lost.done() or one.is_retired]:
            self._channels.pop(old).close()
        limits = self.words["stream"]
        subscriptions = Subscriptions(
            channel, self.render, self._answered, limits["arguments_per_message"], limits["messages_per_second"]
        )
        self._channels[channel] = subscriptions
        subscriptions.add(self._topics[self._links.index(channel.link)])

    def _received(self, channel: Channel, message: bytes) -> None:
        """A message: decoded and handed on in this call."""
        arrival_ns = self.clock()
        if arrival_ns - self._beat_ns > _STANDSTILL_NS:
            self._stood_still(arrival_ns)
        try:
            told = self.decoder.decode(message, arrival_ns)
        except TradewindError as error:
            self._left_out(error, message, arrival_ns)
            return
        if told is None:
            if self._awaited:
                self._look_for_first()
            self.sink.on_rows()
        elif told[0] == "control":
            self.control(channel.link, self._channels[channel], message)
        else:
            self._gap(*told[1:])
        if not channel.is_delivering.is_set() and self._channels[channel].is_settled:
            channel.is_delivering.set()
        if self.sink.tap is not None and (told is None or told[0] != "control"):
            self.sink.tap.frame(arrival_ns, message)

    def _lost(self, channel: Channel | None, reason: str) -> None:
        if channel is None:
            self._report(None, "error", reason)
            return
        subscriptions = self._channels.pop(channel, None)
        if subscriptions is not None:
            subscriptions.close()
        for topic in self._topics[self._links.index(channel.link)]:
            stream = self._names[topic]
            self._watched.pop(stream, None)
            self._awaited.pop(stream, None)
            if stream.kind == "book":
                self._forget(stream)
            self._report(stream, "disconnected", reason)

    def _answered(self, topics: list[str], problem: str) -> None:
        for topic in topics:
            stream = self._names.get(topic)
            if stream is None:
                continue
            if problem:
                self._report(stream, "error", f"it cannot be subscribed to: {problem}")
                wait = self._refused.setdefault(topic, Backoff(first=1.0)).next()
                asyncio.get_running_loop().call_later(wait, self._subscribe_again, topic)
                continue
            self._refused.pop(topic, None)
            watched = self._watched.setdefault(stream, _Watched(self.clock()))
            if stream.kind == "book" and not self.decoder.is_live(stream.symbol):
                self._want_resync(stream.symbol)
            elif self._told.get(stream) != "connected":
                watched.seen = []
                # A book that is followed has begun with a message of this subscription.
                self._awaited[stream] = None if stream.kind == "book" else self._arrival_ns(stream)
                self._look_for_first()

    def _subscribe_again(self, topic: str) -> None:
        """Ask again for what was refused, where it is still wanted."""
        for channel, subscriptions in self._channels.items():
            if topic in self._topics[self._links.index(channel.link)] and topic not in subscriptions.topics:
                subscriptions.add([topic])

    def _look_for_first(self) -> None:
        """Tell of streams that were subscribed to, and of which something has come since."""
        if self.clock() < self._catching_up_until_ns:
            return
        for stream, before_ns in list(self._awaited.items()):
            if self._arrival_ns(stream) not in (None, before_ns):
                self._is_there(stream)

    def _arrival_ns(self, stream: StreamName) -> int | None:
        """When something last came."""
        return self.decoder.arrival_ns(stream.symbol, stream.kind)

    def _is_there(self, stream: StreamName) -> None:
        self._awaited.pop(stream, None)
        self._report(stream, "resynced" if self._told.get(stream) == "gap" else "connected")

    # Trouble.

    async def _beat(self) -> None:
        while True:
            self._beat_ns = self.clock()
            await asyncio.sleep(_BEAT_SECONDS)

    def _stood_still(self, now_ns: int) -> None:
        """Take what waits in the sockets for what it is: old, until there was the time to read all of it (T2)."""
        seconds = (now_ns - self._beat_ns) / 1e9
        self._beat_ns = now_ns
        self._catching_up_until_ns = now_ns + _STANDSTILL_NS
        for stream, watched in self._watched.items():
            watched.seen = []
            self._stale(stream, f"this process stood still for {seconds:.1f} s")

    def _left_out(self, error: TradewindError, message: bytes, arrival_ns: int) -> None:
        """Something that cannot be read is left out, counted and told, at most once a second."""
        self.unreadable += 1
        if self.sink.tap is not None:
            self.sink.tap.unreadable(arrival_ns, message)
        if error.code == "arrival_before_venue_time":
            self._clock_doubted.set()
        if arrival_ns - self._error_ns >= _ERRORS_APART_NS:
            self._error_ns = arrival_ns
            reason = f"[{error.code}] {error.message} ({self.unreadable} so far) in {message[:120]!r}"
            self.sink.on_status(StreamStatus(None, "error", reason))

    def _gap(self, kind: str, instrument: str, from_ns: int, to_ns: int) -> None:
        # Told before the row behind it is taken: it may have to wait for those that are missing.
        for stream in self._names.values():
            if stream.instrument == instrument and stream.kind == kind:
                self.sink.on_status(StreamStatus(stream, "gap", "rows are missing", from_ns, to_ns))
                if kind == "book":
                    self._told[stream] = "gap"
                    self._want_resync(stream.symbol)
        self.sink.on_rows()

    def _want_resync(self, symbol: str) -> None:
        self._resyncs.setdefault(symbol, self.decoder.arrival_ns(symbol, "book"))
        self._resync_wanted.set()

    async def _resync_books(self) -> None:
        """One book after the other, so that many that break together do not ask together."""
        loop = asyncio.get_running_loop()
        backoffs: dict[str, Backoff] = {}
        not_before: dict[str, float] = {}
        while True:
            await self._resync_wanted.wait()
            self._resync_wanted.clear()
            for symbol in list(self._resyncs):
                stream = next((one for one in self._watched if one.symbol == symbol and one.kind == "book"), None)
                if stream is None:
                    self._resyncs.pop(symbol, None)
                    continue
                backoff, due = backoffs.setdefault(symbol, Backoff()), not_before.get(symbol, 0.0)
                if loop.time() < due:
                    loop.call_later(due - loop.time(), self._resync_wanted.set)
                    continue
                if loop.time() - due > _FOLLOWED_SECONDS:
                    backoff.reset()
                # A book that breaks again at once is not asked for again at once.
                not_before[symbol] = loop.time() + backoff.next()
                try:
                    is_done = await self.resync(symbol)
                except TradewindError as error:
                    self._report(stream, "stale", f"no snapshot: {error.message}")
                    is_done = False
                if is_done:
                    # A snapshot alone does not say that changes come.
                    self._awaited[stream] = self._resyncs.pop(symbol, None)
                    self._look_for_first()
                else:
                    self._resync_wanted.set()

    # Liveness.

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            questions: list[Coroutine[Any, Any, None]] = []
            for stream, watched in list(self._watched.items()):
                now_ns = self.clock()
                patience = self.words["silence"].get(stream.kind, 60) + _seconds(stream.interval)
                is_overdue = now_ns - watched.since_ns > patience * watched.quietness * 1e9
                mark = self._mark(stream)
                if mark and mark != watched.moved:
                    self._moved(stream, watched, mark, now_ns)
                elif is_overdue or (stream in self._awaited and not watched.seen):
                    watched.since_ns = now_ns
                    questions.append(self._ask_about(stream, watched))
            await asyncio.gather(*questions)

    def _mark(self, stream: StreamName) -> list[int]:
        """How far a stream has come, or where that cannot be told, when something last came."""
        arrival_ns = self._arrival_ns(stream)
        return self._progress(stream) or ([] if arrival_ns is None else [arrival_ns])

    def _moved(self, stream: StreamName, watched: _Watched, mark: list[int], now_ns: int) -> None:
        """Something new came: messages that say nothing new do not count, however many there are."""
        is_first = not watched.moved
        watched.moved, watched.since_ns = mark, now_ns
        # What is seen for the first time may have come before the subscription.
        if not (is_first and stream in self._awaited):
            watched.quietness, watched.mended = 1.0, 0

    async def _ask_about(self, stream: StreamName, watched: _Watched) -> None:
        """Find out whether a silent stream has nothing to say, or does not say it.

        One that was subscribed to and has said nothing is compared with what the venue said after the subscription:
        what happened before does not come any more.
        """
        progress, is_awaited = self._progress(stream), stream in self._awaited
        ours = watched.seen if is_awaited else progress or watched.seen
        try:
            watched.seen = await self.latest(stream)
            if ours and watched.seen and watched.seen != ours:
                await asyncio.sleep(_GRACE_SECONDS)
                # Asked again, because the answer may have been older than what the stream said.
                watched.seen = await self.latest(stream)
        except TradewindError as error:
            watched.failures += 1
            if watched.failures > 2 and self._watched.get(stream) is watched:
                self._stale(stream, f"silent, and the venue cannot be asked: {error.message}")
            return
        watched.failures = 0
        if self._watched.get(stream) is not watched or self._progress(stream) != progress:
            return
        if stream in self._awaited and progress and progress == watched.seen:
            self._is_there(stream)
        elif ours and watched.seen and watched.seen != ours:
            if stream.kind == "quotes" or (watched.seen < ours and not is_awaited):
                # A number that was too high would have everything behind it taken for a repeat.
                self._forget(stream)
            self._stale(stream, "the venue says otherwise than what it sends")
            self._mend(stream, watched)
        elif ours:
            watched.quietness = min(watched.quietness * 2, _QUIETEST)

    def _progress(self, stream: StreamName) -> list[int]:
        interval_ns = int(_seconds(stream.interval) * 1e9)
        return self.decoder.progress(stream.symbol, stream.kind, interval_ns)

    def _stale(self, stream: StreamName, reason: str) -> None:
        self._awaited[stream] = self._arrival_ns(stream)
        self._report(stream, "stale", reason)

    def _mend(self, stream: StreamName, watched: _Watched) -> None:
        """Subscribe anew, and where that has not helped, connect anew."""
        watched.mended += 1
        if watched.mended == 1:
            self._resubscribe(stream)
            return
        for place, link in enumerate(self._links):
            if self.topic(stream) in self._topics[place]:
                link.replace()

    def _forget(self, stream: StreamName) -> None:
        """Begin anew with a stream: what comes next is new, whatever its number."""
        self.decoder.forget(stream.symbol, stream.kind)
        if self.sink.tap is not None:
            self.sink.tap.anew(stream)
        if stream in self._watched:
            self._watched[stream].moved = []

    def _resubscribe(self, stream: StreamName) -> None:
        topic = self.topic(stream)
        if stream.kind == "book":
            self._forget(stream)
        for subscriptions in self._channels.values():
            if topic in subscriptions.topics:
                subscriptions.remove([topic])
                subscriptions.add([topic])

    async def _compare_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOCK_SECONDS):
                    await self._clock_doubted.wait()
            try:
                await self.compare_clocks()
            except TradewindError as error:
                self._report(None, "error", f"clocks were not compared: {error.message}")
            self._clock_doubted.clear()
            await asyncio.sleep(_WATCH_SECONDS)

    async def compare_clocks(self) -> None:
        """Put our clock on the venue's, and tell how."""
        await self.ask_clock()
        self.sink.on_status(ClockStatus(self.venue, self.clock.offset_ns, self.clock.uncertainty_ns))

    def _report(self, stream: StreamName | None, state: Any, reason: str = "") -> None:
        """Tell a change of state once."""
        if stream is not None and state != "error":
            if self._told.get(stream) == state and state in ("connected", "disconnected"):
                return
            self._told[stream] = state
        self.sink.on_status(StreamStatus(stream, state, reason))


def _seconds(interval: str) -> float:
    return duration_ns(interval) / 1e9 if interval else 0.0
