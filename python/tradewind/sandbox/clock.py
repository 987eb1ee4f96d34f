"""The time of a local exchange."""

from __future__ import annotations

import time


class Clock:
    """The wall clock, with an offset that a fault may change."""

    def __init__(self) -> None:
        self.offset_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, as the exchange sees them."""
        return time.time_ns() + self.offset_ns
