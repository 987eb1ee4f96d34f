"""Time: of a local exchange, and of its markets."""

from __future__ import annotations

import time


class Clock:
    """The wall clock, with an offset and a drift that a fault may change."""

    def __init__(self) -> None:
        self.offset_ns = 0
        self._drift = 0.0
        self._set_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, as the exchange sees them."""
        wall_ns = time.time_ns()
        if self._drift:
            return wall_ns + self.offset_ns + int((wall_ns - self._set_ns) * self._drift)
        return wall_ns + self.offset_ns

    def set(self, offset_ns: int, drift: float) -> None:
        """Go so much before the wall clock, and gain a fraction of what passes from now on."""
        self.offset_ns, self._drift, self._set_ns = offset_ns, drift, time.time_ns()


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
