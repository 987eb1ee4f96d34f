"""Faults on our side of the wire: of the process, its loop and its disk (F13, F54, F55)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from unittest.mock import patch

from tradewind.errors import exception
from tradewind.journal import Block, SqliteStorage
from tradewind.session.run import Prepared


async def stalled_loop(ready: Prepared, seconds: float) -> None:
    """Nothing runs for a while: a pause of garbage collection, a callback that blocks, a laptop that sleeps."""
    time.sleep(seconds)


async def slow_disk(ready: Prepared, seconds: float) -> None:
    """Each write to the journal takes a quarter of a second."""
    put = SqliteStorage.put_block

    def slowly(self: SqliteStorage, block: Block) -> None:
        time.sleep(0.25)
        put(self, block)

    with patch.object(SqliteStorage, "put_block", slowly):
        await asyncio.sleep(seconds)


async def full_disk(ready: Prepared, seconds: float) -> None:
    """The journal cannot grow for a while."""

    def refuse(self: SqliteStorage, block: Block) -> None:
        raise exception("run_interrupted", "the journal cannot be written: database or disk is full")

    with patch.object(SqliteStorage, "put_block", refuse):
        await asyncio.sleep(seconds)


async def second_instance(ready: Prepared, seconds: float) -> None:
    """The same system is started once more; whoever lets it run trades twice."""
    path = ready.folder.parents[2] / "system.toml"
    command = [sys.executable, "-m", "tradewind", "run", str(path), "--mode", "live"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


FAULTS: dict[str, Callable[[Prepared, float], Awaitable[None]]] = {
    one.__name__: one for one in (stalled_loop, slow_disk, full_disk, second_instance)
}
