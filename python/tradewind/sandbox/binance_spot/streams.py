"""Market streams: who listens to what, and frames that are encoded once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.sandbox.binance_spot import answer, market_events
from tradewind.sandbox.binance_spot.connection import framed
from tradewind.sandbox.candles import LENGTHS_MS
from tradewind.sandbox.market import Level, Market
from tradewind.sandbox.order import AggregateTrade, Trade

if TYPE_CHECKING:
    from tradewind.sandbox.binance_spot.stream_connection import StreamConnection

Event = dict[str, Any]
_TOPIC = re.compile(
    r"trade|aggTrade|bookTicker|miniTicker|ticker|avgPrice|depth(@100ms|@1000ms)?|depth(5|10|20)(@100ms|@1000ms)?|"
    r"ticker_(1h|4h|1d)|kline_(" + "|".join(LENGTHS_MS) + r")(@\+08:00)?\Z"
)
_EVERYTHING = ("!miniTicker@arr", "!ticker_1h@arr", "!ticker_4h@arr", "!ticker_1d@arr")
_EAST_MS = 8 * 3_600_000
_TIMES = ("E", "O", "C")


class Channel:
    """One stream and its listeners: as it is or in a combined connection, in milliseconds or microseconds."""

    def __init__(self, name: str, odd: Callable[[str, Event], Event | None], exists: bool) -> None:
        self.name = name
        self.exists = exists
        self._odd = odd
        self._prefix = b'{"stream":' + msgspec.json.encode(name) + b',"data":'
        self.candle_ms: int | None = None
        self._told: dict[str, Event] = {}
        self._listeners: dict[tuple[bool, int], dict[StreamConnection, None]] = {}

    def add(self, listener: StreamConnection) -> None:
        """Let a connection listen."""
        self._listeners.setdefault((listener.combined, listener.scale), {})[listener] = None

    def remove(self, listener: StreamConnection) -> None:
        """Let it listen no longer."""
        group = self._listeners.get((listener.combined, listener.scale), {})
        group.pop(listener, None)
        if not group:
            self._listeners.pop((listener.combined, listener.scale), None)

    def changes(self, symbol: str, event: Event) -> bool:
        """Whether the statistics of a symbol are others than when this was asked last."""
        told = {name: value for name, value in event.items() if name not in _TIMES}
        before, self._told[symbol] = self._told.get(symbol), told
        return before != told

    @property
    def is_wanted(self) -> bool:
        """Whether somebody listens."""
        return bool(self._listeners)

    def publish(self, build: Callable[[int], Any]) -> None:
        """Send an event, built for each unit of time that is wanted."""
        raw: dict[int, bytes] = {}
        for (combined, scale), listeners in self._listeners.items():
            if scale not in raw:
                event = self._odd(self.name, build(scale))
                if event is None:
                    return
                raw[scale] = msgspec.json.encode(event)
            frame = framed(self._prefix + raw[scale] + b"}" if combined else raw[scale])
            for listener in listeners:
                listener.deliver(self.name, frame)


class Hub:
    """All streams.

    Parameters
    ----------
    markets
        The markets by symbol.
    odd
        What becomes of a stream's event where faults are on; nothing where it gets lost.

    """

    def __init__(self, markets: dict[str, Market], odd: Callable[[str, Event], Event | None]) -> None:
        self._markets = markets
        self._odd = odd
        self.channels: dict[str, Channel] = {}
        self._diffs: dict[str, dict[str, _Diff]] = {}
        self._partials: dict[str, int] = {}

    def exists(self, name: str) -> bool:
        """Whether a stream of this name can be subscribed to."""
        if name in _EVERYTHING:
            return True
        symbol, _, topic = name.partition("@")
        return symbol == symbol.lower() and symbol.upper() in self._markets and bool(_TOPIC.fullmatch(topic))

    def subscribe(self, name: str, listener: StreamConnection) -> None:
        """Let a connection listen to a stream; one that does not exist stays silent, as Binance's do."""
        channel = self.channels.get(name)
        if channel is None:
            channel = self.channels[name] = Channel(name, self._odd, self.exists(name))
            symbol, _, topic = name.partition("@")
            if channel.exists and topic.partition("@")[0] == "depth":
                self._diffs.setdefault(symbol.upper(), {})[name] = _Diff()
        channel.add(listener)

    def unsubscribe(self, name: str, listener: StreamConnection) -> None:
        """Let it listen no longer."""
        channel = self.channels.get(name)
        if channel is None:
            return
        channel.remove(listener)
        if not channel.is_wanted:
            del self.channels[name]
            self._partials.pop(name, None)
            self._diffs.get(name.partition("@")[0].upper(), {}).pop(name, None)

    def repeat_trades(self, name: str, listener: StreamConnection, number: int) -> None:
        """Send the last trades of a market to one connection, as if they were new."""
        if not self.exists(name):
            return
        market = self._markets[name.partition("@")[0].upper()]
        alone = Channel(name, self._odd, exists=True)
        alone.add(listener)
        for trade in list(market.trades)[-number:]:
            alone.publish(partial(market_events.trade, market, trade, trade.time_ns))

    def forget_changes(self, symbol: str) -> None:
        """Lose the changes of a book that wait for the next event."""
        for diff in self._diffs.get(symbol, {}).values():
            diff.changes.clear()

    # As it happens

    def trades(
        self, market: Market, trades: Sequence[Trade], aggregates: Sequence[AggregateTrade], now_ns: int
    ) -> None:
        """Trades of one action."""
        low = market.symbol.name.lower()
        channel = self.channels.get(f"{low}@trade")
        if channel is not None:
            for trade in trades:
                channel.publish(partial(market_events.trade, market, trade, now_ns))
        channel = self.channels.get(f"{low}@aggTrade")
        if channel is not None:
            for one in aggregates:
                channel.publish(partial(market_events.aggregate, market, one, now_ns))

    def book(self, market: Market, levels: Sequence[Level], first_id: int, best_changed: bool) -> None:
        """Levels that changed."""
        name = market.symbol.name
        for diff in self._diffs.get(name, {}).values():
            diff.take(levels, first_id, market.update_id)
        if best_changed:
            channel = self.channels.get(f"{name.lower()}@bookTicker")
            if channel is not None:
                channel.publish(lambda _: market_events.book_ticker(market))

    # By the clock

    def beat(self, beat: int, now_ns: int) -> None:
        """What is sent every 100 ms (a beat) or more seldom."""
        for name, channel in list(self.channels.items()):
            symbol, _, topic = name.partition("@")
            market = self._markets.get(symbol.upper())
            if not channel.exists:
                continue
            if market is not None:
                self._beat_topic(channel, market, topic, beat, now_ns)
            elif beat % 10 == 0 and topic == "arr":
                self._everything(channel, symbol, now_ns)

    def _beat_topic(self, channel: Channel, market: Market, topic: str, beat: int, now_ns: int) -> None:
        if topic.startswith("depth"):
            if beat % (1 if topic.endswith("@100ms") else 10) == 0:
                self._depth(channel, market, topic, now_ns)
        elif topic.startswith("kline_"):
            interval, _, zone = topic[6:].partition("@")
            if beat % (10 if interval == "1s" else 20) == 0:
                self._kline(channel, market, interval, _EAST_MS if zone else 0, now_ns)
        elif beat % 10 == 0 and topic in market_events.STATISTICS:
            channel.publish(partial(market_events.STATISTICS[topic], market, now_ns))

    def _depth(self, channel: Channel, market: Market, topic: str, now_ns: int) -> None:
        levels = topic.partition("@")[0].removeprefix("depth")
        if levels:
            # A partial book is sent when it may have changed.
            if self._partials.get(channel.name) != market.update_id:
                self._partials[channel.name] = market.update_id
                snapshot = market_events.partial_depth(market, int(levels))
                channel.publish(lambda _: snapshot)
            return
        diff = self._diffs.get(market.symbol.name, {}).get(channel.name)
        if diff is not None and diff.changes:
            event = diff.event(market, now_ns)
            channel.publish(lambda scale: event | {"E": now_ns // scale})

    @staticmethod
    def _kline(channel: Channel, market: Market, interval: str, zone_ms: int, now_ns: int) -> None:
        now_ms = now_ns // 1_000_000
        candle = market.candles.current(interval, now_ms, zone_ms)
        if candle is None:
            return
        previous_ms, channel.candle_ms = channel.candle_ms, candle.start_ms
        if previous_ms is not None:
            # More than one where this machine stood still: a venue leaves none out.
            for closed in market.candles.between(interval, previous_ms, candle.start_ms - 1, zone_ms):
                channel.publish(partial(market_events.kline, market, closed, interval, zone_ms, now_ns, True))
        channel.publish(partial(market_events.kline, market, candle, interval, zone_ms, now_ns, False))

    def _everything(self, channel: Channel, symbol: str, now_ns: int) -> None:
        statistics = market_events.STATISTICS[symbol.removeprefix("!")]
        changed = [
            market
            for name, market in self._markets.items()
            if channel.changes(name, statistics(market, now_ns, 1_000_000))
        ]
        if changed:
            channel.publish(lambda scale: [statistics(market, now_ns, scale) for market in changed])


class _Diff:
    """Changed levels since the last event of a depth stream."""

    def __init__(self) -> None:
        self.changes: dict[tuple[bool, int], int] = {}
        self._ids = (0, 0)

    def take(self, levels: Iterable[Level], first_id: int, last_id: int) -> None:
        """Note what changed."""
        self._ids = (self._ids[0] if self.changes else first_id, last_id)
        for buy, price, quantity in levels:
            self.changes[buy, price] = quantity

    def event(self, market: Market, now_ns: int) -> Event:
        """What changed, as an event, the best prices first; starts anew."""
        changes, self.changes = self.changes, {}
        bids = sorted(((price, quantity) for (buy, price), quantity in changes.items() if buy), reverse=True)
        asks = sorted((price, quantity) for (buy, price), quantity in changes.items() if not buy)
        return {
            "e": "depthUpdate",
            "E": now_ns,
            "s": market.symbol.name,
            "U": self._ids[0],
            "u": self._ids[1],
            "b": answer.levels(bids),
            "a": answer.levels(asks),
        }
