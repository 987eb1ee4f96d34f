"""Amounts of a local exchange: integers in units of 1e-8, as text outside."""

from __future__ import annotations

import re

DECIMALS = 8
UNIT: int = 10**DECIMALS
_LARGEST = 2**62
_FORM = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?\Z", re.ASCII)


class TooPreciseError(ValueError):
    """More decimals than an amount can have."""


def parse(text: str) -> int:
    """Read an amount; nothing passes through a float.

    Examples
    --------
    >>> parse("61837.63"), parse("1.00000000")
    (6183763000000, 100000000)

    """
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not an amount")
    whole, fraction = found[1], (found[2] or "").rstrip("0")
    if len(fraction) > DECIMALS:
        raise TooPreciseError(f"{text!r} has more than {DECIMALS} decimals")
    units = int(whole) * UNIT + int(fraction.ljust(DECIMALS, "0"))
    if units > _LARGEST:
        raise ValueError(f"{text!r} is too large")
    return units


def show(units: int) -> str:
    """An amount as text with all of its decimals.

    Examples
    --------
    >>> show(6183763000000), show(-5)
    ('61837.63000000', '-0.00000005')

    """
    if units < 0:
        return "-" + show(-units)
    whole, fraction = divmod(units, UNIT)
    return f"{whole}.{fraction:08d}"


def worth(price: int, quantity: int) -> int:
    """Price times quantity; exact where the symbol's tick and lot are (checked by `Symbol`)."""
    return price * quantity // UNIT


def share(amount: int, rate: int) -> int:
    """A fraction of an amount, the rate in units of 1e-8, rounded half to even as the simulated venue does.

    Examples
    --------
    >>> share(250, 1_000_000), share(350, 1_000_000)
    (2, 4)

    """
    whole, rest = divmod(amount * rate, UNIT)
    return whole + (rest * 2 > UNIT or (rest * 2 == UNIT and whole % 2 == 1))
