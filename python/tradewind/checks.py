"""What numbers of settings must be, said where they are written."""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import Any

from tradewind.errors import TradewindError, exception

_LARGEST_COUNT = 2**32 - 1


def need_above_zero(name: str, value: Any, hint: str, *, below: int | None = None) -> None:
    """Refuse a setting that is no number above zero, or not below a bound.

    Examples
    --------
    >>> need_above_zero("position", -1, "the largest position, long or short")
    Traceback (most recent call last):
    ...
    tradewind.errors.SettingError: [bad_setting] position = -1 is not above zero
    hint: the largest position, long or short

    """
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise _bad(name, value, "is not a number", hint) from None
    if not number.is_finite():
        raise _bad(name, value, "is not a finite number", hint)
    if number <= 0:
        raise _bad(name, value, "is not above zero", hint)
    if below is not None and number >= below:
        raise _bad(name, value, f"is not below {below}", hint)


def need_count(name: str, value: Any, hint: str) -> None:
    """Refuse a setting that is no whole number from one.

    Examples
    --------
    >>> need_count("open_orders", 1.5, "how many orders may work")
    Traceback (most recent call last):
    ...
    tradewind.errors.SettingError: [bad_setting] open_orders = 1.5 is not a whole number
    hint: how many orders may work

    """
    try:
        number = operator.index(value)
    except TypeError:
        raise _bad(name, value, "is not a whole number", hint) from None
    if isinstance(value, bool):
        raise _bad(name, value, "is not a whole number", hint)
    if number < 1:
        raise _bad(name, value, "is below 1", hint)
    if number > _LARGEST_COUNT:
        raise _bad(name, value, "is larger than can be counted", hint)


def _bad(name: str, value: Any, why: str, hint: str) -> TradewindError:
    return exception("bad_setting", f"{name} = {value!r} {why}", hint)
