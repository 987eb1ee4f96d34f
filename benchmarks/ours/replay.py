"""Replay beside the backtest that it replays: a million trades, in one process, in turn.

Prints one JSON line. Both sides end with the same hash of decisions. The backtest keeps no journal and is the engine's
run alone; the replay is all of `tradewind.journal.replay`: opening the journal, every checksum, decoding, engine,
strategy, and the comparison of every request.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import market
from w1 import EmaCross

import tradewind as tw
from tradewind._core import Backtest
from tradewind.backtest import AnyStrategy, Settings

ROUNDS = 5


def compare(strategy: AnyStrategy) -> dict[str, Any]:
    """Rates of both sides, the fastest of some rounds of each, and their ratio."""
    data = market.w1()
    settings = Settings(balances=market.MONEY, venues=market.INSTANT)
    backtests, replays = [], []
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "run.sqlite"
        kept = tw.backtest(strategy, data=data, balances=market.MONEY, venues=market.INSTANT, journal=journal)
        for _ in range(ROUNDS):
            backtest = market.timed(Backtest(settings.run([strategy], data, keep="everything", journal=False)))
            started = time.perf_counter()
            report = tw.journal.replay(journal)
            replays.append(time.perf_counter() - started)
            backtests.append(backtest["seconds"])
            assert report.identical, report
            assert backtest["decisions"] == kept.decisions_hash[:16]
        size = journal.stat().st_size
    events = kept.metrics["rows"]
    return {
        "events": events,
        "orders": kept.metrics["orders"],
        "backtest_events_per_second": round(events / min(backtests)),
        "replay_events_per_second": round(events / min(replays)),
        "ratio": round(min(backtests) / min(replays), 3),
        "journal_bytes": size,
    }


def main() -> None:
    """Measure a Python strategy, as sessions run them, and the compiled one."""
    native = tw.ema_cross("bench:BTCUSDT", fast=market.workloads.FAST, slow=market.workloads.SLOW, quantity=1)
    results = {"python": compare(EmaCross()), "native": compare(native)}
    print(json.dumps({"workload": "replay", "goal": "at least 0.5 of the backtest's rate", "results": results}))


if __name__ == "__main__":
    main()
