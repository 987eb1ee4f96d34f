"""The data of the benchmarks, one set of files for our side and for every peer.

``python benchmarks/workloads.py`` writes into ``build/bench/`` (not committed):

- ``w1.npz``, ``w1.parquet``: 1,000,000 synthetic trades of one linear perpetual (W1, W2);
- ``w3.jsonl``, ``w3.npz``, ``w3.parquet``: barter's 50,000 recorded events, stably
  sorted by receive time (W3, W6);
- ``expected.json``: the number of events and orders that each workload must have.

The columns are described in ``benchmarks/README.md``.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

VERSION = 2
"""Raised when the content of any file changes, so that old files are written anew."""

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench"
SHARED = Path(os.environ.get("TRADEWIND_SHARED_DATA", ROOT.parent / "shared" / "data"))
RECORDING = SHARED / "trades-quotes" / "barter" / "binance_spot_trades_l1_btcusdt_ethusdt_solusdt.json.gz"

W1_SEED = 8
W1_TRADES = 1_000_000
W1_START_NS = 1_704_067_200_000_000_000
FAST, SLOW = 50, 200
W3_EVENTS = 50_000
W6_RUNS = 500

Columns = dict[str, NDArray[Any]]


class MissingDataError(Exception):
    """The shared data that a workload needs are not on this machine."""


def w1_trades() -> Columns:
    """The trades of W1: a random walk on a price grid of 0.1, about 1 ms apart."""
    random = np.random.default_rng(W1_SEED)
    steps = np.rint(random.normal(0.0, 3.0, W1_TRADES)).astype(np.int64)
    steps[0] = 600_000
    gaps_ns = random.integers(500_000, 1_500_000, W1_TRADES)
    return {
        "timestamp": W1_START_NS + np.cumsum(gaps_ns),
        "price": np.cumsum(steps) / 10,
        "quantity": random.integers(2_000, 20_000, W1_TRADES) / 1_000,
        "trade_id": np.arange(1, W1_TRADES + 1, dtype=np.int64),
        "side": random.choice(np.array([1, -1], dtype=np.int8), W1_TRADES),
    }


def ema_cross_orders(prices: NDArray[np.float64]) -> int:
    """How many orders the EMA-cross rule sends: the reference that every side must meet.

    An EMA starts at the first price and has ``alpha = 2 / (n + 1)``. From the 200th trade
    on, +1 is wanted while the fast one is above the slow one, else -1; a change of what is
    wanted is one market order. No two values may be so close that rounding decides.
    """
    fast_alpha, slow_alpha = 2 / (FAST + 1), 2 / (SLOW + 1)
    fast = slow = float(prices[0])
    target = orders = 0
    for count, price in enumerate(prices[1:].tolist(), start=2):
        fast += fast_alpha * (price - fast)
        slow += slow_alpha * (price - slow)
        if count < SLOW:
            continue
        if abs(fast - slow) < 1e-9:
            raise ValueError(f"trade {count}: the averages are too close to compare")
        wanted = 1 if fast > slow else -1
        orders += wanted != target
        target = wanted
    return orders


def w3_lines() -> list[str]:
    """The recorded events as JSON lines, stably sorted by receive time."""
    if not RECORDING.exists():
        raise MissingDataError(
            f"W3 and W6 need {RECORDING}, which is not there\n"
            "hint: set TRADEWIND_SHARED_DATA to the folder that holds trades-quotes/"
        )
    with gzip.open(RECORDING, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    if len(lines) != W3_EVENTS:
        raise ValueError(f"{RECORDING}: {len(lines):,} events, expected {W3_EVENTS:,}")
    return sorted(lines, key=lambda line: time_ns(json.loads(line)["Item"]["time_received"]))


def time_ns(text: str) -> int:
    """Nanoseconds since the epoch of a time such as ``2025-03-25T23:07:00.715Z``."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp())
    return whole * 1_000_000_000 + int(fraction.ljust(9, "0"))


