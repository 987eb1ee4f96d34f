"""Faults of connections and market data."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest
from patience import PATIENCE_SECONDS

from tradewind.errors import TradewindError
from tradewind.sandbox import Limits

TRADES = "btcusdt@trade"
DEPTH = "btcusdt@depth@100ms"
QUOTES = "btcusdt@bookTicker"


class Listener:
    """A raw connection to some streams."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next event, of a kind."""
        while True:
            message = await self.socket.receive(PATIENCE_SECONDS)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            event = msgspec.json.decode(message.data, type=dict[str, Any])
            if kind is None or event.get("e") == kind:
                return event

    async def is_silent(self, seconds: float = 0.3) -> bool:
        try:
            await self.socket.receive(seconds)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def listen(tell: Any) -> Any:
    """Tells a story to a listener of some streams."""

    def run(streams: str, story: Any, **settings: Any) -> None:
        async def whole(sandbox: Any, client: Any) -> None:
            async with client.http.ws_connect(f"{sandbox.stream_url}/ws/{streams}") as socket:
                await story(sandbox.server, Listener(socket))

        tell(whole, **{"activity": 500, **settings})

    return run


def test_a_stall_is_silent_and_pings_go_on(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        await listener.next()
        server.faults.on("silent_stall")
        await asyncio.sleep(0.05)
        while not await listener.is_silent(0.3):
            pass
        server.faults.on("control_flood", number=5)
        assert await listener.is_silent(0.1)
        server.faults.off("silent_stall")
        await listener.next()

    listen(TRADES, story, limits=Limits(messages_per_second=100))


def test_a_quiet_market_does_nothing(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        await listener.next()
        server.faults.on("quiet_market")
        while not await listener.is_silent(0.3):
            pass
        server.faults.clear()
        await listener.next()

    listen(f"{TRADES}/{DEPTH}", story)


def test_subscriptions_get_lost_or_are_refused(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        request = {"method": "SUBSCRIBE", "params": [TRADES], "id": 1}
        server.faults.on("subscription_refused", occasions=1)
        await listener.socket.send_json(request)
        assert (await listener.next())["error"]["code"] == 2
        server.faults.on("lost_subscription", stream=TRADES, occasions=1)
        await listener.socket.send_json(request)
        assert (await listener.next()) == {"result": None, "id": 1}
        assert await listener.is_silent()
        await listener.socket.send_json({**request, "method": "UNSUBSCRIBE"})
        await listener.next()
        await listener.socket.send_json(request)
        assert (await listener.next()) == {"result": None, "id": 1}
        await listener.next("trade")

    listen("", story)


def test_who_does_not_answer_pings_is_dropped_even_if_it_did(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        server.faults.on("ignored_pongs")
        ended = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        assert (await listener.socket.receive(PATIENCE_SECONDS)).type in ended

    listen("", story, limits=Limits(ping_seconds=0.1, pong_seconds=0.2))


def test_pings_of_clients_are_not_answered(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        for fault, kind in ((None, aiohttp.WSMsgType.PONG), ("unanswered_pings", None)):
            if fault is not None:
                sandbox.server.faults.on(fault)
            async with client.http.ws_connect(f"{sandbox.stream_url}/ws", autoping=False) as socket:
                await socket.ping(b"a")
                if kind is None:
                    with pytest.raises(asyncio.TimeoutError):
                        await socket.receive(0.3)
                else:
                    assert (await socket.receive(PATIENCE_SECONDS)).type == kind

    tell(story)


def test_nothing_passes_a_connection_that_is_half_open(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        await listener.next()
        server.faults.on("half_open", kind="stream")
        while not await listener.is_silent(0.3):
            pass
        await listener.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert await listener.is_silent()
        assert len(server.connections) == 1 and not listener.socket.closed

    listen(TRADES, story)


def test_frames_of_other_kinds_say_the_same(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        for fault, kind in (("fragmented_frames", aiohttp.WSMsgType.TEXT), ("binary_frames", aiohttp.WSMsgType.BINARY)):
            server.faults.on(fault, seconds=5)
            while (message := await listener.socket.receive(PATIENCE_SECONDS)).type != kind:
                pass
            assert msgspec.json.decode(message.data)["s"] == "BTCUSDT"
            server.faults.off(fault)
        server.faults.on("large_frame", size=900_000)
        assert len((await listener.next("neverHeardOf"))["x"]) == 900_000
        server.faults.on("unknown_event")
        assert (await listener.next("neverHeardOf"))["x"] == {"y": None}
        server.faults.on("nonsense_frame", kind="stream")
        with pytest.raises(msgspec.DecodeError):
            while True:
                await listener.next()

    listen(f"{TRADES}/{DEPTH}", story)


def test_the_first_event_comes_with_the_handshake(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        sandbox.server.faults.on("early_data")
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        head = (
            "GET /stream?streams=btcusdt@trade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        writer.write(head.encode())
        assert b"neverHeardOf" in await asyncio.wait_for(reader.read(4_096), PATIENCE_SECONDS)
        writer.close()
        await writer.wait_closed()

    tell(story)


def test_books_go_on_far_ahead_and_lose_a_side(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        last = (await listener.next("depthUpdate"))["u"]
        server.faults.on("restarted_book", symbol="BTCUSDT", ahead=5_000_000)
        event = await listener.next("depthUpdate")
        while event["u"] < last + 1_000_000:
            event = await listener.next("depthUpdate")
        assert event["U"] > last + 1_000_000
        market = server.exchange.markets["BTCUSDT"]
        for side, asks in (("SELL", True), ("BUY", False)):
            server.faults.on("swept_book", symbol="BTCUSDT", side=side)
            assert market.best[1 if asks else 0] is None
        assert all(server.exchange.total(asset) == paid for asset, paid in server.exchange.paid_in.items())
        server.faults.on("unknown_levels")
        while ["0.01000000", "0.00000000"] not in (await listener.next("depthUpdate"))["b"]:
            pass
        with pytest.raises(TradewindError, match="DOGEUSDT"):
            server.faults.on("swept_book", symbol="DOGEUSDT")

    listen(DEPTH, story)


@pytest.mark.parametrize("how", ["crossed", "locked", "empty"])
def test_quotes_are_odd(listen: Any, how: str) -> None:
    async def story(server: Any, listener: Listener) -> None:
        server.faults.on("odd_quotes", how=how)
        while True:
            event = await listener.next()
            bid, ask = float(event["b"]), float(event["a"])
            if {"crossed": bid > ask, "locked": bid == ask > 0, "empty": bid == ask == 0}[how]:
                return

    listen(QUOTES, story)


def test_trades_come_again(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        server.faults.on("old_trades", number=3)
        newest = server.exchange.markets["BTCUSDT"].trade_id
        await listener.socket.send_json({"method": "SUBSCRIBE", "params": [TRADES], "id": 1})
        ids = [(await listener.next("trade"))["t"] for _ in range(10)]
        assert ids[0] <= newest and len(set(ids)) < len(ids)

    listen("", story)


@pytest.mark.parametrize("how", ["late", "unclosed", "reordered", "gap"])
def test_candles_are_odd(listen: Any, how: str) -> None:
    async def story(server: Any, listener: Listener) -> None:
        await listener.next("kline")
        server.faults.on("odd_candles", how=how)
        if how == "gap":
            assert await listener.is_silent(2.2)
            return
        seen = [(await listener.next("kline"))["k"] for _ in range(8)]
        starts, closed = [one["t"] for one in seen], {one["t"] for one in seen if one["x"]}
        if how == "late":
            assert any(one["x"] and one["v"].startswith("9999") for one in seen)
        elif how == "unclosed":
            assert not closed
        else:
            assert len(starts) == 8

    listen("btcusdt@kline_1s", story)


def test_events_have_more_fields(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        server.faults.on("unexpected_fields")
        while "neverHeardOf" not in await listener.next("trade"):
            pass

    listen(TRADES, story)


def test_an_old_snapshot_stays_old(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        sandbox.server.faults.on("old_snapshot")
        first = (await client.get("/api/v3/depth", symbol="BTCUSDT"))[1]
        await asyncio.sleep(0.3)
        assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[1] == first
        sandbox.server.faults.off("old_snapshot")
        assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[1]["lastUpdateId"] > first["lastUpdateId"]

    tell(story, activity=500)


def test_the_end_is_announced(listen: Any) -> None:
    async def story(server: Any, listener: Listener) -> None:
        server.faults.on("announced_disconnect", notice_seconds=0.1)
        assert (await listener.next())["e"] == "serverShutdown"
        assert (await listener.socket.receive(PATIENCE_SECONDS)).type is aiohttp.WSMsgType.CLOSE

    listen("", story)
