"""Thousands of connections, several addresses, slow readers, and encryption."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from patience import PATIENCE_SECONDS

from tradewind.cli import run
from tradewind.errors import TradewindError
from tradewind.sandbox import Limits, Sandbox, door

MANY = 2_000
HEAD = (
    "GET {} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
def many_files() -> None:
    """Enough open files for both ends of many connections, or a skip."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 3 * MANY and most != resource.RLIM_INFINITY:
        pytest.skip(f"a process may open {most} files here")
    if now < 3 * MANY and now != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 * MANY, most))


async def connect(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """A WebSocket, as far as the answer to its handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.format(path).encode())
    return reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode()


@pytest.mark.usefixtures("many_files")
def test_thousands_of_connections_are_served_and_leave_nothing_behind(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        opened = []
        for _ in range(MANY // 100):
            paths = ["/ws/btcusdt@trade", "/ws-api/v3"] * 50
            opened += await asyncio.gather(*(connect(sandbox.port, path) for path in paths))
        assert all(" 101 " in answer for _, _, answer in opened)
        assert len(sandbox.server.connections) == MANY
        assert (await client.ask("GET", "account"))[0] == 200
        listeners = [reader for reader, _, _ in opened[::2]]
        frames = await asyncio.gather(*(reader.readexactly(40) for reader in listeners))
        assert all(b'{"e":"trade"' in frame for frame in frames)
        for _, writer, _ in opened:
            writer.transport.abort()
        while sandbox.server.connections:
            await asyncio.sleep(0.01)
        assert not sandbox.server.hub.channels

    tell(story, activity=100)


def test_only_so_many_may_connect_in_five_minutes_from_an_address(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        statuses = []
        for _ in range(302):
            _, writer, answer = await connect(sandbox.port, "/ws")
            statuses.append(int(answer.split()[1]))
            writer.transport.abort()
        assert statuses == [101] * 300 + [429] * 2
        elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with (
            aiohttp.ClientSession(connector=elsewhere) as http,
            http.ws_connect(f"{sandbox.stream_url}/ws") as other,
        ):
            assert not other.closed
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story, limits=Limits())


def test_weights_and_bans_are_by_address_on_both_interfaces(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=elsewhere) as http:
            while (await client.get("/api/v3/ping"))[0] != 418:
                pass
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.http.ws_connect(sandbox.api_url)
            assert refused.value.status == 418
            async with http.ws_connect(sandbox.api_url) as socket:
                await socket.send_str('{"id":1,"method":"ping"}')
                assert (await socket.receive(PATIENCE_SECONDS)).json()["rateLimits"][0]["count"] == 3
            async with http.get(f"{sandbox.rest_url}/api/v3/ping") as answer:
                assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, "4")

    tell(story, limits=Limits(weight_per_minute=20))


@pytest.mark.usefixtures("many_files")
def test_who_connects_and_says_nothing_is_dropped(tell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_HEAD_SECONDS", 0.5)

    async def story(sandbox: Any, client: Any) -> None:
        opened = [await asyncio.open_connection("127.0.0.1", sandbox.port) for _ in range(500)]
        for place, (_, writer) in enumerate(opened):
            writer.write(b"GET /api/v3/ti"[: place % 10])
        assert (await client.get("/api/v3/ping"))[0] == 200
        for reader, writer in opened:
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
            writer.close()

    tell(story)


@pytest.mark.parametrize("path", ["/ws/btcusdt@trade", "/ws-api/v3"])
def test_a_slow_reader_is_dropped_and_others_go_on(tell: Any, path: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        _, writer, _ = await connect(sandbox.port, path)
        (slow,) = sandbox.server.connections
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@trade") as other:
            while not slow.end_reason:
                if path == "/ws-api/v3":
                    request = b'{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":5000}}'
                    writer.write(b"\x81" + bytes([0x80 | len(request)]) + b"\x00" * 4 + request)
                else:
                    slow.send(b"\x81\x7e\xff\xff" + b"x" * 65_535)
                await asyncio.sleep(0.001)
            assert slow.end_reason == "it reads too slowly"
            assert (await other.receive(PATIENCE_SECONDS)).json()["e"] == "trade"
        assert "dropped a connection of 127.0.0.1: it reads too slowly" in caplog.messages
        writer.close()

    tell(story, activity=100, limits=Limits.raised().model_copy(update={"backlog_bytes": 200_000}))


class _Here(AbstractResolver):
    """Every host name leads to this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        here = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
        )
        return [here]

    async def close(self) -> None:
        pass


def test_encrypted_connections_for_who_trusts_the_authority_under_binance_s_own_names() -> None:
    async def story() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0, tls=True) as sandbox:
            assert sandbox.rest_url.startswith("https://") and sandbox.stream_url.startswith("wss://")
            assert sandbox.authority is not None
            trusting = ssl.create_default_context(cadata=sandbox.authority.certificate.decode())
            connector = aiohttp.TCPConnector(ssl=trusting, resolver=_Here())
            async with aiohttp.ClientSession(connector=connector) as http:
                for host in ("127.0.0.1", "api.binance.com", "data-api.binance.vision"):
                    async with http.get(f"https://{host}:{sandbox.port}/api/v3/time") as answer:
                        assert answer.status == 200
                for url in ("stream.binance.com:{}/ws/btcusdt@trade", "ws-api.binance.com:{}/ws-api/v3"):
                    async with http.ws_connect(f"wss://{url.format(sandbox.port)}") as connected:
                        await connected.send_str('{"id":1,"method":"LIST_SUBSCRIPTIONS"}')
                        assert (await connected.receive(PATIENCE_SECONDS)).type is aiohttp.WSMsgType.TEXT
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await http.get(f"https://elsewhere.example:{sandbox.port}/api/v3/time")
            async with aiohttp.ClientSession() as http:
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await http.get(f"{sandbox.rest_url}/api/v3/time")

    asyncio.run(story())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_only_this_machine_is_served_unless_told_so(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", "--host", host, "--port", "0"]) != 0
    shown = capsys.readouterr().err
    assert "other machines could reach it" in shown
    assert "--any-host" in shown


def test_a_port_that_is_taken_is_an_error(tell: Any, tmp_path: Path) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        another = Sandbox(symbols=("BTCUSDT",), history_seconds=0, port=sandbox.port, state=tmp_path / "state.jsonl")
        with pytest.raises(TradewindError, match=r"already in use\nhint: name another with --port"):
            await another.__aenter__()
        assert (await client.get("/api/v3/ping"))[0] == 200

    tell(story)


def test_the_file_of_keys_is_its_owner_s_and_so_is_what_it_replaces(tmp_path: Path) -> None:
    from tradewind.cli.sandbox import _write_keys

    path = tmp_path / "keys.json"
    path.write_text("old")
    path.chmod(0o644)

    async def story() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0) as sandbox:
            made = [sandbox.new_account({"USDT": 1})]
            _write_keys(path, sandbox, made)
            assert json.loads(path.read_text())["keys"]["hmac"]["api_key"] == made[0].api_key

    asyncio.run(story())
    assert oct(path.stat().st_mode & 0o777) == "0o600"
