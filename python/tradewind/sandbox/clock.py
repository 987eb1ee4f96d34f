"""Time: of a local exchange, and of its markets."""

from __future__ import annotations

import time


class Clock:
    """The wall clock, with an offset that a fault may change."""

    def __init__(self) -> None:
        self.offset_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, as the exchange sees them."""
        return time.time_ns() + self.offset_ns


class MarketTime:
    """Time that goes faster or slower than the clock, and stands still while nothing may happen.

    Parameters
    ----------
    start_ns
        What it begins at.
    speed
        How much of it passes in a second, in seconds.

    """

    def __init__(self, start_ns: int, speed: float) -> None:
        self.now_ns = start_ns
        self._speed = speed
        self._read_ns = time.monotonic_ns()

    def advance(self, *, is_running: bool = True) -> int:
        """Bring it up to now."""
        read_ns = time.monotonic_ns()
        if is_running:
            self.now_ns += int((read_ns - self._read_ns) * self._speed)
        self._read_ns = read_ns
        return self.now_ns

    def seconds_until(self, time_ns: int) -> float:
        """How long it takes by the clock; without end where time stands still."""
        missing_ns = time_ns - self.now_ns
        return missing_ns / 1e9 / self._speed if self._speed else float("inf")
