"""The documented example of a venue of one's own works."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from patience import run, started, until

import tradewind as tw
from tradewind.control import Control
from tradewind.session.parity import parity

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_venue.py"


def test_the_example_streams_and_trades() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.stderr == ""
    trade = "Trade(tiny:COIN, 0.5 at 10.01)"
    assert done.stdout.split("\n")[:-1] == [trade] * 3 + ["AccountStatus", "Accepted", "Filled"]


def test_the_documented_paper_session_runs_as_it_is(tmp_path: Path) -> None:
    for name in ("own_venue.py", "own_venue.toml"):
        shutil.copy(EXAMPLE.with_name(name), tmp_path)
    system = tmp_path / "own_venue.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "ws://127.0.0.1:7000" in system.read_text()
    system.write_text(system.read_text().replace(":7000", f":{port}"))
    source = tmp_path / "own_venue.py"
    source.write_text(source.read_text().replace("PORT = 7000", f"PORT = {port}"))
    folder = tmp_path / "runs/own/paper"

    async def whole() -> tuple[int | None, str, str]:
        exchange = await asyncio.create_subprocess_exec(sys.executable, source, "serve", stdout=subprocess.PIPE)
        try:
            assert exchange.stdout is not None
            assert await exchange.stdout.readline() == f"tiny trades on 127.0.0.1:{port}; Ctrl-C ends it\n".encode()
            session = await started("run", str(system), "--mode", "paper", stdout=subprocess.PIPE)
            await until((folder / "control.json").exists)
            control = Control(folder)
            while not (await asyncio.to_thread(control.status)).fills:
                await asyncio.sleep(0.05)
            session.send_signal(signal.SIGINT)
            out, err = await session.communicate()
            return session.returncode, out.decode(), err.decode()
        finally:
            exchange.terminate()
            await exchange.communicate()

    code, out, err = run(whole())
    assert code == 0, err
    assert out.startswith("own (paper), ") and "total, EUR" in out
    assert tw.journal.replay(folder).identical and parity(folder).is_explained
