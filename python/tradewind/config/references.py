"""What the sections of a system say about each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tradewind import instruments as packaged
from tradewind.config.data import columns_of
from tradewind.config.problem import Place, Problem

Document = Mapping[str, Any]
"""The tables of a system, checked or not: what is not as it must be names nothing."""


@dataclass(frozen=True)
class Names:
    """What can be referred to, those with mistakes of their own included."""

    venues: frozenset[str]
    instruments: frozenset[str]
    strategies: frozenset[str]

    @classmethod
    def of(cls, document: Document) -> Self:
        """The names of a system."""
        venues, instruments, strategies = (
            frozenset(_table(document, name)) for name in ("venues", "instruments", "strategies")
        )
        return cls(venues, instruments | {name for _, name in _recorded(document)}, strategies)


def reference_problems(document: Document) -> list[Problem]:
    """Names that nothing has, and accounts that get in each other's way; in tables with other mistakes, too."""
    names = Names.of(document)
    return [*_accounts(document, names), *_instruments(document, names), *_commands(document, names), *_data(document)]


def _accounts(document: Document, names: Names) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, account in _table(document, "accounts").items():
        place: Place = ("accounts", name)
        for key, venue in _texts(account, "venue"):
            yield from _known((*place, key), venue, names.venues, "venue")
            if venue in owners:
                message = f' = "{venue}": has the account {owners[venue]} already'
                yield Problem("duplicate_name", (*place, key), message, "a venue has one account so far")
            owners.setdefault(venue, name)
        for at, one in enumerate(_rows(account, "adopt")):
            yield from _named((*place, "adopt", at), one, names)


def _instruments(document: Document, names: Names) -> Iterator[Problem]:
    recorded = [(("data", at, "instrument"), name) for at, name in _recorded(document)]
    used: list[tuple[Place, str]] = [(("instruments", name), name) for name in _table(document, "instruments")]
    for place, name in [*used, *recorded]:
        venue = name.partition(":")[0]
        if venue not in names.venues:
            hint = _near(venue, names.venues) or f"add [venues.{venue}]"
            yield Problem("unknown_venue", place, f': "{venue}" is not a venue of this system', hint)
    for place, name in recorded:
        if name not in _table(document, "instruments") and name not in packaged.names():
            hint = _near(name, packaged.names()) or f'describe it in [instruments."{name}"]'
            yield Problem("unknown_instrument", place, f' = "{name}": is not known', hint)
    for name in _table(_table(document, "risk"), "instruments"):
        yield from _known(("risk", "instruments", name), name, names.instruments, "instrument", value=False)


def _commands(document: Document, names: Names) -> Iterator[Problem]:
    for at, one in enumerate(_rows(_table(document, "backtest"), "commands")):
        yield from _named(("backtest", "commands", at), one, names)


def _named(place: Place, row: Any, names: Names) -> Iterator[Problem]:
    """The strategy and the instrument that a row names."""
    for key, name in _texts(row, "strategy"):
        yield from _known((*place, key), name, names.strategies, "strategy")
    for key, name in _texts(row, "instrument"):
        yield from _known((*place, key), name, names.instruments, "instrument")


def _data(document: Document) -> Iterator[Problem]:
    rows = [(at, kind, row) for at, row in enumerate(_rows(document, "data")) for _, kind in _texts(row, "kind")]
    values: dict[str, int] = {}
    for at, name in [(at, name) for at, kind, row in rows if kind == "values" for _, name in _texts(row, "name")]:
        if values.setdefault(name, at) != at:
            message = f' = "{name}": data[{values[name] + 1}] has these values already'
            yield Problem("duplicate_name", ("data", at, "name"), message, "name all of their files there")
    for at, kind, row in rows:
        known = columns_of(kind)
        for name in _table(row, "columns") if known else ():
            if name not in known:
                hint = _near(name, known) or f"our names are {', '.join(known)}"
                yield Problem("bad_setting", ("data", at, "columns", name), f": {kind} have no such column", hint)


def _recorded(document: Document) -> list[tuple[int, str]]:
    """The instruments of recorded data, each with its place among all data."""
    rows = enumerate(_rows(document, "data"))
    return [(at, name) for at, row in rows for _, name in _texts(row, "instrument")]


def _table(document: Any, key: str) -> Mapping[str, Any]:
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _rows(document: Any, key: str) -> Sequence[Any]:
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, list | tuple) else ()


def _texts(row: Any, key: str) -> Iterator[tuple[str, str]]:
    """What a row names by a key, if it does."""
    if isinstance(row, Mapping) and isinstance(row.get(key), str):
        yield key, row[key]


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
