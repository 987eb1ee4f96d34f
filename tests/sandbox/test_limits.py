"""Weights, order counts and bans, with Binance's limits."""

from __future__ import annotations

from typing import Any

from tradewind.sandbox import Limits

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
        rows = [(row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"]) for row in info["rateLimits"]]
        assert rows == [
            ("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            ("ORDERS", "SECOND", 10, 100),
            ("ORDERS", "DAY", 1, 200_000),
            ("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ]
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
        assert "Retry-After" in client.headers
        _, rows = await client.ask("GET", "rateLimit/order")
        assert [row["count"] for row in rows if row["interval"] == "DAY"] == [3]

    tell(story, limits=Limits(orders_per_day=3))
