"""Whether what a client says is what the exchange holds: value by value, numbers as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any


class WrongError(Exception):
    """A client said something else than the exchange holds."""


def demand(said: Any, held: Any) -> None:
    """Raise an error that shows the first differences, if there are any."""
    if found := list(differences(said, held)):
        raise WrongError("; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else ""))


def differences(said: Any, held: Any, place: str = "") -> Iterator[str]:
    """Each difference in words: what there is instead of what should be.

    Examples
    --------
    >>> list(differences([["1.0", 2]], [[1, "2"]]))
    []
    >>> list(differences({"price": 0.1}, {"price": "0.10000001"}))
    ['.price: 0.1 instead of 0.10000001']
    >>> list(differences({"a": [1]}, {"a": [1, 2]}))
    ['.a: 1 of them instead of 2']
    >>> list(differences({"filled": None}, {"filled": "0"}))
    ['.filled: None instead of 0']
    >>> list(differences(True, 1))
    [': True instead of 1']

    """
    if isinstance(held, Mapping) and isinstance(said, Mapping):
        for name in held.keys() | said.keys():
            yield from differences(said.get(name), held.get(name), f"{place}.{name}")
    elif isinstance(held, list | tuple) and isinstance(said, list | tuple):
        if len(held) != len(said):
            yield f"{place}: {len(said)} of them instead of {len(held)}"
            return
        for number, (one, other) in enumerate(zip(said, held, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif comparable(said) != comparable(held):
        yield f"{place}: {said} instead of {held}"


def comparable(value: Any) -> Any:
    """A number as an exact one, whether it came as text or as a float; all else with its type."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return type(value), value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value
