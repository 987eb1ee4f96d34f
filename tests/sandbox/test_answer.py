"""Numbers in answers."""

from __future__ import annotations

import pytest

from tradewind.sandbox.binance_spot.answer import change
from tradewind.sandbox.candles import Candle
from tradewind.sandbox.units import UNIT


@pytest.mark.parametrize(
    ("first", "last", "percent"),
    [
        (90_000, 90_000, "0.000"),
        (100_000, 100_000.4, "0.000"),
        (100_000, 100_000.6, "0.001"),
        (100_000, 110_000, "10.000"),
        # What Binance's documents show.
        (20_825.27, 20_671.14, "-0.740"),
        (9, 1, "-88.889"),
    ],
)
def test_a_fall_is_rounded_as_a_rise_is(first: float, last: float, percent: str) -> None:
    def of(start: float, end: float) -> str:
        price = round(start * UNIT)
        return change(Candle(0, price, price, price, round(end * UNIT)))[1]

    assert of(first, last) == percent
    if last > first:
        assert of(first, 2 * first - last).removeprefix("-") == percent
