"""How a session went is said at its end, whatever the end is."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, started
from session_bench import ONCE, Bench, on_bench

import tradewind as tw
from tradewind.control.status import OrderStatus
from tradewind.session import report as report_module
from tradewind.session.report import SessionReport, reported

HELD = [("cross", "synthetic:BTCUSDT", "0.05")]
FAILING = (
    ONCE
    + """
    def on_fill(self, ctx, fill):
        raise ZeroDivisionError("mine")
"""
)


@pytest.fixture(scope="module")
def result() -> tw.Result:
    return tw.backtest(
        tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05),
        data={"synthetic:BTCUSDT": tw.synthetic(events=20_000)},
        balances={"USDT": 100_000},
    )


def report(result: tw.Result, **changes: Any) -> SessionReport:
    given: dict[str, Any] = {
        "name": "demo",
        "mode": "paper",
        "metrics": result.metrics,
        "entries": 20_345,
        "journal": "runs/demo/paper",
        "is_finished": True,
        "failure": "",
        "positions": [],
        "orders": [],
    }
    return SessionReport(**{**given, **changes})


def resting(result: tw.Result) -> OrderStatus:
    one = result.orders.row(0, named=True)
    return OrderStatus(
        number=18,
        strategy="cross",
        instrument="synthetic:BTCUSDT",
        side="buy",
        quantity=Decimal("0.05"),
        filled=Decimal("0.01"),
        price=Decimal("61000.5"),
        status="partly_filled",
        reason=None,
        note=None,
        decided=one["decided"],
    )


def test_a_session_that_ended_in_order(result: tw.Result, snapshot: Any) -> None:
    assert str(report(result)) == snapshot


def test_its_figures_are_told_as_those_of_a_backtest(result: tw.Result) -> None:
    # One table: what a backtest says between its title and what decided it.
    _, table, assets, total, _ = str(result).split("\n\n")
    text = str(report(result))
    assert "\n\n".join([table, assets, total.partition("\nrun ")[0]]) in text


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": HELD},
        {"mode": "live", "positions": HELD},
        {"mode": "live", "positions": HELD, "orders": True, "is_finished": False},
        {"mode": "live", "positions": HELD, "orders": True, "is_finished": False, "failure": "ValueError: mine"},
        {"mode": "live", "positions": HELD, "is_finished": False, "failure": "ValueError: mine", "fails_again": True},
        {"positions": HELD, "is_finished": False, "failure": "ValueError: mine", "fails_again": True},
        {"mode": "live", "positions": HELD, "is_finished": False, "failure": "[x] y", "hint": "move the journal away"},
    ],
    ids=["paper", "live", "kept", "failed", "failed by its strategy", "failed on paper", "failed with a hint"],
)
def test_what_is_left_open(result: tw.Result, changes: dict[str, Any], snapshot: Any) -> None:
    orders = [resting(result)] if changes.get("orders") else []
    text = str(report(result, **{**changes, "orders": orders}))
    assert text[text.index("\nended ") + 1 :] == snapshot


def test_parity_is_not_named_where_the_journal_begins_behind_changes(result: tw.Result) -> None:
    assert "tradewind parity" in str(report(result))
    assert "tradewind parity" not in str(report(result, has_beginning=False))


def test_a_return_that_is_not_known_is_not_told(result: tw.Result) -> None:
    text = str(report(result, metrics={**result.metrics, "total_return": None}))
    assert " USDT, maximum drawdown " in text and "(-)" not in text


RESTS = (
    ONCE
    + """
    def on_fill(self, ctx, fill):
        ctx.buy(self.btc, 0.001, round(ctx.price(self.btc) * 0.9, 2))
        self.seen = 2

    def more(self, order):
        if self.seen == 2 and order.status == "open":
            raise ZeroDivisionError("mine")
