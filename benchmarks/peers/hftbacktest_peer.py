"""W2 on hftbacktest: ``python benchmarks/peers/hftbacktest_peer.py``.

Its documented idiom: the events as one array in memory, a strategy compiled by numba that
waits for the next feed and reads the last trades. It fills from depth and not from trades,
so it gets a static book: order counts can be compared, fills cannot. The first run compiles;
of the following, warm runs the fastest counts. Prints one line of JSON; only the compiled
strategy's run is timed.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.binding import event_dtype
from numba import njit
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import workloads

TICK, LOT = 0.1, 0.001
MAKER_RATE, TAKER_RATE = 0.0002, 0.0005
LOWEST, HIGHEST = 50_000.0, 70_000.0
BID, ASK = 59_999.9, 60_000.0
WARM_RUNS = 5
FEED = 2
LONGEST_WAIT_NS = 3_600_000_000_000


@njit
def ema_cross(hbt: Any, fast_alpha: float, slow_alpha: float, slow_count: int) -> tuple[int, int]:
    """Runs the rule over all trades; returns how many trades it saw and orders it sent."""
    trades = orders = target = 0
    fast = slow = 0.0
    status = FEED
    while status == FEED:
        status = hbt.wait_next_feed(False, LONGEST_WAIT_NS)
        for trade in hbt.last_trades(0):
            price = trade.px
            if trades == 0:
                fast = slow = price
            fast += fast_alpha * (price - fast)
            slow += slow_alpha * (price - slow)
            trades += 1
            if trades < slow_count:
                continue
            wanted = 1 if fast > slow else -1
            if wanted != target:
                orders += 1
                quantity = float(abs(wanted - target))
                if wanted > 0:
                    hbt.submit_buy_order(0, orders, price, quantity, GTC, MARKET, False)
                else:
                    hbt.submit_sell_order(0, orders, price, quantity, GTC, MARKET, False)
                target = wanted
                hbt.clear_inactive_orders(0)
        hbt.clear_last_trades(0)
    return trades, orders


def feed() -> NDArray[Any]:
    """The trades of W1 as the peer's event array, seen at the same time on both sides."""
    columns = workloads.load("w1")
    events = np.zeros(len(columns["price"]), dtype=event_dtype)
    side = np.where(columns["side"] > 0, BUY_EVENT, SELL_EVENT)
    events["ev"] = (EXCH_EVENT | LOCAL_EVENT | TRADE_EVENT | side).astype(np.uint64)
    events["exch_ts"] = events["local_ts"] = columns["timestamp"]
    events["px"], events["qty"] = columns["price"], columns["quantity"]
    return events


def static_book() -> NDArray[Any]:
    """One bid and one ask that never run out."""
    book = np.zeros(2, dtype=event_dtype)
    both = EXCH_EVENT | LOCAL_EVENT | DEPTH_SNAPSHOT_EVENT
    book["ev"] = both | BUY_EVENT, both | SELL_EVENT
    book["exch_ts"] = book["local_ts"] = workloads.W1_START_NS
    book["px"], book["qty"] = (BID, ASK), 1e9
    return book


def run(events: NDArray[Any], book: NDArray[Any]) -> dict[str, Any]:
    """One run on a fresh backtest."""
    asset = (
        BacktestAsset()
        .data(events)
        .initial_snapshot(book)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(MAKER_RATE, TAKER_RATE)
        .tick_size(TICK)
        .lot_size(LOT)
        .roi_lb(LOWEST)
        .roi_ub(HIGHEST)
        .last_trades_capacity(16)
    )
    hbt = ROIVectorMarketDepthBacktest([asset])
    alphas = 2 / (workloads.FAST + 1), 2 / (workloads.SLOW + 1)
    start = time.perf_counter()
    trades, orders = ema_cross(hbt, *alphas, workloads.SLOW)
    seconds = time.perf_counter() - start
    fills = int(hbt.state_values(0).num_trades)
    hbt.close()
    return {"events": trades, "orders": orders, "fills": fills, "seconds": seconds}


def main() -> None:
    """Compiles, runs and prints what was measured."""
    workloads.prepare()
    events, book = feed(), static_book()
    run(events, book)
    best = min((run(events, book) for _ in range(WARM_RUNS)), key=lambda result: result["seconds"])
    rate = best["events"] / best["seconds"]
    line = {"id": "W2", **best, "events_per_second": rate, "version": version("hftbacktest")}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
