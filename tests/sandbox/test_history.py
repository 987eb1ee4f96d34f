"""What is kept is bounded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS

from tradewind.errors import TradewindError
from tradewind.sandbox import Limits, Sandbox, state
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.binance_spot.limits import Meter
from tradewind.sandbox.candles import Candles
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.units import UNIT


def order(number: int, **more: Any) -> OrderRequest:
    given = {
        "symbol": "BTCUSDT",
        "buy": True,
        "kind": "MARKET",
        "client_id": f"c{number % 7}",
        "quantity": UNIT // 1_000,
    }
    return OrderRequest(**{**given, **more})


def test_closed_orders_are_forgotten_and_open_ones_are_not(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        exchange, now_ns = sandbox.server.exchange, sandbox.server.clock.now_ns()
        account = exchange.accounts[client.credentials.account]
        first = exchange.submit(account, order(0, kind="LIMIT", client_id="first", price=50_000 * UNIT), now_ns)
        made = [exchange.submit(account, order(number), now_ns) for number in range(50)]
        assert list(exchange.orders) == [first.key, *(one.key for one in made[-20:])]
        assert list(exchange.history.of(account.number, "BTCUSDT")) == [first, *made[-20:]]
        assert exchange.fills_by_order.keys() == {one.key for one in made[-20:]}
        assert len(exchange.fills[account.number, "BTCUSDT"]) == 20
        _, found = await client.ask("GET", "order", symbol="BTCUSDT", origClientOrderId="c3")
        assert found["orderId"] == made[45].id
        assert (await client.ask("GET", "order", symbol="BTCUSDT", orderId=made[0].id))[1]["code"] == -2013
        assert len((await client.ask("GET", "allOrders", symbol="BTCUSDT"))[1]) == 21
        exchange.cancel(first, now_ns)
        assert len(exchange.orders) == 20 and first.key in exchange.orders
        assert all(exchange.total(asset) == paid for asset, paid in exchange.paid_in.items())

    tell(story, kept_orders=20)


def test_minutes_end_after_90_days() -> None:
    candles = Candles()
    for minute in range(95 * 1_440):
        candles.add(minute * 60_000, 100, 1, 100, True, minute)
    assert 90 * 1_440 <= len(candles.minutes) <= 91 * 1_440
    assert candles.minutes[-1].last_id == 95 * 1_440 - 1


def test_the_file_of_a_long_run_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_SMALL", 10_000)
    path = tmp_path / "state.jsonl"
    given: dict[str, Any] = {"symbols": ("BTCUSDT",), "history_seconds": 0, "state": path, "kept_orders": 10}

    async def trade() -> dict[str, Any]:
        async with Sandbox(**given) as sandbox:
            keys, exchange = sandbox.new_account({"USDT": 100_000}), sandbox.server.exchange
            for number in range(300):
                exchange.submit(exchange.accounts[keys.account], order(number), sandbox.server.clock.now_ns())
            assert path.stat().st_size > 50_000
            assert sandbox.server.state is not None
            assert sandbox.server.state.is_grown
            sandbox.server.begin_state(sandbox.server.state)
            assert path.stat().st_size < 10_000
            exchange.submit(exchange.accounts[keys.account], order(1), sandbox.server.clock.now_ns())
            return dict(sandbox.balances(keys.account))

    async def look(before: dict[str, Any]) -> None:
        async with Sandbox(**given) as sandbox:
            exchange = sandbox.server.exchange
            assert sandbox.balances(1) == before
            assert len(exchange.orders) == 10 and len(sandbox.server.venue.keys) == 1
            assert len(exchange.fills[1, "BTCUSDT"]) == 10
            assert exchange.fills_by_order.keys() == exchange.orders.keys()

    before = asyncio.run(trade())
    for _ in range(2):
        asyncio.run(look(before))
        assert path.stat().st_size < 10_000


def test_a_restart_does_not_take_over_more_than_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    sizes = []
    for kept in (1_000, 10):
        server = Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=path, kept_orders=kept).server
        account = server.exchange.add_account("yours", 1)
        server.exchange.transfer(account, "USDT", 100_000 * UNIT, 1)
        for number in range(100):
            server.exchange.submit(account, order(number), server.clock.now_ns())
        assert server.state is not None
        server.state.close()
        sizes.append(path.stat().st_size)
    server = Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=path, kept_orders=10).server
    assert server.state is not None
    server.state.close()
    assert path.stat().st_size < sizes[0] / 5
    assert [len(fills) for fills in server.exchange.fills.values()] == [10, 10]


def test_orders_in_a_symbol_that_is_not_there_any_more_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    server = Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=path).server
    account = server.exchange.add_account("yours", 1)
    server.exchange.transfer(account, "USDT", 100_000 * UNIT, 1)
    server.exchange.submit(account, order(0, kind="LIMIT", price=50_000 * UNIT), server.clock.now_ns())
    assert server.state is not None
    server.state.close()
    before = path.read_bytes()
    with pytest.raises(TradewindError, match=r"has open orders in BTCUSDT\nhint: name these in symbols, too"):
        Sandbox(symbols=("ETHUSDT",), history_seconds=0, state=path)
    assert path.read_bytes() == before


def test_counts_of_past_windows_and_past_bans_are_forgotten() -> None:
    meter = Meter(Limits(weight_per_minute=1, ban_seconds=1))
    for number in range(100):
        address, now_ms = f"10.0.0.{number}", number * 300_000
        meter.charge(address, 1, now_ms, "REST")
        for _ in range(11):
            with pytest.raises(Failure):
                meter.charge(address, 1, now_ms, "REST")
        with pytest.raises(Failure, match="banned until"):
            meter.charge(address, 1, now_ms, "REST")
    assert list(meter._banned_until_ms) == [address]
    for window in (meter.weight, meter.raw, meter._refused):
        assert len(window._counts) <= 1
    meter.charge(address, 1, now_ms + 60_000, "REST")
    meter.ban_all(now_ms + 90_000)
    with pytest.raises(Failure, match="banned until"):
        meter.charge("10.1.1.1", 1, now_ms + 70_000, "REST")


def test_streams_that_nobody_listens_to_any_more_are_forgotten(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        hub = sandbox.server.hub
        names = [f"nothing{number}@trade" for number in range(1_000)] + ["btcusdt@depth5", "btcusdt@depth"]
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@depth5@100ms") as socket:
            await socket.receive(PATIENCE_SECONDS)
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            while "result" not in (await socket.receive(PATIENCE_SECONDS)).json():
                pass
            assert len(hub.channels) == 1_003
            sandbox.server.faults.on("old_snapshot", occasions=1)
            old_id = sandbox.server.exchange.markets["BTCUSDT"].update_id
            sandbox.server.faults.on("restarted_book")
            assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[1]["lastUpdateId"] == old_id
            assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[1]["lastUpdateId"] > old_id
        while sandbox.server.connections:
            await asyncio.sleep(0.01)
        assert not hub.channels and not hub._partials and not hub._diffs["BTCUSDT"]
        assert not sandbox.server.faults._snapshots

    tell(story)
