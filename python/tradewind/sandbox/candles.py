"""Candles of a market, of all intervals, from its seconds and minutes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

SECOND_MS = 1_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
_MONDAY_MS = 4 * DAY_MS
_KEPT_SECONDS = 7_200
_KEPT_MINUTES = 90 * 1_440

LENGTHS_MS = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 31 * DAY_MS,
}
"""The intervals; a month is at most so long."""


class Candle(msgspec.Struct, array_like=True):
    """What was traded in an interval; amounts in units of 1e-8."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    value: int = 0
    count: int = 0
    taken_volume: int = 0
    """What buyers took, of the base asset."""
    taken_value: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, other: Candle) -> None:
        """Take in the next one of a shorter interval."""
        if not other.count:
            return
        if not self.count:
            self.first_id = other.first_id
            self.open = self.high = self.low = other.open
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.value += other.value
        self.count += other.count
        self.taken_volume += other.taken_volume
        self.taken_value += other.taken_value
        self.last_id = other.last_id


class Candles:
    """All candles of one market."""

    def __init__(self) -> None:
        self.minutes: list[Candle] = []
        self._seconds: list[Candle] = []

    def add(self, time_ms: int, price: int, quantity: int, value: int, buyer_took: bool, trade_id: int) -> None:
        """Take in a trade; times never go back."""
        taken = (quantity, value) if buyer_took else (0, 0)
        trade = Candle(0, price, price, price, price, quantity, value, 1, *taken, trade_id, trade_id)
        for candles, length_ms in ((self._seconds, SECOND_MS), (self.minutes, MINUTE_MS)):
            start_ms = time_ms - time_ms % length_ms
            if not candles or candles[-1].start_ms < start_ms:
                candles.append(Candle(start_ms, price, price, price, price))
            candles[-1].add(trade)
        if len(self._seconds) > 2 * _KEPT_SECONDS:
            del self._seconds[:_KEPT_SECONDS]
        if len(self.minutes) > _KEPT_MINUTES + 1_440:
            del self.minutes[:1_440]

    def between(self, interval: str, start_ms: int, end_ms: int, zone_ms: int = 0) -> Iterator[Candle]:
        """The candles that start within these times (both included), also those in which nothing was traded."""
        source = self._seconds if interval == "1s" else self.minutes
        if not source:
            return
        next_ms = bucket_start(interval, start_ms, zone_ms)
        if next_ms < start_ms:
            next_ms = following(interval, next_ms, zone_ms)
        next_ms = max(next_ms, bucket_start(interval, source[0].start_ms, zone_ms))
        place = bisect_left(source, next_ms, key=_start)
        close = source[place - 1].close if place else source[0].open
        while next_ms <= end_ms:
            after_ms = following(interval, next_ms, zone_ms)
            candle = Candle(next_ms, close, close, close, close)
            while place < len(source) and source[place].start_ms < after_ms:
                candle.add(source[place])
                place += 1
            close = candle.close
            yield candle
            next_ms = after_ms

    def current(self, interval: str, now_ms: int, zone_ms: int = 0) -> Candle | None:
        """The candle of this moment."""
        start_ms = bucket_start(interval, now_ms, zone_ms)
        return next(self.between(interval, start_ms, start_ms, zone_ms), None)

    def window(self, start_ms: int) -> Candle | None:
        """Everything since then, as one candle; nothing where there was never a trade."""
        if not self.minutes:
            return None
        place = bisect_left(self.minutes, start_ms, key=_start)
        close = self.minutes[place - 1].close if place else self.minutes[0].open
        whole = Candle(start_ms, close, close, close, close)
        for minute in self.minutes[place:]:
            whole.add(minute)
        return whole


def bucket_start(interval: str, time_ms: int, zone_ms: int = 0) -> int:
    """The start of the candle that contains a time; days begin at midnight of the zone.

    Examples
    --------
    >>> bucket_start("5m", 1_767_225_999_999)
    1767225900000

    """
    local_ms = time_ms + zone_ms
    if interval == "1M":
        day = datetime.fromtimestamp(local_ms // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
        return int(day.timestamp()) * 1_000 - zone_ms
    offset_ms = _MONDAY_MS if interval == "1w" else 0
    return local_ms - (local_ms - offset_ms) % LENGTHS_MS[interval] - zone_ms


def following(interval: str, start_ms: int, zone_ms: int = 0) -> int:
    """The start of the next candle."""
    if interval == "1M":
        return bucket_start(interval, start_ms + LENGTHS_MS[interval], zone_ms)
    return start_ms + LENGTHS_MS[interval]


def _start(candle: Candle) -> int:
    return candle.start_ms
