"""Tables written as TOML."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from tradewind.errors import exception

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def to_toml(document: Mapping[str, Any]) -> str:
    """A document as TOML, which `tomllib` reads again as it was; exact numbers are written as text.

    Parameters
    ----------
    document
        Tables, arrays, text, numbers, times. Keys whose value is None are left out.

    Examples
    --------
    >>> print(to_toml({"run": {"name": "a"}, "data": [{"files": ["b", "c"], "price": Decimal("0.1")}]}), end="")
    [run]
    name = "a"
    <BLANKLINE>
    [[data]]
    files = ["b", "c"]
    price = "0.1"

    """
    lines: list[str] = []
    _table(lines, (), document, "")
    return "\n".join(lines).lstrip("\n") + "\n" if lines else ""


def _table(lines: list[str], path: tuple[str, ...], table: Mapping[str, Any], header: str) -> None:
    """Simple values first: what follows a header belongs to it."""
    stated = {key: value for key, value in table.items() if value is not None}
    tables = {key: value for key, value in stated.items() if isinstance(value, Mapping)}
    arrays = {key: value for key, value in stated.items() if _is_array_of_tables(value)}
    simple = {key: value for key, value in stated.items() if key not in tables and key not in arrays}
    if header and (simple or not (tables or arrays) or header.startswith("[[")):
        lines += ["", header]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in simple.items()]
    for key, value in tables.items():
        inner = (*path, key)
        _table(lines, inner, value, f"[{_dotted(inner)}]")
    for key, values in arrays.items():
        inner = (*path, key)
        for value in values:
            _table(lines, inner, value, f"[[{_dotted(inner)}]]")


def _is_array_of_tables(value: Any) -> bool:
    is_array = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    return is_array and all(isinstance(one, Mapping) for one in value)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case Decimal():
            return _text(f"{value:f}")
        case int():
            return str(value)
        case float():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            return _inline(value.items())
        case Sequence():
            return f"[{', '.join(map(_value, value))}]"
    raise exception("wrong_type", f"{type(value).__name__} cannot be written as TOML")


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return repr(value) if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _inline(items: Iterable[tuple[str, Any]]) -> str:
    pairs = ", ".join(f"{_key(key)} = {_value(value)}" for key, value in items if value is not None)
    return f"{{ {pairs} }}" if pairs else "{}"


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise exception("wrong_type", f"{text!r} holds half a character, which TOML cannot hold") from None
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\u{ord(character):04x}" if ord(character) < 0x20 or ord(character) == 0x7F else character
