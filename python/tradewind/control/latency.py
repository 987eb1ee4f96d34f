"""How long things take, from the newest blocks of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from tradewind._core import entry_tables
from tradewind.journal.block import Block
from tradewind.journal.manifest import Manifest

_ANSWERS = ("accepted", "rejected", "unknown")
_TIMED = ("trades", "book", "marks", "quotes")

_Columns: TypeAlias = Mapping[str, tuple[str, Any, Any]]


class Latency(msgspec.Struct, frozen=True):
    """Durations in nanoseconds, and how many they are of."""

    count: int
    median_ns: int
    percentile_99_ns: int
    longest_ns: int

    @classmethod
    def of(cls, durations_ns: np.ndarray[Any, Any]) -> Latency | None:
        """What some durations were; None of none."""
        if not durations_ns.size:
            return None
        middle, late, longest = np.quantile(durations_ns, (0.5, 0.99, 1.0), method="nearest")
        return cls(durations_ns.size, int(middle), int(late), int(longest))


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

    The session waits meanwhile, so the columns are taken as they are: a table for each would cost ten times as much.

    Parameters
    ----------
    manifest
        That of the run.

    """

    def __init__(self, manifest: Manifest) -> None:
        market = {name: ["time", "venue_time", "is_warm_up"] for name in _TIMED}
        orders = {name: ["time", "kind", "order_id"] for name in ("decisions", "account")}
        self._tables = {**market, **orders}
        self._index = manifest.index()
        self._strategies = sorted(one.name for one in manifest.code.strategies)

    def measure(self, blocks: Sequence[Block]) -> Latencies:
        """What took how long in some blocks that follow each other."""
        data = b"".join(block.data for block in blocks)
        tables, _ = entry_tables(self._index, self._strategies, data, 1, 0, self._tables)
        # Some venues give quotes no time of their own.
        delays = next((one for one in (_delays(tables[name]) for name in _TIMED) if one.size), np.array([]))
        return Latencies(Latency.of(delays), Latency.of(_round_trips(tables["decisions"], tables["account"])))


def _delays(market: _Columns) -> np.ndarray[Any, Any]:
    """From the venue to here."""
    is_warm_up = np.frombuffer(market["is_warm_up"][1], np.bool_)
    delays: np.ndarray[Any, Any] = (_integers(market, "time") - _integers(market, "venue_time"))[~is_warm_up]
    return delays


def _round_trips(decisions: _Columns, account: _Columns) -> np.ndarray[Any, Any]:
    """From the decision to the first answer."""
    placed = _is_one_of(decisions, "kind", ("place",))
    decided = dict(zip(_numbers(decisions, "order_id", placed), _numbers(decisions, "time", placed), strict=True))
    answered = _is_one_of(account, "kind", _ANSWERS)
    answers = zip(_numbers(account, "order_id", answered), _numbers(account, "time", answered), strict=True)
    # Each order's first answer counts.
    return np.array([time - since for order, time in answers if (since := decided.pop(order, None)) is not None])


def _numbers(table: _Columns, name: str, rows: np.ndarray[Any, Any]) -> list[int]:
    found: list[int] = _integers(table, name)[rows].tolist()
    return found


def _integers(table: _Columns, name: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(table[name][1], np.int64)


def _is_one_of(table: _Columns, name: str, wanted: Sequence[str]) -> np.ndarray[Any, Any]:
    _, codes, words = table[name]
    return np.isin(np.frombuffer(codes, np.uint32), [at for at, word in enumerate(words) if word in wanted])
