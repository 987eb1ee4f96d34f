"""Nonsense is answered, and the exchange stays up."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
import random
import time
from typing import Any

import aiohttp
import pytest
from patience import PATIENCE_SECONDS
from sandbox_client import signed
from yarl import URL

UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
NONSENSE = [
    b"",
    b"\x00" * 200,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\n\r\n",
    b"BREW /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    UPGRADE % b"/nothing",
    UPGRADE % b"/ws?timeUnit=NANO",
    UPGRADE % b"/ws" + b"\x81\xff\x7f" + b"\xff" * 7 + b"\x00" * 8,
    UPGRADE % b"/ws" + b"\x83\x80" + b"\x00" * 4,
    UPGRADE % b"/ws" + b"\x89\xfe\x01\x00" + b"\x00" * 4 + b"a" * 256,
    UPGRADE % b"/ws-api/v3" + b"\x81\x02{}",
    b"a" * 100_000,
]


@pytest.mark.parametrize("data", NONSENSE)
def test_bytes_that_are_not_http(tell: Any, data: bytes) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(data)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        writer.close()
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story)


def test_requests_that_make_no_sense(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        cases = {
            "/api/v3/depth": -1102,
            "/api/v3/depth?symbol=": -1102,
            "/api/v3/depth?symbol=btcusdt": -1100,
            "/api/v3/depth?symbol=%FF": -1100,
            "/api/v3/depth?symbol=BTCUSDT&symbol=BTCUSDT": -1101,
            "/api/v3/depth?symbol=BTCUSDT&limit=x": -1100,
            "/api/v3/depth?symbol": -1100,
            "/api/v3/klines?symbol=BTCUSDT&interval=7m": -1120,
            "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=99999999999999999999": -1100,
            "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22%2C%22BTCUSDT%22%5D": -1151,
            "/api/v3/nothing": -1000,
            "/": -1000,
            "/sapi/v1/capital/config/getall": -1000,
        }
        for path, code in cases.items():
            status, body = await client.send("GET", path)
            assert (body["code"], status >= 400) == (code, True), path
        assert (await client.send("POST", "/api/v3/userDataStream"))[0] == 410
        await client.open()
        assert (await client.call("nothing"))["status"] == 400
        assert (await client.call("depth", symbol=None))["error"]["code"] == -1102
        assert (await client.call("klines", symbol="BTCUSDT", interval="1m", limit=2))["status"] == 200

    tell(story)


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "1", '"x"', '{"id":1}', '{"id":[],"method":"time"}', "\x00", '{"id":1,"method":7}',
        '{"id":%s,"method":"time"}' % ("9" * 5_000), '{"id":"%s","method":"time"}' % ("x" * 37),
        '{"id":"","method":"time"}', '{"id":1.5,"method":"time"}', '{"id":"a b","method":"time"}',
        '{"id":1,"method":"time","params":{"a":"\\ud800"}}',
        '{"id":1,"method":"time","params":{"a":%s}}' % ("[" * 100_000 + "]" * 100_000),
    ],
)  # fmt: skip
def test_websocket_requests_that_make_no_sense(tell: Any, text: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(sandbox.api_url) as socket:
            await socket.send_str(text)
            answer = (await socket.receive(PATIENCE_SECONDS)).json()
            assert answer["status"] == 400
            assert answer["error"]["code"] in (-1135, -1102, -1100)
            await socket.send_str('{"id":null,"method":"time"}')
            assert (await socket.receive(PATIENCE_SECONDS)).json()["status"] == 200

    tell(story)


@pytest.mark.parametrize(("text", "code"), [("[" * 100_000, 3), ("1" * 5_000 + "x", 3), ('"\\ud800"', 3)])
def test_requests_for_streams_that_make_no_sense(tell: Any, text: str, code: int) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws") as socket:
            await socket.send_str(text)
            assert (await socket.receive(PATIENCE_SECONDS)).json()["error"]["code"] == code

    tell(story)


def test_streams_that_do_not_exist_are_silent_and_disturb_nobody(tell: Any) -> None:
    odd = [
        "btcusdt@depthx",
        "btcusdt@depth7",
        "btcusdt@kline_7m",
        "btcusdt@kline_1m@+09:00",
        "BTCUSDT@trade",
        "@",
        "@arr",
    ]
    odd += [
        "!nothing@arr",
        "!ticker@arr",
        "!bookTicker",
        "nope@trade",
        "btcusdt@depth5@10ms",
        "btcusdt@ticker_2h",
        "x" * 5_000,
        "\u9019@trade",
    ]

    async def story(sandbox: Any, client: Any) -> None:
        sandbox.server.faults.on("old_trades")
        async with client.http.ws_connect(f"{sandbox.stream_url}/stream?streams=btcusdt@depth5@100ms") as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": odd, "id": 1})
            seen = [(await socket.receive(PATIENCE_SECONDS)).json() for _ in range(40)]
            assert {one.get("stream", "") for one in seen} == {"", "btcusdt@depth5@100ms"}

    tell(story, activity=300)


def test_a_huge_message_ends_its_connection_only(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        for url in (sandbox.api_url, f"{sandbox.stream_url}/ws"):
            async with client.http.ws_connect(url) as socket:
                await socket.send_str("x" * (2 << 20))
                assert (await socket.receive(PATIENCE_SECONDS)).type is not aiohttp.WSMsgType.TEXT
                assert socket.close_code == 1009
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        part = b"\xfe\xff\xff" + b"\x00" * 4 + b"x" * 65_535
        writer.write(UPGRADE % b"/ws" + b"\x01" + part + (b"\x00" + part) * 20)
        assert b"\x03\xf1a message is too big" in await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        writer.close()
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story)


def test_a_huge_body_is_not_read(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        packed = gzip.compress(b"a=1&" * 5_000_000)
        for body, headers in ((b"x" * (3 << 20), {}), (packed, {"Content-Encoding": "gzip"})):
            data = io.BytesIO(body)
            async with client.http.post(f"{sandbox.rest_url}/api/v3/order", data=data, headers=headers) as answer:
                assert answer.status == 413
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story)


def test_a_body_that_is_not_packed_as_it_says_or_does_not_come_is_no_failure_of_ours(
    tell: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        headers = {"Content-Encoding": "gzip"}
        async with client.http.post(f"{sandbox.rest_url}/api/v3/order", data=b"abc", headers=headers) as answer:
            assert answer.status == 400
        _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na=1")
        await writer.drain()
        assert (await client.get("/api/v3/ping"))[0] == 200
        writer.transport.abort()
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story)
    assert not [record for record in caplog.records if record.exc_info]


REQUESTS = [
    b'{"id":1,"method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","price":"1.5e3"}}',
    b'{"id":"a","method":"klines","params":{"symbol":"BTCUSDT","interval":"1m","startTime":0,"timeZone":"-1:00"}}',
    b'{"id":1,"method":"userDataStream.subscribe.signature","params":{"apiKey":"k","timestamp":1,"signature":"s"}}',
    b'{"id":1,"method":"ticker","params":{"symbols":["BTCUSDT","ETHUSDT"],"windowSize":"7d","type":"MINI"}}',
    b'{"method":"SUBSCRIBE","params":["btcusdt@depth5@100ms","!miniTicker@arr"],"id":1}',
    b'{"method":"SET_PROPERTY","params":["combined",true],"id":5}',
]
PATHS = [
    b"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=0&endTime=9999999999999&timeZone=-1:00&limit=5",
    b"/api/v3/depth?symbol=BTCUSDT&limit=500",
    b"/api/v3/ticker?symbols=%5B%22BTCUSDT%22%5D&windowSize=7d",
    b"/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime=1&endTime=2",
    b"/api/v3/account?timestamp=1&recvWindow=5000.123&signature=%2F",
]


def mutated(chance: random.Random, text: bytes) -> bytes:
    """A text with some of it changed, left out, repeated or put elsewhere."""
    found = bytearray(text)
    for _ in range(chance.randrange(1, 4)):
        at, length = chance.randrange(len(found)), chance.randrange(1, 6)
        piece = found[at : at + length]
        match chance.randrange(4):
            case 0:
                found[at : at + length] = chance.choice(
                    [b"\xff", b"\x00", b"null", b"-1", b"1e400", b"[]", b"{}", b'"', b"%"]
                )
            case 1:
                del found[at : at + length]
            case 2:
                found[at:at] = piece * chance.choice([1, 2, 500])
            case _:
                found[chance.randrange(len(found)) :] = piece + b" "
        found = found or bytearray(b" ")
    return bytes(found)


def test_mutated_requests_are_answered_and_nothing_breaks(tell: Any, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(3)

    async def story(sandbox: Any, client: Any) -> None:
        for url, frames in ((sandbox.api_url, REQUESTS), (f"{sandbox.stream_url}/ws", REQUESTS)):
            async with client.http.ws_connect(url) as socket:
                for _ in range(1_500):
                    await socket.send_frame(mutated(chance, chance.choice(frames)), aiohttp.WSMsgType.TEXT)
                await socket.send_str('{"id":"last","method":"time"}')
                while True:
                    answer = await socket.receive(PATIENCE_SECONDS)
                    assert answer.type is aiohttp.WSMsgType.TEXT
                    if "last" in answer.data or "unknown variant `time`" in answer.data:
                        break
        for _ in range(500):
            path = mutated(chance, chance.choice(PATHS)).translate(None, b" \r\n\x00#")
            url = URL(f"{sandbox.rest_url}/{path.decode('latin-1')}", encoded=True)
            async with client.http.get(url, headers={"X-MBX-APIKEY": client.credentials.api_key}) as answer:
                assert answer.status in (200, 400, 401, 404, 410), path
                is_http = answer.content_type == "application/json"
                assert answer.status == 200 or not is_http or "code" in await answer.json(), path
        assert not [record for record in caplog.records if record.exc_info or record.levelno > logging.ERROR]
        assert client.credentials.api_key not in caplog.text

    tell(story)


def test_unknown_symbols_and_client_ids_that_are_there_already(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "80000"}
        unknown = (400, {"code": -1121, "msg": "Invalid symbol."})
        assert await client.get("/api/v3/depth", symbol="NOPE") == unknown
        assert await client.ask("POST", "order", symbol="NOPE", **order) == unknown
        given = {"symbol": "BTCUSDT", "newClientOrderId": "same", **order}
        answers = await asyncio.gather(*(client.ask("POST", "order", **given) for _ in range(50)))
        assert sorted(status for status, _ in answers) == [200] + [400] * 49
        assert {body["msg"] for status, body in answers if status == 400} == {"Duplicate order sent."}
        await client.ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="same")
        _, again = await client.ask("POST", "order", **given)
        _, found = await client.ask("GET", "order", symbol="BTCUSDT", origClientOrderId="same")
        assert again["orderId"] == found["orderId"]
        assert len((await client.ask("GET", "allOrders", symbol="BTCUSDT"))[1]) == 2

    tell(story)


def test_a_replayed_signature_is_good_for_its_own_request_and_for_a_while_only(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        other, key = sandbox.new_account({"USDT": 1}), client.credentials.api_key
        order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=80000&newClientOrderId=once"
        query = f"{order}&timestamp={int(time.time() * 1_000)}"
        signature = signed(client.credentials, query.encode())

        async def send(text: str, api_key: str = key) -> Any:
            status, body = await client.send("POST", f"/api/v3/order?{text}&signature={signature}", key=api_key)
            return status if status == 200 else body["code"]

        assert [await send(query), await send(query)] == [200, -2010]
        assert await send(query.replace("0.01", "0.02")) == -1022
        assert await send(query, other.api_key) == -1022
        sandbox.server.faults.on("clock", seconds=6)
        assert await send(query) == -1021

    tell(story)


def test_keys_are_in_no_text(tell: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.ask("POST", "order", symbol="BTCUSDT")
        server = sandbox.server
        text = repr((client.credentials, server.venue.keys.values())) + str(server.exchange.accounts) + caplog.text
        assert client.credentials.secret not in text
        assert client.credentials.api_key not in text

    tell(story)
