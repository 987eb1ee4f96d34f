"""An order book from snapshots and changes of levels, and what is left of it (F2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from model.rows import Row


@dataclass
class Book:
    """Sizes by side and price; bids are above zero. What we took of a level counts until its size is another."""

    levels: dict[tuple[int, Decimal], Decimal] = field(default_factory=dict)
    taken: dict[tuple[int, Decimal], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def meet(self, row: Row) -> bool:
        """One level; tells whether it ends a message, so that the book is whole."""
        assert row.level is not None
        side, is_first, is_last = row.level
        if is_first:
            self.levels.clear()
        self.levels[side, row.price] = row.size
        if not row.size:
            del self.levels[side, row.price]
        if is_last:
            self.taken = {level: taken for level, taken in self.taken.items() if self.levels.get(level) == taken[0]}
        return is_last

    def side(self, side: int) -> list[tuple[Decimal, Decimal]]:
        """Prices and sizes, best first."""
        return sorted(((price, size) for (one, price), size in self.levels.items() if one == side), reverse=side > 0)

    def middle(self) -> Decimal | None:
        bids, asks = self.side(1), self.side(-1)
        return (bids[0][0] + asks[0][0]) / 2 if bids and asks else None

    def offers(self, sign: int) -> list[tuple[Decimal, Decimal]]:
        """What a taker of this side gets, best first."""
        return [
            (price, size - self.taken.get((-sign, price), (size, Decimal(0)))[1]) for price, size in self.side(-sign)
        ]

    def take(self, sign: int, price: Decimal, quantity: Decimal) -> None:
        size = self.levels[-sign, price]
        before = self.taken.get((-sign, price), (size, Decimal(0)))[1]
        self.taken[-sign, price] = (size, before + quantity)
