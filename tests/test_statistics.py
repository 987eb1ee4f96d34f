"""Statistics of whole runs against empyrical-reloaded, on real data, to 1e-9."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import empyrical
import pandas as pd
import polars as pl
import pytest
from helpers import BTC, check_accounts, run, trade_rows

import tradewind as tw
from tradewind.instruments import InstrumentFields

GOOG = InstrumentFields(
    venue="nasdaq", symbol="GOOG", kind="spot", base="GOOG", quote="USD", tick="0.01", lot="1", minimum_quantity="1",
    minimum_notional="0", maker_fee="0", taker_fee="0.001", fee_asset="quote",
)  # fmt: skip
PERPETUAL = InstrumentFields(
    venue="some", symbol="BTC-PERP", kind="linear_perpetual", base="BTC", quote="USD", tick="0.5", lot="0.0001",
    minimum_quantity="0.0001", minimum_notional="0", maker_fee="0", taker_fee="0.0004", initial_margin="0.05",
    maintenance_margin="0.025",
)  # fmt: skip


class Cross(tw.Strategy):
    """Long above, and below short or flat."""

    instrument: str = tw.param("")
    interval: str = tw.param("1d")
    fast: int = tw.param(10)
    slow: int = tw.param(30)
    quantity: float = tw.param(1.0)
    short: bool = tw.param(True)

    def on_start(self, ctx: tw.Context) -> None:
        self.what = ctx.instrument(self.instrument)
        bars = self.what.bars(self.interval)
        self.averages = ctx.indicator(tw.Ema(self.fast), bars), ctx.indicator(tw.Ema(self.slow), bars)

    def on_bar(self, ctx: tw.Context, bar: object) -> None:
        fast, slow = self.averages
        if slow.ready:
            below = -self.quantity if self.short else 0
            ctx.target(self.what, self.quantity if fast.value > slow.value else below)


def goog(recorded: Path, days: Literal[365, 252]) -> tw.Result:
    rows = tw.bars(
        recorded / "bars/backtesting-py/GOOG.csv", "1d", "start", {"time": ""}, zone="UTC", rounding="nearest"
    )
    return tw.backtest(
        Cross(instrument=GOOG.name, quantity=100, short=False),
        data={GOOG.name: rows}, instruments=[GOOG], balances={"USD": 100_000}, currency="USD", interval="1d", days=days,
        venues={"nasdaq": tw.Simulated(latency="20ms")},
    )  # fmt: skip


def perpetual(recorded: Path, **settings: Any) -> tw.Result:
    rows = tw.bars(
        recorded / "bars/nautilus/btc-perp-20211231-20220201_1m.csv", "1m", "start", {"time": "timestamp"},
        zone="UTC", rounding="nearest",
    )  # fmt: skip
    return tw.backtest(
        Cross(instrument=PERPETUAL.name, interval="1m", fast=200, slow=800, quantity=0.5),
        data={PERPETUAL.name: rows}, instruments=[PERPETUAL], balances={"USD": 50_000},
        venues={"some": tw.Simulated(latency="20ms")}, **settings,
    )  # fmt: skip


def daily(result: tw.Result, *, every_day: bool) -> pd.Series:
    """Daily returns, made with pandas: a sample at midnight closes the day before; the first is the base."""
    samples = result.equity.to_pandas().set_index("time")["equity"]
    later = samples.iloc[1:]
    days = later.groupby((later.index - pd.Timedelta(1, "ns")).floor("D")).last()
    if every_day:
        days = days.asfreq("D").ffill()
    return pd.concat([pd.Series([samples.iloc[0]]), days]).pct_change().iloc[1:]


def compare(result: tw.Result, returns: pd.Series, year: int) -> None:
    metrics = result.metrics
    expected = {
        "total_return": empyrical.cum_returns_final(returns),
        "annual_return": empyrical.annual_return(returns, annualization=year),
        "volatility": empyrical.annual_volatility(returns, annualization=year),
        "sharpe": empyrical.sharpe_ratio(returns, annualization=year),
        "sortino": empyrical.sortino_ratio(returns, annualization=year),
        "calmar": empyrical.calmar_ratio(returns, annualization=year),
        "daily_drawdown": empyrical.max_drawdown(returns),
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert metrics["counted_days"] == len(returns)
    assert metrics["fills"] > 10


def test_a_month_of_minutes(recorded: Path) -> None:
    result = perpetual(recorded)
    returns = daily(result, every_day=True)
    assert len(returns) >= 31
    compare(result, returns, 365)
    check_accounts(result)


@pytest.mark.parametrize("interval", ["1m", "17m", "1d"])
def test_the_interval_of_the_curve_does_not_change_daily_figures(recorded: Path, interval: str) -> None:
    fine, hourly = perpetual(recorded, interval=interval), perpetual(recorded)
    for name in ("sharpe", "sortino", "volatility", "annual_return", "daily_drawdown"):
        if interval != "17m":  # its samples do not fall on midnight
            assert fine.metrics[name] == pytest.approx(hourly.metrics[name], rel=1e-12)
    compare(fine, daily(fine, every_day=True), 365)


def test_the_drawdown_of_all_samples(recorded: Path) -> None:
    result = perpetual(recorded)
    equity = result.equity["equity"]
    assert result.metrics["maximum_drawdown"] == pytest.approx((equity / equity.cum_max() - 1).min(), rel=1e-12)
    assert result.metrics["maximum_drawdown"] < result.metrics["daily_drawdown"] < 0


def test_nine_years_of_days_with_a_calendar(recorded: Path) -> None:
    result = goog(recorded, 252)
    compare(result, daily(result, every_day=False), 252)
    check_accounts(result)


def test_nine_years_of_days_without_one(recorded: Path) -> None:
    result = goog(recorded, 365)
    compare(result, daily(result, every_day=True), 365)
    days = len(daily(result, every_day=True))
    assert f"(daily: {days:,} UTC days begun, 365 a year)" in " ".join(repr(result).split())


class Nothing(tw.Strategy):
    def on_start(self, ctx: tw.Context) -> None:
        ctx.subscribe(ctx.instrument(BTC).trades)


def test_a_run_without_orders_claims_nothing() -> None:
    metrics = run(Nothing(), trade_rows([100.0] * 5)).metrics
    assert (metrics["orders"], metrics["fills"], metrics["total_return"], metrics["maximum_drawdown"]) == (
        0,
        0,
        0.0,
        0.0,
    )
    for name in ("sharpe", "sortino", "calmar", "volatility", "annual_return"):
        assert metrics[name] is None, name
    for name in ("win_rate", "profit_factor", "average_win", "largest_loss", "average_duration_ns"):
        assert metrics["total"][name] is None, name


def test_days_without_variance_have_no_sharpe_ratio() -> None:
    result = run(Nothing(), trade_rows([100.0] * 5, every_ms=86_400_000))
    assert result.metrics["volatility"] == 0.0
    assert [result.metrics[name] for name in ("sharpe", "sortino", "calmar")] == [None, None, None]


def test_one_round_trip_that_won() -> None:
    class Once(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.btc = ctx.instrument(BTC)
            ctx.subscribe(self.btc.trades)
            self.count = 0

        def on_trade(self, ctx: tw.Context, trade: object) -> None:
            self.count += 1
            ctx.target(self.btc, 1 if self.count == 1 else 0)

    result = run(Once(), trade_rows([100.0, 100.0, 110.0, 110.0]))
    total = result.metrics["total"]
    assert (total["trips"], total["win_rate"], total["profit_factor"]) == (1, 1.0, None)
    fees = (100 + 110) * 0.0005
    assert total["average_win"] == pytest.approx(10 - fees)
    assert total["net_realised"] == pytest.approx(10 - fees)
    assert result.metrics["final_equity"] == pytest.approx(1_000_000 + 10 - fees)
    assert result.fills["realised"].to_list() == [0.0, 10.0]
    assert result.equity["equity"].to_list()[-1] == result.metrics["final_equity"]
    assert isinstance(result.positions, pl.DataFrame)
