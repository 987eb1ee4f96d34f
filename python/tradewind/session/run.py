"""From a system file to a session that trades."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tradewind import _core
from tradewind.backtest import Settings
from tradewind.config.account import Adoption
from tradewind.config.code import make_strategy
from tradewind.control import About, Audit, ControlServer
from tradewind.control.status import is_daily_loss_reached
from tradewind.dataset import Dataset, definition
from tradewind.errors import TradewindError, exception
from tradewind.folders import made
from tradewind.instruments import InstrumentFields
from tradewind.journal.lock import only_one
from tradewind.journal.manifest import Manifest, manifest_of
from tradewind.journal.segment_writer import Keeping, SegmentWriter
from tradewind.journal.segments import FOLDER_NAME
from tradewind.session.client_ids import new_run
from tradewind.session.clock import SessionClock
from tradewind.session.connect import venue_parts
from tradewind.session.garbage import left_alone
from tradewind.session.raw import RAW, raw_recorded
from tradewind.session.reached import as_before
from tradewind.session.recovery import Earlier, GoingOn, earlier, go_on, may_have_left_orders, set_aside
from tradewind.session.rehearsal import rehearse_while_waiting
from tradewind.session.report import SessionReport, reported
from tradewind.session.session import Session, VenueParts
from tradewind.session.signals import ended_by_signals
from tradewind.session.slowness import slow_callbacks_told
from tradewind.session.specifications import misfits
from tradewind.session.terminal import outlived_outputs
from tradewind.session.waiting import event_loop
from tradewind.simulation import TYPICAL
from tradewind.table import counts_text
from tradewind.times import duration_ns
from tradewind.venues import VenueClock

if TYPE_CHECKING:
    from tradewind.config.system import System

log = logging.getLogger(__name__)
_STREAMS = ("trades", "quotes", "book", "marks", "funding")
_LINE_SECONDS = 5.0


@dataclass
class Prepared:
    """A session that is ready to run, with what it writes."""

    session: Session
    kernel: _core.Session
    writer: SegmentWriter
    folder: Path
    is_recovered: bool
    about: About
    told: tuple[str, ...] = ()


def run(
    system: System,
    mode: Literal["paper", "live"],
    say: Callable[[str], None] = lambda _: None,
    show: Callable[[SessionReport], None] = lambda _: None,
    *,
    accepts_changes: bool = False,
) -> int:
    """Run a system until Ctrl-C, SIGTERM or the end of its terminal; gives the exit code.

    What goes on is said some times a minute; how it went is shown at the end, also where an error ends it.
    Positions that were to be closed and are not make the exit code 1.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    runner = asyncio.Runner(loop_factory=lambda: event_loop(is_busy=system.run.busy_wait))
    try:
        with outlived_outputs(), runner:
            return runner.run(_run(system, mode, say, show, accepts_changes=accepts_changes))
    except KeyboardInterrupt:
        say("ended before it began; orders of an earlier start may be open: start it again, or tradewind cancel-all")
        return 130


async def _run(
    system: System,
    mode: Literal["paper", "live"],
    say: Callable[[str], None],
    show: Callable[[SessionReport], None],
    *,
    accepts_changes: bool,
) -> int:
    # Reported is what is there when the journal is closed.
    with reported(show) as sessions:
        try:
            preparing = await prepared(system, mode, accepts_changes=accepts_changes)
            with preparing as ready, ended_by_signals(system.shutdown, ready.session, say):
                sessions.append(ready)
                await _told(system, mode, ready, say)
        except Exception:
            if mode == "live" and not sessions and may_have_left_orders(system.journal_folder(mode) / FOLDER_NAME):
                left = "what it holds stays at the venue, and orders of it may be open (tradewind cancel-all)"
                say(f"the run was cut off before, and does not go on: {left}")
            raise
    return int(ready.session.is_unclosed)


async def _told(system: System, mode: Literal["paper", "live"], ready: Prepared, say: Callable[[str], None]) -> None:
    """Run a session, and say what goes on."""
    verb = "goes on" if ready.is_recovered or ready.told else "starts"
    say(f"{system.run.name} {verb} in the mode {mode}; its journal is in {ready.folder}; Ctrl-C ends it")
    for line in ready.told:
        say(line)
    switch = f"tradewind ctl {ready.folder} trading on"
    if ready.kernel.awaits_start:
        say(f"trading is off until you turn it on, as changes were accepted: {switch}")
    elif ready.is_recovered and not (ready.kernel.has_stopped or ready.kernel.is_trading or ready.kernel.is_warming):
        say(f"trading is off, as it was when the run was cut off: {switch}")
    ready.session.watch(_now_and_then(lambda: say(_line(ready.kernel, ready.session))))
    async with served(system, ready) as server:
        if server is not None:
            say(f"tradewind view {ready.folder} shows it, tradewind ctl {ready.folder} steers it")
        with left_alone():
            await ready.session.run(is_recovered=ready.is_recovered)


