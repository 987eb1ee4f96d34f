"""How long things take, from the newest blocks of an audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import polars as pl

from tradewind.journal.block import Block
from tradewind.journal.manifest import Manifest
from tradewind.journal.tables import Decoder

_ANSWERS = ("accepted", "rejected", "unknown")
_TIMED = ("trades", "book", "marks", "quotes")


class Latency(msgspec.Struct, frozen=True):
    """Durations in nanoseconds, and how many they are of."""

    count: int
    median_ns: int
    percentile_99_ns: int
    longest_ns: int

    @classmethod
    def of(cls, durations_ns: pl.Series) -> Latency | None:
        """What some durations were; None of none."""
        if durations_ns.is_empty():
            return None
        middle, late, longest = (durations_ns.quantile(part, "nearest") for part in (0.5, 0.99, 1.0))
        return cls(len(durations_ns), int(middle or 0), int(late or 0), int(longest or 0))


class Latencies(msgspec.Struct, frozen=True):
    """What takes time in a session.

    Parameters
    ----------
    market_data
        From the venue's time of market data to their arrival.
    orders
        From an order's decision to the venue's answer.

    """

    market_data: Latency | None = None
    orders: Latency | None = None


class LatencyMeter:
    """Measures the newest blocks when it is asked; nothing otherwise.

    Parameters
    ----------
    manifest
        That of the run.

    """

    def __init__(self, manifest: Manifest) -> None:
        market = dict.fromkeys(_TIMED, ("time", "venue_time", "is_warm_up"))
        orders = dict.fromkeys(("decisions", "account"), ("time", "kind", "order_id"))
        self._decoder = Decoder(manifest, {**market, **orders})

    def measure(self, blocks: Sequence[Block]) -> Latencies:
        """What took how long in some blocks that follow each other."""
        if not blocks:
            return Latencies()
        data = b"".join(block.data for block in blocks)
        joined = Block(blocks[0].first, blocks[-1].last, blocks[0].codec, data, b"")
        tables = self._decoder.decode(joined)
        market = _market_data(tables[name] for name in _TIMED)
        return Latencies(market, _orders(tables["decisions"], tables["account"]))


def _market_data(tables: Iterable[pl.DataFrame]) -> Latency | None:
    """The delay of the first kind that there is: some venues give quotes no time of their own."""
    live = (table.filter(~table["is_warm_up"]) for table in tables)
    rows = next((rows for rows in live if not rows.is_empty()), None)
    return None if rows is None else Latency.of(_ns(rows, "time") - _ns(rows, "venue_time"))


def _orders(decisions: pl.DataFrame, account: pl.DataFrame) -> Latency | None:
    placed = decisions.filter(pl.col("kind") == "place").select("order_id", decided="time")
    answers = account.filter(pl.col("kind").is_in(_ANSWERS)).group_by("order_id").agg(pl.col("time").min())
    both = placed.join(answers, on="order_id")
    return Latency.of(_ns(both, "time") - _ns(both, "decided"))


def _ns(rows: pl.DataFrame, column: str) -> pl.Series:
    return rows[column].to_physical().alias("ns")
