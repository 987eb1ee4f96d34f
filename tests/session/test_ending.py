"""The end of a session: orders are cancelled, or kept, or the run is not over (O6)."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from session_bench import HEAD, ONCE, RESTING, STILL, Bench, execution_of, is_up, on_bench

import tradewind as tw
from tradewind.control.commands import Commands
from tradewind.control.requests import Trading
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.session.parity import parity
from tradewind.session.run import prepared
from tradewind.venues.connection.rest import VenueError


def test_a_run_that_could_not_cancel_its_orders_is_not_finished_and_goes_on(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(TradewindError, match="orders are open"):
            async with bench.session() as ready:
                await bench.until(lambda: bench.open_orders)
                execution_of(ready)._link.url = "ws://127.0.0.1:1"
                bench.faults.on("hard_close", kind="api")
                await bench.until(lambda: not is_up(ready))
        assert bench.open_orders
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert not journal.ending.finished
        async with bench.session() as ready:
            assert ready.is_recovered
            await bench.until(lambda: is_up(ready))
        assert bench.open_orders == {}

    on_bench(tmp_path, RESTING, work, '\n[shutdown]\ntimeout = "2s"\n')


def test_positions_are_closed_at_a_simulated_venue_that_fills_from_what_comes_later(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.positions() and not ready.kernel.open_orders())
        assert ready.kernel.positions() == []
        with Journal(tmp_path / "runs/busy/paper") as journal:
            assert journal.ending.finished
        assert parity(tmp_path / "runs/busy/paper").is_equal

    # More than a few trades take from it, or give.
    on_bench(tmp_path, ONCE.replace("0.01", "0.15"), work, '\n[shutdown]\npositions = "close"\n')


def test_positions_are_closed_although_orders_did_not_reach_the_venue_for_a_while(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            session, kernel = ready.session, ready.kernel
            btc = session.index.instrument("binance_spot:BTCUSDT")
            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.is_trading)
            session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.05", None, "gtc"))
            await bench.until(lambda: kernel.positions() and not kernel.open_orders())
            bench.faults.on("refused_connections")
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
            session.stop()
            await bench.until(lambda: kernel.closed_orders(1)[0]["reason"] == "venue_disconnected")
            bench.faults.off("refused_connections")
            await asyncio.wait([ready.running])
        assert ready.kernel.positions() == [] and not bench.held.get("BTC")
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert journal.ending.finished

    on_bench(tmp_path, STILL, work, '\n[shutdown]\npositions = "close"\ntimeout = "30s"\n')


def test_positions_are_closed_that_a_purchase_adds_which_was_under_way(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            session, kernel = ready.session, ready.kernel
            btc = session.index.instrument("binance_spot:BTCUSDT")
            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.is_trading)
            bench.faults.on("slow_order", delay_seconds=1.0)
            session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.05", None, "gtc"))
            assert kernel.open_orders() and not kernel.positions()
        assert kernel.positions() == [] and not bench.held.get("BTC")
        assert [one["side"] for one in kernel.closed_orders(9)] == ["sell", "buy"]
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert journal.ending.finished

    on_bench(tmp_path, STILL, work, '\n[shutdown]\npositions = "close"\ntimeout = "30s"\n')


FAILING = {
    "on_status": "if status.kind == 'trading_off':",
    "on_order": "if order.status == 'cancel_in_flight':",
    "on_stop": "if True:",
}


@pytest.mark.parametrize("callback", FAILING)
def test_orders_are_cancelled_although_a_callback_fails_at_the_end(tmp_path: Path, callback: str) -> None:
    name, given = ("more", ", order") if callback == "on_order" else (callback, ", ctx")
    given += ", status" if callback == "on_status" else ""
    fails = f"\n    def {name}(self{given}):\n        {FAILING[callback]}\n            raise ZeroDivisionError\n"

    async def work(bench: Bench) -> None:
        with pytest.raises(ZeroDivisionError):
            async with bench.session():
                await bench.until(lambda: bench.open_orders)
        assert bench.open_orders == {}

    on_bench(tmp_path, RESTING + fails, work)


def test_orders_are_kept_where_the_file_says_so_and_the_run_goes_on_with_them(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session():
            await bench.until(lambda: bench.open_orders)
        kept = bench.open_orders
        assert len(kept) == 1
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            assert ready.kernel.is_trading
            assert [one["status"] for one in ready.kernel.open_orders()] == ["open"]
        assert bench.open_orders.keys() == kept.keys()

    on_bench(tmp_path, RESTING, work, '\n[shutdown]\norders = "keep"\n')


EAGER = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        self.seen += 1
        ctx.buy(self.btc, 0.0002, round(trade.price * 0.9, 2) if self.seen % 2 else None)
"""
)


