"""What a strategy remembers beyond one event: declared as its state, saved and restored (D4)."""

from __future__ import annotations

import copy
import json
import random
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind._core import History, Indicator, Instrument, Order, Stream
from tradewind.errors import TradewindWarning, exception
from tradewind.journal.values import from_json, to_json

if TYPE_CHECKING:
    from tradewind.strategy import Strategy

_HANDLES = (Instrument, Indicator, Stream, History, Order)


@dataclass(frozen=True)
class Remembered:
    """A declared attribute: what it is before the first event."""

    initial: Any


def state(initial: Any) -> Any:
    """Declare an attribute of a strategy that it remembers from event to event.

    A session saves it with its snapshots and restores it after a restart. It may hold what JSON holds, tuples,
    `Decimal`, `datetime`, `timedelta` and numpy arrays, nested as wanted. Each strategy gets a copy of its own.

    Examples
    --------
    >>> import tradewind as tw
    >>> class Patient(tw.Strategy):
    ...     losses: int = tw.state(0)
    ...     highs: list = tw.state([])
    >>> Patient().losses
    0

    """
    encoded(initial, "the initial value")
    return Remembered(initial)


def begin(strategy: Strategy, declared: dict[str, Remembered]) -> None:
    """Give a strategy its initial state."""
    for name, remembered in declared.items():
        setattr(strategy, name, copy.deepcopy(remembered.initial))


def set_apart(strategy: Strategy) -> None:
    """Give a strategy copies of what its class holds and a run could change, which would reach into the next."""
    for name, value in _of_the_class(strategy).items():
        if name not in vars(strategy):
            setattr(strategy, name, _copied(value))


def undeclared(strategy: Strategy) -> list[str]:
    """Attributes that would be lost: set without declaring, and neither parameters nor handles from ``ctx``."""
    known = {"name", "parameters", *strategy.declared, *strategy.remembered}
    of_the_class = _of_the_class(strategy)
    known |= {name for name, value in of_the_class.items() if _is_as(value, vars(strategy).get(name))}
    return sorted(name for name, value in vars(strategy).items() if name not in known and not _is_handle(value))


def changeable(body: Mapping[str, Any]) -> frozenset[str]:
    """What the body of a class names that can be changed in place."""
    return frozenset(name for name, value in body.items() if _is_changeable(value) and not name.startswith("__"))


def _of_the_class(strategy: Strategy) -> dict[str, Any]:
    """What can be changed in place of what the body of a strategy's class named."""
    held = {name: getattr(type(strategy), name, None) for name in strategy.held_by_class}
    return {name: value for name, value in held.items() if _is_changeable(value)}


def _is_changeable(value: Any) -> bool:
    return isinstance(value, list | dict | set | bytearray | deque | np.ndarray)


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        # What it holds is not all to be copied, such as a module or a lock.
        return copy.copy(value)


def _is_as(initial: Any, value: Any) -> bool:
    """Whether a value is still what the class has."""
    if type(value) is not type(initial):
        return False
    try:
        is_same = value == initial
    except Exception:
        # Lists of arrays cannot be compared.
        is_same = None
    # Arrays are compared one by one.
    return is_same if isinstance(is_same, bool) else to_json(value) == to_json(initial)


def save(strategy: Strategy, chance: tuple[random.Random | None, int]) -> bytes:
    """A strategy's declared state, parameters and source of chance, as bytes."""
    lost = undeclared(strategy)
    if lost:
        listed = ", ".join(lost)
        warnings.warn(
            f"{strategy.name}: {listed} will be lost when the session is recovered from a snapshot;"
            " declare what it remembers: name = tw.state(initial)",
            TradewindWarning,
            stacklevel=1,
        )
    source, ids = chance
    saved = {
        "parameters": encoded(strategy.parameters, f"{strategy.name}.parameters"),
        "state": {name: encoded(getattr(strategy, name), f"{strategy.name}.{name}") for name in strategy.remembered},
        "random": None if source is None else encoded(source.getstate(), "random"),
        "ids": ids,
    }
    return json.dumps(saved, separators=(",", ":")).encode()


def restore(strategy: Strategy, saved: bytes) -> tuple[random.Random | None, int]:
    """Give a strategy back what `save` took; returns its source of chance."""
    values = json.loads(saved)
    for name, value in from_json(values["parameters"]).items():
        strategy.parameters[name] = value
        setattr(strategy, name, value)
    for name, value in values["state"].items():
        setattr(strategy, name, from_json(value))
    source = None
    if values["random"] is not None:
        source = random.Random()
        source.setstate(from_json(values["random"]))
    return source, values["ids"]


def inherited(strategy: Strategy, saved: bytes) -> tuple[bytes, list[str]]:
    """What a changed strategy takes over of what `save` took of the one before it: as bytes, and by name.

    It has its own parameters. Its declared state is that of before where both declare it; its numbers and its chance
    go on.
    """
    held = json.loads(saved)
    names = [name for name in strategy.remembered if name in held["state"]]
    held["parameters"] = encoded(strategy.parameters, f"{strategy.name}.parameters")
    held["state"] = {name: held["state"][name] for name in names}
    return json.dumps(held, separators=(",", ":")).encode(), names


def save_check(check: Any) -> bytes:
    """What a risk check remembers, as bytes: what its method `save` returns, where it has one."""
    remembered = check.save() if hasattr(check, "save") else None
    return json.dumps(encoded(remembered, f"the risk check {check!r}")).encode()


def restore_check(check: Any, saved: bytes) -> None:
    """Give a risk check back what `save_check` took, by its method `restore`."""
    if hasattr(check, "restore"):
        check.restore(from_json(json.loads(saved)))


def encoded(value: Any, place: str) -> Any:
    """A value as JSON; one that cannot be made again from it is an error."""
    held = to_json(value)
    if _has_other(held):
        raise exception(
            "wrong_type",
            f"{place} holds {value!r}, which cannot be saved",
            "state holds what JSON holds, tuples, Decimal, datetime, timedelta and numpy arrays of numbers",
        )
    return held


def _has_other(held: Any) -> bool:
    match held:
        case {"$": kind, "value": inner}:
            return kind == "other" or _has_other(inner)
        case dict():
            return any(map(_has_other, held.values()))
        case list():
            return any(map(_has_other, held))
        case _:
            return False


def _is_handle(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_handle, value))
    if isinstance(value, dict):
        return all(map(_is_handle, value.values()))
    return isinstance(value, _HANDLES)
