"""The clock of a session (T2)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from session_bench import HEAD, STILL, Bench, execution_of, is_up, on_bench

from tradewind.session.clock import ClockJudge
from tradewind.venues import ClockStatus, streaming
from tradewind.venues.connection import clock as clock_module

YEAR_2100_MS = 4_102_444_800_000


def test_a_row_from_the_far_future_does_not_move_the_clock(tmp_path: Path) -> None:
    trade = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 10**9, "p": "60000", "q": "1", "T": YEAR_2100_MS, "m": True}
    text = msgspec.json.encode({"stream": "btcusdt@trade", "data": trade}).decode()

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: ready.kernel.rows > 10)
            bench.faults.on("nonsense_frame", text=text, kind="stream")
            await asyncio.sleep(1)
            assert ready.kernel.now_ns < time.time_ns() + 60 * 10**9
            assert ready.session.health.misread

    on_bench(tmp_path, STILL, work)


def test_a_restarted_run_waits_for_a_clock_that_is_behind_it(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("clock", seconds=120)
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5)
        bench.faults.on("clock", seconds=0)
        async with bench.session(ends="killed") as ready:
            session, kernel = ready.session, ready.kernel
            rows = kernel.rows
            await bench.until(lambda: is_up(ready) and kernel.rows > rows + 5)
            assert {up for name, up in session.health.connections.items() if not name.endswith(" orders")} == {False}
            btc = session.index.instrument("binance_spot:BTCUSDT")
            session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.01", None, "gtc"))
            assert kernel.closed_orders(1)[0]["reason"] == "risk_stale_data"

    on_bench(tmp_path, STILL, work)


TIMED = (
    HEAD
    + """
        ctx.timer(after=0.1)

    def on_timer(self, ctx, number):
        ctx.timer(after=0.1)
        if ctx.is_trading:
            ctx.buy(self.btc, 0.001)
"""
)


def test_timers_of_a_standstill_open_nothing(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            kernel = ready.kernel
            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.positions())
            execution, sent = execution_of(ready), list[Any]()
            place = execution.place

            def placing(order: Any) -> None:
                sent.append(order)
                place(order)

            execution.place = placing
            time.sleep(4)
            await bench.until(lambda: len(kernel.closed_orders(60)) > 30)
            refused = [one["reason"] for one in kernel.closed_orders(60) if one["status"] == "rejected"]
            # (While it has not connected, they are refused for that.)
            assert refused.count("risk_stale_data") >= 30 and set(refused) <= {"risk_stale_data", "venue_disconnected"}
            # Afterwards it trades on.
            await bench.until(lambda: len(sent) > 2)

    on_bench(tmp_path, TIMED, work)


def test_nothing_is_opened_while_time_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_CLOCK_SECONDS", 0.5)

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            session, kernel = ready.session, ready.kernel
            btc = session.index.instrument("binance_spot:BTCUSDT")

            def streams() -> set[bool]:
                return {up for name, up in session.health.connections.items() if not name.endswith(" orders")}

            def order(side: str, quantity: str) -> str | None:
                opened = (btc, side, quantity, None, "gtc")
                number = session.act(lambda: kernel.open_order(session.stamp(), "busy", *opened))
                return next((one["reason"] for one in kernel.closed_orders(5) if one["order_id"] == number), None)

            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.is_trading and streams() == {True})
            assert order("buy", "0.01") is None
            await bench.until(lambda: kernel.positions() and not kernel.open_orders())
            bench.faults.on("clock", seconds=900)
            await bench.until(lambda: session.now_ns() > time.time_ns() + 800 * 10**9)
            # A jump is believed once the next comparison agrees.
            await bench.until(lambda: streams() == {True})
            bench.faults.on("clock", seconds=890)
            await bench.until(lambda: streams() == {False})
            stands_ns = session.now_ns()
            assert order("buy", "0.01") == "risk_stale_data"
            rows = kernel.rows
            await bench.until(lambda: kernel.rows > rows + 5)
            assert streams() == {False}, "what comes meanwhile does not make them fresh"
            assert order("sell", "0.009") != "risk_stale_data", "a position may be reduced"
            await bench.until(lambda: not kernel.open_orders())
            await bench.until(lambda: streams() == {True})
            assert session.now_ns() >= stands_ns

    on_bench(tmp_path, STILL, work)


def test_a_clock_that_was_far_ahead_for_a_moment_is_traded_by_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "_LASTING_NS", 600 * 10**9)

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            session, kernel = ready.session, ready.kernel

            def streams() -> set[bool]:
                return {up for name, up in session.health.connections.items() if not name.endswith(" orders")}

            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and streams() == {True})
            bench.faults.on("clock", seconds=600)
            await bench.until(lambda: streams() == {False})
            bench.faults.on("clock", seconds=0)
            await bench.until(lambda: streams() == {True})
            rows = kernel.rows
            await bench.until(lambda: kernel.rows > rows + 5)
            assert session.now_ns() < time.time_ns() + 60 * 10**9

    on_bench(tmp_path, STILL, work)


def test_a_clock_is_trusted_again_once_it_goes_and_is_known_well_enough() -> None:
    judge, second_ns = ClockJudge(), 10**9

    def judged(**given: int) -> bool:
        judge.take(ClockStatus("here", **{"offset_ns": 0, "uncertainty_ns": 0, **given}))
        return judge.is_right

    assert judged()
    assert not judged(uncertainty_ns=2 * second_ns)
    assert judged()
    assert not judged(offset_ns=2 * second_ns)
    assert judged(offset_ns=2 * second_ns)
    assert not judged(offset_ns=2 * second_ns, ahead_ns=900 * second_ns)
    # It is still standing at the next comparison, and at the one behind it the venue's clock has come forward again.
    assert not judged(offset_ns=2 * second_ns, ahead_ns=2 * second_ns)
    assert judged(offset_ns=2 * second_ns)
    # What is no more than the limit is put up with.
    assert judged(offset_ns=3 * second_ns, uncertainty_ns=second_ns, ahead_ns=second_ns)
