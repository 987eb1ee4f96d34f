"""Specifications in files: those that come with Tradewind, and the user's own."""

from __future__ import annotations

import difflib
import tomllib
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tradewind.errors import TradewindError
from tradewind.instruments.fields import InstrumentFields

_READ_IT = "read it with instruments.load_file(path)"


def load(name: str) -> InstrumentFields:
    """Read the packaged specification of an instrument.

    Parameters
    ----------
    name
        Venue and symbol, such as ``"binance_usdm:BTCUSDT"``.

    Examples
    --------
    >>> bitcoin = load("binance_usdm:BTCUSDT")
    >>> bitcoin.tick, bitcoin.lot, bitcoin.taker_fee
    (Decimal('0.1'), Decimal('0.001'), Decimal('0.0005'))

    """
    found = _packaged().get(name)
    if found is None:
        raise not_packaged(name, _READ_IT)
    return found


def not_packaged(name: str, what_then: str) -> TradewindError:
    """Say that an instrument is not packaged, and what is done then with a file of its fields."""
    near = difflib.get_close_matches(name, _packaged(), n=3) or [
        known for known in _packaged() if known.partition(":")[2] == name.upper()
    ]
    hint = f"for another instrument, write its fields into a TOML file and {what_then}"
    if near:
        hint = f"did you mean {' or '.join(near)}? {hint}"
    return TradewindError("unknown_instrument", f"no specification of {name!r} is packaged", hint)


def names() -> list[str]:
    """The names of all packaged instruments.

    Examples
    --------
    >>> "binance_spot:BTCUSDT" in names()
    True

    """
    return sorted(_packaged())


def load_file(path: str | Path) -> InstrumentFields:
    """Read an instrument from a TOML file that holds its fields.

    Parameters
    ----------
    path
        A file with lines such as ``tick = "0.1"``; numbers are read exactly.

    Examples
    --------
    >>> load_file("btc.toml")
    Traceback (most recent call last):
    ...
    tradewind.errors.TradewindError: [unreadable_file] btc.toml cannot be read: No such file or directory

    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        fields = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise TradewindError("unreadable_file", f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TradewindError("unreadable_file", f"{path} is not TOML: {error}") from error
    return InstrumentFields(**fields)


@cache
def _packaged() -> dict[str, InstrumentFields]:
    found: dict[str, InstrumentFields] = {}
    for file in resources.files("tradewind.instruments").iterdir():
        if file.name.endswith(".toml"):
            for fields in _venue(tomllib.loads(file.read_text(encoding="utf-8"))):
                instrument = InstrumentFields(**fields)
                found[instrument.name] = instrument
    return found


def _venue(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The instruments of one venue's file: what holds for all, overridden by each."""
    common, instruments = document["all"], document["instruments"]
    return [common | {"symbol": symbol} | fields for symbol, fields in instruments.items()]
