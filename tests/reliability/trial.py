"""One trial: a session that trades, a fault, its healing, and the books of both sides."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tradewind as tw
from reliability import ourselves
from reliability.books import Ours, differences, ours, theirs
from reliability.row import Row, Step
from reliability.system import journal_of, write_system
from reliability.venue import BooksError, Venue, venue
from reliability.watch import Watch, attend, glance, watching
from tradewind.journal import replay
from tradewind.session.run import Prepared, prepared

BEGIN_SECONDS = 15.0
HEAL_SECONDS = 30.0
SETTLE_SECONDS = 26.0
END_SECONDS = 25.0
DEPTH = 20
Work = Callable[[Prepared], Awaitable[None]]
_log = logging.getLogger("reliability")


@dataclass
class Outcome:
    """What came out of a trial.

    Parameters
    ----------
    row
        What went wrong.
    seconds
        From the end of the trouble until the session was in order and traded again; nothing where that did not come.
    problems
        What did not hold.

    """

    row: Row
    seconds: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether it healed, and everything held."""
        return self.seconds is not None and not self.problems


async def try_row(row: Row, folder: Path, seed: int = 5) -> Outcome:
    """Put a session through a row."""
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(row)
    async with venue(folder, seed=seed, **row.limits) as exchange:
        path = write_system(folder, exchange)
        with watching() as watch:
            trial = _Trial(row, exchange, folder, watch, outcome)
            await _session(path, watch, trial.run, outcome, may_end=row.stops or row.restarts)
            if row.restarts:
                await exchange.clear()
                await _session(path, watch, trial.run_again, outcome, may_end=False)
        await exchange.clear()
        await trial.finally_compare()
    return outcome


async def _session(path: Path, watch: Watch, work: Work, outcome: Outcome, *, may_end: bool) -> None:
    """A session for the length of some work; it may end by an error of the table where the row says so."""
    try:
        with await prepared(tw.System.read(path), "live") as ready:
            attend(watch, ready)
            await work(ready)
    except Exception as error:
        if not (may_end and isinstance(error, tw.TradewindError)):
            _log.info("the session ended", exc_info=error)
            outcome.problems.append(f"I5 the session ended by {type(error).__name__}: {_line(error, path.parent)}")


def _line(error: Exception, folder: Path) -> str:
    """The first line of an error, without the folder that nobody will find again."""
    return str(error).split("\n")[0].replace(f"{folder}/", "")


