"""Nonsense is answered, and the exchange stays up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

NONSENSE = [
    b"",
    b"\x00" * 200,
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    b"a" * 100_000,
]


@pytest.mark.parametrize("data", NONSENSE)
def test_bytes_that_are_not_http(tell: Any, data: bytes) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(data)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
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
    "text", ["{", "[]", "1", '"x"', '{"id":1}', '{"id":[],"method":"time"}', "\x00", '{"id":1,"method":7}']
)
def test_websocket_requests_that_make_no_sense(tell: Any, text: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(sandbox.api_url) as socket:
            await socket.send_str(text)
            answer = (await socket.receive(5)).json()
            assert answer["status"] == 400
            assert answer["error"]["code"] in (-1135, -1102, -1100)
            await socket.send_str('{"id":null,"method":"time"}')
            assert (await socket.receive(5)).json()["status"] == 200

    tell(story)


def test_a_huge_message_ends_its_connection_only(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        async with client.http.ws_connect(sandbox.api_url) as socket:
            await socket.send_str("x" * (2 << 20))
            assert not isinstance((await socket.receive(5)).data, str)
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story)


def test_keys_are_in_no_text(tell: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.ask("POST", "order", symbol="BTCUSDT")
        server = sandbox.server
        text = repr((client.credentials, server.venue.keys.values())) + str(server.exchange.accounts) + caplog.text
        assert client.credentials.secret not in text
        assert client.credentials.api_key not in text

    tell(story)
