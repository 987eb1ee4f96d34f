"""The limits of a whole system: on orders within a time, and on the loss of a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS


@dataclass
class OrderRate:
    """At most so many orders within an interval."""

    orders: int
    interval_ns: int
    sent_ns: list[int] = field(default_factory=list)

    def is_used_up(self, now_ns: int) -> bool:
        return sum(sent_ns > now_ns - self.interval_ns for sent_ns in self.sent_ns) >= self.orders


@dataclass
class DailyLoss:
    """The loss of a UTC day, which is looked at with every order, and at an input a second after the last look."""

    limit: Decimal
    day: int = -1
    # What was earned before the day.
    before: Fraction = Fraction(0)
    is_reached: bool = False
    look_ns: int = 0

    def begin(self, now_ns: int, earned: Fraction | None) -> bool:
        """A look at what an input does begins; tells whether a day is over that has reached the limit.

        While a price is missing the day goes on from where the one before began.
        """
        day = now_ns // DAY_NS
        self.look_ns = min(now_ns + SECOND_NS, (day + 1) * DAY_NS)
        if day == self.day:
            return False
        was_reached = self.is_reached
        self.day, self.is_reached = day, False
        self.before = self.before if earned is None else earned
        return was_reached

    def is_lost(self, earned: Fraction | None) -> bool:
        """Whether the loss is as large as the limit; what is not known is not."""
        return earned is not None and self.before - earned >= self.limit
