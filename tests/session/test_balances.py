"""Balances are put right only where it is certain what differs; a run ends for what is missing only then (M3, M5)."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from session_bench import HEAD, ONCE, WANTS, Bench, execution_of, is_up, on_bench, postings

from tradewind.sandbox.units import parse
from tradewind.session import reconciliation
from tradewind.venues import Balance
from tradewind.venues.binance_spot.execution import BinanceSpotExecution

_SETTLING = 2.0
FLIPPING = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        self.seen += 1
        ctx.target(self.btc, 0.01 if self.seen // 4 % 2 else 0)
"""
)
SALE = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        held = ctx.position(self.btc).quantity
        if held > 0.009 and self.seen < 2:
            self.seen = 2
            ctx.sell(self.btc, 0.009, round(trade.price * 1.05, 2))
        elif not held and not self.seen:
            self.seen = 1
            ctx.buy(self.btc, 0.01)

    def on_order(self, ctx, order):
        if order.status == "rejected" and self.seen == 1:
            self.seen = 0
"""
)
# The purchase before it is open for a moment, too.
SALE_RESTS = [("sell", "open")]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides are compared often, and what is asked about orders is not awaited for long."""
    monkeypatch.setattr(reconciliation, "_COMPARE_SECONDS", 0.5)
    monkeypatch.setattr(reconciliation, "_WAITING_SECONDS", 0.5)
    monkeypatch.setattr(reconciliation, "_ANSWER_SECONDS", 0.0)


def _take_away(bench: Bench, amount: str) -> None:
    """Let money go out without a report."""
    exchange = bench.sandbox.server.exchange
    exchange.ledger.pay_in(exchange.accounts[bench.account], "USDT", -parse(amount))


def _unposted(ready: Any) -> dict[str, Decimal]:
    return dict(ready.session.health.unposted.get("binance_spot", {}))


def test_answers_that_fills_of_one_size_overtake_again_and_again_are_no_difference(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5)
            execution = execution_of(ready)
            execution.fate_seconds, ask, asked = _SETTLING, execution.balances, []

            async def flat(value: float) -> None:
                ready.session.send("want", value)
                await bench.until(lambda: bool(ready.kernel.positions()) == bool(value))
                await bench.until(lambda: not ready.kernel.open_orders())

            async def overtaken() -> Any:
                """The answer is as of when nothing was held; on its way a coin is bought."""
                await flat(0)
                found = await ask()
                await flat(0.01)
                asked.append(1)
                return found

            execution.balances = overtaken
            await bench.until(lambda: len(asked) > 12)
            execution.balances = ask
            await bench.until(lambda: not ready.kernel.open_orders() and bench.equals(ready))
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, WANTS, work)


def test_slow_answers_to_a_busy_strategy_are_no_difference_and_a_real_one_is_posted(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("slow_answers", path="/api/v3/account", delay_seconds=0.3)
        async with bench.session() as ready:
            execution_of(ready).fate_seconds = _SETTLING
            posted, transfer = [], ready.session.transfer

            def post(venue: str, kind: str, asset: str, amount: Decimal) -> None:
                posted.append((kind, asset, amount))
                transfer(venue, kind, asset, amount)

            ready.session.transfer = post
            await bench.until(lambda: is_up(ready) and ready.kernel.outcome()["fills"] > 20)
            fills = ready.kernel.outcome()["fills"]
            _take_away(bench, "321.5")
            await bench.until(lambda: not ready.kernel.open_orders() and bench.equals(ready))
            assert ready.kernel.outcome()["fills"] > fills + 5
            fills = ready.kernel.outcome()["fills"]
            await bench.until(lambda: ready.kernel.outcome()["fills"] > fills + 20 and not _unposted(ready))
            await bench.until(lambda: not ready.kernel.open_orders() and bench.equals(ready))
        deposit, *others = posted
        assert deposit[:2] == ("deposit", "USDT") and others == [("unexplained", "USDT", Decimal("-321.5"))]

    on_bench(tmp_path, FLIPPING, work)


@pytest.mark.parametrize("is_down", [True, False])
def test_an_account_is_not_blamed_for_fills_that_its_venue_does_not_list(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_down: bool
) -> None:
    """A sale is filled while the process is down, or its connection, and what was traded cannot be asked for."""

    async def filled(bench: Bench) -> None:
        (order,) = bench.open_orders.values()
        bench.sandbox.server.exchange.fill_by_crowd(order, bench.sandbox.server.clock.now_ns())
        bench.faults.on("rest_error", path="/api/v3/myTrades", status=503, code=-1000, message="overloaded")

    async def unlisted(bench: Bench, ready: Any) -> None:
        execution_of(ready).fate_seconds = 1.0
        await bench.until(lambda: "does not tell what became of" in caplog.text)
        await asyncio.sleep(6)
        assert not ready.running.done() and is_up(ready) != is_down
        bench.faults.clear()
        await bench.until(lambda: is_up(ready) and bench.equals(ready) and not ready.kernel.open_orders())
        ((_, _, held),) = ready.kernel.positions()
        assert Decimal(held) == bench.held["BTC"] == Decimal("0.00099")

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed" if is_down else "in order") as ready:
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["side"] == "sell"])
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
            if not is_down:
                bench.faults.on("lost_push")
                await filled(bench)
                bench.faults.off("lost_push")
                bench.faults.on("hard_close", kind="api")
                await bench.until(lambda: not is_up(ready))
                await unlisted(bench, ready)
        if is_down:
            await filled(bench)
            async with bench.session() as ready:
                await unlisted(bench, ready)
                told = [one for one in caplog.messages if "orders wait until this is over or certain" in one]
                assert len(told) == 1 and "which strategies hold 0.00999 as positions" in told[0]
        assert "unexplained" not in postings(tmp_path)

    with caplog.at_level(logging.WARNING):
        on_bench(tmp_path, SALE, work)


def test_a_run_does_not_end_because_a_venue_answers_as_of_before_the_last_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, is_old = BinanceSpotExecution.balances, [False]

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            old = await ask(execution_of(ready))
            await bench.until(lambda: ready.kernel.positions() and not ready.kernel.open_orders())
            # It is in the journal.
            ready.session.write()

        async def balances(execution: Any) -> list[Balance]:
            return old if is_old[0] else await ask(execution)

        monkeypatch.setattr(BinanceSpotExecution, "balances", balances)
        is_old[0] = True
        async with bench.session() as ready:
            await asyncio.sleep(4)
            assert not ready.running.done() and not is_up(ready)
            is_old[0] = False
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
            assert ready.kernel.positions()
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, ONCE, work)


def test_what_differs_beside_an_order_of_unknown_fate_is_shown_and_posted_when_that_is_known(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            execution_of(ready).fate_seconds = _SETTLING
            await bench.until(
                lambda: [(one["side"], one["status"]) for one in ready.kernel.open_orders()] == SALE_RESTS
            )
            bench.faults.on("rest_error", path="/api/v3/order", status=503, code=-1000, message="overloaded")
            bench.faults.on("lost_push")
            bench.faults.on("expired_order")
            await asyncio.sleep(0.2)
            bench.faults.off("lost_push")
            _take_away(bench, "50")
            await bench.until(lambda: _unposted(ready) == {"USDT": Decimal(-50)})
            await asyncio.sleep(5)
            assert _unposted(ready) == {"USDT": Decimal(-50)} and not bench.equals(ready) and is_up(ready)
            bench.faults.clear()
            await bench.until(lambda: bench.equals(ready) and not _unposted(ready))

    on_bench(tmp_path, SALE, work)