def test_nothing_is_decided_any_more_where_orders_are_kept(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            session, kernel = ready.session, ready.kernel
            await bench.until(lambda: is_up(ready) and bench.open_orders and kernel.positions())
            account, late = session._accounts["binance_spot"], list[int]()
            close = account.close

            async def close_slowly() -> None:
                seen, orders = kernel.rows, kernel.outcome()["orders"]
                await asyncio.sleep(0.5)
                late.extend([kernel.rows - seen, kernel.outcome()["orders"] - orders])
                await close()

            account.close = close_slowly
            session.stop()
            await ready.running
        assert late == [0, 0]
        assert bench.open_orders and kernel.is_trading and not session.is_finished

    on_bench(tmp_path, EAGER, work, '\n[shutdown]\norders = "keep"\n', activity=400.0)


def test_positions_are_closed_where_the_file_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(ready.kernel.positions)
        assert [float(quantity) < 1e-5 for _, _, quantity in ready.kernel.positions()] in ([], [True])
        # What is too little for an order is no failure, and told as what it is.
        said = [one for one in caplog.records if "positions" in one.message]
        assert [one.levelname for one in said] == ["WARNING"] * len(ready.kernel.positions())
        assert all("but for dust" in one.message for one in said)
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert journal.ending.finished

    on_bench(tmp_path, ONCE, work, '\n[shutdown]\npositions = "close"\n')


def test_positions_that_could_not_be_closed_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: ready.kernel.positions() and not ready.kernel.open_orders())
            execution_of(ready)._link.url = "ws://127.0.0.1:1"
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
        (held,) = ready.kernel.positions()
        (told,) = (one.message for one in caplog.records if "were to be closed" in one.message)
        assert told.endswith(f"{held[2]} of {held[1]} ({held[0]})")

    on_bench(tmp_path, ONCE, work, '\n[shutdown]\npositions = "close"\ntimeout = "2s"\n')


