"""Who comes in, who does not, and what bad requests are told."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import resource
import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

import tradewind as tw
from tradewind.config import Control as Settings
from tradewind.control import Control, ControlServer
from tradewind.control.door import Door, read_token, write_owned
from tradewind.control.gate import MOST_CONNECTIONS, Gate, Sparse
from tradewind.errors import TradewindError

PATHS = ("value", "trading", "cancel", "close", "open", "parameter", "stop")


def send(
    control: Control, verb: str, path: str, body: bytes | None = None, **headers: str | None
) -> tuple[int, dict[str, Any]]:
    """A request as it is, with the token unless another header says otherwise."""
    parts = urlsplit(control.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    given = {**control.headers, "Content-Type": "application/json", **headers}
    try:
        connection.request(verb, path, body, {name: text for name, text in given.items() if text is not None})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_nobody_comes_in_without_the_token_or_from_a_foreign_page(steer: Any) -> None:
    async def work(one: Any) -> None:
        port = urlsplit(one.client.url).port
        foreign: list[tuple[int, dict[str, str | None]]] = [
            (401, {"Authorization": None}),
            (401, {"Authorization": "Bearer "}),
            (401, {"Authorization": "Bearer " + "x" * 43}),
            (401, {"Authorization": one.client.headers["Authorization"] + "x"}),
            (401, {"Authorization": "Bearer é"}),
            (403, {"Origin": "https://evil.example"}),
            (403, {"Origin": "null"}),
            (403, {"Origin": "http://["}),
            (403, {"Origin": "http://[", "Authorization": None}),
            (403, {"Origin": f"http://127.0.0.1:{port + 1 if port else 0}"}),
            (403, {"Host": f"evil.example:{port}"}),
            (403, {"Host": "127.0.0.1"}),
            (403, {"Sec-Fetch-Site": "cross-site"}),
        ]
        for status, headers in foreign:
            for verb, path in [("GET", "status"), ("GET", "manifest"), ("GET", "audit"), *(("POST", p) for p in PATHS)]:
                found = await one.ask(lambda c, v=verb, p=path, h=headers: send(c, v, f"/{p}", b"{}", **h))
                assert found[0] == status and found[1]["code"] == "not_allowed", (path, headers, found)
        for headers in ({"Origin": f"http://localhost:{port}"}, {"Host": f"localhost:{port}"}):
            assert (await one.ask(lambda c, h=headers: send(c, "GET", "/status", **h)))[0] == 200
        assert one.session.is_running and not one.kernel.open_orders()

    steer(work)


def order(**more: Any) -> str:
    """An order, with something about it."""
    return json.dumps({"strategy": "busy", "instrument": "binance_spot:BTCUSDT", "side": "buy", "quantity": 1} | more)


def lacking(*names: str) -> list[tuple[str, str]]:
    return [(name, "missing_setting") for name in names]


def bad(*names: str) -> list[tuple[str, str]]:
    return [(name, "bad_setting") for name in names]


UNKNOWN = [("strategy", "unknown_strategy")]
MISTAKES: list[tuple[str, str, int, str, list[tuple[str, str]]]] = [
    ("open", "{}", 400, "missing_setting", lacking("strategy", "instrument", "side", "quantity")),
    (
        "open",
        order(strategy="busi", instrument="x:y", side="up", quantity=-1, price="a", colour=1),
        400,
        "bad_setting",
        [
            *bad("side", "quantity"),
            ("price", "not_a_number"),
            *bad("colour"),
            ("strategy", "unknown_strategy"),
            ("instrument", "unknown_instrument"),
        ],
    ),
    ("open", order(quantity="0.0000001"), 400, "off_grid", []),
    ("open", order(quantity=1e-30), 400, "out_of_range", [("quantity", "out_of_range")]),
    ("open", order(price="0.001"), 400, "off_grid", []),
    ("open", order(time_in_force="post_only"), 400, "bad_price", []),
    ("open", order(quantity=1e18), 400, "out_of_range", []),
    ("open", order(quantity=True), 400, "wrong_type", [("quantity", "wrong_type")]),
    ("cancel", '{"order": 1, "strategy": "busy"}', 400, "bad_setting", bad("")),
    ("cancel", '{"order": 4711}', 404, "unknown_order", []),
    ("cancel", '{"order": -1}', 400, "bad_setting", bad("order")),
    ("cancel", '{"order": 18446744073709551616}', 400, "bad_setting", bad("order")),
    ("trading", '{"on": "yes"}', 400, "wrong_type", [("on", "wrong_type")]),
    ("value", '{"name": "mood"}', 400, "missing_setting", lacking("value")),
    ("value", '{"name": "mood", "value": "x", "kind": "number"}', 400, "not_a_number", []),
    ("value", '{"name": "mood", "value": 1, "time": "2026-01-01"}', 400, "wrong_type", [("time", "wrong_type")]),
    ("value", '{"name": "mood", "value": 1, "time": "2126-01-01T00:00:00Z"}', 400, "bad_setting", []),
    ("value", '{"name": "mood", "value": 1, "time": "1500-01-01T00:00:00Z"}', 400, "bad_setting", []),
    ("value", '{"name": "mood", "value": 1, "time": "0001-01-01T00:00:00Z"}', 400, "bad_setting", []),
    ("value", '{"name": "mood", "value": 1, "time": "0001-01-01T00:00:00+14:00"}', 400, "bad_setting", []),
    ("value", '{"name": "", "value": 1}', 400, "bad_setting", bad("name")),
    ("value", '{"name": "mood", "value": NaN}', 400, "wrong_type", []),
    ("value", "[1]", 400, "wrong_type", []),
    ("value", '{"name": ', 400, "wrong_type", []),
    ("value", "[" * 100_000, 400, "wrong_type", []),
    ("value", "\xff", 400, "wrong_type", []),
    ("value", '{"name": "mood", "value": "' + "x" * 2_000_000 + '"}', 413, "out_of_range", []),
    ("parameter", '{"strategy": "busi", "name": "x", "value": 1}', 400, "unknown_strategy", UNKNOWN),
    ("stop", '{"now": true}', 400, "bad_setting", bad("now")),
]


def test_all_mistakes_of_a_request_come_at_once_and_harm_nothing(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        before = one.session.audit.last
        for path, body, status, code, problems in MISTAKES:
            found, told = await one.ask(lambda c, p=path, b=body: send(c, "POST", f"/{p}", b.encode("latin-1")))
            assert (found, told["code"]) == (status, code), (body[:200], told)
            assert [(each["place"], each["code"]) for each in told.get("problems", [])] == problems, (body, told)
            assert told["message"] and set(told) <= {"code", "message", "hint", "problems"}
        found, told = await one.ask(lambda c: send(c, "POST", "/stop", b"{}", **{"Content-Type": "text/plain"}))
        assert (found, told["code"]) == (400, "wrong_type")
        for encoding in ("gzip", "deflate", "nonsense"):
            packed = {"Content-Encoding": encoding}
            found, told = await one.ask(lambda c, h=packed: send(c, "POST", "/trading", b'{"on": 1, "of": 2}', **h))
            assert found == 400, told
        found, told = await one.ask(lambda c: send(c, "GET", "/stauts"))
        assert found == 404 and "/status" in told["hint"]
        found, told = await one.ask(lambda c: send(c, "GET", "/open"))
        assert found == 405 and told["hint"] == "use POST"
        found, told = await one.ask(lambda c: send(c, "GET", "/audit?after=-1"))
        assert found == 400 and told["code"] == "bad_setting"
        assert one.session.is_running and one.session.audit.last >= before

    steer(work)
    assert tw.journal.replay(tmp_path / "runs/busy/paper").identical


def test_files_are_for_their_owner_only_and_go_with_the_session(steer: Any, tmp_path: Path) -> None:
    folder = tmp_path / "runs/busy/paper"

    async def work(one: Any) -> None:
        for name in ("control.json", "control.token"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert one.client.url.startswith("http://127.0.0.1:")
        token = (folder / "control.token").read_text().strip()
        assert token not in (folder / "control.json").read_text() and token not in repr(one.client)
        (folder / "control.token").chmod(0o644)
        with pytest.raises(TradewindError, match="others can read"):
            Control(folder)

    steer(work)
    assert not any(folder.glob("control.*"))


def test_the_token_is_in_nothing_that_a_session_writes(steer: Any, tmp_path: Path, capfd: Any) -> None:
    tokens = []

    async def work(one: Any) -> None:
        tokens.append(one.client.headers["Authorization"].removeprefix("Bearer "))
        await one.ask(lambda c: send(c, "GET", "/status", Authorization=f"Bearer {tokens[0]}x"))

    steer(work)
    out, err = capfd.readouterr()
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert files and not any(tokens[0].encode() in path.read_bytes() for path in files)
    assert tokens[0] not in out + err


def test_a_stated_token_file_stays_and_must_be_private(steer: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_owned(path, "t" * 32)
    more = f'\n[control]\ntoken_file = "{path}"\n'

    async def work(one: Any) -> None:
        assert one.client.headers["Authorization"] == "Bearer " + "t" * 32

    steer(work, more=more)
    assert path.read_text() == "t" * 32
    path.chmod(0o640)
    with pytest.raises(TradewindError, match="others can read the token"):
        steer(work, more=more)
    write_owned(path, "short")
    with pytest.raises(TradewindError, match="under 16 characters"):
        read_token(path)


def test_other_machines_do_not_reach_it_unless_that_is_said() -> None:
    with pytest.raises(TradewindError, match="other machines"):
        Settings(host="0.0.0.0")
    with pytest.raises(TradewindError, match="other machines"):
        Settings(host="192.168.1.2")
    for host in ("127.0.0.1", "::1", "localhost"):
        assert Settings(host=host).host == host


def test_an_open_door_still_wants_the_token(tmp_path: Path) -> None:
    door = Door(Settings(host="0.0.0.0", allow_remote=True), tmp_path, None)
    assert door.open(1234) == "http://127.0.0.1:1234"
    refused = door.refusal({"Host": "my.machine:1234"})
    assert refused is not None and refused[0] == 401
    token = (tmp_path / "control.token").read_text().strip()
    assert door.refusal({"Host": "my.machine:1234", "Authorization": f"Bearer {token}"}) is None
    door.close()


def test_a_port_that_is_taken_is_told(steer: Any) -> None:
    async def work(one: Any) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = Settings(port=taken.getsockname()[1])
            with pytest.raises(TradewindError, match="cannot listen on 127"):
                async with ControlServer(one.session, one.ready.about, settings):
                    pass

    steer(work)


def test_nothing_is_changed_before_the_start_and_behind_the_end(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        one.session.stop()
        for act in (lambda c: c.trading(True), lambda c: c.value("mood", 1)):
            with pytest.raises(TradewindError) as caught:
                await one.ask(act)
            assert caught.value.code == "not_running"

    steer(work)


def test_a_folder_without_a_session(tmp_path: Path) -> None:
    for folder, message in ((tmp_path, "no session runs in"), (tmp_path / "nowhere", "there is no folder")):
        with pytest.raises(TradewindError, match=message):
            Control(folder)
    for mode in ("paper", "live"):
        (tmp_path / mode).mkdir()
        with pytest.raises(TradewindError, match=f"tradewind run system.toml --mode {mode}"):
            Control(tmp_path / mode)
        (tmp_path / mode).rmdir()
    (tmp_path / "control.json").write_text("{")
    with pytest.raises(TradewindError, match="cannot be read"):
        Control(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["control.json"]
    with pytest.raises(TradewindError, match="the folder of a run, or a URL"):
        Control()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the other side has closed a connection."""
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""


