"""Weights, order counts and bans, with Binance's limits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tradewind.sandbox import Limits
from tradewind.sandbox.clock import Clock

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "80000",
}


def test_the_defaults_are_announced_and_weights_are_counted(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        _, info = await client.get("/api/v3/exchangeInfo")
        rest = [(row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"]) for row in info["rateLimits"]]
        assert rest == [
            ("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            ("ORDERS", "SECOND", 10, 100),
            ("ORDERS", "DAY", 1, 200_000),
            ("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ]
        await client.open()
        info = (await client.call("exchangeInfo"))["result"]
        rows = [(row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"]) for row in info["rateLimits"]]
        assert rows[:3] == rest[:3]
        assert rows[3:] == [("CONNECTIONS", "MINUTE", 5, 300)]
        await client.get("/api/v3/ping")
        used = int(client.headers["X-MBX-USED-WEIGHT-1M"])
        for path, weight in (
            ("ping", 1), ("depth?symbol=BTCUSDT", 5), ("depth?symbol=BTCUSDT&limit=5000", 250),
            ("trades?symbol=BTCUSDT", 25), ("klines?symbol=BTCUSDT&interval=1m", 2), ("ticker/24hr", 80),
            ("ticker/24hr?symbol=BTCUSDT", 2), ("ticker/price", 4), ("depth?symbol=NOPE", 5),
        ):  # fmt: skip
            await client.send("GET", f"/api/v3/{path}")
            now = int(client.headers["X-MBX-USED-WEIGHT-1M"])
            assert now == (used := used + weight) or now <= weight, path
        await client.ask("POST", "order", **LIMIT)
        assert int(client.headers["X-MBX-USED-WEIGHT-1M"]) in (used, 0)
        assert client.headers["X-MBX-ORDER-COUNT-10S"] in ("0", "1")
        await client.ask("POST", "order", **{**LIMIT, "quantity": "100"})
        assert int(client.headers["X-MBX-USED-WEIGHT-1M"]) in (used + 1, 1)

    tell(story, limits=Limits())


def test_who_goes_on_after_429_is_banned(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        statuses = [(await client.get("/api/v3/ping"))[0] for _ in range(25)]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses
        status, body = await client.get("/api/v3/ping")
        assert (status, body["code"]) == (418, -1003)
        assert 1 <= int(client.headers["Retry-After"]) <= 120

    tell(story, limits=Limits(weight_per_minute=5))


def test_orders_that_are_not_filled_are_counted_by_account(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        answers = [await client.ask("POST", "order", **LIMIT) for _ in range(8)]
        assert {status for status, _ in answers} == {200, 429}
        assert answers[-1][1]["code"] == -1015
        assert "Retry-After" not in client.headers
        _, rows = await client.ask("GET", "rateLimit/order")
        assert [row["count"] for row in rows if row["interval"] == "DAY"] == [3]

    tell(story, limits=Limits(orders_per_day=3))


def test_a_replacement_is_counted_once_whether_it_is_attempted_or_not(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        given = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE"}
        _, body = await client.ask("POST", "order/cancelReplace", **given, cancelOrigClientOrderId="nowhere")
        assert body["data"]["newOrderResult"] == "NOT_ATTEMPTED"
        assert await counted(client) == 1
        await client.ask("POST", "order", **LIMIT, newClientOrderId="old")
        await client.ask("POST", "order/cancelReplace", **given, cancelOrigClientOrderId="old")
        assert await counted(client) == 3
        wrong = {**given, "price": "80000.001", "cancelOrigClientOrderId": "old"}
        assert (await client.ask("POST", "order/cancelReplace", **wrong))[1]["code"] == -1013
        assert await counted(client) == 3

    tell(story)


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
def test_a_replacement_over_the_limit_of_orders_does_nothing_or_only_cancels(tell: Any, mode: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.ask("POST", "order", **LIMIT, newClientOrderId="old")
        given = {**LIMIT, "cancelReplaceMode": mode, "cancelOrigClientOrderId": "old"}
        status, body = await client.ask("POST", "order/cancelReplace", **given)
        assert (status, body["code"]) == (429, -1015)
        assert len((await client.ask("GET", "openOrders"))[1]) == 1
        given["orderRateLimitExceededMode"] = "CANCEL_ONLY"
        status, body = await client.ask("POST", "order/cancelReplace", **given)
        assert (status, body["code"]) == (409, -2021)
        assert (body["data"]["cancelResult"], body["data"]["newOrderResult"]) == ("SUCCESS", "FAILURE")
        message = "Too many new orders; current limit is 1 orders per 1 DAY."
        assert body["data"]["newOrderResponse"] == {"code": -1015, "msg": message}
        assert (await client.ask("GET", "openOrders"))[1] == []
        status, body = await client.ask("POST", "order/cancelReplace", **given)
        assert (status, body["code"], body["data"]["cancelResponse"]["code"]) == (400, -2022, -2011)
        attempted = {"STOP_ON_FAILURE": "NOT_ATTEMPTED", "ALLOW_FAILURE": "FAILURE"}
        assert body["data"]["newOrderResult"] == attempted[mode]
        assert await counted(client) == 1

    tell(story, limits=Limits(orders_per_day=1))


def test_only_requests_of_rest_are_raw_requests(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        assert {(await client.call("ping"))["status"] for _ in range(9)} == {200}
        assert [(await client.get("/api/v3/ping"))[0] for _ in range(4)] == [200, 200, 200, 429]

    tell(story, limits=Limits(raw_requests_per_5_minutes=3))


def test_orders_that_were_counted_are_counted_after_a_restart(
    tell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns, paths = 1_800_000_000_000_000_000, [tmp_path / f"{number}" for number in range(5)]
    monkeypatch.setattr(Clock, "now_ns", lambda self: now_ns)
    ours: list[Any] = []

    async def story(sandbox: Any, client: Any) -> None:
        ours.append(client.credentials)
        client.credentials, dated = ours[0], {"timestamp": now_ns // 1_000_000}
        _, before = await client.ask("GET", "rateLimit/order", **dated)
        for quantity in ("0.001", "100"):
            await client.ask("POST", "order", **LIMIT | {"quantity": quantity}, **dated)
        assert client.headers["X-MBX-ORDER-COUNT-1D"] == str(before[1]["count"] + 2)
        _, rows = await client.ask("GET", "rateLimit/order", **dated)
        seen.append([[row["count"] for row in some] for some in (before, rows)])
        # What a process leaves that is killed now.
        shutil.copy(paths[len(seen) - 1], paths[len(seen)])

    seen: list[list[list[int]]] = []
    for path in paths[:4]:
        tell(story, state=path)
        now_ns += 10_000_000_000 * (len(seen) == 2) + 86_400_000_000_000 * (len(seen) == 3)
    assert seen == [[[0, 0], [2, 2]], [[2, 2], [4, 4]], [[0, 4], [2, 6]], [[0, 0], [2, 2]]]


def test_rates_that_are_computed_for_a_tested_order_weigh_more(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        meter = sandbox.server.venue.meter
        charged: list[int] = []
        charge = meter.charge
        meter.charge = lambda address, weight, *rest: (charged.append(weight), charge(address, weight, *rest))
        for rates in ("false", "true"):
            assert (await client.ask("POST", "order/test", **LIMIT, computeCommissionRates=rates))[0] == 200
            await client.call_signed("order.test", **LIMIT, computeCommissionRates=rates)
        assert charged == [1, 1, 20, 20]

    tell(story)


async def counted(client: Any) -> int:
    """How many orders of the day were counted."""
    _, rows = await client.ask("GET", "rateLimit/order")
    return next(int(row["count"]) for row in rows if row["interval"] == "DAY")


def test_only_who_places_an_order_is_told_how_many_were_counted(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        named = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
        replaced = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "mine"}
        for method, verb, path, given in (
            ("order.place", "POST", "order", LIMIT | {"newClientOrderId": "mine"}),
            ("order.cancelReplace", "POST", "order/cancelReplace", LIMIT | {"newClientOrderId": "mine"} | replaced),
            ("order.cancel", "DELETE", "order", named),
            ("openOrders.cancelAll", "DELETE", "openOrders", {"symbol": "BTCUSDT"}),
        ):
            is_told = verb == "POST"
            await client.ask(verb, path, **given)
            assert ("X-MBX-ORDER-COUNT-10S" in client.headers) == is_told
            answer = await client.call_signed(method, **given)
            kinds = [row["rateLimitType"] for row in answer["rateLimits"]]
            assert kinds == ["ORDERS", "ORDERS"] * is_told + ["REQUEST_WEIGHT"]

    tell(story)
