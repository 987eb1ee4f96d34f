"""Replay beside the backtest that it replays: W1-ema, in one process, in turn.

Prints one JSON line, for the Python strategy; the compiled one beside it. The backtest keeps no journal and is the
engine's run alone, over rows that are in memory already, as in W1; `share_of_backtest_of_files` is beside one that
reads the same rows from Parquet first. The replay is all of `tradewind.journal.replay`: opening the journal, reading
it from SQLite, every checksum, decoding, engine, strategy, and the comparison of every request. Both sides end with the
same hash of decisions. Each journal is replayed twice: as the backtest wrote it, in large blocks, and in blocks of 20
entries, as a session writes it (`share_of_backtest_session_blocks`).
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
from tradewind.journal import Journal, JournalWriter

ROUNDS = 5
SESSION_BLOCK = 20
"""How many rows a block of a session holds."""
SHOWN = ("events_per_second", "share_of_backtest", "share_of_backtest_session_blocks", "share_of_backtest_of_files")


def compare(strategy: AnyStrategy) -> dict[str, Any]:
    """The fastest of some rounds of each side."""
    data = market.w1()
    settings = Settings(balances=market.MONEY, venues=market.INSTANT)
    backtests, replays, of_session_blocks = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "run.sqlite", Path(folder) / "session.sqlite"
        kept = tw.backtest(strategy, data=data, balances=market.MONEY, venues=market.INSTANT, journal=large)
        with Journal(large) as journal, JournalWriter(small, journal.manifest) as writer:
            write_as_a_session(Backtest(settings.run([strategy], data, keep="everything", journal=True)), writer)
        for _ in range(ROUNDS):
            backtest = market.timed(Backtest(settings.run([strategy], data, keep="everything", journal=False)))
            backtests.append(backtest["seconds"])
            assert backtest["decisions"] == kept.decisions_hash[:16]
            replays.append(replayed(large))
            of_session_blocks.append(replayed(small))
    events = kept.metrics["rows"]
    return {
        "events": events,
        "orders": kept.metrics["orders"],
        "fills": kept.metrics["fills"],
        "seconds": min(replays),
        "events_per_second": events / min(replays),
        "backtest_events_per_second": round(events / min(backtests)),
        "share_of_backtest": round(min(backtests) / min(replays), 3),
        "share_of_backtest_session_blocks": round(min(backtests) / min(of_session_blocks), 3),
        "share_of_backtest_of_files": round(of_files(strategy) / min(replays), 3),
    }


def write_as_a_session(kernel: Backtest, writer: JournalWriter) -> None:
    """Run a kernel, and write its journal in small blocks."""
    is_over = False
    while not is_over:
        is_over = kernel.advance(SESSION_BLOCK)
        writer.write(kernel.take_journal())
    writer.finish(kernel.outcome())


def replayed(journal: Path) -> float:
    """How long a replay takes, which has to be identical."""
    started = time.perf_counter()
    report = tw.journal.replay(journal)
    seconds = time.perf_counter() - started
    assert report.identical, report
    return seconds


def of_files(strategy: AnyStrategy) -> float:
    """How long the backtest takes with its rows in Parquet: the fastest of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        trades = tw.trades(market.workloads.FOLDER / "w1.parquet", time_unit="ns")
        data = tw.load({"bench:BTCUSDT": trades}, [market.PERPETUAL])
        tw.backtest(strategy, data=data, balances=market.MONEY, venues=market.INSTANT, keep="metrics")
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    """Measure a Python strategy, as sessions run them, and the compiled one."""
    native = compare(tw.ema_cross("bench:BTCUSDT", fast=market.workloads.FAST, slow=market.workloads.SLOW, quantity=1))
    beside = {f"native_{name}": native[name] for name in native if name in SHOWN}
    print(json.dumps({"id": "replay", **compare(EmaCross()), **beside, "version": tw.__version__}))


if __name__ == "__main__":
    main()
