"""The clock of a session: a venue's clock, never the same twice, and whether it can be trusted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tradewind.venues import ClockStatus
from tradewind.venues.connection.clock import CLOCK_LIMIT_NS

log = logging.getLogger(__name__)


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

    @property
    def is_right(self) -> bool:
        """Whether it does not stand still for long, until the venue's clock has reached what was met (T2)."""
        return self._last_ns - self.now_ns() <= CLOCK_LIMIT_NS

    def start_after(self, time_ns: int) -> None:
        """Go on after a time that was met, whatever the clock says now."""
        self._last_ns = max(self._last_ns, time_ns)


class ClockJudge:
    """Judges whether a venue's clock can be traded by, from its comparisons with ours (T2).

    It cannot where it went back, so that our time stands still until it has been caught up with, where it jumped,
    until the next comparison agrees, and where it is uncertain: in each case by more than ``CLOCK_LIMIT_NS``.

    Examples
    --------
    >>> judge = ClockJudge()
    >>> judge.take(ClockStatus("here", offset_ns=5, uncertainty_ns=1_000_000))
    >>> judge.is_right
    True
    >>> judge.take(ClockStatus("here", offset_ns=5, uncertainty_ns=2_000_000_000))
    >>> judge.is_right
    False

    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._is_doubted = False
        self._still_until_ns = 0

    @property
    def is_right(self) -> bool:
        """Whether it can be traded by now."""
        return not self._is_doubted and time.monotonic_ns() >= self._still_until_ns

    def take(self, status: ClockStatus) -> None:
        """Take a comparison."""
        was_right = self.is_right
        jump_ns = 0 if self._offset_ns is None else status.offset_ns - self._offset_ns
        self._offset_ns = status.offset_ns
        self._is_doubted = max(abs(jump_ns), status.uncertainty_ns) > CLOCK_LIMIT_NS
        until_ns = time.monotonic_ns() + status.ahead_ns
        # What is too long begins here; what has become short ends the sooner.
        is_long = status.ahead_ns > CLOCK_LIMIT_NS
        self._still_until_ns = until_ns if is_long else min(self._still_until_ns, until_ns)
        if not self.is_right and (was_right or abs(jump_ns) > CLOCK_LIMIT_NS or is_long):
            seconds = [value / 1e9 for value in (jump_ns, status.uncertainty_ns, status.ahead_ns)]
            told = "it moved by %.1f s, is uncertain by %.1f s, and time stands still for %.1f s"
            log.warning("%s: its clock cannot be traded by: " + told, status.venue, *seconds)
