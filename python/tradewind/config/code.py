"""The user's code that a system names: strategies and risk checks."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

from tradewind._core import NativeStrategy
from tradewind.config.strategy import Strategy as StrategySettings
from tradewind.errors import exception
from tradewind.loading import load_module, load_strategy_class
from tradewind.strategy import Strategy


def make_strategy(name: str, settings: StrategySettings, folder: Path) -> Strategy | NativeStrategy:
    """The strategy that settings describe."""
    reference = settings.code
    if ".py:" in reference:
        cls: Any = load_strategy_class(str(folder / reference))
    else:
        cls = _from_package(reference)
    if inspect.isclass(cls) and issubclass(cls, Strategy):
        return cls(name=name, **_parameters(cls, settings.parameters))
    if inspect.isfunction(cls):
        return _native(name, reference, cls, settings.parameters)
    raise exception("bad_strategy", f"{reference} is not a strategy", "name a class that derives from tw.Strategy")


def load_check(reference: str, folder: Path) -> Callable[..., str | None]:
    """A risk check, by ``file.py:function`` or ``package.module:function``."""
    check: Callable[..., str | None] = load_function(reference, folder, "def check(ctx, order): ...")
    return check


def load_function(reference: str, folder: Path, example: str) -> Callable[..., Any]:
    """A function of the user, by ``file.py:function`` or ``package.module:function``."""
    if ".py:" in reference:
        path, _, name = reference.rpartition(":")
        file = folder / path
        found = getattr(load_module(file, file.stem), name, None)
    else:
        found = _from_package(reference)
    if not callable(found):
        raise exception("bad_setting", f"{reference} is not a function", f"write {example}")
    function: Callable[..., Any] = found
    return function


def _from_package(reference: str) -> Any:
    module_name, _, name = reference.rpartition(":")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise exception("bad_strategy", f"{module_name} cannot be imported: {error}", "is it installed?") from error
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, vars(module), n=1)
        raise exception("bad_strategy", f"{module_name} has no {name}", f"did you mean {near[0]}?" if near else "")
    return getattr(module, name)


def _native(name: str, reference: str, make: Callable[..., Any], parameters: dict[str, Any]) -> NativeStrategy:
    try:
        inspect.signature(make).bind(**parameters)
    except TypeError as error:
        known = ", ".join(inspect.signature(make).parameters)
        raise exception("bad_strategy", f"{reference}: {error}", f"its parameters are {known}") from None
    made = make(**parameters)
    if not isinstance(made, NativeStrategy):
        raise exception("bad_strategy", f"{reference} does not make a strategy")
    return made.named(name)


def _parameters(cls: type[Strategy], given: dict[str, Any]) -> dict[str, Any]:
    """Text and numbers where a parameter is a Decimal; everything else as it is."""
    try:
        types = get_type_hints(cls)
    except NameError:
        types = {}
    read = dict(given)
    for name, declared in cls.declared.items():
        value = read.get(name)
        if types.get(name, type(declared.default)) is Decimal and isinstance(value, str | int | float):
            try:
                read[name] = Decimal(str(value))
            except ArithmeticError:
                raise exception("bad_strategy", f"{cls.__name__}: {name} = {value!r} is not a number") from None
    return read
