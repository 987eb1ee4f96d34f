"""The workloads as data sets, and how a run is timed."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

import tradewind as tw
from tradewind._core import Index, Recording
from tradewind.dataset import Dataset, definition

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import workloads

PERPETUAL = tw.InstrumentFields(
    venue="bench", symbol="BTCUSDT", kind="linear_perpetual", base="BTC", quote="USDT", settlement="USDT",
    tick="0.1", lot="0.001", minimum_quantity="0.001", minimum_notional="0", maker_fee="0.0002", taker_fee="0.0005",
    initial_margin="0.1", maintenance_margin="0.05",
)  # fmt: skip
INSTANT = {"bench": tw.Simulated(latency=0)}
MONEY = {"USDT": 10_000_000}
_TRADE, _QUOTE = 4, 3


def integers(values: np.ndarray[Any, Any], decimals: int) -> np.ndarray[Any, Any]:
    """Floats on a grid as fixed-point integers."""
    return np.rint(np.nan_to_num(values) * 10**decimals).astype(np.int64)


def dataset(
    fields: list[tw.InstrumentFields], rows: dict[str, Any], instrument: np.ndarray[Any, Any] | None
) -> Dataset:
    """Rows that are already in the kernel's form."""
    index = Index([definition(one) for one in fields])
    zeros = np.zeros(len(rows["kind"]), np.int64)
    columns = {"c": zeros, "d": zeros, "e": zeros, "interval_ns": zeros, **rows, "instrument": instrument}
    recording = Recording("trades", index, None if instrument is not None else index.instruments[0], [columns])
    return Dataset(index, tuple(fields), (recording,))


def w1(arrival_delay_ns: int = 0) -> Dataset:
    """A million trades of one perpetual."""
    trades = workloads.load("w1")
    times = trades["timestamp"]
    rows = {
        "venue_time_ns": times,
        "arrival_time_ns": times + arrival_delay_ns,
        "kind": np.full(len(times), _TRADE, np.uint8),
        "flags": np.where(trades["side"] > 0, 1, 2).astype(np.uint8),
        "a": integers(trades["price"], 1),
        "b": integers(trades["quantity"], 3),
        "c": trades["trade_id"].astype(np.int64),
    }
    return dataset([PERPETUAL], rows, None)


def w3() -> Dataset:
    """Barter's 50,000 trades and quotes of three instruments, in the order of their arrival."""
    rows = workloads.load("w3")
    decimals = {"BTC": 5, "ETH": 4, "SOL": 3}
    fields = [
        tw.InstrumentFields(
            venue="bench", symbol=f"{base}USDT", kind="spot", base=base, quote="USDT", tick="0.01",
            lot=str(Decimal(1).scaleb(-lot)),
            minimum_quantity="0", minimum_notional="0", maker_fee="0.0005", taker_fee="0.0005",
        )
        for base, lot in decimals.items()
    ]  # fmt: skip
    is_trade = rows["kind"] == 0

    def pick(trade: np.ndarray[Any, Any], quote: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.where(is_trade, trade, quote)

    columns = {
        "venue_time_ns": rows["venue_time"],
        "arrival_time_ns": rows["arrival_time"],
        "kind": np.where(is_trade, _TRADE, _QUOTE).astype(np.uint8),
        "flags": np.where(is_trade, np.where(rows["side"] > 0, 1, 2), 0).astype(np.uint8),
        "a": pick(integers(rows["price"], 2), integers(rows["bid"], 2)),
        "b": pick(integers(rows["amount"], 8), integers(rows["bid_amount"], 8)),
        "c": pick(rows["trade_id"], integers(rows["ask"], 2)).astype(np.int64),
        "d": pick(np.zeros(len(is_trade), np.int64), integers(rows["ask_amount"], 8)),
    }
    return dataset(fields, columns, rows["instrument"].astype(np.uint32))


def report(identity: str, best_of: int, run: Callable[[], dict[str, Any]]) -> None:
    """Run some times and print the fastest as a line of JSON; `run` returns events, orders, fills and seconds."""
    lines = [run() for _ in range(best_of)]
    best = min(lines, key=lambda line: line["seconds"])
    best |= {
        "id": identity,
        "events_per_second": best["events"] / best["seconds"],
        "version": tw.__version__,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(best))


def timed(kernel: Any) -> dict[str, Any]:
    """Run a kernel to its end, and say what it did."""
    start = time.perf_counter()
    while not kernel.advance(1_000_000_000):
        pass
    seconds = time.perf_counter() - start
    outcome = kernel.outcome()
    return {
        "events": outcome["rows"],
        "orders": outcome["orders"],
        "fills": outcome["fills"],
        "seconds": seconds,
        "decisions": outcome["decisions_hash"][:16],
    }