"""
)


def report_of_a_failure(folder: Path, source: str, **more: Any) -> tuple[SessionReport, dict[Any, Any]]:
    """What a session reports that its strategy fails, and what is open at the venue behind it."""
    shown, left = list[SessionReport](), dict[Any, Any]()

    async def work(bench: Bench) -> None:
        with pytest.raises(ZeroDivisionError), reported(shown.append) as sessions:
            async with bench.session() as ready:
                sessions.append(ready)
                await asyncio.wait_for(asyncio.shield(ready.running), PATIENCE_SECONDS)
        left.update(bench.open_orders)

    on_bench(folder, source, work, **more)
    (found,) = shown
    return found, left


def test_what_a_failed_session_has_cancelled_is_not_left_open(tmp_path: Path) -> None:
    found, open_orders = report_of_a_failure(tmp_path, RESTS)
    assert not open_orders
    assert found.positions and not found.orders and not found.is_finished
    # The curve has its beginning only: the worth of now is told, and no return.
    metrics = found.metrics
    assert metrics["final_equity"] != metrics["starting_equity"] and metrics["total_return"] is None
    assert metrics["span_ns"][1] > metrics["span_ns"][0]


def test_what_the_account_held_belongs_to_the_start_as_soon_as_it_has_a_price(tmp_path: Path) -> None:
    found, _ = report_of_a_failure(tmp_path, FAILING, holds={"BTC": 10})
    start, end = found.metrics["starting_equity"], found.metrics["final_equity"]
    # It was told as if ten bitcoins were earned.
    assert start > 400_000 and abs(end / start - 1) < 0.05


def test_a_report_that_cannot_be_made_does_not_hide_the_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> SessionReport:
        raise KeyError("figures")

    monkeypatch.setattr(report_module.SessionReport, "of", broken)
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(ZeroDivisionError, match="mine"),
        reported(lambda _: None) as sessions,
    ):
        sessions.append(SimpleNamespace())  # type: ignore[arg-type]
        raise ZeroDivisionError("mine")
    assert "the report of the session cannot be made" in caplog.text and "figures" in caplog.text
    with pytest.raises(KeyError), reported(lambda _: None) as sessions:
        sessions.append(SimpleNamespace())  # type: ignore[arg-type]


def test_nothing_is_reported_of_what_did_not_begin() -> None:
    shown: list[SessionReport] = []
    with pytest.raises(ZeroDivisionError), reported(shown.append):
        raise ZeroDivisionError
    assert not shown


async def _run(
    bench: Bench, *arguments: str, ends_by_itself: bool = False, fault: str = ""
) -> tuple[int | None, str, str]:
    process = await started("run", str(bench.path), *arguments, stdout=asyncio.subprocess.PIPE)
    saying = asyncio.create_task(process.communicate())
    if not ends_by_itself:
        url = bench.folder / "runs/busy" / arguments[1] / "control.json"
        await bench.until(url.exists)
        control = tw.control.Control(url.parent)

        def is_filled() -> bool:
            return control.status().fills > 0

        while not await asyncio.to_thread(is_filled):
            await asyncio.sleep(0.05)
        if fault:
            bench.faults.on(fault)
        process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, err = await saying
    return process.returncode, out.decode(), err.decode()


def test_a_session_reports_when_it_has_ended(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        code, out, err = await _run(bench, "--mode", "paper")
        assert code == 0, err
        at = tmp_path / "runs/busy/paper"
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert out.startswith("busy (paper), 20") and "maximum drawdown" in out and "(hourly samples)" in out
        assert f"journal {at}" in lines and f"next tradewind replay {at} --verify" in lines
        assert f"next tradewind parity {at}" in lines and "of binance_spot:BTCUSDT (busy)" in out
        assert "ended in order" in lines
        assert tw.journal.replay(at).identical

    on_bench(tmp_path, ONCE, work)


def test_a_session_reports_as_json(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        code, out, err = await _run(bench, "--mode", "paper", "--json")
        assert code == 0, err
        found = json.loads(out)
        assert found["is_finished"] and found["fills"] > 0 and found["failure"] == ""
        assert found["positions"][0][:2] == ["busy", "binance_spot:BTCUSDT"]
        assert (found["journal"], found["currency"]) == (str(tmp_path / "runs/busy/paper"), "USDT")

    on_bench(tmp_path, ONCE, work)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_session_that_fails_reports_and_shows_its_error(tmp_path: Path, mode: str) -> None:
    async def work(bench: Bench) -> None:
        code, out, err = await _run(bench, "--mode", mode, ends_by_itself=True)
        assert code == 1
        assert "ZeroDivisionError: mine" in err.rstrip().splitlines()[-1] or "ZeroDivisionError: mine" in err, err
        assert f"busy ({mode}), 20" in out and "by ZeroDivisionError: mine" in out
        assert "what was known at the failure" in out and "start with --accept-changes to go on with it" in out
        assert ("it stays at the venue, and nobody looks after it" in out) is (mode == "live")
        # Started again it fails by what the journal holds, before there is a session.
        code, out, err = await _run(bench, "--mode", mode, ends_by_itself=True)
        assert (code, out) == (1, "") and "again at every start: correct the strategy" in err
        assert ("what it holds stays at the venue" in err) is (mode == "live")

    on_bench(tmp_path, FAILING, work)


@pytest.mark.parametrize("fault", ["", "refused_orders"])
def test_positions_that_were_to_be_closed_and_are_not_are_told_by_the_exit_code(tmp_path: Path, fault: str) -> None:
    async def work(bench: Bench) -> None:
        code, out, err = await _run(bench, "--mode", "live", fault=fault)
        assert ("positions are left that were to be closed" in err) is bool(fault), err
        assert "ended in order" in [" ".join(line.split()) for line in out.splitlines()]
        assert code == int(bool(fault))

    on_bench(tmp_path, ONCE, work, '\n[shutdown]\npositions = "close"\ntimeout = "2s"\n')
