"""What the engine holds is what the venue holds, whatever got lost between them."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from session_bench import HEAD, ONCE, RESTING, STILL, TARGET, Bench, execution_of, is_up, on_bench, postings

import tradewind as tw
from tradewind.control.emergency import cancel_all
from tradewind.errors import TradewindError
from tradewind.session import reconciliation
from tradewind.session.run import prepared
from tradewind.venues import Balance, Commission, Filled
from tradewind.venues.connection.rest import VenueError


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides are compared twice a second."""
    monkeypatch.setattr(reconciliation, "_COMPARE_SECONDS", 0.5)
    monkeypatch.setattr(reconciliation, "_YOUNG_SECONDS", 1.0)


def cancels_of(ready: Any) -> list[str]:
    """The client ids of the orders that are cancelled from now on; how long those were open is left to chance."""
    execution, cancelled = execution_of(ready), list[str]()
    send = execution.cancel

    def cancel(request: Any) -> None:
        cancelled.append(request.client_id)
        send(request)

    execution.cancel = cancel
    return cancelled


def test_an_order_is_not_given_up_while_the_venue_may_still_take_it(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("late_order", occasions=1, seconds_later=4.5)
        async with bench.session():
            most = Decimal(0)
            for _ in range(800):
                await asyncio.sleep(0.01)
                most = max(most, bench.held.get("BTC", Decimal(0)))
        assert most <= Decimal("0.01")

    on_bench(tmp_path, TARGET, work)


def test_a_given_up_order_whose_acceptance_was_missed_is_found(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("late_order", occasions=1, seconds_later=5)
        bench.faults.on("lost_push")
        async with bench.session() as ready:
            execution_of(ready).fate_seconds = 1.0
            await bench.until(lambda: "late_order" not in bench.faults.active)
            await bench.until(lambda: ready.kernel.open_orders() == [])
            assert not bench.open_orders
            cancelled = cancels_of(ready)
            await bench.until(lambda: cancelled)
            await bench.until(lambda: not bench.open_orders)

    on_bench(tmp_path, RESTING, work)


def test_a_given_up_order_that_comes_after_a_restart_is_cancelled(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("late_order", occasions=1, seconds_later=4.5)
        async with bench.session(ends="killed") as ready:
            execution_of(ready).fate_seconds = 1.0
            await bench.until(lambda: "late_order" not in bench.faults.active)
            await bench.until(lambda: ready.kernel.open_orders() == [])
        async with bench.session() as ready:
            cancelled = cancels_of(ready)
            await bench.until(lambda: cancelled)
            await bench.until(lambda: not bench.open_orders)

    on_bench(tmp_path, RESTING, work)


def test_an_order_that_nobody_can_tell_of_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reconciliation, "_ANSWER_SECONDS", 0.0)

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5 and ready.kernel.is_trading)
            session, kernel, execution = ready.session, ready.kernel, execution_of(ready)
            btc = session.index.instrument("binance_spot:BTCUSDT")
            execution.fate_seconds, ask = 1.0, execution.order

            async def order(*given: Any) -> Any:
                raise VenueError("venue_refused", "HTTP 400: -1121 Invalid symbol.", status=400, number=-1121)

            execution.order = order
            bench.faults.on("timeout_accepted", occasions=1)
            bench.faults.on("lost_push")
            session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.001", "50000.00", "gtc"))
            await bench.until(lambda: [one for one in kernel.open_orders() if one["status"] == "unknown"])
            # Money goes out without a report.
            bench.faults.on("transfer", account=bench.account, asset="USDT", amount="-50000")
            await bench.until(lambda: ready.session.health.unposted.get("binance_spot"))
            bench.faults.off("lost_push")
            told = [one.getMessage() for one in caplog.records if "does not tell what became of" in one.getMessage()]
            assert len(told) == 1
            # Nor the next connection.
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
            await bench.until(lambda: is_up(ready))
            # Balances wait: what differs may be what it traded.
            await asyncio.sleep(3)
            assert not bench.equals(ready)
            execution.order = ask
            await bench.until(lambda: bench.equals(ready))

    on_bench(tmp_path, STILL, work)


WANTED = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        ctx.target(self.btc, 0.01, 50000.0)
"""
)


def test_a_key_that_is_refused_is_asked_with_ever_more_rarely(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: [one["status"] for one in ready.kernel.open_orders()] == ["open"])
            name, asked = ready.session.name_of(ready.kernel.open_orders()[0]), list[str]()
            execution, ask = execution_of(ready), execution_of(ready).order

            async def refused(*named: str) -> Any:
                asked.append(named[0])
                raise VenueError("bad_credentials", "Invalid API-key, IP, or permissions for action.", number=-2015)

            execution.order = refused
            ready.session._accounts["binance_spot"].reconciliation.ask_later(name)
            await asyncio.sleep(6)
            assert 2 <= len(asked) <= 5
            execution.order = ask
        assert bench.open_orders == {}

    on_bench(tmp_path, RESTING, work)


@pytest.mark.parametrize("ends", [False, True])
def test_an_order_that_the_venue_had_and_does_not_name_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ends: bool
) -> None:
    if ends:
        monkeypatch.setattr(reconciliation, "_HAD_SECONDS", 3.0)

    async def work(bench: Bench) -> None:
        bench.faults.on("read_lag", lag_seconds=600)
        async with bench.session() as ready:
            execution_of(ready).fate_seconds = 1.0
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
            (order,) = ready.kernel.open_orders()
            name = ready.session.name_of(order)
            await bench.until(lambda: f"it does not name {name}, which it had" in caplog.text)
            if ends:
                # Nothing is open for ever, be it that the venue has forgotten everything.
                await bench.until(lambda: ready.kernel.known_order(order["order_id"])["status"] == "cancelled")
                return
            await asyncio.sleep(3)
            assert [one.client_id for one in bench.open_orders.values()] == [name]
            assert [ready.session.name_of(one) for one in ready.kernel.open_orders()] == [name]
            bench.faults.off("read_lag")

    on_bench(tmp_path, WANTED, work)


@pytest.mark.parametrize("is_missed", [False, True])
def test_an_order_whose_client_id_was_altered_and_whose_answer_was_lost_is_ours(
    tmp_path: Path, is_missed: bool
) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("altered_client_id")
        async with bench.session() as ready:
            execution_of(ready).fate_seconds = 1.0
            bench.faults.on("timeout_accepted", occasions=1)
            if is_missed:
                bench.faults.on("lost_push")
            await bench.until(ready.kernel.positions)
            bench.faults.off("lost_push")
            await bench.until(lambda: bench.equals(ready))
            assert ready.session.health.foreign_reports == 0 and not ready.kernel.open_orders()
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, ONCE, work)


@pytest.mark.parametrize("how", ["goes on", "filled meanwhile", "cancel-all"])
def test_an_order_whose_client_id_was_altered_is_found_after_a_kill(tmp_path: Path, how: str) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("altered_client_id")
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
            name = ready.session.name_of(ready.kernel.open_orders()[0])
        (order,) = bench.open_orders.values()
        assert order.client_id == name.upper()
        if how == "cancel-all":
            (found,) = await cancel_all(tw.System.read(bench.path))
            assert (found.cancelled, found.left, found.foreign) == ([name], [], [])
            return
        if how == "filled meanwhile":
            server = bench.sandbox.server
            server.exchange.fill_by_crowd(order, server.clock.now_ns())
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            execution_of(ready).fate_seconds = 1.0
            if how == "filled meanwhile":
                await bench.until(lambda: ready.kernel.positions() and bench.equals(ready))
            else:
                assert [ready.session.name_of(one) for one in ready.kernel.open_orders()] == [name]
        assert not bench.open_orders

    on_bench(tmp_path, RESTING, work)


@pytest.mark.parametrize("is_filled", [False, True])
def test_an_order_that_somebody_amended_while_the_run_was_down_is_ours(tmp_path: Path, is_filled: bool) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: [one for one in ready.kernel.open_orders() if one["status"] == "open"])
            name = ready.session.name_of(ready.kernel.open_orders()[0])
        server, (order,) = bench.sandbox.server, bench.open_orders.values()
        # As Binance keeps an amended order: with its number, under another client id.
        named = server.exchange.history._named
        order.client_id = "web_amended"
        order.updated_ns += 10**9
        named[order.account, order.symbol, order.client_id] = named.pop((order.account, order.symbol, name))
        if is_filled:
            server.exchange.fill_by_crowd(order, server.clock.now_ns())
        async with bench.session() as ready:
            execution = execution_of(ready)
            execution.fate_seconds = 1.0
            read, asked = execution._rest.read, list[str]()

            async def reading(path: str, reader: Any, parameters: Any = None, **more: Any) -> Any:
                if path != "/api/v3/order/amendments":
                    return await read(path, reader, parameters, **more)
                asked.append(parameters["orderId"])
                return reader([{"orderId": order.id, "origClientOrderId": name, "newClientOrderId": "web_amended"}])

            execution._rest.read = reading
            await bench.until(lambda: is_up(ready))
            assert asked == [str(order.id)]
            if is_filled:
                await bench.until(lambda: ready.kernel.positions() and bench.equals(ready))
            else:
                assert [ready.session.name_of(one) for one in ready.kernel.open_orders()] == [name]
        assert not bench.open_orders
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, RESTING, work)


def test_a_lost_fill_is_found(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            bench.faults.on("lost_push")
            await bench.until(lambda: bench.held.get("BTC"))
            bench.faults.off("lost_push")
            await bench.until(lambda: ready.kernel.positions() and bench.equals(ready))
        assert ready.kernel.open_orders() == []

    on_bench(tmp_path, ONCE, work)


@pytest.mark.parametrize("status", ["filled", "cancelled"])
def test_an_order_is_settled_once_its_fills_are_known(tmp_path: Path, status: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            execution = execution_of(ready)
            ask_fills, ask_order, asked = execution.fills, execution.order, []

            async def fills(*given: Any, **more: Any) -> Any:
                asked.append(1)
                return [] if len(asked) == 1 else await ask_fills(*given, **more)

            async def order(*given: Any) -> Any:
                found = await ask_order(*given)
                return found and msgspec.structs.replace(found, status=status)

            execution.fills, execution.order = fills, order
            bench.faults.on("timeout_accepted", occasions=1)
            bench.faults.on("lost_push")
            await bench.until(lambda: asked)
            bench.faults.off("lost_push")
            await bench.until(lambda: ready.kernel.positions() and bench.equals(ready))
            assert ready.kernel.open_orders() == []

    on_bench(tmp_path, ONCE, work)


def test_a_break_while_both_sides_are_compared(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: bench.open_orders)
            execution = execution_of(ready)
            ask, asked = execution.balances, []

            async def balances() -> Any:
                asked.append(1)
                if len(asked) == 1:
                    await asyncio.sleep(3)
                return await ask()

            execution.balances = balances
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: asked)
            bench.faults.on("hard_close", kind="api")
            bench.faults.on("expired_order")
            await bench.until(lambda: is_up(ready))
            assert ready.kernel.open_orders() == []

    on_bench(tmp_path, RESTING, work)


@pytest.mark.parametrize("fault", ["foreign_order", "transfer"])
def test_what_others_do_is_booked(tmp_path: Path, fault: str) -> None:
    given = {"symbol": "BTCUSDT"} if fault == "foreign_order" else {"asset": "USDT", "amount": "500"}

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            bench.faults.on(fault, account=bench.account, **given)
            assert not bench.equals(ready)
            await bench.until(lambda: bench.equals(ready))
            assert ready.kernel.positions() == []
        assert postings(tmp_path).count("external") == (2 if fault == "transfer" else 4), "each sum moved once"
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, STILL, work)


def test_a_fill_of_others_whose_worth_has_more_decimals_than_its_asset_is_booked_whole(tmp_path: Path) -> None:
    markets = """
[instruments."binance_spot:ETHUSDT"]

[instruments."binance_spot:ETHBTC"]
kind = "spot"
base = "ETH"
quote = "BTC"
price_decimals = 8
quantity_decimals = 8
tick = "0.00001"
lot = "0.0001"
minimum_quantity = "0.0001"
minimum_notional = "0.0001"
maker_fee = "0.001"
taker_fee = "0.001"
"""

    async def work(bench: Bench) -> None:
        async with bench.session("paper", ends="killed") as ready:
            await bench.until(lambda: ready.session.is_running)
            before = {asset: Decimal(held) for asset, held in ready.kernel.balances("binance_spot")}
            fill = Filled(
                "web_1",
                "77",
                5,
                "binance_spot:ETHBTC",
                "buy",
                "0.03333",
                "0.0123",
                "0",
                "",
                False,
                ready.session.now_ns(),
            )
            ready.session.foreign_fill("binance_spot", fill)
            after = {asset: Decimal(held) for asset, held in ready.kernel.balances("binance_spot")}
            moved = {asset: after[asset] - held for asset, held in before.items() if after[asset] != held}
            # 0.000409959, to the nearest of eight decimals.
            assert moved == {"ETH": Decimal("0.0123"), "BTC": Decimal("-0.00040996")}

    on_bench(tmp_path, HEAD, work, markets)


def test_nothing_is_asked_on_connections_that_were_closed(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            execution = execution_of(ready)
            close = execution.close

            async def slowly() -> None:
                await close()
                await asyncio.sleep(1)

            execution.close = slowly

    on_bench(tmp_path, STILL, work)


def paid_in(asset: str, execution: Any) -> None:
    """Let the venue say that the account pays its fees in an asset, of which it holds some."""
    ask, holds = execution.commission, execution.balances

    async def commission(instrument: str) -> Commission:
        return msgspec.structs.replace(await ask(instrument), discount_asset=asset)

    async def balances() -> list[Balance]:
        return [*await holds(), Balance(asset, Decimal(2), Decimal(0), 0)]

    execution.commission, execution.balances = commission, balances


def test_a_run_that_does_not_know_what_fees_are_paid_in_does_not_trade(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with await prepared(tw.System.read(bench.path), "live") as ready:
            paid_in("BNB", execution_of(ready))
            with pytest.raises(TradewindError, match=r"pays the fees of binance_spot:BTCUSDT in BNB"):
                await ready.session.run()
        assert not bench.sandbox.server.exchange.orders

    on_bench(tmp_path, ONCE, work)


def test_an_instrument_that_no_strategy_named_gives_fees_their_worth(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with await prepared(tw.System.read(bench.path), "live") as ready:
            paid_in("BNB", execution_of(ready))
            running = asyncio.create_task(ready.session.run())
            await bench.until(lambda: is_up(ready) and ready.kernel.equity_now is not None)
            held = float(dict(ready.kernel.balances("binance_spot"))["BNB"])
            assert ready.kernel.equity_now > 100_000 + held * 500
            ready.session.stop()
            await running

    on_bench(tmp_path, STILL, work, '\n[instruments."binance_spot:BNBUSDT"]\n', symbols=("BTCUSDT", "BNBUSDT"))


def test_the_first_balances_are_a_deposit_after_a_restart_too(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await asyncio.sleep(0)
            assert not is_up(ready)
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            assert ready.is_recovered
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, STILL, work)


def test_an_answer_without_balances_is_not_believed(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            bench.faults.on("nonsense_body", path="/api/v3/account", body='{"updateTime":0,"balances":[]}')
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
            await asyncio.sleep(2)
            assert bench.equals(ready) and not is_up(ready)
            bench.faults.clear()
            await bench.until(lambda: is_up(ready))

    on_bench(tmp_path, STILL, work)


@pytest.mark.parametrize("trouble", ["banned", "odd"])
def test_a_comparison_that_failed_is_tried_again(tmp_path: Path, trouble: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            if trouble == "banned":
                bench.faults.on("rest_error", path="/api/v3/account", status=400, code=-1000, message="odd")
            else:
                bench.faults.on("nonsense_body", path="/api/v3/account", body="{}")
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
            await asyncio.sleep(2)
            assert not is_up(ready)
            bench.faults.clear()
            await bench.until(lambda: is_up(ready))

    on_bench(tmp_path, STILL, work)


def own_trade(name: str) -> dict[str, Any]:
    """Half of a resting order is filled, says a venue that has not filled it."""
    return {
        "e": "executionReport", "E": 1, "s": "BTCUSDT", "c": name, "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.001",
        "p": "60000", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 5, "l": "0.0005", "z": "0.0005", "L": "60000",
        "n": "0", "N": "BTC", "T": time.time_ns() // 10**6, "t": 1, "I": 10**9, "m": True,
    }  # fmt: skip


@pytest.mark.parametrize("changed", [{"t": -5}, {"L": "1e30"}, {"l": "0.0000000001"}, {"T": 2**62}, {"N": "BNB"}])
def test_a_report_that_cannot_be_true_does_not_end_the_session(tmp_path: Path, changed: dict[str, Any]) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: bench.open_orders)
            (order,) = ready.kernel.open_orders()
            name = ready.session.name_of(order)
            text = msgspec.json.encode({"subscriptionId": 0, "event": own_trade(name) | changed}).decode()
            bench.faults.on("nonsense_frame", text=text, kind="api")
            await asyncio.sleep(1)
            assert not ready.running.done()
            await bench.until(lambda: bench.equals(ready))

    on_bench(tmp_path, RESTING, work)


FLIPPING = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        self.seen += 1
        ctx.target(self.btc, 0.01 if self.seen // 3 % 2 else 0)
"""
)


def test_cancels_that_are_refused_are_no_storm(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            cancels = cancels_of(ready)
            await bench.until(ready.kernel.positions)
            bench.faults.on("lost_push")
            await bench.until(lambda: any(one["status"] == "open" for one in ready.kernel.open_orders()))
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
            await bench.until(lambda: is_up(ready))
            bench.faults.clear()
            await asyncio.sleep(2)
            assert not ready.running.done()
            assert len(cancels) < 20, len(cancels)
        assert bench.equals(ready) and bench.open_orders == {}

    on_bench(tmp_path, FLIPPING, work)