def served(system: System, ready: Prepared) -> AbstractAsyncContextManager[Any]:
    """A context in which the session can be steered, where the system says so."""
    settings = system.control
    if not settings.enabled:
        return nullcontext()
    token_file = None if settings.token_file is None else system.path(settings.token_file)
    return ControlServer(ready.session, ready.about, settings, token_file)


def _now_and_then(act: Callable[[], None]) -> Callable[[], None]:
    """Act when it was not done for a while."""
    last = time.monotonic()

    def watch() -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            act()

    return watch


def _line(kernel: _core.Session, session: Session) -> str:
    """How a session is, in a line."""
    outcome, equity = kernel.outcome(), session.equity_now
    down = [name for name, is_up in session.health.connections.items() if not is_up]
    state = "trading" if kernel.is_trading else "not trading"
    missing = "all connections" if len(down) == len(session.health.connections) else ", ".join(down)
    positions = kernel.positions()
    # Whose a position is matters where there are several.
    is_one = len({owner for owner, _, _ in positions}) == 1
    held = ", ".join(f"{quantity} {name}{'' if is_one else f' ({owner})'}" for owner, name, quantity in positions)
    worth = "unknown" if equity is None else f"{equity:,.2f}"
    total = outcome["total"]
    refused = (total.get("orders_refused") or 0) + (total.get("orders_rejected") or 0)
    counts = counts_text(outcome)
    parts = [
        f"{state}{f'; down: {missing}' if down else ''}",
        *(["the loss of the day is reached"] if is_daily_loss_reached(outcome) else []),
        held or "flat",
        f"equity {worth}",
        f"{counts}, {refused:,} refused" if refused else counts,
    ]
    return " | ".join(parts)


async def prepared(
    system: System, mode: Literal["paper", "live"], *, accepts_changes: bool = False
) -> AbstractContextManager[Prepared]:
    """A context in which the session of a system is ready to run.

    Parameters
    ----------
    system, mode
        What runs, and how.
    accepts_changes
        Whether a run that was cut off goes on with code, parameters and limits that were changed since, with trading
        off until somebody turns it on (D5).

    """
    if accepts_changes and not system.control.enabled:
        message = "changes cannot be accepted where [control] is off: nobody could turn trading on behind them"
        raise exception("bad_setting", message, "take enabled = false out of [control]")
    clocks = {name: VenueClock() for name in _venue_names(system)}
    parts = [await venue_parts(system, name, mode, clock) for name, clock in clocks.items()]
    # One clock stamps everything: that of the venue that the system names first, of those that could be asked.
    parts.sort(key=lambda one: one.trouble is not None)
    first = parts[0]
    if first.trouble is not None:
        raise first.trouble
    fields, wrong = system.specifications(), [one.trouble for one in parts if one.trouble is not None]
    for part in parts:
        wrong += [] if part.trouble is not None else await misfits(part.market_data, fields)
    clock = SessionClock(clocks[first.name])
    return _prepared(system, mode, parts, clock, fields, wrong, accepts_changes=accepts_changes)


@contextmanager
def _prepared(
    system: System,
    mode: Literal["paper", "live"],
    parts: list[VenueParts],
    clock: SessionClock,
    fields: tuple[InstrumentFields, ...],
    wrong: Sequence[TradewindError],
    *,
    accepts_changes: bool,
) -> Iterator[Prepared]:
    folder, journals = system.run_folder(mode), system.journal_folder(mode)
    made(folder, "run.directory, the folder of the run")
    made(journals, "the folder of the journal")
    journal = journals / FOLDER_NAME
    with only_one(journals):
        before = earlier(journal)
        fields = before.ordered(fields)
        index = _core.Index([definition(one) for one in fields])
        strategies = [make_strategy(name, one, system.folder) for name, one in system.strategies.items()]
        if mode == "live" and wrong and not before.is_cut_off:
            raise wrong[0]
        for error in wrong:
            # A run that was cut off may have orders: it goes on with the venues that answer, and a venue refuses what
            # does not fit.
            log.warning("%s", error)
        settings = _settings(system, mode, before)
        data = Dataset(index, fields, (), (f"{mode} market data",))
        streams = _offered(index, parts)
        reached = _reached(parts, before)
        now = _manifest(data, strategies, settings, mode, new_run(), streams, reached)
        running: list[Any] = []

        def make_kernel() -> _core.Session:
            # Orders, fills and postings are in the journal; kept in memory, too, they would grow with the run.
            values = settings.run(strategies, data, keep="metrics", journal=True)
            values["value_streams"] = None
            if mode == "live":
                values["venues"], values["balances"] = [], []
            running[:] = [one for _, one in values["strategies"]]
            return _core.Session(values, streams)

        if before.is_cut_off:
            run = go_on(make_kernel, journal, strategies, now, clock.now_ns(), accepts_changes=accepts_changes)
            clock.start_after(run.kernel.now_ns)
            writer = SegmentWriter.resume(journal, run.last, run.checksum, _keeping(system))
        else:
            run = GoingOn(make_kernel(), now, 0, b"")
            set_aside(journals / RAW)
            writer = SegmentWriter.begin(journal, run.manifest, clock.now_ns(), _keeping(system))
        with writer:
            session = _session(system, mode, parts, data, clock, run, writer)
            about = About(system.run.name, mode, folder, journals, running)
            is_recovered = before.is_cut_off and not run.kernel.awaits_start
            raw = raw_recorded(session, parts, journals / RAW, clock.now_ns, is_wanted=system.journal.record_raw)
            with raw, slow_callbacks_told(running) as beat:
                session.watch(beat)
                yield Prepared(session, run.kernel, writer, folder, is_recovered, about, run.told)
            if session.is_finished:
                writer.finish(run.kernel.outcome())


