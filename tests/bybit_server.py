"""A server that replays frames of Bybit v5 as its documentation shows them."""

from __future__ import annotations

import json
import time
from typing import Any, Self

from aiohttp import WSMsgType, web

TRADE = {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "L": "PlusTick", "BT": False}
TICKER = {
    "symbol": "BTCUSDT", "tickDirection": "PlusTick", "price24hPcnt": "0.017103", "lastPrice": "17216.00",
    "prevPrice24h": "16926.50", "highPrice24h": "17281.50", "lowPrice24h": "16915.00", "prevPrice1h": "17238.00",
    "markPrice": "17217.33", "indexPrice": "17227.36", "openInterest": "68744.761",
    "openInterestValue": "1183601235.91",
    "turnover24h": "1570383121.943499", "volume24h": "91705.276", "nextFundingTime": "1673280000000",
    "fundingRate": "-0.000212", "bid1Price": "17215.50", "bid1Size": "84.489",
    "ask1Price": "17216.00", "ask1Size": "83.020",
}  # fmt: skip


def book(kind: str, update: int, bids: list[list[str]], asks: list[list[str]], depth: int = 50) -> dict[str, Any]:
    """A message of an order book."""
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": 7961638724 + update}
    times = {"ts": 1672304484978 + update % 100, "cts": 1672304484976 + update % 100}
    return {"topic": f"orderbook.{depth}.BTCUSDT", "type": kind, "data": data, **times}


def told(topic: str, data: Any, kind: str = "snapshot") -> dict[str, Any]:
    """A message of now."""
    now_ms = time.time_ns() // 10**6
    return {"topic": topic, "type": kind, "ts": now_ms, "cts": now_ms, "cs": 1, "data": data}


def replayed(category: str) -> dict[str, list[dict[str, Any]]]:
    """What is sent after a topic was subscribed to."""
    ids = (
        ["2290000000000001", "2290000000000002"]
        if category == "spot"
        else ["20f43950-d8dd-5b31-9112-a178eb6023af", "b"]
    )
    trades = [TRADE | {"i": ids[0]}, TRADE | {"i": ids[1], "S": "Sell", "p": "16578.00", "v": "1.2"}]
    snapshot = [["16493.50", "0.006"], ["16493.00", "0.100"]], [["16611.00", "0.029"], ["16612.00", "0.213"]]
    return {
        "publicTrade.BTCUSDT": [
            {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1672304486868, "data": trades},
        ],
        "orderbook.50.BTCUSDT": [
            book("snapshot", 18521288, *snapshot),
            book("delta", 18521289, [["16493.50", "0"], ["16494.00", "1.5"]], [["16612.00", "0.5"]]),
            book("delta", 18521290, [["16400.00", "0"]], []),
        ],
        "orderbook.1.BTCUSDT": [
            book("snapshot", 77, [["16493.50", "0.006"]], [["16611.00", "0.029"]], 1),
            book("snapshot", 77, [["16493.50", "0.006"]], [["16611.00", "0.029"]], 1),
        ],
        "tickers.BTCUSDT": [
            {"topic": "tickers.BTCUSDT", "type": "snapshot", "data": TICKER, "cs": 24987956059, "ts": 1673272861686},
            {"topic": "tickers.BTCUSDT", "type": "delta", "cs": 2, "ts": 1673272861786,
             "data": {"symbol": "BTCUSDT", "markPrice": "17218.00", "bid1Price": "17215.00", "fundingRate": ""}},
        ],
        "kline.1.BTCUSDT": [
            {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": 1672324988882, "data": [
                {"start": 1672324920000, "end": 1672324979999, "interval": "1", "open": "16649.5", "close": "16677",
                 "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005", "confirm": confirm,
                 "timestamp": 1672324988882}
            ]} for confirm in (False, True, True)
        ],
    }  # fmt: skip


_COMMON = {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"}
INSTRUMENTS = {
    "spot": _COMMON
    | {
        "innovation": "0",
        "marginTrading": "both",
        "lotSizeFilter": {
            "basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.000048",
            "maxOrderQty": "71.73956243", "minOrderAmt": "1", "maxOrderAmt": "4000000",
        },
        "priceFilter": {"tickSize": "0.01"},
    },
    "linear": _COMMON
    | {
        "contractType": "LinearPerpetual",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "priceScale": "2",
        "settleCoin": "USDT",
        "fundingInterval": 480,
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.01"},
        "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001",
                          "minNotionalValue": "5"},
    },
}  # fmt: skip


class BybitServer:
    """The server, for the length of an ``async with``; it keeps what was sent to it.

    With ``frames`` it sends those after a subscription, by topic, tells the time of now, and a test sends more.
    """

    def __init__(self, frames: dict[str, list[dict[str, Any]]] | None = None) -> None:
        self.received: list[dict[str, Any]] = []
        self.host = ""
        self.frames = frames
        self._subscribed: dict[web.WebSocketResponse, set[str]] = {}

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/v5/public/{category}", self._socket)
        application.router.add_get("/v5/market/{what}", self._rest)
        self._runner = web.AppRunner(application, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.host = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def push(self, *frames: dict[str, Any] | str) -> None:
        """Send frames to those who subscribed to their topics; a text to all."""
        for frame in frames:
            for socket, topics in list(self._subscribed.items()):
                if isinstance(frame, str):
                    await socket.send_str(frame)
                elif frame["topic"] in topics:
                    await socket.send_json(frame)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        topics = self._subscribed[socket] = set()
        frames = replayed(request.match_info["category"])
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            self.received.append(asked)
            if asked["op"] == "ping":
                await socket.send_json({"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"})
                continue
            if self.frames is not None:
                frames = {topic: self.frames.get(topic, []) for topic in asked["args"]}
            unknown = [topic for topic in asked["args"] if topic not in frames]
            answer = {"success": not unknown, "ret_msg": f"unknown {unknown}" if unknown else "", "conn_id": "c"}
            await socket.send_json(answer | {"req_id": asked.get("req_id", ""), "op": asked["op"]})
            topics.difference_update(asked["args"])
            for topic in asked["args"] if asked["op"] == "subscribe" and not unknown else []:
                topics.add(topic)
                for frame in frames[topic]:
                    await socket.send_json(frame)
        del self._subscribed[socket]
        return socket

    async def _rest(self, request: web.Request) -> web.Response:
        what, category = request.match_info["what"], request.query.get("category", "")
        now_ns = 1688639403423213947 if self.frames is None else time.time_ns()
        answers: dict[str, Any] = {
            "time": {"timeSecond": str(now_ns // 10**9), "timeNano": str(now_ns)},
            "instruments-info": {"category": category, "nextPageCursor": "",
                                 "list": [INSTRUMENTS[category]] if category in INSTRUMENTS else []},
            "kline": {"symbol": "BTCUSDT", "category": category, "list": [
                ["1670608860000", "17071", "17073", "17027", "17055.5", "2.686", "1"],
                ["1670608800000", "17070", "17071.5", "17070", "17071", "1.5", "1"]]},
        }  # fmt: skip
        if what not in answers:
            return web.json_response({"retCode": 10001, "retMsg": f"no {what}", "result": {}, "time": 1})
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": answers[what], "retExtInfo": {}, "time": 1})
