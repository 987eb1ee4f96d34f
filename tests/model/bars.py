"""Bars that an engine builds from trades (V5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from model.rows import Row

# The law says that there is a grace, and not how long it is.
GRACE_NS = 10**9
NEVER = 2**64
# When it opened, its open, high, low, close and volume.
Bar = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]


@dataclass
class Builder:
    """The bars of an instrument, cut by venue time."""

    interval_ns: int
    trades: list[Row] = field(default_factory=list)
    opens_ns: int = 0
    late: int = 0

    @property
    def ends_ns(self) -> int:
        return self.opens_ns + self.interval_ns

    @property
    def due_ns(self) -> int:
        """When the open bar closes if nothing is traded."""
        return max(self.ends_ns + GRACE_NS, self.trades[0].arrival_ns) if self.trades else NEVER

    def meet(self, row: Row) -> Bar | None:
        """A trade, as it arrives; gives the bar that it closes. One whose bar has closed is left out."""
        if row.time_ns < self.opens_ns:
            self.late += 1
            return None
        closed = self.close() if self.trades and row.time_ns >= self.ends_ns else None
        if not self.trades:
            self.opens_ns = row.time_ns // self.interval_ns * self.interval_ns
        self.trades.append(row)
        return closed

    def close(self) -> Bar:
        prices = [row.price for row in self.trades]
        volume = sum((row.size for row in self.trades), Decimal(0))
        bar = (self.opens_ns, prices[0], max(prices), min(prices), prices[-1], volume)
        self.opens_ns, self.trades = self.ends_ns, []
        return bar
