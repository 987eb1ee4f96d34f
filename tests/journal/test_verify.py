from __future__ import annotations

import os
import subprocess
import sys

import pytest
from session_journals import cut_off

import tradewind as tw
from tradewind.journal import Journal, verify
from tradewind.loading import load_strategy_class

CLOCK = """
if self.seen % 50 == 0:
    ctx.buy(self.btc, (10 + time.time_ns() // 1000 % 1000) / 1000)
"""
SET = """
names = {f"asset-{number}" for number in range(20)}
if self.seen % 50 == 0:
    first = next(iter(names))
    ctx.buy(self.btc, (1 + int(first.removeprefix("asset-"))) / 100)
"""
SORTED = SET.replace("iter(names)", "iter(sorted(names))")


def test_an_honest_strategy_is_identical_in_every_process(write, record):
    report = verify(record(write(SORTED)))
    assert report.identical
    assert len(report.runs) >= 3
    assert "identical in" in str(report)


def test_a_run_that_was_cut_off_is_said_to_agree(tmp_path):
    cut_off(tmp_path, seconds=70)
    report = verify(tmp_path, hash_seeds=[1, 2])
    assert not report.identical and all(run.agrees for run in report.runs)
    assert str(report).startswith(f"unfinished in {len(report.runs)} fresh processes (PYTHONHASHSEED ")
    assert "what there is of it agrees" in str(report) and "not identical" not in str(report)


def test_a_clock_is_caught(write, record):
    report = verify(record(write(CLOCK)))
    assert not report.identical
    assert not any(run.identical for run in report.runs)
    assert "a clock" in str(report)
    assert "expected  Orders order 1: buy" in str(report)


def test_the_order_of_a_set_is_caught_by_other_hash_seeds(write, tmp_path):
    journal = tmp_path / "journal.sqlite"
    script = f"""
import tradewind as tw
from tradewind.loading import load_strategy_class
tw.backtest(load_strategy_class({str(write(SET))!r})(), data={{"synthetic:BTCUSDT": tw.synthetic(events=3_000)}},
            balances={{"USDT": 100_000}}, journal={str(journal)!r})
"""
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)
    with Journal(journal) as recorded:
        assert recorded.manifest.environment.hash_seed == 0
    report = verify(journal)
    assert [run.identical for run in report.runs] == [True, False, False]
    assert "the order of a set" in str(report)


def test_a_changed_strategy_is_caught(write, record):
    journal = record(write(SORTED))
    write(SORTED.replace("% 50", "% 51"))
    report = verify(journal)
    assert not any(run.identical for run in report.runs)
    assert "was changed after the run" in str(report)


def test_an_exception_in_a_process_is_shown(write, record):
    journal = record(write("pass"))
    write("raise RuntimeError('only now')")
    report = verify(journal, hash_seeds=[1])
    assert not report.identical
    assert "only now" in str(report)
    write("ctx.buy(self.btc, -1)")
    report = verify(journal, hash_seeds=[1])
    assert not report.identical
    assert "[bad_quantity]" in str(report)
    write("raise SystemExit(0)")
    report = verify(journal, hash_seeds=[1])
    assert not report.identical
    assert "the run ended with SystemExit(0)" in str(report)


@pytest.mark.parametrize(("body", "identical"), [(SORTED, True), (CLOCK, False), (SET, False)])
def test_determinism_is_checked_without_a_journal(write, market, body, identical):
    cls = load_strategy_class(str(write(body)))
    report = tw.check_determinism(cls(), data=market, balances={"USDT": 100_000})
    assert report.identical is identical