def test_five_hundred_strangers_keep_nobody_out(steer: Any) -> None:
    async def work(one: Any) -> None:
        parts = urlsplit(one.client.url)
        opened = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(500)]
        assert (await one.ask(Control.status)).stage == "running"
        # The oldest had to go: no more descriptors are held than that.
        await asyncio.gather(*(ended(reader) for reader, _ in opened[: -MOST_CONNECTIONS + 1]))
        assert not opened[-1][0].at_eof()
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in opened), return_exceptions=True)

    steer(work)


STRANGERS = (b"", b"GET /status HTTP/1.1\r\nHost: x\r\n", b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")


async def is_sent_away(url: str, said: bytes) -> None:
    """Say something without a token, and wait for the end of the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(said)
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


def test_who_shows_no_token_in_time_is_sent_away_and_who_has_stays(steer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("tradewind.control.gate._STRANGER_SECONDS", 1.0)

    async def work(one: Any) -> None:
        async with aiohttp.ClientSession(headers=one.client.headers) as client:
            socket = await client.ws_connect(f"{one.client.url}/audit?after={one.session.audit.last}")
            await asyncio.gather(*(is_sent_away(one.client.url, said) for said in STRANGERS))
            assert (await socket.receive()).type is aiohttp.WSMsgType.BINARY and not socket.closed
            await socket.close()

    steer(work)


def test_what_is_no_http_is_told_in_a_line_now_and_then(steer: Any, caplog: Any) -> None:
    async def work(one: Any) -> None:
        parts = urlsplit(one.client.url)
        for _ in range(20):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(b"GET /status HTTP/1.1\r\nContent-Length: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.0 400")
            writer.close()
            await writer.wait_closed()

    steer(work)
    assert not [one for one in caplog.records if one.name.startswith("aiohttp")]
    told = [one for one in caplog.records if one.name == "tradewind.control.http"]
    assert len(told) <= 1 and not any(one.exc_info for one in told)


def test_one_line_a_minute_says_how_many_there_were() -> None:
    sparse, at = Sparse(), 1_000.0
    said = []
    for seconds in (0, 1, 59, 61, 62):
        record = logging.LogRecord("http", logging.ERROR, "", 0, "no HTTP from %s", ("x",), None)
        record.created = at + seconds
        if sparse.filter(record):
            said.append(record.getMessage())
    assert said == [f"control: no HTTP from x ({count} since it was last said)" for count in (1, 3)]


def test_a_process_with_few_descriptors_holds_few_connections(monkeypatch: Any) -> None:
    for limit, most in ((1_024, 128), (128, 32), (2, 1), (resource.RLIM_INFINITY, 128)):
        monkeypatch.setattr("resource.getrlimit", lambda kind, limit=limit: (limit, limit))
        assert Gate(asyncio.Protocol).most == most