def _session(
    system: System,
    mode: Literal["paper", "live"],
    parts: list[VenueParts],
    data: Dataset,
    clock: SessionClock,
    run: GoingOn,
    writer: SegmentWriter,
) -> Session:
    """The session around a kernel that is new, or goes on."""
    audit = Audit(run.manifest, run.last)
    run_name, ending = run.manifest.settings["run"], system.shutdown
    adopts = _adopted(system, mode, parts)
    session = Session(run.kernel, data.index, parts, writer, run_name, clock, audit, ending, system.warm_up, adopts)
    executions = {one.name: one.execution for one in parts if one.execution is not None}
    if executions and system.run.busy_wait:
        rehearse_while_waiting(data, system.currency, executions)
    if run.kernel.has_stopped:
        # What is left of it is settled, and it ends.
        session.stop()
    return session


def _offered(index: _core.Index, parts: list[VenueParts]) -> list[tuple[int, str]]:
    """The streams of market data that venues offer, each by the place of its instrument."""
    offered = {one.name: one.market_data.offers for one in parts}
    instruments = enumerate(index.instruments)
    return [(at, kind) for at, one in instruments for kind in _STREAMS if kind in offered[one.venue]]


def _reached(parts: list[VenueParts], before: Earlier) -> dict[str, dict[str, str]]:
    """What is reached at each venue; of one that cannot be asked it is what it was."""
    for part in (one for one in parts if one.trouble is not None):
        part.reached = as_before(part.reached, before.reached.get(part.name, {}))
    return {one.name: dict(one.reached) for one in parts}


def _adopted(system: System, mode: Literal["paper", "live"], parts: list[VenueParts]) -> list[Adoption]:
    """What strategies take over, of accounts that the run trades on."""
    without = {one.name for one in parts if one.execution is None and mode == "live"}
    for name, account in system.accounts.items():
        if account.adopt and account.venue in without:
            message = f"accounts.{name}.adopt: nothing is known of an account at {account.venue}"
            raise exception("bad_setting", message, "take it out")
    return [one for account in system.accounts.values() for one in account.adopt]


def _keeping(system: System) -> Keeping:
    stated = system.journal
    return Keeping(stated.durability, duration_ns(stated.segment), stated.archive, stated.keep_days)


def _settings(system: System, mode: Literal["paper", "live"], before: Earlier) -> Settings:
    venues: dict[str, Any] = {}
    balances: dict[str, Any] = {}
    for name in _venue_names(system):
        owner = system.account_of(name)
        simulated = system.venues[name].simulated
        leverage = owner[1].leverage if owner else None
        if simulated is not None:
            venues[name] = simulated.paper(leverage)
        elif mode == "live":
            # Nothing is simulated; parity does so afterwards.
            venues[name] = replace(TYPICAL, leverage=leverage)
        if owner is not None and mode == "paper":
            balances[name] = dict(owner[1].balances)
    settings = Settings(
        balances=balances,
        venues=venues,
        risk=system.risk.whole(system.folder),
        currency=system.currency,
        interval=system.run.interval,
        days=system.run.days,
        seed=system.run.seed,
    )
    carried = before.carried_in(settings.resolved_currency)
    return replace(settings, risk=replace(settings.risk, carried=carried))


def _venue_names(system: System) -> list[str]:
    return list(dict.fromkeys(name.partition(":")[0] for name in system.instruments))


def _manifest(
    data: Dataset,
    strategies: list[Any],
    settings: Settings,
    mode: str,
    run_name: str,
    streams: list[tuple[int, str]],
    reached: dict[str, dict[str, str]],
) -> Manifest:
    manifest = manifest_of(data, strategies, settings)
    names = [instrument.name for instrument in data.index.instruments]
    return msgspec.structs.replace(
        manifest,
        streams=[(names[at], kind) for at, kind in streams],
        value_streams=None,
        settings={**manifest.settings, "mode": mode, "run": run_name, "reached": reached},
    )
