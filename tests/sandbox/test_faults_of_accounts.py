"""Faults of orders, accounts, limits and the network."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from sandbox_client import Client

from tradewind.sandbox import Limits

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "80000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


async def followed(sandbox: Any, client: Any) -> Any:
    """The faults, with the account's events followed."""
    await client.open()
    await client.call_signed("userDataStream.subscribe.signature")
    return sandbox.server.faults


def test_logons_are_refused_or_late(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        await client.open()
        faults.on("logon_refused", code=-1008, message="Server is overloaded.", occasions=1)
        assert (await client.call_signed("session.logon"))["error"]["code"] == -1008
        faults.on("late_logon", delay_seconds=0.2)
        asked = asyncio.create_task(client.call_signed("session.logon"))
        assert (await client.call("ping"))["status"] == 200 and not asked.done()
        assert (await asked)["status"] == 200

    tell(story, kind="ED25519")


def test_orders_are_refused_slow_or_renamed(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = await followed(sandbox, client)
        faults.on("refused_orders", code=-1013, message="Filter failure: NOTIONAL", occasions=1)
        assert (await client.ask("POST", "order", **LIMIT))[1]["code"] == -1013
        faults.on("order_rate", occasions=1)
        status, body = await client.ask("POST", "order", **LIMIT)
        assert (status, body["code"]) == (429, -1015)
        for place in (client.call_signed("order.place", **LIMIT, newClientOrderId="slow"),
                      client.ask("POST", "order", **LIMIT, newClientOrderId="slow-rest")):  # fmt: skip
            faults.on("slow_order", delay_seconds=0.3, occasions=1)
            asked = asyncio.create_task(place)
            await asyncio.sleep(0.1)
            refused = await client.ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="slow")
            assert refused[1].get("code") == -2011
            await asked
            _, found = await client.ask("DELETE", "openOrders", symbol="BTCUSDT")
            assert len(found) == 1
        faults.on("altered_client_id", occasions=1)
        assert (await client.ask("POST", "order", **LIMIT, newClientOrderId="mine"))[1]["clientOrderId"] == "MINE"

    tell(story)


def test_a_replacement_succeeds_in_part(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.ask("POST", "order", **LIMIT, newClientOrderId="old")
        sandbox.server.faults.on("partial_replace", occasions=1)
        given = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "old"}
        status, body = await client.ask("POST", "order/cancelReplace", **given)
        assert (status, body["code"]) == (409, -2021)
        assert (body["data"]["cancelResult"], body["data"]["newOrderResult"]) == ("SUCCESS", "FAILURE")
        assert (await client.ask("GET", "openOrders"))[1] == []

    tell(story)


def test_user_data_get_lost_change_places_and_end(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = await followed(sandbox, client)
        faults.on("lost_push")
        await client.ask("POST", "order", **MARKET)
        await asyncio.sleep(0.05)
        assert client.events == []
        faults.off("lost_push")
        faults.on("reordered_pushes", occasions=1)
        await client.ask("POST", "order", **MARKET)
        await client.event(lambda event: event.get("x") == "NEW")
        kinds = [event["event"].get("x") for event in client.events]
        assert kinds.index("TRADE") < kinds.index("NEW")
        faults.on("unexpected_fields")
        await client.ask("POST", "order", **LIMIT)
        await client.event(lambda event: "neverHeardOf" in event)
        faults.on("unknown_execution")
        await client.event(lambda event: event.get("x") == "NEVER_HEARD_OF")
        faults.on("user_stream_ends", account=client.credentials.account)
        await client.event(lambda event: event["e"] == "eventStreamTerminated")

    tell(story)


def test_the_venue_ends_orders_and_symbols(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = await followed(sandbox, client)
        await client.ask("POST", "order", **LIMIT)
        faults.on("expired_order", reason="LIQUIDATION")
        event = await client.event(lambda event: event.get("x") == "EXPIRED")
        assert event["eR"] == "LIQUIDATION"
        await client.ask("POST", "order", **LIMIT)
        faults.on("changed_symbol", symbol="BTCUSDT", tick="0.5", minimum_notional="700")
        filters = (await client.get("/api/v3/exchangeInfo"))[1]["symbols"][0]["filters"]
        assert filters[0]["tickSize"] == "0.50000000"
        assert (await client.ask("POST", "order", **{**LIMIT, "price": "80000.1"}))[1]["code"] == -1013
        assert (await client.ask("POST", "order", **{**LIMIT, "quantity": "0.005"}))[1]["code"] == -1013
        faults.on("delisted", symbol="BTCUSDT")
        assert (await client.get("/api/v3/exchangeInfo"))[1]["symbols"][0]["status"] == "BREAK"
        assert (await client.ask("GET", "openOrders"))[1] == []
        assert (await client.ask("POST", "order", **LIMIT))[1]["code"] == -1013
        faults.on("delisted", symbol="BTCUSDT", listed=True)
        assert (await client.ask("POST", "order", **LIMIT))[0] == 200

    tell(story)


def test_balances_move_are_odd_or_not_there(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = await followed(sandbox, client)
        account = client.credentials.account
        faults.on("transfer", account=account, asset="USDT", amount="-1000")
        event = await client.event(lambda event: event["e"] == "balanceUpdate")
        assert event["d"] == "-1000.00000000"
        for how in ("lost", "negative", "late"):
            client.events.clear()
            faults.on("odd_balances", how=how)
            await client.ask("POST", "order", **MARKET)
            await client.event(lambda event: event.get("x") == "TRADE")
            kinds = [event["event"]["e"] for event in client.events]
            assert ("outboundAccountPosition" in kinds) == (how == "negative")
            if how != "lost":
                event = await client.event(lambda event: event["e"] == "outboundAccountPosition")
                assert (event["B"][0]["f"] == "-1.00000000") == (how == "negative")
        faults.clear()
        faults.on("empty_answers")
        assert (await client.ask("GET", "account"))[1]["balances"] == []
        assert (await client.ask("GET", "myTrades", symbol="BTCUSDT"))[1] == []

    tell(story)


def test_limits_change_unannounced_and_addresses_are_banned(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        faults.on("wrong_weight", weight=7)
        await client.get("/api/v3/ping")
        assert client.headers["X-MBX-USED-WEIGHT-1M"] == "7"
        faults.on("changed_limits", orders_per_10_seconds=0)
        assert (await client.ask("POST", "order", **LIMIT))[1]["code"] == -1015
        rows = (await client.get("/api/v3/exchangeInfo"))[1]["rateLimits"]
        assert [row["limit"] for row in rows[:2]] == [6_000, 100]
        faults.on("changed_limits", weight_per_minute=1)
        assert (await client.get("/api/v3/exchangeInfo"))[0] == 429
        faults.on("ban", seconds=30)
        assert (await client.get("/api/v3/ping"))[0] == 418
        assert 25 <= int(client.headers["Retry-After"]) <= 30

    tell(story, limits=Limits())


def test_the_network_breaks(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = sandbox.server.faults
        for carried_out in (False, True):
            faults.on("reset_request", path="/api/v3/order", carried_out=carried_out, occasions=1)
            with pytest.raises(aiohttp.ClientError):
                await client.ask("POST", "order", **LIMIT)
            assert len((await client.ask("GET", "openOrders"))[1]) == int(carried_out)
        faults.on("nonsense_body", path="/api/v3/ping", occasions=1)
        with pytest.raises(ValueError, match="malformed"):
            await client.get("/api/v3/ping")
        faults.on("refused_connections")
        headers = {"Authorization": f"Bearer {sandbox.control_token}"}
        async with aiohttp.ClientSession() as http:
            for url in (f"{sandbox.rest_url}/api/v3/ping", sandbox.api_url):
                with pytest.raises(aiohttp.ClientError):
                    await http.get(url)
            async with http.delete(f"{sandbox.rest_url}/control/faults", headers=headers) as answer:
                assert answer.status == 200
            async with http.get(f"{sandbox.rest_url}/api/v3/ping") as answer:
                assert answer.status == 200

    tell(story)


def test_answers_are_late_clocks_drift_and_nobody_comes_in_once(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults, clock = sandbox.server.faults, sandbox.server.clock
        faults.on("slow_answers", path="/api/v3/time", delay_seconds=0.2)
        asked = asyncio.create_task(client.get("/api/v3/time"))
        assert (await client.get("/api/v3/ping"))[0] == 200 and not asked.done()
        _, late = await asked
        assert clock.now_ns() // 1_000_000 - late["serverTime"] >= 200
        faults.clear()
        faults.on("clock", seconds=-2, drift_ms=60_000)
        begun_ns = time.time_ns()
        await asyncio.sleep(0.1)
        gained_ns = clock.now_ns() - time.time_ns() + 2_000_000_000
        assert 100_000_000 <= gained_ns <= (time.time_ns() - begun_ns) * 1.1
        faults.on("clock")
        assert abs(clock.now_ns() - time.time_ns()) < 1_000_000_000
        for head in (b"GET /api/v3/ping HTTP/1.1\r\n", b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n"):
            faults.on("refused_connections", occasions=1)
            reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
            writer.write(head + b"Host: x\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            assert not faults.active

    tell(story)


UNPERMITTED = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}


def test_a_session_ends_with_the_first_request_after_its_key_was_taken_away(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        await client.call_signed("session.logon")
        await client.call("userDataStream.subscribe")
        other = Client(sandbox, sandbox.new_key(client.credentials.account), client.http)
        await other.open()
        await other.call_signed("userDataStream.subscribe.signature")
        sandbox.server.faults.on("key_revoked", api_key=client.credentials.api_key)
        await client.event(lambda event: event["e"] == "eventStreamTerminated")
        assert not client.notices
        answer = await client.call("userDataStream.subscribe")
        assert (answer["status"], answer["error"]) == (401, UNPERMITTED)
        status = (await client.call("session.status"))["result"]
        assert (status["apiKey"], status["userDataStream"]) == (None, False)
        assert client.notices == [{"id": None, "status": 401, "error": UNPERMITTED}]
        # Another key of the account has its own subscription.
        assert (await other.ask("POST", "order", **LIMIT))[0] == 200
        assert (await other.event(lambda event: event["e"] == "executionReport"))["x"] == "NEW"
        assert all(event["event"]["e"] != "eventStreamTerminated" for event in other.events)
        await other.close()

    tell(story, kind="ED25519")


def test_a_public_request_is_answered_before_the_session_ends(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        await client.call_signed("session.logon")
        sandbox.server.faults.on("key_revoked", api_key=client.credentials.api_key, reading=True)
        placed = await client.call("order.place", **LIMIT, timestamp=int(time.time() * 1_000))
        assert placed["error"] == UNPERMITTED
        assert (await client.call("session.status"))["result"]["apiKey"] == client.credentials.api_key
        sandbox.server.faults.on("key_revoked", api_key=client.credentials.api_key)
        assert (await client.call("ping"))["status"] == 200
        assert (await client.call("session.status"))["result"]["apiKey"] is None
        assert len(client.notices) == 1

    tell(story, kind="ED25519")


def test_a_log_out_ends_the_subscription_of_the_session_and_no_other(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        for how, is_left in ((client.call, False), (client.call_signed, True)):
            await client.call_signed("session.logon")
            await how("userDataStream.subscribe" + (".signature" if is_left else ""))
            assert (await client.call("session.logout"))["result"]["userDataStream"] == is_left
            assert [event["event"]["e"] for event in client.events] == ["eventStreamTerminated"]

    tell(story, kind="ED25519")


def test_a_key_may_only_read_any_more(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        faults = await followed(sandbox, client)
        faults.on("key_revoked", account=client.credentials.account, reading=True)
        assert (await client.ask("GET", "account"))[0] == 200
        assert (await client.ask("POST", "order", **LIMIT))[1]["code"] == -2015
        assert not client.events
        faults.on("key_revoked", api_key=client.credentials.api_key)
        await client.event(lambda event: event["e"] == "eventStreamTerminated")
        assert (await client.ask("GET", "account"))[1]["code"] == -2015

    tell(story)
