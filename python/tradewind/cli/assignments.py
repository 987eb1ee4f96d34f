"""Arguments of the form ``name=value``."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, get_type_hints

from tradewind.errors import exception
from tradewind.strategy import Strategy


def assignments(option: str, given: Iterable[str], example: str) -> dict[str, str]:
    """Names and values.

    Examples
    --------
    >>> assignments("--balance", ["USDT=100000"], "USDT=100000")
    {'USDT': '100000'}

    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise exception(
                "bad_setting", f"{option} {text!r} is not of the form name=value", f"write {option} {example}"
            )
        if name in found:
            raise exception("duplicate_name", f"{option} states {name} twice")
        found[name] = value
    return found


def parameters(cls: type[Strategy], given: Iterable[str]) -> dict[str, Any]:
    """The parameters of a strategy, each read as its type says.

    Examples
    --------
    >>> import tradewind as tw
    >>> class Wait(tw.Strategy):
    ...     seconds: float = tw.param(5.0)
    ...     both: bool = tw.param(False)
    >>> parameters(Wait, ["seconds=2", "both=yes"])
    {'seconds': 2.0, 'both': True}

    """
    try:
        types = get_type_hints(cls)
    except NameError:
        types = {}
    found = {}
    for name, text in assignments("--param", given, "fast=10").items():
        declared = cls.declared.get(name)
        wanted = types.get(name, type(declared.default)) if declared is not None else str
        found[name] = _read(name, text, wanted)
    return found


def _read(name: str, text: str, wanted: Any) -> Any:
    if wanted is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() in words:
            return words[text.lower()]
        raise exception("bad_strategy", f"--param {name}={text}: is not yes or no")
    if wanted in (int, float, Decimal):
        try:
            return wanted(text)
        except (ValueError, InvalidOperation):
            raise exception("bad_strategy", f"--param {name}={text}: is not of the type {wanted.__name__}") from None
    return text
