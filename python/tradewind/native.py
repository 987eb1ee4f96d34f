"""Strategies that are written in Rust: no Python runs while they do."""

from __future__ import annotations

from typing import Literal

from tradewind._core import NativeStrategy


def ema_cross(
    instrument: str,
    *,
    fast: int = 20,
    slow: int = 100,
    quantity: float = 1.0,
    short: bool = True,
    seed: Literal["average", "first"] = "average",
    name: str = "ema_cross",
) -> NativeStrategy:
    """Long while a fast average of the trades is above a slow one, else short (or flat where `short` is False).

    Parameters
    ----------
    instrument
        What it trades, such as ``"binance_spot:BTCUSDT"``.
    fast, slow
        The periods of the two averages, in trades.
    quantity
        How much it holds, long or short.
    short
        Whether it goes short, or flat.
    seed
        What the averages begin with: the average of their first values, or the first value.
    name
        What its orders, positions and reports carry; each strategy of a run has a name of its own.

    Examples
    --------
    >>> ema_cross("binance_usdm:BTCUSDT", fast=10).parameters["fast"]
    10

    """
    parameters = {
        "instrument": instrument,
        "fast": fast,
        "slow": slow,
        "quantity": quantity,
        "short": short,
        "seed": seed,
    }
    return NativeStrategy("ema_cross", parameters, name)
