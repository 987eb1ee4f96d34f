"""The clock of a session: a venue's clock, never the same twice."""

from __future__ import annotations

from collections.abc import Callable


class SessionClock:
    """Stamps what arrives (T2).

    Parameters
    ----------
    now
        A clock in nanoseconds that does not go back: monotonic, on the venue's time.

    Examples
    --------
    >>> clock = SessionClock(lambda: 5)
    >>> clock.stamp(), clock.stamp(), clock.stamp(at_least_ns=9)
    (5, 6, 9)

    """

    def __init__(self, now: Callable[[], int]) -> None:
        self.now_ns = now
        self._last_ns = 0

    def stamp(self, at_least_ns: int = 0) -> int:
        """The time of what arrives now: later than everything before it, and not before `at_least_ns`."""
        self._last_ns = max(self.now_ns(), self._last_ns + 1, at_least_ns)
        return self._last_ns

    def start_after(self, time_ns: int) -> None:
        """Go on after a time that was met, whatever the clock says now."""
        self._last_ns = max(self._last_ns, time_ns)
