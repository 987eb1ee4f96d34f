"""How long messages take between us and a venue: as stated, or by chance as the run itself says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl


class Way(Protocol):
    """One direction."""

    least_ns: int

    def arrival_ns(self, sent_ns: int, number: int) -> int:
        """When a message arrives; requests have a number."""


@dataclass
class Constant:
    """All take the same time."""

    least_ns: int

    def arrival_ns(self, sent_ns: int, number: int) -> int:
        return sent_ns + self.least_ns


@dataclass
class Chance:
    """Each takes as long as the run says, which must be possible: within the bounds, or behind the one before (T1)."""

    least_ns: int
    most_ns: int
    # Of requests by their number; of answers all under none.
    recorded: dict[int, deque[int]] = field(repr=False)
    last_ns: int = 0

    def arrival_ns(self, sent_ns: int, number: int) -> int:
        arrival_ns = self.recorded[number].popleft()
        assert arrival_ns >= max(self.last_ns, sent_ns + self.least_ns)
        assert arrival_ns <= max(self.last_ns, sent_ns + self.most_ns)
        self.last_ns = arrival_ns
        return arrival_ns


def requests(reports: pl.DataFrame) -> dict[int, deque[int]]:
    """When orders came to the venue, and behind that their cancels: what it said at once says so."""
    found: dict[int, deque[int]] = {}
    for number, kind, code, time_ns in reports.select("order_id", "kind", "code", "venue_ns").iter_rows():
        if kind in ("accepted", "rejected", "cancel_rejected") or (kind, code) == ("cancelled", "requested"):
            found.setdefault(number, deque()).append(time_ns)
    return found


def answers(reports: pl.DataFrame) -> dict[int, deque[int]]:
    return {0: deque(reports["time_ns"].to_list())}
