"""The way of the price within a bar (F4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from model.rows import Row

EVERYTHING = Decimal("Infinity")


@dataclass
class Path:
    """Open, an extreme, the other, close, at equal distances in time. What is traded is taken from the bar's volume.

    The law is silent, and done is what the kernel does, where it does not say when the first extreme is chosen (when
    somebody holds, waits or asks for something first), that the close comes a nanosecond before the next bar, and that
    a price on the way counts for resting orders from the tick on that it has reached.
    """

    row: Row
    tick: Decimal
    left: Decimal = field(init=False)
    at_ns: int = field(init=False)
    # The point that comes next, from one to three.
    next: int = 1
    is_low_first: bool | None = None

    def __post_init__(self) -> None:
        self.left, self.at_ns = self.row.size or EVERYTHING, self.row.time_ns

    @property
    def next_ns(self) -> int:
        return self._time_ns(self.next)

    @property
    def is_over(self) -> bool:
        return self.next > 3

    def choose(self, sign: int) -> None:
        """The extreme that hurts who trades this side next comes first: the low for who sells."""
        if self.is_low_first is None:
            self.is_low_first = sign < 0

    def go(self, now_ns: int) -> Decimal:
        """To the next point, or to a moment before it: gives the price that was reached."""
        self.at_ns = now_ns
        if now_ns < self.next_ns:
            before, after = self._segment()
            return self.offer(-1 if after >= before else 1)
        self.choose(1)
        self.next += 1
        return self._prices()[self.next - 1]

    def offer(self, sign: int) -> Decimal:
        """The price of the moment, rounded to the tick against who takes it."""
        before, after = self._segment()
        start_ns, end_ns = self._time_ns(self.next - 1), self.next_ns
        gone = Fraction(min(self.at_ns, end_ns) - start_ns, end_ns - start_ns)
        steps = (Fraction(before) + Fraction(after - before) * gone) / Fraction(self.tick)
        return (-(-steps // 1) if sign > 0 else steps // 1) * self.tick

    def _segment(self) -> tuple[Decimal, Decimal]:
        prices = self._prices()
        return prices[self.next - 1], prices[self.next]

    def _prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        assert self.row.bar is not None
        opening, high, low, close = self.row.bar
        return (opening, low, high, close) if self.is_low_first else (opening, high, low, close)

    def _time_ns(self, point: int) -> int:
        return (
            self.row.time_ns + self.row.interval_ns // 3 * point
            if point < 3
            else self.row.time_ns + self.row.interval_ns - 1
        )
