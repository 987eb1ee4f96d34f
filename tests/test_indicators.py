"""Indicators against TA-Lib, talipp and numpy, on real prices, to 1e-9."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import talib
import talipp.indicators as talipp
from helpers import BTC, quote_rows, run, trade_rows
from numpy.typing import NDArray
from talipp.ohlcv import OHLCV

import tradewind as tw

Values = NDArray[np.float64]
PERIODS = (2, 3, 14, 50, 200)
FILES = {
    "GOOG": "bars/backtesting-py/GOOG.csv",
    "EURUSD": "bars/backtesting-py/EURUSD.csv",
    "btc": "bars/nautilus/btc-perp-20211231-20220201_1m.csv",
}


@pytest.fixture(scope="module", params=FILES)
def prices(request: pytest.FixtureRequest, recorded: Path) -> dict[str, Values]:
    """High, low and close of a recording."""
    table = pl.read_csv(recorded / FILES[request.param])
    table = table.rename({name: name.lower() for name in table.columns})
    return {name: table[name].cast(pl.Float64).to_numpy() for name in ("high", "low", "close")}


def same(ours: list[float], theirs: Values) -> None:
    """Both are unknown at the same places, and equal to 1e-9 elsewhere."""
    mine = np.array(ours)
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
    known = ~np.isnan(mine)
    assert known.any()
    np.testing.assert_allclose(mine[known], theirs[known], rtol=1e-9, atol=1e-9)


def talipp_values(indicator: object, places: int) -> Values:
    """Theirs as an array: None becomes NaN."""
    values = [np.nan if value is None else value for value in indicator]  # type: ignore[attr-defined]
    assert len(values) == places
    return np.array(values, dtype=float)


@pytest.mark.parametrize("period", PERIODS)
class TestTaLib:
    def test_sma(self, prices: dict[str, Values], period: int) -> None:
        same(tw.Sma(period).over(prices["close"].tolist()), talib.SMA(prices["close"], period))

    def test_ema(self, prices: dict[str, Values], period: int) -> None:
        same(tw.Ema(period).over(prices["close"].tolist()), talib.EMA(prices["close"], period))

    def test_rsi(self, prices: dict[str, Values], period: int) -> None:
        same(tw.Rsi(period).over(prices["close"].tolist()), talib.RSI(prices["close"], period))

    def test_atr(self, prices: dict[str, Values], period: int) -> None:
        bars = list(zip(*(prices[name].tolist() for name in ("high", "low", "close")), strict=True))
        same(tw.Atr(period).over_bars(bars), talib.ATR(prices["high"], prices["low"], prices["close"], period))

    def test_standard_deviation(self, prices: dict[str, Values], period: int) -> None:
        ours = np.array(tw.StandardDeviation(period).over(prices["close"].tolist()))
        theirs = talib.STDDEV(prices["close"], period)
        # Theirs is the root of a difference of large sums, which loses digits where prices hardly move.
        moves = ours > 1e-4 * prices["close"]
        assert moves.sum() > 100 or period == 2
        np.testing.assert_allclose(ours[moves], theirs[moves], rtol=1e-6)
        windows = np.lib.stride_tricks.sliding_window_view(prices["close"], period)
        np.testing.assert_allclose(ours[period - 1 :], windows.std(axis=1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("period", (3, 14))
class TestTalipp:
    """A second oracle, that updates one value at a time as ours does."""

    def test_moving_averages(self, prices: dict[str, Values], period: int) -> None:
        close = prices["close"][:3_000].tolist()
        same(tw.Sma(period).over(close), talipp_values(talipp.SMA(period, close), len(close)))
        same(tw.Ema(period).over(close), talipp_values(talipp.EMA(period, close), len(close)))

    def test_rsi(self, prices: dict[str, Values], period: int) -> None:
        close = prices["close"][:3_000].tolist()
        same(tw.Rsi(period).over(close), talipp_values(talipp.RSI(period, close), len(close)))

    def test_atr(self, prices: dict[str, Values], period: int) -> None:
        bars = list(zip(*(prices[name][:3_000].tolist() for name in ("high", "low", "close")), strict=True))
        candles = [OHLCV(close, high, low, close) for high, low, close in bars]
        theirs = talipp_values(talipp.ATR(period, candles), len(bars))
        ours = np.array(tw.Atr(period).over_bars(bars))
        # Theirs counts the first bar's range, which has no close before it; both forget their start.
        np.testing.assert_allclose(ours[period * 40 :], theirs[period * 40 :], rtol=1e-9)


def test_an_ema_that_starts_with_the_first_value_is_pandas_own(prices: dict[str, Values]) -> None:
    close = prices["close"]
    ours = np.array(tw.Ema(20, seed="first").over(close.tolist()))
    theirs = pl.Series(close).ewm_mean(span=20, adjust=False).to_numpy()
    known = ~np.isnan(ours)
    np.testing.assert_allclose(ours[known], theirs[known], rtol=1e-9)


def test_in_a_run_the_values_are_those_of_the_whole_series() -> None:
    """Attached to a stream, an indicator has taken the row when the callback sees it."""
    prices = [100.0, 101.0, 99.5, 102.0, 103.5, 101.0]
    seen: list[tuple[float, bool]] = []

    class Watch(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.sma = ctx.indicator(tw.Sma(3), ctx.instrument(BTC).trades)

        def on_trade(self, ctx: tw.Context, trade: object) -> None:
            seen.append((self.sma.value, self.sma.ready))

    run(Watch(), trade_rows(prices))
    np.testing.assert_array_equal([value for value, _ in seen], tw.Sma(3).over(prices))
    assert [ready for _, ready in seen] == [False, False, True, True, True, True]


@pytest.mark.parametrize("make", [tw.Sma, tw.Ema, tw.Rsi, tw.Atr, tw.StandardDeviation])
def test_a_period_of_nothing_is_an_error(make: object) -> None:
    with pytest.raises(tw.TradewindError, match="period"):
        make(0)  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["trades", "quotes"])
def test_a_true_range_needs_bars(kind: str) -> None:
    class Watch(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.indicator(tw.Atr(3), getattr(ctx.instrument(BTC), kind))

    rows = trade_rows([100.0] * 5) if kind == "trades" else quote_rows([100.0] * 5)
    with pytest.raises(tw.TradewindError, match=f"an average true range cannot be attached to {kind}") as caught:
        run(Watch(), rows)
    assert (caught.value.code, caught.value.hint) == ("bad_setting", "attach it to bars, which have a high and a low")


@pytest.mark.parametrize("late", ["indicator", "history", "subscribe"])
def test_what_was_called_too_late_is_named(late: str) -> None:
    class Late(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.subscribe(ctx.instrument(BTC).trades)

        def on_trade(self, ctx: tw.Context, trade: object) -> None:
            trades = ctx.instrument(BTC).trades
            {
                "indicator": lambda: ctx.indicator(tw.Sma(3), trades),
                "history": lambda: ctx.history(trades, 3),
                "subscribe": lambda: ctx.subscribe(trades),
            }[late]()

    with pytest.raises(tw.TradewindError) as caught:
        run(Late(), trade_rows([100.0] * 3))
    assert (caught.value.code, caught.value.message.partition(" was")[0]) == ("not_in_on_start", late)