class _Trial:
    """A session in the hands of a row."""

    def __init__(self, row: Row, exchange: Venue, folder: Path, watch: Watch, outcome: Outcome) -> None:
        self._row, self._exchange, self._folder = row, exchange, folder
        self._watch, self._outcome = watch, outcome
        self._ready: Prepared
        self._running: asyncio.Task[None]

    async def run(self, ready: Prepared) -> None:
        """From the session's start to its end."""
        try:
            if not await self._begin(ready):
                return
            glancing = asyncio.create_task(glance(self._watch, ready))
            begun = time.monotonic()
            await self._trouble()
            ended = time.monotonic()
            await self._heal(ended)
            glancing.cancel()
            if self._row.must is not None:
                self._outcome.problems += self._row.must(self._watch, begun, ended)
            if not self._row.restarts:
                await self._compare_frozen()
        finally:
            await self._end()

    async def run_again(self, ready: Prepared) -> None:
        """After an end that was right: it goes on, and both sides are the same."""
        begun = time.monotonic()
        try:
            if await self._begin(ready):
                self._outcome.seconds = time.monotonic() - begun
                await self._compare_frozen()
        finally:
            await self._end()

    async def _begin(self, ready: Prepared) -> bool:
        self._ready = ready
        self._running = asyncio.create_task(ready.session.run(is_recovered=ready.is_recovered))
        before = self._fills()
        if await self._until(lambda: self._is_healthy() and self._fills() > before + 2, BEGIN_SECONDS):
            return True
        self._outcome.problems.append("the session did not begin to trade")
        return False

    async def _trouble(self) -> None:
        """Let the steps happen, side by side."""
        await asyncio.gather(*(self._step(step) for step in self._row.steps))

    async def _step(self, step: Step) -> None:
        await asyncio.sleep(step.at)
        own = ourselves.FAULTS.get(step.fault)
        if own is not None:
            await own(self._ready, step.seconds or 0.0)
            return
        parameters = dict(step.parameters)
        if parameters.get("account") == "ours":
            parameters["account"] = self._exchange.account
        if parameters.get("api_key") == "ours":
            parameters["api_key"] = self._exchange.keys["ed25519"]["api_key"]
        await self._exchange.on(step.fault, **parameters)
        if step.seconds is not None:
            await asyncio.sleep(step.seconds)
            await self._exchange.off(step.fault)

    async def _heal(self, ended: float) -> None:
        """Wait until it trades again, or until it has stopped to trade where it should."""
        before = self._fills()
        if self._row.stops or self._row.restarts:
            is_healed: Callable[[], bool] = lambda: self._running.done() or not self._ready.kernel.is_trading  # noqa: E731
        else:
            is_healed = lambda: self._is_healthy() and self._fills() > before  # noqa: E731
        if await self._until(is_healed, HEAL_SECONDS):
            self._outcome.seconds = time.monotonic() - ended
        else:
            down = [name for name, is_up in self._ready.session.health.connections.items() if not is_up]
            waiting = [f"{one['status']} order" for one in self._ready.kernel.open_orders()]
            state = "trading" if self._ready.kernel.is_trading else "not trading"
            self._outcome.problems.append(f"not healed in {HEAL_SECONDS:g} s: {', '.join([state, *down, *waiting])}")

    async def _compare_frozen(self) -> None:
        """While nothing happens both sides must come to the same, orders, money and book."""
        await self._exchange.clear()
        await self._exchange.on("quiet_market")
        found: list[str] = []
        for _ in range(int(SETTLE_SECONDS / 0.5)):
            await asyncio.sleep(0.5)
            found = await self._differences()
            if not found or self._running.done():
                break
        self._outcome.problems += found
        await self._exchange.off("quiet_market")

    async def _differences(self) -> list[str]:
        try:
            us = ours(journal_of(self._folder))
            return self._judged(us, await theirs(self._exchange, us)) + await self._book()
        except BooksError as error:
            return [f"I5 {error}"]

    def _judged(self, us: Ours, them: Any) -> list[str]:
        found = differences(us, them, may_differ=self._row.may_differ)
        if len(them.foreign) != self._row.foreign:
            found.append(f"I3 {len(them.foreign)} orders are not ours, such as {them.foreign[:1]}")
        return found

    async def _book(self) -> list[str]:
        """The session's book beside the venue's, or said to be stale (I4)."""
        if self._row.stops or self._running.done():
            return []
        self._watch.books.clear()
        self._ready.session.send("probe", 1.0)
        if not self._watch.books:
            return ["I4 the strategy was not asked"]
        is_stale, held = self._watch.books[-1]
        depth = await self._exchange.depth()
        told = tuple([(float(p), float(q)) for p, q in depth[side][:DEPTH]] for side in ("bids", "asks"))
        if is_stale or tuple(map(list, held)) == told:
            return ["I4 the book stays stale"] if is_stale and not self._row.stops else []
        wrong = sum(mine != other for mine, other in zip(held[0] + held[1], told[0] + told[1], strict=False))
        return [f"I4 {wrong} of {2 * DEPTH} levels of the book differ from the venue's, and it counts as fresh"]

    async def _end(self) -> None:
        self._ready.session.stop()
        done, _ = await asyncio.wait([self._running], timeout=END_SECONDS)
        if not done:
            self._outcome.problems.append(f"I5 the session did not end within {END_SECONDS:g} s")
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        else:
            self._running.result()

    async def finally_compare(self) -> None:
        """What is left behind the end: both books, no open order, and a journal that replays."""
        self._outcome.problems += self._watch.stormy_cancels()
        try:
            us = ours(journal_of(self._folder))
            them = await theirs(self._exchange, us)
        except (tw.TradewindError, BooksError) as error:
            self._outcome.problems.append(f"I1 the books cannot be read: {_line(error, self._folder)}")
            return
        self._outcome.problems += [one for one in self._judged(us, them) if one not in self._outcome.problems]
        if them.open and not self._row.stops:
            self._outcome.problems.append(f"I1 {len(them.open)} orders are open at the venue after the end")
        again = replay(journal_of(self._folder))
        if again.verdict == "diverged":
            self._outcome.problems.append(f"the replay: {again.problem}")
        if not self._row.is_quiet:
            self._outcome.problems += self._watch.stale_trades()
        if self._watch.refused and not self._row.refused:
            statuses = sorted({status for _, status in self._watch.refused})
            self._outcome.problems.append(f"I5 the venue answered {statuses} {len(self._watch.refused)} times")

    # What is looked at.

    def _is_healthy(self) -> bool:
        kernel, health = self._ready.kernel, self._ready.session.health
        is_known = all(one["status"] != "unknown" for one in kernel.open_orders())
        return len(health.connections) > 3 and all(health.connections.values()) and kernel.is_trading and is_known

    def _fills(self) -> int:
        return int(self._ready.kernel.outcome()["fills"])

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if condition():
                return True
            if self._running.done():
                return condition()
            await asyncio.sleep(0.05)
        return False
