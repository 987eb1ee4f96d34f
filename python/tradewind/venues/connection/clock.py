"""A venue's clock, as far as it can be known from here."""

from __future__ import annotations

import time
from collections import deque

_KEPT = 16
_GRAIN_NS = 1_000_000  # venues tell milliseconds
CLOCK_LIMIT_NS = 1_000_000_000
"""A clock that is uncertain by more, has jumped by more or has to stand still for longer is not to be trusted (T2)."""
_LASTING_NS = 10_000_000_000
"""A jump ahead is followed when it has lasted for so long: time that ran ahead stands still until it is caught up."""


class VenueClock:
    """Now on the venue's clock: a monotonic clock, plus an offset that exchanges with the venue tell (T2).

    Of the last exchanges the one with the shortest round trip decides, because it bounds the offset best. Where an
    offset would let time go back, time stands still until it has been caught up with; one that jumps ahead is followed
    when it has lasted, and is uncertain by the jump until then.

    Parameters
    ----------
    monotonic
        A clock in nanoseconds that never goes back.
    wall
        The system's clock, which is used until the first exchange.

    Examples
    --------
    >>> ticks = iter([1_000, 2_000, 3_000])
    >>> clock = VenueClock(monotonic=lambda: next(ticks), wall=lambda: 5_000)
    >>> clock.observe(sent_ns=1_000, venue_ns=9_500, received_ns=2_000)
    True
    >>> clock.offset_ns, clock.uncertainty_ns, clock()
    (8000, 500, 10000)

    """

    def __init__(self, monotonic: object = time.monotonic_ns, wall: object = time.time_ns) -> None:
        self._monotonic = monotonic if callable(monotonic) else time.monotonic_ns
        wall_ns = wall() if callable(wall) else time.time_ns()
        self._exchanges: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        self._last_ns = 0
        self.offset_ns = wall_ns - self._monotonic()
        # The offset that time follows, the largest that it has followed, and since when the venue's is far ahead.
        self._followed_ns = self._farthest_ns = self.offset_ns
        self._jumped_ns: int | None = None
        self._exchange_ns = 0

    def __call__(self) -> int:
        """Now in nanoseconds; never before what was told last."""
        return self.at(self._monotonic())

    def at(self, monotonic_ns: int) -> int:
        """The same at a monotonic time that was just read."""
        now_ns = monotonic_ns + self._followed_ns
        if now_ns < self._last_ns:
            return self._last_ns
        self._last_ns = now_ns
        return now_ns

    @property
    def venue_ns(self) -> int:
        """The venue's time as it is, also while ours stands still."""
        now_ns: int = self._monotonic() + self.offset_ns
        return now_ns

    @property
    def ahead_ns(self) -> int:
        """For how long time stands still, because what was told last is ahead of the venue's time."""
        return max(0, self._last_ns - self.venue_ns)

    @property
    def has_jumped(self) -> bool:
        """Whether the venue's clock is far ahead, and is not followed yet."""
        return self._jumped_ns is not None

    @property
    def uncertainty_ns(self) -> int:
        """By how much our time may be wrong."""
        return max(self._exchange_ns, self.offset_ns - self._followed_ns)

    def monotonic_ns(self) -> int:
        """What to stamp the two ends of an exchange with, and what to measure waiting by."""
        now_ns: int = self._monotonic()
        return now_ns

    def observe(self, sent_ns: int, venue_ns: int, received_ns: int) -> bool:
        """Take an exchange: our monotonic times around the venue's time; tells whether the offset changed."""
        is_first = not self._exchanges
        if is_first:
            self._last_ns = 0  # the system's clock may have been years ahead
        round_trip_ns, middle_ns = received_ns - sent_ns, venue_ns - (sent_ns + received_ns) // 2
        # Each exchange bounds the offset by half of its round trip. One that the newest contradicts is out of date:
        # one of the clocks has drifted or jumped.
        kept = [one for one in self._exchanges if abs(one[1] - middle_ns) <= (one[0] + round_trip_ns) // 2 + _GRAIN_NS]
        self._exchanges = deque([*kept, (round_trip_ns, middle_ns)], maxlen=_KEPT)
        best_ns, offset_ns = min(self._exchanges)
        changed = offset_ns != self.offset_ns
        self.offset_ns, self._exchange_ns = offset_ns, best_ns // 2
        if is_first or not self._is_too_early(received_ns):
            self._farthest_ns = offset_ns if is_first else max(self._farthest_ns, offset_ns)
            self._followed_ns, self._jumped_ns = offset_ns, None
        return changed

    def _is_too_early(self, at_ns: int) -> bool:
        """Whether the venue's clock is far ahead of all that was followed, and has not been for long."""
        if self.offset_ns - self._farthest_ns <= CLOCK_LIMIT_NS:
            return False
        if self._jumped_ns is None:
            self._jumped_ns = at_ns
        return at_ns - self._jumped_ns < _LASTING_NS
