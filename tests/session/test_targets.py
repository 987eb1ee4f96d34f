"""Targets of a live session: closing what is not there yet, what the venue ends again and again, and a day's loss."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from session_bench import HEAD, STILL, Bench, execution_of, is_up, lose, on_bench, rise

from tradewind.control.status import Observer
from tradewind.session.report import SessionReport
from tradewind.session.run import _line
from tradewind.venues import Accepted, Cancelled

BTC = "binance_spot:BTCUSDT"
FLAT_ABOVE = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        if self.seen == 0 and ctx.position(self.btc).quantity > 0.06:
            self.seen = 1
            ctx.target(self.btc, 0)
"""
)


def buy(ready: Any, quantity: str, price: str | None = None) -> None:
    """Send an order of somebody outside."""
    session, kernel = ready.session, ready.kernel
    btc = session.index.instrument(BTC)
    session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", quantity, price, "gtc"))


async def trading(bench: Bench, ready: Any) -> Any:
    await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5 and ready.kernel.is_trading)
    return ready.kernel


@pytest.mark.parametrize("instrument", [BTC, None])
def test_what_is_on_its_way_is_closed_too(tmp_path: Path, instrument: str | None) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            kernel = await trading(bench, ready)
            bench.faults.on("slow_order", delay_seconds=1.0)
            buy(ready, "0.05")
            assert kernel.open_orders() and not kernel.positions()
            ready.session.command("close_all", None, instrument)
            await bench.until(lambda: kernel.closed_orders(5) and not kernel.open_orders())
            await bench.until(lambda: len(kernel.closed_orders(5)) == 2 and not kernel.positions_to_close())

    on_bench(tmp_path, STILL, work)


def test_sales_that_the_venue_ends_are_not_sent_again_and_again(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            kernel = await trading(bench, ready)
            buy(ready, "0.05")
            await bench.until(lambda: kernel.positions() and not kernel.open_orders())
            # A purchase that works holds back what a target would sell of it.
            buy(ready, "0.001", "50000.00")
            await bench.until(lambda: [one["status"] for one in kernel.open_orders()] == ["open"])
            execution, sold = execution_of(ready), list[Any]()
            place = execution.place

            def placing(order: Any) -> None:
                if order.side == "buy":
                    place(order)
                    return
                sold.append(order)

                def end() -> None:
                    execution._sink(Accepted(order.client_id, "9", execution.clock()))
                    # Of a taker that would trade with its own account, or that finds nobody.
                    execution._sink(Cancelled(order.client_id, "no_liquidity", execution.clock(), Decimal(0)))

                asyncio.get_running_loop().call_soon(end)

            execution.place = placing
            buy(ready, "0.02")
            await bench.until(lambda: sold)
            await asyncio.sleep(1)
            assert len(sold) == 1

    on_bench(tmp_path, FLAT_ABOVE, work)


def test_a_days_loss_that_was_reached_stays_so_in_the_next_run(tmp_path: Path) -> None:
    async def reason(ready: Any) -> Any:
        buy(ready, "0.01", "50000.00")
        await asyncio.sleep(0.5)
        return (ready.kernel.open_orders() + ready.kernel.closed_orders(1))[0]["reason"]

    async def work(bench: Bench) -> None:
        bench.path.write_text(bench.path.read_text().replace('daily_loss = "5000"', 'daily_loss = "20"'))
        async with bench.session() as ready:
            kernel = await trading(bench, ready)
            buy(ready, "0.05")
            # The best bid that is left when the others are gone.
            buy(ready, "0.01", "50000.00")
            await bench.until(lambda: kernel.positions() and kernel.open_orders()[0]["status"] == "open")
            lose(bench)
            await bench.until(lambda: kernel.outcome()["day"][1] < -20)
            # It is looked at once a second, when something comes in.
            await bench.until(lambda: ready.session.send("anything", 1) or kernel.outcome()["day"][2] == 20)
            rise(bench)
            await bench.until(lambda: kernel.outcome()["day"][1] > -15)
            assert await reason(ready) == "risk_daily_loss"
            assert "trading | the loss of the day is reached | " in _line(kernel, ready.session)
            assert _line(kernel, ready.session).endswith(", 1 refused")
            assert Observer(ready.session, ready.about).status().is_daily_loss_reached
        assert SessionReport.of(ready).metrics["rejections"] == {"risk_daily_loss": 1}
        bench.faults.off("quiet_market")
        async with bench.session() as ready:
            await trading(bench, ready)
            assert await reason(ready) == "risk_daily_loss"
        # Who wants to trade on says so.
        bench.path.write_text(bench.path.read_text().replace('daily_loss = "20"', 'daily_loss = "40"'))
        async with bench.session() as ready:
            await trading(bench, ready)
            assert await reason(ready) != "risk_daily_loss"
            assert "the loss of the day" not in _line(ready.kernel, ready.session)

    on_bench(tmp_path, STILL, work)


REDUCES = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        pass

    def on_fill(self, ctx, fill):
        # It may come in parts.
        if fill.side == "buy" and ctx.position(self.btc).quantity == 0.04995:
            for _ in range(3):
                ctx.sell(self.btc, 0.04995, reduce_only=True)
"""
)


def test_reduce_only_does_not_sell_the_owners_coins(tmp_path: Path) -> None:
    """Binance Spot knows no such orders: the engine looks after them."""

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            kernel = await trading(bench, ready)
            buy(ready, "0.05")
            await bench.until(lambda: len(kernel.closed_orders(9)) == 4)
            reasons = [one["reason"] for one in kernel.closed_orders(9) if one["side"] == "sell"]
            assert sorted(reasons, key=str) == [None, "reduce_only", "reduce_only"]
            assert not kernel.positions()
            await bench.until(lambda: bench.equals(ready))
            assert bench.held["BTC"] == Decimal("0.5")

    on_bench(tmp_path, REDUCES, work, holds={"BTC": "0.5"})
