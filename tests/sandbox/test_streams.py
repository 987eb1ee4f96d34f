"""Market streams: books that can be rebuilt, forms of frames, subscriptions, and the ways in which they end."""

from __future__ import annotations

import asyncio
import gzip
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from patience import PATIENCE_SECONDS
from yarl import URL


async def messages(socket: Any, count: int) -> list[dict[str, Any]]:
    return [msgspec.json.decode((await socket.receive(PATIENCE_SECONDS)).data) for _ in range(count)]


def test_a_book_rebuilt_from_diffs_equals_the_matching_engine_s(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        market = sandbox.server.exchange.markets["BTCUSDT"]
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@depth@100ms") as socket:
            first = (await messages(socket, 1))[0]
            _, snapshot = await client.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
            assert snapshot["lastUpdateId"] >= first["U"] - 1
            last = snapshot["lastUpdateId"]
            book = {("b", price): quantity for price, quantity in snapshot["bids"]}
            book |= {("a", price): quantity for price, quantity in snapshot["asks"]}
            for _ in range(10):
                event = (await messages(socket, 1))[0]
                if event["u"] <= last:
                    continue
                assert event["U"] <= last + 1 <= event["u"] + 1
                last = event["u"]
                book |= {(side, price): quantity for side in "ba" for price, quantity in event[side]}
            sandbox.server.faults.on("quiet_market")
            while last < market.update_id:
                event = (await messages(socket, 1))[0]
                assert event["U"] == last + 1
                last = event["u"]
                book |= {(side, price): quantity for side in "ba" for price, quantity in event[side]}
            _, now = await client.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
            for side, name in (("b", "bids"), ("a", "asks")):
                levels = {price: quantity for (one, price), quantity in book.items() if one == side and float(quantity)}
                assert levels == dict(now[name])

    tell(story, activity=300)


def form(value: Any) -> Any:
    """Names, order and types; of text that is a number, how many decimals it has."""
    if isinstance(value, dict):
        return {name: form(one) for name, one in value.items()}
    if isinstance(value, list):
        return form(value[0]) if value and isinstance(value[0], list) else [form(one) for one in value]
    if isinstance(value, str) and value.replace(".", "").isdigit():
        return f"{len(value.partition('.')[2])} decimals"
    return type(value).__name__ if not isinstance(value, str) else value


def test_frames_have_the_form_of_the_recorded_ones(tell: Any, recorded: Path) -> None:
    wanted: dict[str, Any] = {}
    with gzip.open(recorded / "binance-raw/spot/btcusdt_20240808.gz", "rt") as file:
        for line, _ in zip(file, range(2_000), strict=False):
            frame = msgspec.json.decode(line.partition(" ")[2])
            name = frame.get("stream")
            if name and name not in wanted and frame["data"].get("b", True) and frame["data"].get("a", True):
                wanted[name] = frame
    assert len(wanted) == 3

    async def story(sandbox: Any, client: Any) -> None:
        found: dict[str, Any] = {}
        address = f"{sandbox.stream_url}/stream?streams={'/'.join(wanted)}"
        async with client.http.ws_connect(address) as socket:
            while len(found) < 3:
                frame = (await messages(socket, 1))[0]
                if frame["data"].get("b", True) and frame["data"].get("a", True):
                    found[frame["stream"]] = frame
        for name, frame in wanted.items():
            assert list(found[name]["data"]) == list(frame["data"])
            assert form(found[name]) == form(frame)
            for key, value in frame["data"].items():
                assert len(str(found[name]["data"][key])) == len(str(value)) or key not in "ETe"

    tell(story, activity=300)


def test_every_candle_is_closed_although_the_machine_stood_still(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@kline_1s") as socket:
            await messages(socket, 1)
            time.sleep(3.2)
            closed: list[int] = []
            while len(closed) < 4:
                closed += [one["k"]["t"] for one in await messages(socket, 1) if one["k"]["x"]]
            assert all(later - earlier == 1_000 for earlier, later in pairwise(closed)), closed

    tell(story)


def test_subscriptions_properties_and_mistakes(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(f"{sandbox.stream_url}/stream.binance.com/ws") as socket:

            async def ask(request: Any) -> Any:
                await socket.send_str(request if isinstance(request, str) else msgspec.json.encode(request).decode())
                while True:
                    answer = (await messages(socket, 1))[0]
                    if not {"stream", "e", "u"} & answer.keys():
                        return answer

            names = ["btcusdt@trade", "btcusdt@kline_1m", "nope@trade"]
            assert await ask({"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
            assert (await ask({"method": "LIST_SUBSCRIPTIONS", "id": "x"}))["result"] == names
            await ask({"method": "UNSUBSCRIBE", "params": names[:2], "id": 2})
            assert (await ask({"method": "LIST_SUBSCRIPTIONS", "id": 3}))["result"] == names[2:]
            assert (await ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 4}))["result"] is False
            await ask({"method": "SET_PROPERTY", "params": ["combined", True], "id": 5})
            assert (await ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 6}))["result"] is True
            assert (await ask("{nonsense"))["error"]["code"] == 3
            assert (await ask({"method": "FLY", "id": 7}))["error"]["code"] == 2
            assert (await ask([1]))["error"]["code"] == 2
            assert not any(
                "nope" in name and channel.is_wanted is False for name, channel in sandbox.server.hub.channels.items()
            )

    tell(story)


def test_every_other_stream_says_something(tell: Any) -> None:
    topics = [
        "aggTrade",
        "miniTicker",
        "ticker",
        "avgPrice",
        "kline_1s",
        "kline_1M",
        "depth5",
        "depth20@100ms",
        "ticker_1h",
    ]
    names = [f"btcusdt@{topic}" for topic in topics] + ["!miniTicker@arr"]

    async def story(sandbox: Any, client: Any) -> None:
        seen: dict[str, Any] = {}
        query = f"streams={'/'.join(names)}&timeUnit=MICROSECOND"
        async with client.http.ws_connect(f"{sandbox.stream_url}/stream?{query}") as socket:
            while len(seen) < len(names):
                frame = (await messages(socket, 1))[0]
                seen[frame["stream"]] = frame["data"]
        assert len(str(seen["btcusdt@ticker"]["E"])) == 16
        assert len(seen["btcusdt@depth5"]["bids"]) == 5
        assert seen["!miniTicker@arr"][0]["e"] == "24hrMiniTicker"

    tell(story, activity=100)


@pytest.mark.parametrize(
    "path",
    [
        "/stream?streams=btcusdt@kline_1s@+08:00",
        "/stream?streams=btcusdt%40kline_1s%40%2B08%3A00",
        "/ws/btcusdt@kline_1s@+08:00",
        "/ws/btcusdt%40kline_1s%40%2B08%3A00",
    ],
)
def test_streams_are_named_with_percent_signs_or_without(tell: Any, path: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(URL(f"{sandbox.stream_url}{path}", encoded=True)) as socket:
            frame = (await messages(socket, 1))[0]
            assert frame.get("data", frame)["k"]["i"] == "1s"

    tell(story)


@pytest.mark.parametrize("hours", [1, 4])
def test_a_window_begins_with_a_whole_minute(tell: Any, hours: int) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@ticker_{hours}h") as socket:
            event = (await messages(socket, 1))[0]
        assert (event["O"] % 60_000, (event["C"] - event["O"]) // 60_000) == (0, 60 * hours)

    tell(story)


def test_too_many_messages_end_a_connection(tell: Any) -> None:
    from tradewind.sandbox import Limits

    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws") as socket:
            for number in range(12):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            while True:
                message = await socket.receive(PATIENCE_SECONDS)
                if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                    break
            assert socket.close_code == 1008

    tell(story, limits=Limits())


def test_who_does_not_answer_pings_is_dropped_and_who_does_is_not(tell: Any) -> None:
    from tradewind.sandbox import Limits

    async def story(sandbox: Any, client: Any) -> None:
        async with (
            client.http.ws_connect(f"{sandbox.stream_url}/ws") as good,
            client.http.ws_connect(f"{sandbox.stream_url}/ws", autoping=False) as bad,
        ):
            reader = asyncio.create_task(good.receive())
            while (await bad.receive(PATIENCE_SECONDS)).type is aiohttp.WSMsgType.PING:
                pass
            assert bad.closed
            assert not reader.done()
            reader.cancel()

    tell(story, limits=Limits(ping_seconds=0.05, pong_seconds=0.2))


def test_an_old_connection_is_told_before_it_is_closed(tell: Any) -> None:
    from tradewind.sandbox import Limits

    async def story(sandbox: Any, client: Any) -> None:
        sandbox.server.notice_seconds = 0.05
        async with client.http.ws_connect(f"{sandbox.stream_url}/stream") as socket:
            assert (await messages(socket, 1))[0]["stream"] == "!serverShutdown"
            assert (await socket.receive(PATIENCE_SECONDS)).type is aiohttp.WSMsgType.CLOSE
        async with client.http.ws_connect(sandbox.api_url) as socket:
            assert (await messages(socket, 1))[0]["event"]["e"] == "serverShutdown"

    tell(story, limits=Limits(connection_seconds=0.1))


@pytest.mark.parametrize("name", ["!miniTicker@arr", "!ticker_1h@arr"])
def test_only_statistics_that_changed_are_told_together(tell: Any, name: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/{name}") as socket:
            (everything,) = await messages(socket, 1)
            assert [one["s"] for one in everything] == ["BTCUSDT", "ETHUSDT"]
            for symbol in ("ETHUSDT", "BTCUSDT"):
                await client.ask("POST", "order", symbol=symbol, side="BUY", type="MARKET", quantity="0.01")
                (changed,) = await messages(socket, 1)
                assert [one["s"] for one in changed] == [symbol]

    tell(story, symbols=("BTCUSDT", "ETHUSDT"), speed=0)
