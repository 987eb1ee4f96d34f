"""A terminal that is closed, or a pipe that nobody reads any more, ends a session in order, or not at all."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, ended, started
from session_bench import RESTING, Bench, on_bench

from tradewind.journal import Journal

PRINTING = (
    RESTING
    + """
    def more(self, order):
        print(order.status, flush=True)

    def on_stop(self, ctx):
        print("over", flush=True)
"""
)


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    """Processes begin as they do in a terminal, although the tests may run under nohup, which is inherited."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def _ended_in_order(bench: Bench) -> bool:
    with Journal(bench.folder / "runs/busy/live") as journal:
        return not bench.open_orders and bool(journal.ending.finished)


async def _run(bench: Bench, **settings: Any) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tradewind", "run", str(bench.path), "--mode", "live"]
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, "PYTHONHASHSEED": "0"}, **settings)


async def _code(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await process.wait()


async def _in_terminal(bench: Bench) -> tuple[asyncio.subprocess.Process, int]:
    """A run in a terminal of its own; gives the process and the other end of the terminal."""
    ours, theirs = pty.openpty()
    process = await _run(
        bench,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return process, ours


def test_a_run_ends_in_order_where_its_terminal_is_closed(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        process, terminal = await _in_terminal(bench)
        await bench.until(lambda: bench.open_orders)
        os.close(terminal)
        assert await _code(process) == 0
        assert _ended_in_order(bench)

    on_bench(tmp_path, PRINTING, work)


def test_that_a_terminal_was_closed_may_be_told_twice(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        process = await started("run", str(bench.path), "--mode", "live")
        await bench.until(lambda: bench.open_orders)
        assert process.stderr is not None
        said = (await process.stderr.readuntil(b"steers it")).decode()
        bench.faults.on("slow_order", delay_seconds=1.0)
        process.send_signal(signal.SIGHUP)
        said += (await process.stderr.readuntil(b"waits for nothing")).decode()
        code, more = await ended(process, signal.SIGHUP)
        assert code == 0 and "ending at once" not in more, said + more
        assert _ended_in_order(bench)

    on_bench(tmp_path, RESTING, work)


def test_a_run_goes_on_without_its_terminal_where_it_was_told_to(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
        process = await started("run", str(bench.path), "--mode", "live", **ignoring)
        await bench.until(lambda: bench.open_orders)
        process.send_signal(signal.SIGHUP)
        await asyncio.sleep(1)
        assert process.returncode is None and bench.open_orders
        code, said = await ended(process, signal.SIGTERM)
        assert code == 0, said
        assert _ended_in_order(bench)

    on_bench(tmp_path, RESTING, work)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGHUP])
def test_a_run_ends_in_order_where_nobody_reads_what_it_says(tmp_path: Path, sent: signal.Signals) -> None:
    async def work(bench: Bench) -> None:
        reading, writing = os.pipe()
        process = await _run(bench, stdout=writing, stderr=writing)
        os.close(writing)
        await bench.until(lambda: bench.open_orders)
        os.close(reading)
        process.send_signal(sent)
        assert await _code(process) == 0
        assert _ended_in_order(bench)

    on_bench(tmp_path, PRINTING, work)