def test_a_session_that_cannot_connect_yet_can_be_stopped(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with await prepared(tw.System.read(bench.path), "live") as ready:
            bench.faults.on("rest_error", path="/api/v3/time", status=429, code=-1003, message="slower")
            running = asyncio.create_task(ready.session.run())
            await asyncio.sleep(0.5)
            ready.session.stop()
            bench.faults.clear()
            await asyncio.wait_for(running, timeout=15)

    on_bench(tmp_path, STILL, work, '\n[shutdown]\ntimeout = "1s"\n')


@pytest.mark.parametrize("fails", [True, False])
def test_orders_of_before_are_cancelled_although_a_run_ends_as_it_starts(tmp_path: Path, fails: bool) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
        bench.path.with_name("mine.py").write_text(f"{HEAD}        1 / 0\n" if fails else STILL)
        with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext():
            async with bench.session(accepts_changes=True):
                pass
        assert bench.open_orders == {}
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert journal.ending.finished is not fails

    on_bench(tmp_path, RESTING, work)


def test_a_run_that_fails_as_it_starts_tells_what_is_left_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
            name = ready.session.name_of(ready.kernel.open_orders()[0])
        bench.path.with_name("mine.py").write_text(f"{HEAD}        1 / 0\n")
        bench.faults.on("rest_error", path="/api/v3/openOrders", status=503, code=-1000, message="not now")
        with pytest.raises(ZeroDivisionError):
            async with bench.session(accepts_changes=True):
                pass
        assert [
            one for one in caplog.messages if "trading has ended, and orders are open or may be" in one and name in one
        ]

    on_bench(tmp_path, RESTING, work, '\n[shutdown]\ntimeout = "2s"\n')


def test_a_journal_that_cannot_be_written_once_ends_trading_and_has_no_hole(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(OSError, match="disk is full"):
            async with bench.session() as ready:
                await bench.until(lambda: bench.open_orders)
                put_block, tried = ready.writer._storage.put_block, list[Any]()

                def full_once(block: Any) -> None:
                    tried.append(block)
                    if len(tried) == 1:
                        raise OSError("the disk is full")
                    put_block(block)

                ready.writer._storage.put_block = full_once
                await asyncio.wait([ready.running])
        assert bench.open_orders == {}
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert sum(1 for _ in journal.blocks()) > 1 and not journal.ending.finished

    on_bench(tmp_path, RESTING, work)


SINKING = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        if ctx.open_orders(self.btc):
            raise ZeroDivisionError
        ctx.buy(self.btc, 0.001, round(trade.price * 0.9, 2))
"""
)

STUMBLING = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        ctx.buy(self.btc, 0.001, round(trade.price * 0.9, 2))

    def on_order(self, ctx, order):
        if order.status == "in_flight":
            raise ZeroDivisionError
"""
)


def orders_of(bench: Bench) -> list[str]:
    """What became of all orders of the account."""
    return [one.status for one in bench.sandbox.server.exchange.orders.values() if one.account == bench.account]


@pytest.mark.parametrize("late", ["on its way", "not listed yet", "never listed"])
def test_an_order_is_cancelled_although_a_run_fails_before_it_is_listed(tmp_path: Path, late: str) -> None:
    async def nothing() -> list[Any]:
        return []

    async def work(bench: Bench) -> None:
        with pytest.raises(ZeroDivisionError):
            async with bench.session() as ready:
                if late == "on its way":
                    bench.faults.on("slow_order", delay_seconds=1.0)
                elif late == "not listed yet":
                    bench.faults.on("read_lag", lag_seconds=2.0)
                else:
                    execution_of(ready).open_orders = nothing
                await ready.running
        assert bench.open_orders == {} and orders_of(bench) == ["CANCELED"]

    on_bench(tmp_path, SINKING, work)


def test_a_venue_that_refuses_the_key_is_asked_ever_more_rarely_while_a_run_ends(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        asked = list[str]()

        async def refused() -> list[Any]:
            asked.append("open orders")
            raise VenueError("bad_credentials", "Invalid API-key, IP, or permissions for action.", number=-2015)

        with pytest.raises(ZeroDivisionError):
            async with bench.session() as ready:
                await bench.until(lambda: bench.open_orders)
                execution_of(ready).open_orders = refused
                ready.session.fail(ZeroDivisionError())
                await ready.running
        # At once, and after at least one, two and four seconds more.
        assert 2 <= len(asked) <= 4

    on_bench(tmp_path, RESTING, work, '\n[shutdown]\ntimeout = "9s"\n')


@pytest.mark.parametrize("is_in_time", [True, False])
def test_an_order_that_never_arrived_is_awaited_until_it_cannot_arrive(
    tmp_path: Path, is_in_time: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(ZeroDivisionError):
            async with bench.session() as ready:
                session, kernel = ready.session, ready.kernel
                btc = session.index.instrument("binance_spot:BTCUSDT")
                execution_of(ready).fate_seconds = 1.5 if is_in_time else 30.0
                await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.is_trading)
                bench.faults.on("half_open", kind="api")
                session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.05", None, "gtc"))
                session.fail(ZeroDivisionError())
                await ready.running
        (order,) = ready.kernel.open_orders()
        told = [one for one in caplog.messages if "trading has ended, and orders are open or may be" in one]
        assert [ready.session.name_of(order) in one for one in told] == ([] if is_in_time else [True])
        assert orders_of(bench) == []

    on_bench(tmp_path, STILL, work, '\n[shutdown]\ntimeout = "4s"\n')


@pytest.mark.parametrize("orders", ["cancel", "keep"])
def test_orders_that_never_left_as_a_callback_failed_are_not_left_open(
    tmp_path: Path, orders: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(ZeroDivisionError):
            async with bench.session() as ready:
                await ready.running
        assert [one["status"] for one in ready.kernel.open_orders()] == ["in_flight"] and not orders_of(bench)
        assert not ready.session.left
        assert not [one for one in caplog.messages if "orders are" in one]

    on_bench(tmp_path, STUMBLING, work, f'\n[shutdown]\norders = "{orders}"\n')


def test_orders_that_are_kept_are_told_where_the_run_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(ZeroDivisionError):
            async with bench.session() as ready:
                await ready.running
        (order,) = ready.kernel.open_orders()
        assert [one for one in caplog.messages if "orders are kept" in one and ready.session.name_of(order) in one]

    on_bench(tmp_path, SINKING, work, '\n[shutdown]\norders = "keep"\n')


CLOSING = (
    ONCE
    + """
    def on_stop(self, ctx):
        ctx.close(self.btc)
"""
)


async def interrupt_behind_its_stop(bench: Bench) -> Any:
    """A run whose strategy closes its position as it stops, with an order that never reaches the venue."""
    with pytest.raises(TradewindError, match="it settles them, and ends"):
        async with bench.session() as ready:
            await bench.until(lambda: ready.kernel.positions() and not ready.kernel.open_orders())
            bench.faults.on("half_open", kind="api")
    bench.faults.clear()
    return ready


@pytest.mark.parametrize("orders", ["cancel", "keep"])
def test_a_run_that_was_interrupted_behind_its_stop_settles_what_is_left_and_ends(tmp_path: Path, orders: str) -> None:
    async def work(bench: Bench) -> None:
        before = await interrupt_behind_its_stop(bench)
        async with bench.session() as ready:
            assert ready.is_recovered and "what is left of it is settled, and it ends" in ready.told[0]
            with pytest.raises(TradewindError, match="not_running"):
                Commands(ready.session, ready.about.strategies).trading(Trading(on=True))
            execution_of(ready).fate_seconds = 1.0
            # Longer than the file says: an order that never arrived is awaited.
            await ready.running
        (closed, _) = ready.kernel.closed_orders(2)
        assert (closed["side"], closed["status"]) == ("sell", "cancelled")
        assert ready.session.is_finished and ready.kernel.positions() == before.kernel.positions()
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert journal.ending.finished
        assert tw.journal.replay(tmp_path / "runs/busy/live").identical

    on_bench(tmp_path, CLOSING, work, f'\n[shutdown]\norders = "{orders}"\ntimeout = "1s"\n')


def test_strategies_that_had_stopped_start_anew_where_a_person_says_so(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await interrupt_behind_its_stop(bench)
        async with bench.session(accepts_changes=True) as ready:
            assert "its strategies had stopped" in ready.told[0]
            execution_of(ready).fate_seconds = 1.0
            await bench.until(lambda: is_up(ready) and not ready.kernel.open_orders())
            ready.session.command("trading_on")
            assert ready.kernel.is_trading and ready.kernel.positions()
            await bench.until(lambda: ready.kernel.rows > 5)
        assert ready.kernel.positions() == [] and not bench.held.get("BTC")

    on_bench(tmp_path, CLOSING, work, '\n[shutdown]\ntimeout = "1s"\n')


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_run_that_was_killed_behind_its_stop_ends(tmp_path: Path, mode: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(mode, ends="killed") as ready:
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
            ready.session.command("cancel_all")
            await bench.until(lambda: not ready.kernel.open_orders())
            ready.session.act(ready.kernel.finish)
            ready.session.write()
        async with bench.session(mode) as ready:
            await ready.running
        with Journal(tmp_path / "runs/busy" / mode) as journal:
            assert journal.ending.finished
        assert tw.journal.replay(tmp_path / "runs/busy" / mode).identical
        assert parity(tmp_path / "runs/busy" / mode).is_explained

    on_bench(tmp_path, RESTING, work)
