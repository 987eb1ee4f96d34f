"""Resident memory of a session that trades for a long time at many times the usual rate (F57)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reliability.books import differences, ours, theirs
from reliability.system import journal_of, write_system
from reliability.venue import RAISED, venue
from tradewind.journal import replay

USUAL = 20.0
"""How often a second the participants of a sandbox act, where nothing is stated."""
TIMES = 10
LIMIT = 1.05
_SETTLED_SECONDS = 600
_SAMPLE_SECONDS = 10.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class MemoryRun:
    """What a long run came to.

    Parameters
    ----------
    samples
        Seconds since the start, and resident bytes.
    problems
        Invariants that did not hold at the end.
    rows
        Market events that the session met.

    """

    samples: list[tuple[float, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rows: int = 0
    orders: int = 0
    fills: int = 0

    def at(self, seconds: float) -> int:
        """Resident bytes at a time, the highest of the minute before it."""
        near = [held for at, held in self.samples if seconds - 60 <= at <= seconds]
        return max(near, default=self.samples[-1][1])

    @property
    def ratio(self) -> float | None:
        """The memory at the end over that after ten minutes; nothing for a shorter run."""
        last = self.samples[-1][0]
        return self.at(last) / self.at(_SETTLED_SECONDS) if last > _SETTLED_SECONDS else None


def resident(process: int) -> int:
    """The resident memory of a process, in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_BYTES


async def watch_memory(folder: Path, seconds: float, say: Callable[[str], None]) -> MemoryRun:
    """Let a session trade, and look at its memory every ten seconds."""
    found = MemoryRun()
    async with venue(folder, activity=USUAL * TIMES, **RAISED) as exchange:
        path = write_system(folder, exchange)
        command = [sys.executable, "-m", "tradewind", "run", str(path), "--mode", "live"]
        with (folder / "session.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*command, stderr=log)
            begun = time.monotonic()
            while (passed := time.monotonic() - begun) < seconds and process.returncode is None:
                await asyncio.sleep(min(_SAMPLE_SECONDS, max(seconds - passed, 0.1)))
                if process.returncode is None:
                    found.samples.append((time.monotonic() - begun, resident(process.pid)))
                    at, held = found.samples[-1]
                    if len(found.samples) % 6 == 0:
                        say(f"{at / 60:5.1f} min {held / 1e6:8.1f} MB")
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            if await process.wait() != 0:
                found.problems.append(f"I5 the session ended with {process.returncode}")
        us = ours(journal_of(folder))
        found.problems += differences(us, await theirs(exchange, us))
    ending = us.ending
    assert ending is not None
    found.rows, found.orders, found.fills = ending.inputs, ending.orders, ending.fills
    again = replay(journal_of(folder))
    if not again.identical:
        found.problems.append(f"the replay: {again.problem}")
    return found
