"""What instruments are worth, by the best source that still speaks (N4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from model.book import Book
from model.rows import Row
from tradewind.instruments import InstrumentFields

FRESH_NS = 60 * 10**9
# Better sources first.
SOURCES = ("mark", "quote", "trade", "bar")


@dataclass
class Marks:
    """The mark of each instrument, and when each source last spoke, by the venue's time, and what."""

    prices: dict[str, Decimal] = field(default_factory=dict)
    books: dict[str, Book] = field(default_factory=dict)
    spoken: dict[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)

    def meet(self, row: Row) -> None:
        """A bar says its close when it closes, a book its middle when a message ends and both sides are there."""
        if row.kind == "book":
            book = self.books.setdefault(row.instrument, Book())
            middle = book.middle() if book.meet(row) else None
            if middle is not None:
                self.speak(row.instrument, "quote", row.time_ns, middle)
        elif row.kind in SOURCES:
            self.speak(row.instrument, row.kind, row.time_ns + row.interval_ns, (row.bid + row.ask) / 2)

    def speak(self, instrument: str, source: str, time_ns: int, price: Decimal) -> None:
        """The mark is what the best source said that spoke within a minute before."""
        self.spoken[instrument, source] = time_ns, price
        told = (self.spoken[instrument, one] for one in SOURCES if (instrument, one) in self.spoken)
        self.prices[instrument] = next(price for spoken_ns, price in told if time_ns - spoken_ns <= FRESH_NS)

    def whole(self, one: InstrumentFields) -> Decimal | None:
        """The mark as a price that an order can have."""
        mark = self.prices.get(one.name)
        return None if mark is None else mark.quantize(Decimal(1).scaleb(-one.price_decimals), ROUND_DOWN)
