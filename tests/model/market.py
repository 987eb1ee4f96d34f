"""An order as a venue has it, and the market that it meets (F1 to F4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from model.book import Book
from model.path import EVERYTHING, Path
from model.rows import Row
from model.tape import Terms

NOTHING = Decimal(0)


@dataclass
class Placed:
    """An order as it was sent."""

    id: int
    strategy: str
    instrument: str
    sign: int
    quantity: Decimal
    price: Decimal | None
    time_in_force: str
    reduce_only: bool
    filled: Decimal = NOTHING
    is_maker: bool = False

    @property
    def terms(self) -> Terms:
        return self.instrument, self.sign, self.quantity, self.price, self.time_in_force, self.reduce_only

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    def accepts(self, price: Decimal) -> bool:
        """Whether a price is within its limit."""
        return self.price is None or self.sign * (self.price - price) >= 0

    def is_passed_by(self, price: Decimal | Fraction, *, touch: bool) -> bool:
        """Whether the market went through its limit (F3)."""
        assert self.price is not None
        beyond = self.sign * (Fraction(self.price) - Fraction(price))
        return beyond > 0 or (touch and beyond == 0)


@dataclass
class Market:
    """What the venue knows of an instrument, and what rests there. The most detailed data at hand decide (F1)."""

    source: Literal["book", "quote", "trade", "bar", ""] = ""
    book: Book = field(default_factory=Book)
    row: Row | None = None
    path: Path | None = None
    # A bar beside better data, of which only the close is a price.
    bar: Row | None = None
    last: Decimal | None = None
    taken: dict[int, Decimal] = field(default_factory=lambda: {1: NOTHING, -1: NOTHING})
    orders: list[Placed] = field(default_factory=list)

    @property
    def next_ns(self) -> int | None:
        """When it goes on by itself; a bar closes a nanosecond before the next opens."""
        if self.bar is not None:
            return self.bar.time_ns + self.bar.interval_ns - 1
        return None if self.path is None else self.path.next_ns

    def offers(self, sign: int) -> list[tuple[Decimal, Decimal]]:
        """The prices that a taker of this side gets, best first, and the sizes that are left there (F2)."""
        if self.source == "book":
            return self.book.offers(sign)
        if self.path is not None:
            return [(self.path.offer(sign), self.path.left)]
        if self.row is None:
            return []
        price, size = (self.row.ask, self.row.ask_size) if sign > 0 else (self.row.bid, self.row.bid_size)
        return [(price, size - self.taken[sign])]

    def best(self, sign: int) -> Decimal | None:
        """The best of these prices, whatever is left there."""
        return next((price for price, _ in self.offers(sign)), None)

    def take(self, sign: int, price: Decimal, quantity: Decimal) -> None:
        if self.source == "book":
            self.book.take(sign, price, quantity)
        elif self.path is None:
            self.taken[sign] += quantity
        elif self.path.left != EVERYTHING:
            self.path.left -= quantity

    def takes(self, order: Placed) -> bool:
        """Whether an order that comes now would take.

        A trade at its price may have been on either side of the spread. The law says so of trades; bars are alike.
        """
        if order.price is None:
            return True
        if self.source in ("book", "quote"):
            best = self.best(order.sign)
            return best is not None and order.accepts(best)
        return self.last is not None and order.is_passed_by(self.last, touch=False)
