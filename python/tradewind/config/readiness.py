"""What a system still lacks for a mode, and what it names that is not there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tradewind._core import Index, Session
from tradewind.backtest import Settings
from tradewind.config.adoptions import adoption_problems
from tradewind.config.code import load_check, make_strategy
from tradewind.config.data import market_data
from tradewind.config.problem import Place, Problem, from_error
from tradewind.data.recorder import RECORDED_VENUES
from tradewind.dataset import Dataset, definition
from tradewind.errors import TradewindError
from tradewind.simulation import TYPICAL

if TYPE_CHECKING:
    from tradewind.config.account import Credentials
    from tradewind.config.system import Mode, System

PROPOSED = "tradewind config check proposes numbers"
_RELATIVE = "is the path right? it is relative to the folder of the system file"


def missing(system: System, mode: Mode) -> list[Problem]:
    """Everything without which the mode does not start."""
    found = [*_strategies(system), *_venues(system, mode)]
    match mode:
        case "backtest":
            found += [*_data(system), *_money(system)]
        case "paper":
            found += [*_traded(system), *_money(system), *adoption_problems(system, mode)]
        case "live":
            found += [*_traded(system), *_permission(system), *_live_limits(system), *adoption_problems(system, mode)]
    if mode != "backtest":
        found += _recorded(system)
    return found


def absent(system: System, mode: Mode | None = None) -> list[Problem]:
    """What the system names and cannot be found or loaded: instruments, strategies, checks, files of data.

    What one mode needs is asked for where a mode is given: sessions read no files of data.
    """
    specifications = list(_specifications(system))
    files = _data_files(system) if mode in (None, "backtest") else ()
    return [*files, *(specifications or list(_assets(system)) or _limits(system)), *_code(system)]


def _lacks(place: Place, message: str, hint: str) -> Problem:
    return Problem("missing_setting", place, message, hint)


def _strategies(system: System) -> Iterator[Problem]:
    if not system.strategies:
        yield _lacks(("strategies",), ": there is none", 'add [strategies.NAME] with class = "strategy.py:Class"')


def _venues(system: System, mode: Mode) -> Iterator[Problem]:
    names = [*system.instruments, *(one.instrument for _, one in market_data(system.data) if mode == "backtest")]
    for name in dict.fromkeys(name.partition(":")[0] for name in names):
        venue = system.venues[name]
        if mode != "live" and venue.simulated is None:
            hint = f'add [venues.{name}.simulated] with preset = "typical", or latency = "5ms"'
            yield _lacks(("venues", name, "simulated"), ": nothing says how the venue is simulated (N5)", hint)
        if mode != "backtest" and venue.adapter_of(name) is None:
            hint = 'add adapter = "binance_spot", or your own: "file.py:function"'
            yield _lacks(("venues", name, "adapter"), ": nothing says how the venue is spoken to", hint)
        if system.account_of(name) is None:
            yield _lacks(("accounts",), f": {name} has none", f'add [accounts.main] with venue = "{name}"')


def _data(system: System) -> Iterator[Problem]:
    if not market_data(system.data):
        hint = 'add [[data]] with instrument = "binance_spot:BTCUSDT", kind = "trades", files = ["btc.parquet"]'
        yield _lacks(("data",), ": there is none", hint)


def _money(system: System) -> Iterator[Problem]:
    for name, account in system.accounts.items():
        if not account.balances:
            yield _lacks(("accounts", name, "balances"), ": is missing", 'add balances = { USDT = "10000" }')
    if system.currency is None and any(account.balances for account in system.accounts.values()):
        yield _lacks(("run", "currency"), ": is missing, and the balances hold several assets", 'add currency = "USDT"')


def _traded(system: System) -> Iterator[Problem]:
    if not system.instruments:
        hint = 'add a line [instruments."binance_spot:BTCUSDT"] for each instrument'
        yield _lacks(("instruments",), ": there is none to trade", hint)


def _recorded(system: System) -> Iterator[Problem]:
    """Raw frames are recorded of venues whose frames can be read again (`tradewind.data.binance_raw`)."""
    names = dict.fromkeys(name.partition(":")[0] for name in system.instruments)
    if not system.journal.record_raw:
        return
    for name in names:
        adapter = system.venues[name].adapter_of(name)
        if adapter is not None and adapter not in RECORDED_VENUES:
            message = f": raw frames of {name} ({adapter}) cannot be read again, so they are not recorded"
            hint = "take it out: the journal holds every row; or run what trades at binance_spot by itself"
            yield Problem("bad_setting", ("journal", "record_raw"), message, hint)


def _permission(system: System) -> Iterator[Problem]:
    if not system.live.place_real_orders:
        hint = "when you want orders sent with the account's own money, add [live] with place_real_orders = true"
        yield _lacks(("live", "place_real_orders"), ": real orders are not allowed by this file", hint)
    for name, account in system.accounts.items():
        place = ("accounts", name, "credentials")
        if account.credentials is None:
            hint = f'add [accounts.{name}.credentials] with key_variable = "..." and secret_variable = "..."'
            yield _lacks(place, ": are missing", hint)
        else:
            yield from _credentials(system, place, account.credentials)


def _credentials(system: System, place: Place, given: Credentials) -> Iterator[Problem]:
    for key in ("key_variable", "secret_variable"):
        name = getattr(given, key)
        if name is not None and not os.environ.get(name):
            yield _lacks(
                (*place, key), ": the environment variable is not set", "export it in the shell that starts the run"
            )
    if given.file is None:
        return
    try:
        mode = system.path(given.file).stat().st_mode
    except OSError as error:
        yield Problem("unreadable_file", (*place, "file"), f": cannot be read: {error.strerror}", _RELATIVE)
        return
    if not stat.S_ISREG(mode):
        yield Problem("unreadable_file", (*place, "file"), ": is not a file", _RELATIVE)
    elif mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Problem("bad_setting", (*place, "file"), ": can be read by others", "chmod 600 it, and make new keys")


def _live_limits(system: System) -> Iterator[Problem]:
    """Live refuses to start without numbers for size, notional, order rate and daily loss (M6)."""
    hint = PROPOSED
    for name in ("order_quantity", "order_notional"):
        without = [one for one in system.instruments if getattr(system.risk.limits_of(one), name) is None]
        if without:
            yield _lacks(("risk", name), f": is missing for {', '.join(without)} (M6)", hint)
    for name in ("order_rate", "daily_loss"):
        if getattr(system.risk, name) is None:
            yield _lacks(("risk", name), ": is missing (M6)", hint)
    if system.risk.daily_loss is not None and system.currency is None:
        yield _lacks(("run", "currency"), ": is missing, and the daily loss is in it", 'add currency = "USDT"')


def _data_files(system: System) -> Iterator[Problem]:
    for at, one in enumerate(system.data):
        for place, file in enumerate(one.paths):
            if not system.path(file).is_file():
                message = f' = "{file}": there is no such file'
                yield Problem("unreadable_file", ("data", at, "files", place), message, _RELATIVE)
        try:
            one.source(system.path)
        except TradewindError as error:
            yield from_error(("data", at), error)


def _specifications(system: System) -> Iterator[Problem]:
    for name in system.instruments:
        try:
            system.specification(name)
        except TradewindError as error:
            yield from_error(("instruments", name), error)


def _assets(system: System) -> Iterator[Problem]:
    """Assets that no instrument has."""
    try:
        known = Index([definition(fields) for fields in system.specifications()]).assets
    except TradewindError as error:
        yield from_error(("instruments",), error)
        return
    named: list[tuple[Place, str]] = [
        (("accounts", name, "balances", asset), asset)
        for name, account in system.accounts.items()
        for asset in account.balances
    ]
    if system.run.currency is not None:
        named.append((("run", "currency"), system.run.currency))
    for place, asset in named if known else ():
        if asset not in known:
            message = f": {asset} is an asset of none of the instruments"
            yield Problem("unknown_asset", place, message, f"they have {', '.join(known)}")


def _limits(system: System) -> Iterator[Problem]:
    """Limits that a run would refuse at its start, such as a loss that has no worth in the currency."""
    fields = system.specifications()
    if not fields or system.currency is None:
        return
    index = Index([definition(one) for one in fields])
    settings = Settings(
        balances={}, venues=dict.fromkeys(index.venues, TYPICAL), risk=system.risk.limits, currency=system.currency
    )
    try:
        Session(settings.run([], Dataset(index, fields, ()), keep="metrics", journal=False), [])
    except TradewindError as error:
        stated = error.message.partition(" ")[0]
        yield from_error(("risk", stated) if getattr(system.risk, stated, None) is not None else ("risk",), error)


def _parameter(stated: Iterable[str], error: TradewindError) -> Place:
    """Where in a strategy's table a mistake in a parameter stands, where it is in one alone."""
    wrong = [key for key in stated if re.search(rf"[:;] {re.escape(key)} (=|is not) ", error.message)]
    return ("parameters", *wrong) if len(wrong) == 1 else ()


def _code(system: System) -> Iterator[Problem]:
    for name, one in system.strategies.items():
        try:
            make_strategy(name, one, system.folder)
        except TradewindError as error:
            yield from_error(("strategies", name, *_parameter(one.parameters, error)), error)
    for at, check in enumerate(system.risk.checks):
        try:
            load_check(check, system.folder)
        except TradewindError as error:
            yield from_error(("risk", "checks", at), error)
