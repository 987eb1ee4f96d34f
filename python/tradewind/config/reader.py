"""A system file, read: its text, its tables, and all that is wrong in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from tradewind.config.explanation import explained
from tradewind.config.lines import Lines
from tradewind.config.partial import pruned
from tradewind.config.problem import Problem, SystemFileError
from tradewind.config.references import reference_problems
from tradewind.errors import exception

if TYPE_CHECKING:
    from tradewind.config.system import System

SystemType = TypeVar("SystemType", bound="System")
_LARGEST_BYTES = 256 * 1024
_MOST_MISTAKES = 100
_ROUNDS = 20
_DEEPEST = 32


def read_system(cls: type[SystemType], path: Path) -> SystemType:
    """Read a file, or say everything that is wrong in it."""
    system, problems, _ = examine(cls, path)
    if problems:
        raise SystemFileError(str(path), problems[:_MOST_MISTAKES])
    return system


def examine(cls: type[SystemType], path: Path) -> tuple[SystemType, list[Problem], Lines]:
    """What can be read of a file, and its mistakes in the order of their lines."""
    text = _text(path)
    document, lines = _document(path, text)
    problems: list[Problem] = []
    try:
        system = cls.model_validate(document)
    except ValidationError as error:
        problems = explained(error, cls)
        system = _remainder(cls, document, problems)
        # pydantic says nothing of references while a section has other mistakes.
        found = {problem.place for problem in problems}
        problems += [one for one in reference_problems(document) if one.place not in found]
    system._folder = path.parent
    return system, in_order(problems, lines), lines


def in_order(problems: Iterable[Problem], lines: Lines) -> list[Problem]:
    """Problems with their lines, in the order of the file."""
    placed = [replace(one, line=lines.of(one.place)) for one in problems]
    return sorted(placed, key=lambda one: one.line or 0)


def _remainder(cls: type[SystemType], document: dict[str, Any], problems: list[Problem]) -> SystemType:
    left, wrong = document, [(one.place, one.code == "missing_setting") for one in problems]
    for _ in range(_ROUNDS):
        left = pruned(left, wrong)
        try:
            return cls.model_validate(left, context={"is_partial": True})
        except ValidationError as error:
            wrong = [(one.place[:-1] or one.place, False) for one in explained(error, cls)]
    return cls()


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise exception("unreadable_file", f"{path} is not a file", "name the TOML file of a system")
        with path.open("rb") as file:
            raw = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise exception("unreadable_file", f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise exception("unreadable_file", f"{str(path)!r} is not a path: {error}") from error
    if len(raw) > _LARGEST_BYTES:
        raise exception("unreadable_file", f"{path} is larger than {_LARGEST_BYTES // 1024} kB", "is it a system file?")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise exception("unreadable_file", f"{path} line {line}: is not UTF-8", "save it as UTF-8") from None


def _document(path: Path, text: str) -> tuple[dict[str, Any], Lines]:
    try:
        document = _tables(path, text)
        lines = Lines(text)
        if _depth(document) > _DEEPEST:
            raise RecursionError
    except RecursionError:
        raise exception("unreadable_file", f"{path} is nested too deeply to be a system file") from None
    _plain_parameters(document)
    return document, lines


def _tables(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError) as error:
        raise exception("unreadable_file", f"{path} is not TOML: {error}") from None


def _depth(document: dict[str, Any]) -> int:
    """How deep tables and arrays are nested, without going deeper than is allowed."""
    level: list[Any] = [document]
    depth = 0
    while level and depth <= _DEEPEST:
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [one for values in inner for one in values]
        depth += 1
    return depth


def _plain_parameters(document: dict[str, Any]) -> None:
    """Numbers of strategies' parameters are floats; exact ones are written as text."""
    strategies = document.get("strategies")
    for strategy in strategies.values() if isinstance(strategies, dict) else ():
        if isinstance(strategy, dict) and "parameters" in strategy:
            strategy["parameters"] = _floats(strategy["parameters"])


def _floats(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {key: _floats(one) for key, one in value.items()}
        case list():
            return [_floats(one) for one in value]
    return value
