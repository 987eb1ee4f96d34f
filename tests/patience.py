"""How long tests wait: generously, so that a machine that stalls makes none fail, and never for ever."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

PATIENCE_SECONDS = 60.0
"""How long is waited for one thing."""
_ENDING_SECONDS = 120.0
_WHOLE_SECONDS = 240.0

_Outcome = TypeVar("_Outcome")


def run(work: Coroutine[Any, Any, _Outcome]) -> _Outcome:
    """Run something to its end; where it waits for ever the traceback shows for what."""

    async def bounded() -> _Outcome:
        async with asyncio.timeout(_WHOLE_SECONDS):
            return await work

    return asyncio.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    """Wait for what must come."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE_SECONDS, "it did not come to that"
        await asyncio.sleep(0.01)


async def started(
    *arguments: str, program: Sequence[str | Path] = ("-m", "tradewind"), **settings: Any
) -> asyncio.subprocess.Process:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONFAULTHANDLER": "1"}
    command = [sys.executable, *program, *arguments]
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=environment, **settings)


async def ended(process: asyncio.subprocess.Process, sent: signal.Signals | None = None) -> tuple[int | None, str]:
    """The exit code of a process and what it said, after a signal; one that does not end says where it is."""
    if sent is not None:
        process.send_signal(sent)
    saying = asyncio.create_task(process.communicate())
    if not (await asyncio.wait([saying], timeout=_ENDING_SECONDS))[0]:
        process.send_signal(signal.SIGABRT)
    _, said = await saying
    return process.returncode, said.decode()
