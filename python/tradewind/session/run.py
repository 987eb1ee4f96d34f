"""From a system file to a session that trades."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tradewind import _core
from tradewind.backtest import Settings
from tradewind.config.code import make_strategy
from tradewind.control import About, Audit, ControlServer
from tradewind.dataset import Dataset, definition
from tradewind.errors import exception
from tradewind.journal import FILE_NAME, JournalWriter
from tradewind.journal.manifest import Manifest, manifest_of
from tradewind.session.client_ids import new_run
from tradewind.session.clock import SessionClock
from tradewind.session.lock import only_one
from tradewind.session.recovery import earlier, recover, set_aside
from tradewind.session.session import Session, VenueParts
from tradewind.venues import BinanceSpotExecution, BinanceSpotMarketData, Credentials, VenueClock
from tradewind.venues.binance_spot.market import server_time_ns

if TYPE_CHECKING:
    from tradewind.config.system import System

_STREAMS = ("trades", "quotes", "book")
_LINE_SECONDS = 5.0


@dataclass
class Prepared:
    """A session that is ready to run, with what it writes."""

    session: Session
    kernel: _core.Session
    writer: JournalWriter
    folder: Path
    is_recovered: bool
    about: About


def run(system: System, mode: Literal["paper", "live"], say: Callable[[str], None] = lambda _: None) -> int:
    """Run a system until Ctrl-C; gives the exit code. What goes on is said some times a minute."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(_run(system, mode, say))
    except KeyboardInterrupt:
        return 130
    return 0


async def _run(system: System, mode: Literal["paper", "live"], say: Callable[[str], None]) -> None:
    with await prepared(system, mode) as ready:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, ready.session.stop)
        verb = "goes on" if ready.is_recovered else "starts"
        say(f"{system.run.name} {verb} in the mode {mode}; its journal is in {ready.folder}; Ctrl-C ends it")
        if ready.is_recovered and not (ready.kernel.is_trading or ready.kernel.is_warming):
            say(f"trading is off, as it was when the run was cut off: tradewind ctl {ready.folder} trading on")
        ready.session.watch(_now_and_then(lambda: say(_line(ready.kernel, ready.session))))
        async with served(system, ready):
            await ready.session.run(is_recovered=ready.is_recovered)
        say(_line(ready.kernel, ready.session))


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
    outcome, equity = kernel.outcome(), kernel.equity_now
    down = [name for name, is_up in session.health.connections.items() if not is_up]
    state = "trading" if kernel.is_trading else "not trading"
    held = ", ".join(f"{quantity} {name}" for _, name, quantity in kernel.positions()) or "flat"
    worth = "unknown" if equity is None else f"{equity:,.2f}"
    counts = f"{outcome['rows']:,} rows, {outcome['orders']} orders, {outcome['fills']} fills"
    return f"{state}{'; down: ' + ', '.join(down) if down else ''} | {held} | equity {worth} | {counts}"


async def prepared(system: System, mode: Literal["paper", "live"]) -> AbstractContextManager[Prepared]:
    """A context in which the session of a system is ready to run."""
    clock = VenueClock()
    parts = [await _venue(system, name, mode, clock) for name in _venue_names(system)]
    return _prepared(system, mode, parts, SessionClock(clock))


@contextmanager
def _prepared(
    system: System, mode: Literal["paper", "live"], parts: list[VenueParts], clock: SessionClock
) -> Iterator[Prepared]:
    folder, journals = system.run_folder(mode), system.journal_folder(mode)
    for one in (folder, journals):
        one.mkdir(parents=True, exist_ok=True)
    journal = journals / FILE_NAME
    with only_one(journals):
        fields = tuple(system.specifications())
        index = _core.Index([definition(one) for one in fields])
        strategies = [make_strategy(name, one, system.folder) for name, one in system.strategies.items()]
        before = earlier(journal)
        settings = _settings(system, mode, before.carried)
        data = Dataset(index, fields, (), (f"{mode} market data",))
        # Orders, fills and postings are in the journal; kept in memory, too, they would grow with the run.
        values = settings.run(strategies, data, keep="metrics", journal=True)
        values["value_streams"] = None
        if mode == "live":
            values["venues"], values["balances"] = [], []
        streams = [(at, kind) for at in range(len(index.instruments)) for kind in _STREAMS]
        kernel = _core.Session(values, streams)
        about = About(system.run.name, mode, folder, journal, [one for _, one in values["strategies"]])
        if before.is_cut_off:
            manifest, last, checksum = recover(kernel, journal, strategies, settings, data)
            _check_mode(journal, manifest, mode)
            clock.start_after(kernel.now_ns)
            writer = JournalWriter.resume(journal, last, checksum)
        else:
            last = 0
            manifest = _manifest(data, strategies, settings, mode, new_run(), streams)
            set_aside(journal)
            writer = JournalWriter(journal, manifest)
        with writer:
            audit = Audit(manifest, last)
            run_name, ending = manifest.settings["run"], system.shutdown
            session = Session(kernel, index, parts, writer, run_name, clock, audit, ending, system.warm_up)
            yield Prepared(session, kernel, writer, folder, before.is_cut_off, about)
            if session.is_finished:
                writer.finish(kernel.outcome())