def w3_columns(lines: list[str]) -> Columns:
    """The recorded events as columns; what a kind of event does not have is 0 or NaN."""
    rows = [w3_row(json.loads(line)["Item"]) for line in lines]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    types = {"kind": np.uint8, "instrument": np.uint8, "side": np.int8}
    names = ("kind", "instrument", "venue_time", "arrival_time", "price", "amount",
             "bid", "bid_amount", "ask", "ask_amount", "trade_id", "side")  # fmt: skip
    return {name: column.astype(types.get(name, column.dtype)) for name, column in zip(names, columns, strict=True)}


def w3_row(item: dict[str, Any]) -> tuple[float, ...]:
    """One recorded event in the order of the columns."""
    nan = float("nan")
    times = (time_ns(item["time_exchange"]), time_ns(item["time_received"]))
    if (trade := item["kind"].get("Trade")) is not None:
        side = 1 if trade["side"] == "Buy" else -1
        quote = (nan, nan, nan, nan)
        values = (float(trade["price"]), float(trade["amount"]), *quote, int(trade["id"]), side)
        return (0, item["instrument"], *times, *values)
    book = item["kind"]["OrderBookL1"]
    bid, ask = book["best_bid"], book["best_ask"]
    sides = (bid["price"], bid["amount"], ask["price"], ask["amount"])
    return (1, item["instrument"], *times, nan, nan, *map(float, sides), 0, 0)


def buy_every_trade_orders(columns: Columns) -> int:
    """How many orders W3's rule sends: the reference that both sides must meet.

    On every event, one order for each instrument whose latest event is a trade.
    """
    latest_is_trade = [False, False, False]
    orders = 0
    kinds, instruments = columns["kind"].tolist(), columns["instrument"].tolist()
    for kind, instrument in zip(kinds, instruments, strict=True):
        latest_is_trade[instrument] = kind == 0
        orders += sum(latest_is_trade)
    return orders


def write_table(name: str, columns: Columns) -> None:
    """Writes the same columns as ``.npz`` and, with sides as words, as Parquet."""
    arrays: dict[str, Any] = {**columns}
    np.savez(FOLDER / f"{name}.npz", **arrays)
    words = {1: "buy", -1: "sell", 0: None}
    side = pl.col("side").replace_strict(words, return_dtype=pl.String)
    pl.DataFrame(columns).with_columns(side).write_parquet(FOLDER / f"{name}.parquet")


def load(name: str) -> Columns:
    """The columns of ``w1`` or ``w3``."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {column: file[column] for column in file.files}


def write_w1() -> dict[str, dict[str, int]]:
    """Writes W1 and says what W1 and W2 must count."""
    trades = w1_trades()
    write_table("w1", trades)
    orders = ema_cross_orders(trades["price"])
    return {
        "W1-ema": {"events": W1_TRADES, "orders": orders},
        "W1-empty": {"events": W1_TRADES, "orders": 0},
        "W2": {"events": W1_TRADES, "orders": orders},
    }


def write_w3() -> dict[str, dict[str, int]]:
    """Writes W3 and says what W3 and W6 must count."""
    lines = w3_lines()
    columns = w3_columns(lines)
    (FOLDER / "w3.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_table("w3", columns)
    orders = buy_every_trade_orders(columns)
    return {
        "W3-orders": {"events": W3_EVENTS, "orders": orders},
        "W3-data": {"events": W3_EVENTS, "orders": 0},
        "W6": {"events": W3_EVENTS * W6_RUNS, "orders": orders * W6_RUNS},
    }


def prepare() -> dict[str, Any]:
    """Writes the files that are not there yet and returns what they must count."""
    expected_file = FOLDER / "expected.json"
    if expected_file.exists():
        expected: dict[str, Any] = json.loads(expected_file.read_text(encoding="utf-8"))
        if expected["version"] == VERSION and "W3-orders" in expected:
            return expected
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {"version": VERSION} | write_w1()
    try:
        expected |= write_w3()
    except MissingDataError as error:
        expected["missing"] = str(error)
    expected_file.write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8")
    return expected


if __name__ == "__main__":
    print(json.dumps(prepare(), indent=2))
