"""Market data over WebSockets: what all venues that stream have in common."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any

from tradewind.errors import TradewindError
from tradewind.venues.connection.backoff import Backoff, Budget
from tradewind.venues.connection.clock import CLOCK_LIMIT_NS, VenueClock
from tradewind.venues.connection.rest import Rest
from tradewind.venues.connection.subscriptions import Subscriptions
from tradewind.venues.connection.websocket import Channel, Link
from tradewind.venues.decoder import Decoder
from tradewind.venues.interface import ClockStatus, MarketData, StreamName, StreamStatus
from tradewind.venues.liveness import Liveness
from tradewind.venues.resyncs import Resyncs
from tradewind.venues.sink import MarketSink

_GRACE_SECONDS = 2.0
_GLANCE_SECONDS = 0.02
_WATCH_SECONDS = 1.0
_CLOCK_SECONDS = 60.0
_ERRORS_APART_NS = 1_000_000_000
_budgets: dict[str, Budget] = {}
Gap = tuple[str, str, int, int]
"""A kind of stream, its instrument, and the venue times between which rows are missing."""


def budget(venue: str, connections: dict[str, Any]) -> Budget:
    """The connections that this process may make to a venue, shared by all that connect to it."""
    return _budgets.setdefault(venue, Budget(connections["most"], connections["per_seconds"]))


class StreamingMarketData(MarketData):
    """Connects, subscribes, decodes, and has what it subscribed to looked after; a venue adds its words.

    A message's way is `_received`: decoded and handed on in one call.
    """

    def __init__(self, venue: str, words: dict[str, Any], url: str, rest: Rest, clock: VenueClock) -> None:
        self.venue = venue
        self.words = words
        self.rest = rest
        self.clock = clock
        self.unreadable = 0
        self.ssl_context: ssl.SSLContext | None = None
        self._url = url
        self._names: dict[str, list[StreamName]] = {}
        self._links: list[Link] = []
        self._topics: dict[int, dict[str, None]] = {}
        self._channels: dict[Channel, Subscriptions] = {}
        self.liveness = Liveness(self)
        self._resyncs = Resyncs(self)
        self._refused: dict[str, Backoff] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._clock_doubted = asyncio.Event()
        self._offset_ns: int | None = None
        self._error_ns = 0
        self.told: dict[StreamName, str] = {}
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

    def broken(self) -> Sequence[Gap]:
        """Gaps behind a message that could not be read, where no later one shows them by its number."""
        return ()

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
        stream = next((name for name in self.liveness.watched if name.symbol == symbol and name.kind == "book"), None)
        if stream is not None:
            self.resubscribe(stream)
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
            self.report(None, "error", f"clocks were not compared: {error.message}")
        streams, self._names = self._streams, {}
        self.liveness.beat_ns = self.clock.monotonic_ns()
        for work in (self.liveness.beat(), self.liveness.watch(), self._resyncs.run(), self._compare_on()):
            self.in_background(work)
        self.subscribe(streams)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something for as long as it is connected; what nobody looks after any more is stale."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                for stream in self._streams:
                    self.report(stream, "stale", f"nobody looks after it: {type(error).__name__} {error}")

        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(ended)
        self._tasks.append(task)

    @property
    def _streams(self) -> list[StreamName]:
        return [stream for streams in self._names.values() for stream in streams]

    def subscribe(self, streams: Sequence[StreamName]) -> None:
        """Deliver these too; several may come by one topic."""
        for topic, stream in [(self.topic(one), one) for one in streams]:
            known = self._names.setdefault(topic, [])
            if stream in known:
                continue
            known.append(stream)
            if not self._tasks:
                continue
            self.decoder.add(stream.symbol, stream.instrument)
            if len(known) > 1:
                self._join(topic, stream)
                continue
            place = self._place()
            self._topics[place][topic] = None
            link = self._links[place]
            for channel, subscriptions in self._channels.items():
                if channel.link is link:
                    subscriptions.add([topic])

    def _join(self, topic: str, stream: StreamName) -> None:
        """Hear of a stream whose topic was subscribed to for another; where that was answered, nothing more comes."""
        other = self._names[topic][0]
        if other in self.liveness.watched:
            self._is_subscribed(stream)

    def unsubscribe(self, streams: Sequence[StreamName]) -> None:
        """Deliver these no more."""
        for stream in streams:
            topic = self.topic(stream)
            known = self._names.get(topic, [])
            if stream not in known:
                continue
            known.remove(stream)
            self.liveness.drop(stream)
            self.told.pop(stream, None)
            if self._tasks:
                self.decoder.forget(stream.symbol, stream.kind)
            if known:
                continue
            del self._names[topic]
            for topics in self._topics.values():
                topics.pop(topic, None)
            for subscriptions in self._channels.values():
                subscriptions.remove([topic])

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
        for old in [one for one in self._channels if one.is_retired]:
            self._channels.pop(old).close()
        limits = self.words["stream"]
        subscriptions = Subscriptions(
            channel, self.render, self._answered, limits["arguments_per_message"], limits["messages_per_second"]
        )
        self._channels[channel] = subscriptions
        subscriptions.add(self._topics[self._links.index(channel.link)])

    def _received(self, channel: Channel, message: bytes) -> None:
        """A message: decoded and handed on in this call."""
        now_ns = self.clock.monotonic_ns()
        arrival_ns = self.clock.at(now_ns)
        self.liveness.look_for_standstill(now_ns)
        try:
            told = self.decoder.decode(message, arrival_ns)
        except TradewindError as error:
            self._left_out(error, message, arrival_ns)
            return
        if told is None:
            if self.liveness.awaited:
                self.liveness.look_for_first()
            self.sink.on_rows()
        elif told[0] == "control":
            self.control(channel.link, self._channels[channel], message)
        else:
            self._gap(*told[1:])
        if not channel.is_delivering and self._channels[channel].is_settled:
            channel.deliver()
        if self.sink.tap is not None and (told is None or told[0] != "control"):
            self.sink.tap.frame(arrival_ns, message)

    def _lost(self, channel: Channel | None, reason: str) -> None:
        if channel is None:
            self.report(None, "error", reason)
            return
        subscriptions = self._channels.pop(channel, None)
        if subscriptions is not None:
            subscriptions.close()
        for topic in self._topics[self._links.index(channel.link)]:
            for stream in self._names[topic]:
                self.liveness.drop(stream)
                if stream.kind == "book":
                    self.liveness.forget(stream)
                self.report(stream, "disconnected", reason)

    def _answered(self, topics: list[str], problem: str) -> None:
        for topic in topics:
            streams = self._names.get(topic, [])
            if problem and streams:
                self.report(streams[0], "error", f"it cannot be subscribed to: {problem}")
                wait = self._refused.setdefault(topic, Backoff(first=1.0)).next()
                asyncio.get_running_loop().call_later(wait, self._subscribe_again, topic)
                continue
            self._refused.pop(topic, None)
            for stream in streams:
                self._is_subscribed(stream)

    def _is_subscribed(self, stream: StreamName) -> None:
        watched = self.liveness.subscribed(stream)
        if stream.kind == "book" and not self.decoder.is_live(stream.symbol):
            self._resyncs.want(stream.symbol)
        elif self.told.get(stream) != "connected":
            watched.seen = []
            # A book that is followed has begun with a message of this subscription.
            self.liveness.awaited[stream] = None if stream.kind == "book" else self.liveness.arrival_ns(stream)
            self.liveness.look_for_first()

    def _subscribe_again(self, topic: str) -> None:
        """Ask again for what was refused, where it is still wanted."""
        for channel, subscriptions in self._channels.items():
            if topic in self._topics[self._links.index(channel.link)] and topic not in subscriptions.topics:
                subscriptions.add([topic])

    # Trouble.

    def _left_out(self, error: TradewindError, message: bytes, arrival_ns: int) -> None:
        """Something that cannot be read is left out, counted and told, at most once a second."""
        self.unreadable += 1
        if self.sink.tap is not None:
            self.sink.tap.unreadable(arrival_ns, message)
        if error.code == "arrival_before_venue_time":
            self._clock_doubted.set()
        now_ns = self.clock.monotonic_ns()
        if now_ns - self._error_ns >= _ERRORS_APART_NS:
            self._error_ns = now_ns
            reason = f"[{error.code}] {error.message} ({self.unreadable} so far) in {message[:120]!r}"
            self.sink.on_status(StreamStatus(None, "error", reason))
        for gap in self.broken():
            self._gap(*gap)

    def _gap(self, kind: str, instrument: str, from_ns: int, to_ns: int) -> None:
        # Told before the row behind it is taken: it may have to wait for those that are missing.
        for stream in self._streams:
            if stream.instrument != instrument or stream.kind != kind:
                continue
            if kind == "book":
                self._resyncs.want(stream.symbol)
                # Until its snapshot each change shows the gap that was told.
                if self.told.get(stream) == "gap":
                    continue
                self.told[stream] = "gap"
            self.sink.on_status(StreamStatus(stream, "gap", "rows are missing", from_ns, to_ns))
        self.sink.on_rows()

    def resubscribe(self, stream: StreamName) -> None:
        """Leave a stream, and subscribe to it anew."""
        topic = self.topic(stream)
        if stream.kind == "book":
            self.liveness.forget(stream)
        for subscriptions in self._channels.values():
            if topic in subscriptions.topics:
                subscriptions.remove([topic])
                subscriptions.add([topic])

    def reconnect(self, stream: StreamName) -> None:
        """Replace the connection of a stream."""
        for place, link in enumerate(self._links):
            if self.topic(stream) in self._topics[place]:
                link.replace()

    async def _compare_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOCK_SECONDS):
                    await self._clock_doubted.wait()
            self._clock_doubted.clear()
            try:
                await self.compare_clocks()
            except TradewindError as error:
                self.report(None, "error", f"clocks were not compared: {error.message}")
            await asyncio.sleep(_WATCH_SECONDS)

    async def compare_clocks(self) -> None:
        """Put our clock on the venue's, and tell how."""
        await self.ask_clock()
        self._tell_clock()

    def look_at_clock(self) -> None:
        """Notice that the clock was moved by another who compares it, such as the venue's orders."""
        if self._offset_ns is not None and abs(self.clock.offset_ns - self._offset_ns) > CLOCK_LIMIT_NS:
            self._tell_clock()

    def _tell_clock(self) -> None:
        """Tell how the clock goes; a jump is looked at again soon."""
        clock, before_ns = self.clock, self._offset_ns
        self._offset_ns = clock.offset_ns
        if clock.has_jumped or (before_ns is not None and abs(clock.offset_ns - before_ns) > CLOCK_LIMIT_NS):
            self._clock_doubted.set()
        self.sink.on_status(ClockStatus(self.venue, clock.offset_ns, clock.uncertainty_ns, clock.ahead_ns))

    def report(self, stream: StreamName | None, state: Any, reason: str = "") -> None:
        """Tell a change of state once."""
        if stream is not None and state != "error":
            if self.told.get(stream) == state and state in ("connected", "disconnected"):
                return
            self.told[stream] = state
        self.sink.on_status(StreamStatus(stream, state, reason))
