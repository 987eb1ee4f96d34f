"""What was changed since a run was cut off, and what of it can be accepted (D5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tradewind.errors import exception
from tradewind.journal.code import differences
from tradewind.journal.manifest import Manifest
from tradewind.journal.values import from_json

ACCEPT = "accept what was changed: tradewind run ... --accept-changes"
_AWAY = "move its journal away to begin a new run"


@dataclass(frozen=True)
class Changes:
    """What was changed.

    Parameters
    ----------
    mode
        The mode of then and that of now, where they differ.
    fixed
        What a run cannot go on with: orders, positions and client ids hang on it.
    reached
        Where the run trades, each with what it was and what it is.
    limits
        Limits, in the same way.
    code
        Files, parameters, checks.

    """

    mode: tuple[str, str] | None
    fixed: list[str]
    reached: list[str]
    limits: list[str]
    code: list[str]

    @property
    def acceptable(self) -> list[str]:
        """What a person may accept."""
        return [*(f"{one} changed" for one in self.code), *self.reached, *self.limits]

    def need_acceptable(self, journal: Path) -> None:
        """Refuse what cannot be accepted."""
        if self.mode is not None:
            # Paper's orders and positions are at no venue.
            then, now = self.mode
            raise exception(
                "divergence",
                f"{journal}: the run was cut off in the mode {then}, and does not go on in {now}",
                _AWAY,
            )
        if self.fixed:
            message = f"{journal}: the run was cut off, and its {', '.join(self.fixed)} changed since"
            hint = f"go on with the settings of the run, or {_AWAY}; this cannot be accepted"
            raise exception("divergence", message, hint)


def changes(then: Manifest, now: Manifest) -> Changes:
    """Compare what decided a run with what would decide it now.

    Parameters
    ----------
    then, now
        The manifest of the run, and the one that a run of now would have.

    """
    before, mode = then.settings["mode"], now.settings["mode"]
    return Changes(
        mode=None if before == mode else (before, mode),
        fixed=[*_fixed(then, now, mode), *_accounts(then, now)],
        reached=list(_reached(then, now)),
        limits=list(_limits(then, now)),
        code=differences(then.code, now.code),
    )


def _fixed(then: Manifest, now: Manifest, mode: str) -> Iterator[str]:
    if _kept(then.instruments) != _kept(now.instruments):
        yield f"instruments ({', '.join(_entries(_specified(then), _specified(now))) or 'their order or source'})"
    for name, old, new in (
        ("seed", then.seed, now.seed),
        ("currency", then.settings["currency"], now.settings["currency"]),
    ):
        if old != new:
            yield f"{name} ({old} -> {new})"
    if mode == "paper":
        before, after = (_kept(one.settings["venues"]) for one in (then, now))
        if changed := [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]:
            yield f"simulated venues ({', '.join(changed)})"
    if changed := [*_entries(*({one.name: {} for one in side.code.strategies} for side in (then, now)))]:
        yield f"strategies ({', '.join(changed)})"


def _specified(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """What instruments are, but for the text on where that is from."""
    listed = ({name: value for name, value in one.items() if name != "source"} for one in manifest.instruments)
    return {f"{one['venue']}:{one['symbol']}": one for one in listed}


def _entries(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What came, what went, and what is otherwise than it was."""
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new:
            yield from _each(f"{name} ", old[name], new[name])
        else:
            yield f"{name} is {'new' if name in new else 'gone'}"


def _accounts(then: Manifest, now: Manifest) -> Iterator[str]:
    for venue, old, new in _venues(then, now):
        account = old.get("account"), new.get("account")
        if all(account) and account[0] != account[1]:
            yield f"account at {venue} ({account[0]} -> {account[1]})"


def _reached(then: Manifest, now: Manifest) -> Iterator[str]:
    for venue, old, new in _venues(then, now):
        yield from _each(f"{venue} ", old, new)


def _venues(then: Manifest, now: Manifest) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    before, after = then.settings["reached"], now.settings["reached"]
    for venue in sorted(before.keys() & after.keys()):
        yield venue, before[venue], after[venue]


def _limits(then: Manifest, now: Manifest) -> Iterator[str]:
    if then.instruments == now.instruments:
        for instrument, old, new in zip(then.instruments, then.limits, now.limits, strict=True):
            yield from _each(f"{instrument['venue']}:{instrument['symbol']} ", old, new)
    yield from _each("", then.system_limits, now.system_limits)


def _each(whose: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = _kept(old.get(name)), _kept(new.get(name))
        if before != after:
            yield f"{whose}{name} {_text(before)} -> {_text(after)}"


def _kept(value: Any) -> Any:
    """A value as it comes back from a manifest."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _text(value: Any) -> str:
    held = from_json(value)
    return "none" if held is None else str(held)
