"""What the sections of a system say about each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tradewind import instruments as packaged
from tradewind.config.data import OutsideValues, columns_of, market_data
from tradewind.config.problem import Place, Problem

if TYPE_CHECKING:
    from tradewind.config.system import System


@dataclass(frozen=True)
class Names:
    """What can be referred to, those with mistakes of their own included."""

    venues: frozenset[str]
    instruments: frozenset[str]
    strategies: frozenset[str]

    @classmethod
    def of(cls, system: System) -> Self:
        """The names of a system."""
        data = {one.instrument for _, one in market_data(system.data)}
        return cls(frozenset(system.venues), frozenset(system.instruments) | data, frozenset(system.strategies))

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        """The names of a document that was not checked."""
        tables = {name: one if isinstance(one := document.get(name), dict) else {} for name in _NAMED}
        rows = document.get("data")
        data = {
            one["instrument"]
            for one in (rows if isinstance(rows, list) else [])
            if isinstance(one, dict) and isinstance(one.get("instrument"), str)
        }
        return cls(
            frozenset(tables["venues"]), frozenset(tables["instruments"]) | data, frozenset(tables["strategies"])
        )


_NAMED = ("venues", "instruments", "strategies")


def reference_problems(system: System, names: Names) -> list[Problem]:
    """Names that nothing has, and accounts that get in each other's way."""
    return [*_accounts(system, names), *_instruments(system, names), *_commands(system, names), *_data(system)]


def _accounts(system: System, names: Names) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, account in system.accounts.items():
        place: Place = ("accounts", name)
        yield from _known((*place, "venue"), account.venue, names.venues, "venue")
        if account.venue in owners:
            message = f' = "{account.venue}": has the account {owners[account.venue]} already'
            yield Problem("duplicate_name", (*place, "venue"), message, "a venue has one account so far")
        owners.setdefault(account.venue, name)
        for at, one in enumerate(account.adopt):
            yield from _known((*place, "adopt", at, "strategy"), one.strategy, names.strategies, "strategy")
            yield from _known((*place, "adopt", at, "instrument"), one.instrument, names.instruments, "instrument")


def _instruments(system: System, names: Names) -> Iterator[Problem]:
    used: list[tuple[Place, str]] = [(("instruments", name), name) for name in system.instruments]
    used += [(("data", at, "instrument"), one.instrument) for at, one in market_data(system.data)]
    for place, name in used:
        venue = name.partition(":")[0]
        if venue not in names.venues:
            hint = _near(venue, names.venues) or f"add [venues.{venue}]"
            yield Problem("unknown_venue", place, f': "{venue}" is not a venue of this system', hint)
    for at, one in market_data(system.data):
        if one.instrument not in system.instruments and one.instrument not in packaged.names():
            if one.instrument in names.instruments - {one.instrument}:
                continue
            hint = _near(one.instrument, packaged.names()) or f'describe it in [instruments."{one.instrument}"]'
            yield Problem(
                "unknown_instrument", ("data", at, "instrument"), f' = "{one.instrument}": is not known', hint
            )
    for name in system.risk.instruments:
        yield from _known(("risk", "instruments", name), name, names.instruments, "instrument", value=False)


def _commands(system: System, names: Names) -> Iterator[Problem]:
    for at, one in enumerate(system.backtest_settings.commands):
        place: Place = ("backtest", "commands", at)
        if one.strategy is not None:
            yield from _known((*place, "strategy"), one.strategy, names.strategies, "strategy")
        if one.instrument is not None:
            yield from _known((*place, "instrument"), one.instrument, names.instruments, "instrument")


def _data(system: System) -> Iterator[Problem]:
    values: dict[str, int] = {}
    for at, one in enumerate(system.data):
        if isinstance(one, OutsideValues) and values.setdefault(one.name, at) != at:
            message = f' = "{one.name}": data[{values[one.name] + 1}] has these values already'
            yield Problem("duplicate_name", ("data", at, "name"), message, "name all of their files there")
    for at, one in enumerate(system.data):
        known = columns_of(one)
        for name in getattr(one, "columns", ()):
            if name not in known:
                hint = _near(name, known) or f"our names are {', '.join(known)}"
                yield Problem("bad_setting", ("data", at, "columns", name), f": {one.kind} have no such column", hint)


def _known(place: Place, name: str, known: Iterable[str], what: str, *, value: bool = True) -> Iterator[Problem]:
    listed = sorted(known)
    if name not in listed:
        shown = f' = "{name}"' if value else ""
        code = {"venue": "unknown_venue", "instrument": "unknown_instrument"}.get(what, "bad_setting")
        hint = _near(name, listed) or (
            f"there are {', '.join(listed)}" if listed else f"there is none: add [{what}s.NAME]"
        )
        yield Problem(
            code, place, f"{shown}: is not {'an' if what == 'instrument' else 'a'} {what} of this system", hint
        )


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""
