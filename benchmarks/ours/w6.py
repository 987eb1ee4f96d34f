"""W6: 500 runs of W3-orders over one data set, on all cores; and what two independent processes reach."""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from typing import Any

import market
import w3

import tradewind as tw
from tradewind._core import run_many

RUNS = 500


def many(runs: int, threads: int | None) -> tuple[float, list[dict[str, Any]]]:
    """Time some runs; the seconds, and what each did."""
    data = market.w3()
    prepared = [(f"run {place}", w3.run(data, orders=True, keep="metrics")) for place in range(runs)]
    start = time.perf_counter()
    outcomes = run_many(prepared, threads)
    return time.perf_counter() - start, outcomes


def alone(barrier: Any, seconds: Any) -> None:
    """One of two independent processes: half of the runs on one thread, started together."""
    data = market.w3()
    prepared = [(f"run {place}", w3.run(data, orders=True, keep="metrics")) for place in range(RUNS // 2)]
    barrier.wait()
    start = time.perf_counter()
    run_many(prepared, 1)
    seconds.put(time.perf_counter() - start)


def two_processes(events: int) -> float:
    """Events a second of two independent processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(2), context.Queue()
    workers = [context.Process(target=alone, args=(barrier, seconds)) for _ in range(2)]
    for worker in workers:
        worker.start()
    slowest = max(seconds.get() for _ in workers)
    for worker in workers:
        worker.join()
    return events / slowest


if __name__ == "__main__":
    elapsed, outcomes = many(RUNS, None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    events = sum(outcome["rows"] for outcome in outcomes)
    if len({outcome["decisions_hash"] for outcome in outcomes}) != 1:
        sys.exit("the runs differ")
    line = {
        "id": "W6",
        "events": events,
        "orders": sum(outcome["orders"] for outcome in outcomes),
        "fills": sum(outcome["fills"] for outcome in outcomes),
        "seconds": elapsed,
        "events_per_second": events / elapsed,
        "version": tw.__version__,
        "peak_memory_bytes": peak,
        "two_processes_events_per_second": two_processes(events),
    }
    print(json.dumps(line))
