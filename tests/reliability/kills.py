"""A session whose process is killed at random moments, and started again (F54)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reliability.books import Ours, differences, ours, theirs
from reliability.system import journal_of, write_system
from reliability.venue import RAISED, Venue, venue
from tradewind.journal import replay

_START_SECONDS = 75.0
_SETTLE_SECONDS = 26.0
_GLANCE_SECONDS = 1.0
_EARLY = 0.25
"""Which share of the kills comes while the session starts and recovers."""


@dataclass
class Kills:
    """What came out.

    Parameters
    ----------
    kills
        How many there were, and how many of them while the session started.
    compared
        How often both sides were compared after a restart.
    problems
        What did not hold, and after which kill.
    seconds
        How long each restart took until the session traded again.

    """

    kills: int = 0
    early: int = 0
    compared: int = 0
    orders: int = 0
    fills: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class _Driver:
    """Starts the session's process, watches its journal, and ends it."""

    def __init__(self, folder: Path, exchange: Venue, found: Kills) -> None:
        self._folder, self._exchange, self._found = folder, exchange, found
        path = write_system(folder, exchange)
        self._command = [sys.executable, "-m", "tradewind", "run", str(path), "--mode", "live"]
        self._log = (folder / "session.log").open("ab")
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        self._process = await asyncio.create_subprocess_exec(*self._command, stderr=self._log, env=environment)

    async def end(self, sent: signal.Signals) -> None:
        """Send a signal, and wait for the process; one that had ended before is a problem."""
        if self._process.returncode is None:
            self._process.send_signal(sent)
        code = await self._process.wait()
        wanted = 0 if sent == signal.SIGINT else -sent
        if code != wanted:
            said = (self._folder / "session.log").read_text(errors="replace").strip().splitlines()[-3:]
            self._note(f"I5 the process ended with {code}: {' | '.join(said)}")

    async def compare(self) -> None:
        """Once it trades again: stop the market, and let both sides come to the same."""
        begun = time.monotonic()
        fills = len(await self._exchange.trades())
        while len(await self._exchange.trades()) <= fills + 1:
            if time.monotonic() - begun > _START_SECONDS or self._process.returncode is not None:
                self._note(f"it did not trade again within {_START_SECONDS:g} s of the restart")
                return
            await asyncio.sleep(_GLANCE_SECONDS)
        self._found.seconds.append(time.monotonic() - begun)
        await self._exchange.on("quiet_market")
        differing: list[str] = []
        begun = time.monotonic()
        while time.monotonic() - begun < _SETTLE_SECONDS:
            await asyncio.sleep(_GLANCE_SECONDS)
            differing = differences(us := self._ours(), await theirs(self._exchange, us))
            if not differing:
                break
        await self._exchange.off("quiet_market")
        self._found.compared += 1
        for one in differing:
            self._note(one)

    def _ours(self) -> Ours:
        return ours(journal_of(self._folder))

    async def finish(self) -> None:
        """The session has ended in order: the books of both sides, and the replay of all of it."""
        us = self._ours()
        them = await theirs(self._exchange, us)
        for one in differences(us, them):
            self._note(one)
        if them.open:
            self._note(f"I1 {len(them.open)} orders are open at the venue after the end")
        self._found.orders, self._found.fills = len(them.asked), them.fills.total()
        again = replay(journal_of(self._folder))
        if not again.identical:
            self._note(f"the replay: {again.problem}")
        self._log.close()

    def _note(self, problem: str) -> None:
        """A problem that stays is told once."""
        if any(one.endswith(f": {problem}") for one in self._found.problems):
            return
        self._found.problems.append(f"after kill {self._found.kills}: {problem}")


async def kill_often(folder: Path, kills: int, seed: int, say: Callable[[str], None]) -> Kills:
    """Kill a session again and again; after each restart that lives long enough both sides are compared."""
    chance = random.Random(seed)
    found = Kills()
    async with venue(folder, activity=60.0, **RAISED) as exchange:
        driver = _Driver(folder, exchange, found)
        await driver.start()
        while found.kills < kills:
            if chance.random() < _EARLY:
                found.early += 1
                await asyncio.sleep(chance.uniform(0.3, 2.5))
            else:
                await driver.compare()
                await asyncio.sleep(chance.uniform(0.0, 2.0))
            await driver.end(signal.SIGKILL)
            found.kills += 1
            say(f"kill {found.kills}/{kills}: {len(found.problems)} problems so far")
            await driver.start()
        await driver.compare()
        await driver.end(signal.SIGINT)
        await driver.finish()
    return found
