"""Faults on request, over the control interface and in process."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest
from patience import PATIENCE_SECONDS

from tradewind.errors import TradewindError
from tradewind.sandbox.faults import ACTIONS, SWITCHES

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "80000",
}
FIND = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}


def test_an_order_of_unknown_fate(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        for name, taken in (("timeout_accepted", 200), ("timeout_not_accepted", 400)):
            faults.on(name, occasions=1)
            status, body = await client.ask("POST", "order", **LIMIT, newClientOrderId="mine")
            assert (status, body["code"]) == (504, -1007)
            assert (await client.ask("GET", "order", **FIND))[0] == taken
            if taken == 200:
                await client.ask("DELETE", "order", **FIND)
                sandbox.server.exchange.history.forget(next(iter(sandbox.server.exchange.orders.values())))
        faults.on("late_order", occasions=1, seconds_later=0.1)
        await client.ask("POST", "order", **LIMIT, newClientOrderId="mine")
        assert (await client.ask("GET", "order", **FIND))[1]["code"] == -2013
        await asyncio.sleep(0.2)
        assert (await client.ask("GET", "order", **FIND))[1]["status"] == "NEW"
        faults.on("F29", occasions=1)
        assert "timeout_not_accepted" in faults.active

    tell(story)


def test_reads_lag_pushes_come_first_fills_come_twice_and_cancels_too_late(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        await client.open()
        await client.call_signed("userDataStream.subscribe.signature")
        faults.on("push_before_answer", delay_seconds=0.1)
        asked = asyncio.create_task(client.call_signed("order.place", **LIMIT, newClientOrderId="mine"))
        await client.event(lambda event: event.get("x") == "NEW")
        assert not asked.done()
        await asked
        faults.clear()
        faults.on("read_lag", lag_seconds=60)
        assert (await client.ask("GET", "order", **FIND))[1]["code"] == -2013
        assert (await client.ask("GET", "openOrders"))[1] == []
        faults.clear()
        faults.on("cancel_races_fill")
        faults.on("duplicated_fill")
        assert (await client.ask("DELETE", "order", **FIND))[1]["code"] == -2011
        await client.event(lambda event: event.get("X") == "FILLED")
        fills = [event["event"]["t"] for event in client.events if event["event"].get("x") == "TRADE"]
        assert len(fills) == 2 * len(set(fills))
        assert all(
            sandbox.server.exchange.total(asset) == paid for asset, paid in sandbox.server.exchange.paid_in.items()
        )

    tell(story)


def test_streams_stall_lose_and_repeat(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@depth@100ms") as socket:

            async def ids() -> tuple[int, int]:
                event = msgspec.json.decode((await socket.receive(PATIENCE_SECONDS)).data)
                return event["U"], event["u"]

            last = (await ids())[1]
            faults.on("dropped_diff", occasions=1)
            assert (await ids())[0] > last + 1
            faults.on("duplicated_diff", occasions=1)
            assert await ids() == await ids()
            last = (await ids())[1]
            faults.on("reordered_diffs", occasions=1)
            later, earlier = await ids(), await ids()
            assert earlier[0] == last + 1
            assert later[0] == earlier[1] + 1
            faults.on("stalled_stream", stream="btcusdt@depth@100ms")
            with pytest.raises(asyncio.TimeoutError):
                await socket.receive(0.4)

    tell(story, activity=500)


def test_connections_break_and_keys_are_taken_away(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        for partial in (False, True):
            async with client.http.ws_connect(f"{sandbox.stream_url}/ws") as socket:
                faults.on("hard_close", partial=partial)
                message = await socket.receive(PATIENCE_SECONDS)
                assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        faults.on("foreign_order", account=client.credentials.account, symbol="BTCUSDT", quantity="0.01")
        _, orders = await client.ask("GET", "allOrders", symbol="BTCUSDT")
        assert orders[0]["clientOrderId"].startswith("web_")
        faults.on("clock", seconds=-10)
        assert (await client.ask("GET", "account"))[1]["code"] == -1021
        faults.on("clock", seconds=0)
        faults.on("maintenance")
        for path in ("order", "order/test"):
            closed = await client.ask("POST", path, **LIMIT)
            assert closed == (400, {"code": -1013, "msg": "Market is closed."})
        faults.off("maintenance")
        faults.on("key_revoked", account=client.credentials.account)
        assert (await client.ask("GET", "account"))[1]["code"] == -2015

    tell(story)


def test_the_control_interface(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        url, headers = f"{sandbox.rest_url}/control", {"Authorization": f"Bearer {sandbox.control_token}"}
        async with client.http.get(f"{url}/faults") as answer:
            assert answer.status == 401
        async with client.http.get(f"{url}/faults", headers=headers) as answer:
            assert set(await answer.json()) == {*SWITCHES, *ACTIONS}
        given = {"status": 429, "retry_after": 3, "occasions": 1, "path": "/api/v3/depth"}
        async with client.http.post(f"{url}/faults/rest_error", json=given, headers=headers) as answer:
            assert answer.status == 200
        assert (await client.get("/api/v3/ping"))[0] == 200
        assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[0] == 429
        assert client.headers["Retry-After"] == "3"
        assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[0] == 200
        for name, body in (("flood", {}), ("clock", {"minutes": 1})):
            async with client.http.post(f"{url}/faults/{name}", json=body, headers=headers) as answer:
                assert answer.status == 400

    tell(story)


def test_a_fault_of_an_account_is_one_of_the_first_where_none_is_stated(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        other = sandbox.new_account({"USDT": 5}, name="another")
        url, headers = f"{sandbox.rest_url}/control/faults", {"Authorization": f"Bearer {sandbox.control_token}"}

        async def post(path: str, text: str) -> str:
            async with client.http.post(f"{url}{path}", data=text, headers=headers) as answer:
                return "" if answer.status == 200 else str((await answer.json())["error"])

        before = sandbox.balances(client.credentials.account)["USDT"][0]
        assert not await post("/transfer", '{"asset": "USDT", "amount": "7"}')
        assert sandbox.balances(client.credentials.account)["USDT"][0] == before + 7
        assert not await post("/transfer", f'{{"asset": "USDT", "amount": "7", "account": {other.account}}}')
        assert sandbox.balances(other.account)["USDT"][0] == 12
        for path, text, code, words in (
            ("/transfer", '{"asset": "USDT", "amount": "7", "account": "main"}', "bad_setting", "account = 'main'"),
            ("/user_stream_ends", '{"account": 9}', "bad_setting", "2 (another)"),
            ("/key_revoked", '{"account": 9}', "bad_setting", "account = 9"),
            ("/transfer", '{"asset": "USDT"}', "missing_setting", "'amount'"),
            ("/transfer", '{"asset": "USDT", "amount": [7]}', "wrong_type", "it has account, asset, amount"),
            ("/foreign_order", '{"symbol": "BTC"}', "bad_setting", "symbol = 'BTC'"),
            ("/transfer", "[", "wrong_type", "not a JSON object"),
            ("/transfer/now", "{}", "bad_setting", "is not known"),
        ):
            told = await post(path, text)
            assert told.startswith(f"[{code}] ") and words in told, told

    tell(story)


def test_an_unknown_fault(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        with pytest.raises(TradewindError, match="no fault 'rain'"):
            sandbox.server.faults.on("rain")

    tell(story)
