"""What is kept is bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tradewind.sandbox import Sandbox, state
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
        assert list(exchange.orders) == [first.id, *(one.id for one in made[-20:])]
        assert list(exchange.history.of(account.number, "BTCUSDT")) == [first, *made[-20:]]
        assert exchange.fills_by_order.keys() == {one.id for one in made[-20:]}
        assert len(exchange.fills[account.number, "BTCUSDT"]) == 20
        _, found = await client.ask("GET", "order", symbol="BTCUSDT", origClientOrderId="c3")
        assert found["orderId"] == made[45].id
        assert (await client.ask("GET", "order", symbol="BTCUSDT", orderId=made[0].id))[1]["code"] == -2013
        assert len((await client.ask("GET", "allOrders", symbol="BTCUSDT"))[1]) == 21
        exchange.cancel(first, now_ns)
        assert len(exchange.orders) == 20 and first.id in exchange.orders
        assert all(exchange.total(asset) == paid for asset, paid in exchange.paid_in.items())

    tell(story, kept_orders=20)


def test_minutes_end_after_90_days() -> None:
    candles = Candles()
    for minute in range(95 * 1_440):
        candles.add(minute * 60_000, 100, 1, 100, True, minute)
    assert 90 * 1_440 <= len(candles.minutes) <= 91 * 1_440
    assert candles.minutes[-1].last_id == 95 * 1_440 - 1


def test_the_file_of_a_long_run_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

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
            sandbox.server.state.compact(exchange, sandbox.server.venue.keys.values())
            assert path.stat().st_size < 10_000
            exchange.submit(exchange.accounts[keys.account], order(1), sandbox.server.clock.now_ns())
            return dict(sandbox.balances(keys.account))

    async def look(before: dict[str, Any]) -> None:
        async with Sandbox(**given) as sandbox:
            assert sandbox.balances(1) == before
            assert len(sandbox.server.exchange.orders) == 10 and len(sandbox.server.venue.keys) == 1

    asyncio.run(look(asyncio.run(trade())))
