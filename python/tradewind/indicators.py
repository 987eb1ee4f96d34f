"""Indicators that the kernel updates before a callback: O(1) an update, a few nanoseconds each."""

from __future__ import annotations

from typing import Literal

from tradewind._core import IndicatorSpecification


def Sma(period: int) -> IndicatorSpecification:  # noqa: N802 - a thing, as users think of it
    """Simple moving average.

    Examples
    --------
    >>> Sma(3).over([1, 2, 3, 4])
    [nan, nan, 2.0, 3.0]

    """
    return IndicatorSpecification("sma", period)


def Ema(period: int, *, seed: Literal["average", "first"] = "average") -> IndicatorSpecification:  # noqa: N802
    """Exponential moving average, with the weight 2 / (period + 1).

    Parameters
    ----------
    period
        The number of inputs until it is ready.
    seed
        ``"average"`` starts with the mean of the first `period` inputs, as TA-Lib does; ``"first"`` with the first.

    Examples
    --------
    >>> Ema(3).over([1, 2, 3, 5])
    [nan, nan, 2.0, 3.5]

    """
    return IndicatorSpecification("ema", period, seed)


def Rsi(period: int = 14) -> IndicatorSpecification:  # noqa: N802
    """Relative strength index, smoothed as Wilder does; from 0 to 100.

    Examples
    --------
    >>> Rsi(2).over([1, 2, 3, 2])[-1]
    50.0

    """
    return IndicatorSpecification("rsi", period)


def Atr(period: int = 14) -> IndicatorSpecification:  # noqa: N802
    """Average true range of bars, smoothed as Wilder does.

    Examples
    --------
    >>> Atr(2).over_bars([(2, 1, 1.5), (3, 1, 2), (4, 2, 3), (4, 3, 3)])
    [nan, nan, 2.0, 1.5]

    """
    return IndicatorSpecification("atr", period)


def StandardDeviation(period: int) -> IndicatorSpecification:  # noqa: N802
    """Standard deviation of the last `period` inputs, of the population (not the sample).

    Examples
    --------
    >>> StandardDeviation(2).over([1, 3])
    [nan, 1.0]

    """
    return IndicatorSpecification("standard_deviation", period)
