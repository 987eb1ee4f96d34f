"""What a venue says was filled of an order that has ended is booked, and counted before more is bought."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from session_bench import HEAD, STILL, Bench, execution_of, is_up, on_bench

import tradewind as tw
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.units import parse, show
from tradewind.session import reconciliation


@pytest.fixture(autouse=True)
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they were, both sides are not compared again: what is not asked for is not found."""
    monkeypatch.setattr(reconciliation, "_COMPARE_SECONDS", 1_000)


class Place:
    """A market that stands still, where an order rests at the best bid and somebody sells into it."""

    def __init__(self, bench: Bench, ready: Any) -> None:
        self.bench, self.kernel, self.session = bench, ready.kernel, ready.session
        self.execution = execution_of(ready)
        self._exchange, self._now = bench.sandbox.server.exchange, bench.sandbox.server.clock.now_ns
        self._other = self._exchange.add_account("other", self._now())
        self._exchange.transfer(self._other, "BTC", parse("1"), self._now())
        bench.faults.on("quiet_market")
        (bid, self._ahead), (ask, _) = self._exchange.markets["BTCUSDT"].best
        self.bid, self.ask = show(bid), show(ask)

    @classmethod
    async def of(cls, bench: Bench, ready: Any) -> Place:
        """The market of a session that may trade."""
        await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5 and ready.kernel.is_trading)
        return cls(bench, ready)

    async def buy(self, quantity: str) -> None:
        """Rest an order at the best bid."""
        btc = self.session.index.instrument("binance_spot:BTCUSDT")
        given = "busy", btc, "buy", quantity, self.bid, "gtc"
        self.session.act(lambda: self.kernel.open_order(self.session.stamp(), *given))
        await self.rests()

    async def rests(self) -> None:
        """Until the order rests."""
        await self.bench.until(lambda: any(one["status"] == "open" for one in self.kernel.open_orders()))

    def sell(self, quantity: str) -> None:
        """Let somebody sell to all who were there before the order, and so much to the order."""
        sale = OrderRequest(
            symbol="BTCUSDT",
            buy=False,
            kind="LIMIT",
            client_id="web_other",
            time_in_force="IOC",
            price=parse(self.bid),
            quantity=self._ahead + parse(quantity),
        )
        self._exchange.submit(self._other, sale, self._now())

    def delay_reports(self, seconds: float) -> None:
        """Let what is told without being asked come later from now on."""
        tell, loop = self.execution._event, asyncio.get_running_loop()
        self.execution._event = lambda *event: loop.call_later(seconds, tell, *event)

    def shuffle_reports(self, seconds: float) -> None:
        """Let what is told without being asked come later, twice, and the last of it first."""
        tell, loop, held = self.execution._event, asyncio.get_running_loop(), list[Any]()
        self.execution._event = lambda *event: held.append(event)
        loop.call_later(seconds, lambda: [tell(*event) for event in reversed(held + held)])

    def answer_never(self) -> None:
        """Let the venue not say how an order is."""

        async def order(*_given: Any) -> None:
            await asyncio.Event().wait()

        self.execution.order = order

    def answer_late(self) -> None:
        """Let the venue first not know the order, then know it as it was before it was filled."""
        ask, ask_fills, asked = self.execution.order, self.execution.fills, list[int]()

        async def order(*given: Any) -> Any:
            asked.append(1)
            found = await ask(*given)
            if len(asked) < 4:
                return None
            return msgspec.structs.replace(found, status="open", filled=Decimal(0)) if len(asked) == 4 else found

        async def fills(*given: Any, **more: Any) -> Any:
            return [] if len(asked) == 4 else await ask_fills(*given, **more)

        self.execution.order, self.execution.fills, self.execution.fate_seconds = order, fills, 0.0


