"""``tradewind config``: check a system file, show what it means, and its schema for editors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cyclopts import App

from tradewind.cli.screen import note, show_json
from tradewind.config import MODES, Mode, Problem, System, SystemFileError
from tradewind.config.explanation import schema_of
from tradewind.config.proposal import proposal
from tradewind.config.reader import examine, in_order
from tradewind.config.readiness import PROPOSED, absent, missing

config = App(name="config", help="Check a system file, show what it means, or print its schema.")


@config.command
def check(file: Path, /, *, mode: Mode | None = None, json: bool = False) -> int:
    """Say everything that is wrong in a system file, and what it lacks for which mode.

    Parameters
    ----------
    file
        The system file.
    mode
        Fail where this mode could not start; otherwise only mistakes fail.
    json
        Print mistakes and lacks as JSON.

    """
    system, problems, lines = examine(System, file)
    stated = {problem.place for problem in problems}
    problems += [one for one in in_order(absent(system), lines) if one.place not in stated]
    problems = sorted(problems, key=lambda one: one.line or 0)
    # What a mode lacks can be said only of a file without mistakes.
    lacks = {} if problems else {name: in_order(missing(system, name), lines) for name in MODES}
    failed = bool(problems) or (mode is not None and bool(lacks[mode]))
    if json:
        modes = {name: [one.to_dict() for one in found] for name, found in lacks.items()}
        show_json({"problems": [one.to_dict() for one in problems], "missing": modes})
        return int(failed)
    if problems:
        raise SystemFileError(str(file), problems)
    print(f"{file} has no mistakes")
    for name, found in lacks.items():
        _show_lacks(name, found)
    if (lines_to_add := proposal(system)) and lacks["live"]:
        print("\nlimits that live needs, as a proposal to change as you mean it:\n")
        print(lines_to_add, end="")
    return int(failed)


@config.command
def schema() -> None:
    """Print the JSON schema of system files, for editors."""
    show_json(described_schema())


@config.command
def show(file: Path, /) -> None:
    """Print the system that a file means: with every default.

    Parameters
    ----------
    file
        The system file.

    """
    system = System.read(file)
    print(system.to_toml(defaults=True), end="")
    note("paths are relative to the folder of the file; secrets are never in it")


def described_schema() -> dict[str, Any]:
    """The schema, with what editors want to know about it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema_of(System), "title": "Tradewind system"}


def _show_lacks(mode: Mode, found: list[Problem]) -> None:
    print(f"{mode}: {'ready' if not found else 'not ready'}")
    for problem in found:
        print(f"  {replace(problem, hint='a proposal is below') if problem.hint == PROPOSED else problem}")
