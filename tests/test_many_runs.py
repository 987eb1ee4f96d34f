"""Many runs over one data set: the same hashes as alone, stopped by Ctrl-C and by the first failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import BTC, RICH, run
from process_strategies import Sum

import tradewind as tw
from tradewind.sweep import Outcome


@pytest.fixture(scope="module")
def data() -> tw.Dataset:
    return tw.load({BTC: tw.synthetic(events=5_000)})


@pytest.fixture(scope="module")
def large() -> tw.Dataset:
    return tw.load({BTC: tw.synthetic(events=300_000)})


def native(fast: int) -> Any:
    return tw.ema_cross(BTC, fast=fast, slow=100, quantity=0.05)


def many(runs: Any, data: tw.Dataset, **settings: Any) -> Any:
    return tw.backtest_many(runs, data=data, balances=RICH, progress=False, **settings)


def hashes(one: tw.Result | Outcome) -> tuple[str, str]:
    return one.decisions_hash, one.state_hash


@pytest.mark.parametrize(
    "runs", [[native(fast) for fast in range(5, 25)], [Sum(quantity=0.01 * size) for size in range(1, 4)]],
    ids=["native", "python"],
)  # fmt: skip
def test_the_order_and_the_hashes_are_those_of_single_runs(runs: Any, data: tw.Dataset) -> None:
    assert [hashes(one) for one in many(runs, data, workers=2)] == [hashes(run(one, data)) for one in runs]


MANY = """
import sys

from helpers import BTC, RICH
from process_strategies import Sum

import tradewind as tw

if __name__ == "__main__":
    data = tw.load({BTC: tw.synthetic(events=300_000)})
    native = [tw.ema_cross(BTC, fast=5 + place % 90, slow=100, quantity=0.05) for place in range(20_000)]
    runs = {"native": native, "processes": [Sum(slow=True) for _ in range(8)]}[sys.argv[1]]
    print("begun", flush=True)
    try:
        tw.backtest_many(runs, data=data, balances=RICH, progress=False, workers=2)
    except KeyboardInterrupt:
        print("stopped")
"""


@pytest.mark.parametrize(("kind", "seconds"), [("native", 0.5), ("processes", 4)])
def test_ctrl_c_stops_the_runs(tmp_path: Path, kind: str, seconds: float) -> None:
    file = tmp_path / "many.py"
    file.write_text(MANY)
    # In a process of its own: here a signal could meet a callback of another test's tools, and be lost.
    process = subprocess.Popen(
        [sys.executable, str(file), kind],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert said == "stopped\n"


def test_a_failure_of_one_process_names_its_run_and_stops_the_others(large: tw.Dataset) -> None:
    started = time.perf_counter()
    with pytest.raises(ZeroDivisionError) as caught:
        many([Sum(slow=True), Sum(fails=True), *(Sum(slow=True) for _ in range(6))], large, workers=2)
    assert any(
        note == "in run 2 of 8: Sum(fails=True, slow=False, quantity=0.01)" for note in caught.value.__notes__
    ), caught.value.__notes__
    assert time.perf_counter() - started < 30


def test_a_failure_of_a_native_run_names_it(data: tw.Dataset) -> None:
    with pytest.raises(tw.TradewindError) as caught:
        many([native(5), tw.ema_cross(BTC, fast=0, slow=100, quantity=0.05)], data)
    assert caught.value.__notes__[-1].startswith("in run 2 of 2: ema_cross(")


def test_an_exception_of_the_progress_bar_stops_the_runs(large: tw.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from tradewind._core import run_many
    from tradewind.backtest import Settings

    prepared = [("a run", Settings(RICH).run([native(5)], large, keep="metrics", journal=False)) for _ in range(1_000)]

    def fail(done: int) -> None:
        raise ArithmeticError(done)

    started = time.perf_counter()
    with pytest.raises(ArithmeticError, match="1"):
        run_many(prepared, 2, fail)
    assert time.perf_counter() - started < 10


class Stubborn(Exception):
    def add_note(self, note: str) -> None:
        raise RuntimeError("no notes")


class Raises(tw.Strategy):
    def on_start(self, ctx: tw.Context) -> None:
        raise Stubborn("the strategy's own")


def test_an_exception_that_refuses_its_note_still_arrives(data: tw.Dataset) -> None:
    with pytest.raises(Stubborn, match="the strategy's own"):
        run(Raises(), data)


UNGUARDED = """
import tradewind as tw
from process_strategies import Sum

data = tw.load({"synthetic:BTCUSDT": tw.synthetic(events=100)})
tw.backtest_many([Sum(), Sum()], data=data, balances={"USDT": 1_000})
"""


@pytest.mark.parametrize("how", ["file", "standard input"])
def test_a_script_that_would_start_the_runs_again_in_every_worker_is_refused(tmp_path: Path, how: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    with script.open() as text:
        ended = subprocess.run(
            [sys.executable, str(script) if how == "file" else "-"],
            stdin=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )
    assert ended.returncode == 1 and "[bad_setting]" in ended.stderr and '__name__ == "__main__"' in ended.stderr
