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
) -> NativeStrategy:
    """Long while a fast average of the trades is above a slow one, else short (or flat where `short` is False).

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
    return NativeStrategy("ema_cross", parameters)