@pytest.mark.parametrize("ends", ["by an answer", "by a report", "before a restart"])
def test_a_fill_that_was_lost_before_the_end_is_booked(tmp_path: Path, ends: str) -> None:
    async def work(bench: Bench) -> None:
        is_killed = ends == "before a restart"
        async with bench.session(ends="killed" if is_killed else "in order") as ready:
            place = await Place.of(bench, ready)
            await place.buy("0.1")
            bench.faults.on("lost_push")
            place.sell("0.04")
            if ends == "by a report":
                bench.faults.off("lost_push")
                bench.faults.on("expired_order")
            else:
                place.session.command("cancel_all")
                await bench.until(lambda: not bench.open_orders)
                bench.faults.off("lost_push")
            if not is_killed:
                await bench.until(place.kernel.positions)
        if is_killed:
            async with bench.session() as ready:
                await bench.until(ready.kernel.positions)
                await bench.until(lambda: bench.equals(ready))
        (closed,) = ready.kernel.closed_orders(3)
        assert (closed["status"], closed["filled"]) == ("cancelled", "0.04")
        assert closed["reason"] == ("venue_refused" if ends == "by a report" else "requested")

    on_bench(tmp_path, STILL, work)


def milliseconds(time: datetime) -> int:
    """A time since 1970."""
    return round(time.timestamp() * 1_000)


@pytest.mark.parametrize("reports", ["late", "shuffled", "lost", "lost, and the venue forgets"])
def test_an_end_is_told_once_and_as_the_venue_told_it(tmp_path: Path, reports: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            place = await Place.of(bench, ready)
            await place.buy("0.1")
            (order,) = bench.open_orders.values()
            if reports == "late":
                place.delay_reports(0.3)
            elif reports == "shuffled":
                place.shuffle_reports(0.3)
            else:
                bench.faults.on("lost_push")
            if reports == "lost, and the venue forgets":
                place.answer_late()
            elif reports != "lost":
                place.answer_never()
            place.sell("0.04")
            place.session.command("cancel_all")
            await bench.until(lambda: not place.kernel.open_orders())
            bench.faults.off("lost_push")
            (closed,) = place.kernel.closed_orders(3)
            assert closed["filled"] == "0.04"
            ended_ms.append(order.updated_ns // 10**6)
        told = tw.journal.tables(tmp_path / "runs/busy/live")["account"].collect()
        (end,) = told.filter(told["kind"] == "cancelled").iter_rows(named=True)
        assert milliseconds(end["venue_time"]) == ended_ms[0] < milliseconds(end["time"]) - 100

    ended_ms: list[int] = []
    on_bench(tmp_path, STILL, work)


TARGET = (
    HEAD
    + """
        ctx.subscribe("price")

    def on_data(self, ctx, data):
        ctx.target(self.btc, 0.1, price=data.value)
"""
)


def test_a_target_waits_for_the_fills_of_the_order_that_it_replaces(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            place = await Place.of(bench, ready)
            place.session.send("price", float(place.bid))
            await place.rests()
            # From here on reports come behind the answers.
            place.delay_reports(0.2)
            place.sell("0.04")
            place.session.send("price", float(place.ask) + 100)
            await bench.until(lambda: len(place.kernel.closed_orders(3)) == 2)
            await bench.until(lambda: bench.equals(ready))
            # Fees are taken out of what was bought.
            assert Decimal("0.0999") < bench.held["BTC"] <= Decimal("0.1")

    on_bench(tmp_path, TARGET, work)


def test_an_order_that_is_filled_with_less_than_was_asked_for_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_COMPARE_SECONDS", 0.5)
    monkeypatch.setattr(reconciliation, "_YOUNG_SECONDS", 1.0)

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            place = await Place.of(bench, ready)
            await place.buy("0.1")
            place.sell("0.04")
            await bench.until(place.kernel.positions)
            # Somebody amends the order down to what is executed of it: it is filled, and listed no more.
            execution = place.execution
            ask_order = execution.order

            async def order(*given: Any) -> Any:
                found = await ask_order(*given)
                return msgspec.structs.replace(found, status="filled", quantity=found.filled)

            async def open_orders() -> list[Any]:
                return []

            execution.order, execution.open_orders = order, open_orders
            await bench.until(lambda: not place.kernel.open_orders())
            (closed,) = place.kernel.closed_orders(3)
            assert (closed["status"], closed["reason"], closed["filled"]) == ("cancelled", "order_not_open", "0.04")

    on_bench(tmp_path, STILL, work)
