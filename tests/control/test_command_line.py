"""`tradewind ctl`, `view` and `cancel-all`, as a person types them, on a session of another process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, run
from session_exchange import exchange, write_keys, write_system

import tradewind as tw
from tradewind.cli import run as run_cli
from tradewind.cli.ctl import effect
from tradewind.journal import Journal

TRADER = Path(__file__).with_name("trader.py")
BTC = "binance_spot:BTCUSDT"
Ask = Callable[..., Awaitable[tuple[int, str, str]]]


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tradewind",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "0", "COLUMNS": "120"},
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def on_session(
    folder: Path,
    capsys: Any,
    work: Callable[[asyncio.subprocess.Process, Ask, Any], Awaitable[None]],
    mode: str,
    more: str = "",
) -> None:
    """A session in a process of its own, which `work` must end."""

    async def whole() -> None:
        async with exchange() as sandbox:
            keys = sandbox.new_account({"USDT": 100_000}, kind="HMAC")
            write_keys(folder, keys.api_key, keys.secret)
            path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, TRADER)
            path.write_text(path.read_text() + more)
            session = await start("run", str(path), "--mode", mode)
            at = folder / "runs/busy" / mode

            async def ask(*arguments: str) -> tuple[int, str, str]:
                capsys.readouterr()
                code = await asyncio.to_thread(run_cli, ["ctl", str(at), *arguments])
                return code, *capsys.readouterr()

            async def ready() -> None:
                while not (at / "control.json").exists():
                    assert session.returncode is None, await ended(session)
                    await asyncio.sleep(0.05)
                while True:
                    _, out, _ = await ask("status", "--json")
                    found = json.loads(out)
                    if found["rows"] > 3 and all(found["health"]["connections"].values()):
                        return

            try:
                await asyncio.wait_for(ready(), PATIENCE_SECONDS)
                await work(session, ask, sandbox.server.exchange.open_orders[keys.account])
            finally:
                if session.returncode is None:
                    session.kill()
                await session.wait()

    run(whole())


def test_a_session_is_steered_by_commands(tmp_path: Path, capsys: Any, snapshot: Any) -> None:
    said: list[str] = []

    async def work(session: Any, ask: Ask, _: Any) -> None:
        for arguments in (
            ("value", "mood", "0.5"),
            ("value", "mood", "7", "--text"),
            ("value", "weather", "rain"),
            ("value", "mood", "NaN"),
            ("value", "mood", "-Infinity"),
            ("value", "mood", "1e999"),
            ("value", "mood", ".5"),
            ("value", "mood", '{"a": 1'),
            ("value", "weather", "NaN", "--text"),
            ("open", "busy", BTC, "buy", "0.001", "--price", "70000.00"),
            ("open", "busy", BTC, "buy", "5"),
            ("open", "busy", BTC, "buy", "nan"),
            ("open", "busy", BTC, "buy", "much", "--price", "inf"),
            ("open", "busi", "binance_spot:BTC", "buy", "0.001"),
            ("cancel", "--order", "1"),
            ("cancel",),
            ("close", "--instrument", BTC),
            ("set", "busy", "size", "0.5"),
            ("set", "busy", "pace", "3", "--json"),
            ("set", "busy", "size", "5"),
            ("set", "busy", "size", "nan"),
            ("set", "busy", "tags", '["a"]'),
            ("trading", "off"),
            ("trading", "maybe"),
            ("cancle",),
            ("trading", "on", "--json"),
        ):
            code, out, err = await ask(*arguments)
            told = re.sub(r"(entry|sequence\": )[\d ,]+", r"\1 <number>", out + err).replace(str(tmp_path), "")
            said.append(f"$ tradewind ctl RUN {' '.join(arguments)}\n{told}{f'exit {code}' if code else ''}")
        code, out, _ = await ask("status")
        assert code == 0 and "busy (paper)  running, trading" in out and "tags = ['a']" in out
        code, out, err = await ended(await start("view", str(tmp_path / "runs/busy/paper")))
        assert code == 0 and "busy (paper)  running, trading" in out and not err
        assert (await ask("stop"))[0] == 0
        code, _, err = await ended(session)
        assert code == 0, err

    on_session(tmp_path, capsys, work, "paper")
    assert "\n".join(said) == snapshot
    assert tw.journal.replay(tmp_path / "runs/busy/paper").identical
    assert run_cli(["ctl", str(tmp_path / "runs/busy/paper"), "status"]) == 1


def test_ctrl_c_ends_in_order_and_says_how(tmp_path: Path, capsys: Any) -> None:

    async def work(session: Any, ask: Ask, open_orders: Any) -> None:
        assert (await ask("open", "busy", BTC, "buy", "0.001", "--price", "70000.00"))[0] == 0
        while not open_orders:
            await asyncio.sleep(0.01)
        session.send_signal(signal.SIGINT)
        code, _, err = await ended(session)
        assert code == 0 and "open orders are cancelled, answers awaited for up to 10s" in err
        assert not open_orders

    on_session(tmp_path, capsys, work, "live")
    with Journal(tmp_path / "runs/busy/live") as journal:
        assert journal.ending.finished


def test_ctrl_c_keeps_orders_if_told_to_and_cancel_all_takes_them(
    tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "120")

    async def work(session: Any, ask: Ask, open_orders: Any) -> None:
        for price in ("70000.00", "71000.00"):
            assert (await ask("open", "busy", BTC, "buy", "0.001", "--price", price))[0] == 0
        while len(open_orders) < 2:
            await asyncio.sleep(0.01)
        session.send_signal(signal.SIGINT)
        code, _, err = await ended(session)
        assert code == 0 and "open orders are kept" in err, err
        assert len(open_orders) == 2
        code, out, err = await ended(await start("cancel-all", str(tmp_path / "system.toml")))
        assert code == 0 and out.startswith("main (binance_spot): 2 cancelled, 0 left; nothing listed for "), err
        assert "open orders are cancelled: 2" in err
        assert not open_orders
        code, out, _ = await ended(await start("cancel-all", str(tmp_path / "system.toml"), "--json"))
        assert code == 0 and json.loads(out)[0]["cancelled"] == []

    on_session(tmp_path, capsys, work, "live", '\n[shutdown]\norders = "keep"\n')


def test_ctrl_c_closes_positions_where_the_file_says_so(tmp_path: Path, capsys: Any) -> None:

    async def work(session: Any, ask: Ask, _: Any) -> None:
        assert (await ask("open", "busy", BTC, "buy", "0.01"))[0] == 0
        while not json.loads((await ask("status", "--json"))[1])["positions"]:
            pass
        session.send_signal(signal.SIGINT)
        code, out, err = await ended(session)
        assert code == 0 and "open orders are cancelled, positions closed" in err, err
        assert re.search(r"^left open +nothing$", out, re.MULTILINE), out

    on_session(tmp_path, capsys, work, "paper", '\n[shutdown]\npositions = "close"\n')


@pytest.mark.parametrize(
    ("readers", "told"),
    [
        (["on_start", "on_trade"], ", which on_trade reads"),
        (["on_trade", "on_start", "on_timer"], ", which on_trade, on_timer read"),
        (["on_start"], "only on_start reads it"),
        ([], "no callback reads it"),
    ],
)
def test_what_a_parameter_does_is_told(readers: list[str], told: str) -> None:
    assert told in effect(readers)
    assert ("no effect" in effect(readers)) == (not set(readers) - {"on_start"})


@pytest.mark.parametrize("arguments", ["ctl --help", "ctl RUN open --help", "ctl RUN set --help"])
def test_help(arguments: str, snapshot: Any) -> None:
    async def run() -> tuple[int, str, str]:
        return await ended(await start(*arguments.split()))

    assert asyncio.run(run()) == (0, snapshot, "")


@pytest.mark.parametrize("arguments", [["ctl"], ["ctl", "-h"], ["ctl", "RUN"], ["ctl", "RUN", "set", "-h"]])
def test_help_is_given_wherever_it_is_asked_for(arguments: list[str], capsys: Any) -> None:
    assert run_cli(arguments) == 0
    assert "Usage: tradewind ctl RUN_FOLDER" in capsys.readouterr().out
