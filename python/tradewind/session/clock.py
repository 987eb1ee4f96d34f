"""The clock of a session: monotonic, on the venue's time, never the same twice."""

from __future__ import annotations

import time


class SessionClock:
    """Stamps what arrives (T2).

    The wall clock is read once: later corrections of it must not move the session. The venue's offset is added, so
    that what the venue says happened before it arrived.

    Examples
    --------
    >>> clock = SessionClock()
    >>> clock.stamp() < clock.stamp()
    True

    """

    def __init__(self, offset_ns: int = 0) -> None:
        self._base_ns = time.time_ns() - time.monotonic_ns() + offset_ns
        self._last_ns = 0

    def now_ns(self) -> int:
        """The time now."""
        return self._base_ns + time.monotonic_ns()

    def stamp(self, at_least_ns: int = 0) -> int:
        """The time of what arrives now: later than everything before it, and not before `at_least_ns`."""
        self._last_ns = max(self.now_ns(), self._last_ns + 1, at_least_ns)
        return self._last_ns

    def start_after(self, time_ns: int) -> None:
        """Go on after what was recorded, whatever the wall clock says now."""
        self._last_ns = max(self._last_ns, time_ns)
