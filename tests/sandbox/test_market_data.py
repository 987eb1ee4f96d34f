"""What can be asked of the market, with every parameter."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

TWO = {"symbols": ("BTCUSDT", "ETHUSDT")}
FAR = 2**63 - 1


def names(body: Any) -> list[str]:
    return [row["symbol"] for row in body]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["BTCUSDT", "ETHUSDT"]),
        ("permissions=SPOT", ["BTCUSDT", "ETHUSDT"]),
        ('permissions=["MARGIN","SPOT"]', ["BTCUSDT", "ETHUSDT"]),
        ('permissions=["MARGIN","LEVERAGED"]', []),
        ("symbolStatus=TRADING", ["BTCUSDT"]),
        ("symbolStatus=BREAK&permissions=SPOT", ["ETHUSDT"]),
        ("symbolStatus=HALT", []),
        ("symbolStatus=SLEEPING", -1122),
        ("symbolStatus=TRADING&symbol=BTCUSDT", -1128),
        ("permissions=SPOT&symbol=BTCUSDT", -1128),
        ("permissions=spot", -1130),
        ("showPermissionSets=perhaps", -1102),
    ],
)
def test_symbols_are_chosen_by_permission_and_status(tell: Any, query: str, found: list[str] | int) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        sandbox.server.faults.on("delisted", symbol="ETHUSDT")
        _, body = await client.send("GET", f"/api/v3/exchangeInfo?{quote(query, safe='=&')}")
        assert (body["code"] if isinstance(found, int) else names(body["symbols"])) == found

    tell(story, **TWO)


def test_sets_of_permissions_can_be_left_out_and_modes_are_those_that_are_taken(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        _, full = await client.get("/api/v3/exchangeInfo", showPermissionSets="true")
        _, short = await client.get("/api/v3/exchangeInfo", showPermissionSets="false")
        assert [full["symbols"][0]["permissionSets"], short["symbols"][0]["permissionSets"]] == [[["SPOT"]], []]
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        for mode in ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"):
            status, _ = await client.ask("POST", "order/test", **order, selfTradePreventionMode=mode)
            assert (status == 200) == (mode in full["symbols"][0]["allowedSelfTradePreventionModes"])

    tell(story)


@pytest.mark.parametrize("path", ["depth", "ticker", "ticker/24hr", "ticker/price", "ticker/bookTicker"])
def test_a_symbol_in_another_state_is_an_error_or_left_out(tell: Any, path: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        sandbox.server.faults.on("delisted", symbol="ETHUSDT")
        assert (await client.get(f"/api/v3/{path}", symbol="ETHUSDT", symbolStatus="BREAK"))[0] == 200
        assert (await client.get(f"/api/v3/{path}", symbol="ETHUSDT", symbolStatus="TRADING"))[1]["code"] == -1220
        if path != "depth":
            both = json.dumps(TWO["symbols"], separators=(",", ":"))
            assert names((await client.get(f"/api/v3/{path}", symbols=both, symbolStatus="BREAK"))[1]) == ["ETHUSDT"]

    tell(story, **TWO)


def test_a_list_may_have_spaces_in_json_and_not_in_a_query(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        spaced = json.dumps(TWO["symbols"])
        assert " " in spaced
        # The client sends it as `json.dumps` writes it.
        assert names((await client.call("ticker.price", symbols=TWO["symbols"]))["result"]) == [*TWO["symbols"]]
        assert (await client.get("/api/v3/ticker/price", symbols=spaced))[1]["code"] == -1100

    tell(story, **TWO)


@pytest.mark.parametrize(
    ("path", "values", "code"),
    [
        ("historicalTrades", {"fromId": FAR + 1}, -1108),
        ("aggTrades", {"fromId": FAR + 1}, -1108),
        ("historicalTrades", {"fromId": FAR}, None),
        ("aggTrades", {"fromId": FAR}, None),
        ("aggTrades", {"startTime": FAR}, None),
        ("klines", {"interval": "1M", "startTime": FAR}, None),
        ("klines", {"interval": "1s", "startTime": FAR}, None),
        ("klines", {"interval": "1M", "endTime": 0}, None),
        ("klines", {"interval": "1d", "timeZone": "0:99"}, -1102),
    ],
)
def test_numbers_and_times_that_are_far_away(
    tell: Any, path: str, values: dict[str, int | str], code: int | None
) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        _, body = await client.get(f"/api/v3/{path}", symbol="BTCUSDT", **values)
        assert (body["code"] if isinstance(body, dict) else body) == (code or [])

    tell(story)


def test_the_ticker_of_a_day_begins_at_midnight_of_a_zone(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        for zone, hours in ((None, 0), ("8", 8), ("-3:30", -3.5)):
            named = {"symbol": "BTCUSDT"} | ({} if zone is None else {"timeZone": zone})
            _, row = await client.get("/api/v3/ticker/tradingDay", **named)
            assert (row["openTime"] + hours * 3_600_000) % 86_400_000 == 0
            assert row["closeTime"] == row["openTime"] + 86_399_999
            candles = (await client.get("/api/v3/klines", **named, interval="1d", limit=1))[1]
            assert [row["openTime"], row["closeTime"]] == [candles[0][0], candles[0][6]]
        short = (await client.call("ticker.tradingDay", symbols=["BTCUSDT"], type="MINI"))["result"]
        assert [(one["symbol"], "priceChange" in one, "openPrice" in one) for one in short] == [
            ("BTCUSDT", False, True)
        ]
        for path in ("ticker/tradingDay", "ticker", "ticker/24hr"):
            odd = await client.get(f"/api/v3/{path}", symbol="BTCUSDT", type="LONG")
            assert odd == (400, {"code": -1139, "msg": "Invalid ticker type."})
        assert (await client.get("/api/v3/ticker/tradingDay"))[1]["code"] == -1102

    tell(story)