def _check_mode(journal: Path, manifest: Manifest, mode: str) -> None:
    """Refuse to go on with what another mode left: paper's orders and positions are at no venue."""
    if manifest.settings["mode"] != mode:
        message = (
            f"{journal}: the run was cut off in the mode {manifest.settings['mode']}, and does not go on in {mode}"
        )
        raise exception("divergence", message, "move its journal away")


def _settings(system: System, mode: Literal["paper", "live"], carried: tuple[int, float] | None) -> Settings:
    venues: dict[str, Any] = {}
    balances: dict[str, Any] = {}
    for name in _venue_names(system):
        owner = system.account_of(name)
        simulated = system.venues[name].simulated
        leverage = owner[1].leverage if owner else None
        if simulated is not None:
            venues[name] = simulated.paper(leverage)
        if owner is not None and mode == "paper":
            balances[name] = dict(owner[1].balances)
    return Settings(
        balances=balances,
        venues=venues,
        risk=replace(system.risk.whole(system.folder), carried=carried),
        currency=system.currency,
        interval=system.run.interval,
        days=system.run.days,
        seed=system.run.seed,
    )


def _venue_names(system: System) -> list[str]:
    return list(dict.fromkeys(name.partition(":")[0] for name in system.instruments))


async def _venue(system: System, name: str, mode: Literal["paper", "live"], clock: VenueClock) -> VenueParts:
    settings = system.venues[name]
    adapter = settings.adapter_of(name)
    if adapter != "binance_spot":
        message = f"venues.{name}: the adapter {adapter} is not there yet"
        raise exception("bad_setting", message, 'sessions speak "binance_spot" so far')
    urls = settings.urls
    context = None
    if urls.authority_file is not None:
        context = ssl.create_default_context()
        context.load_verify_locations(system.path(urls.authority_file))
    market_data = BinanceSpotMarketData(
        stream_url=urls.stream or "", rest_url=urls.rest or "", clock=clock, ssl_context=context
    )
    try:
        # Before the first stamp: the session's time is the venue's from its start on.
        await market_data.rest.observe_clock("/api/v3/time", server_time_ns)
    finally:
        # What is prepared may never run; it connects anew when it does.
        await market_data.rest.close()
    if mode == "paper":
        return VenueParts(name, market_data)
    owner = system.account_of(name)
    stated = None if owner is None else owner[1].credentials
    if stated is None:
        raise exception("missing_setting", f"accounts: {name} has no credentials", "add [accounts.NAME.credentials]")
    if stated.file is not None:
        credentials = Credentials.from_file(system.path(stated.file))
    else:
        credentials = Credentials(
            *(os.environ.get(one or "", "") for one in (stated.key_variable, stated.secret_variable))
        )
    execution = BinanceSpotExecution(
        credentials, api_url=urls.api or "", rest_url=urls.rest or "", clock=clock, ssl_context=context
    )
    return VenueParts(name, market_data, execution)


def _manifest(
    data: Dataset,
    strategies: list[Any],
    settings: Settings,
    mode: str,
    run_name: str,
    streams: list[tuple[int, str]],
) -> Manifest:
    manifest = manifest_of(data, strategies, settings)
    names = [instrument.name for instrument in data.index.instruments]
    return msgspec.structs.replace(
        manifest,
        streams=[(names[at], kind) for at, kind in streams],
        value_streams=None,
        settings={**manifest.settings, "mode": mode, "run": run_name},
    )
