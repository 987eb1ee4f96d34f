"""Bars that the kernel builds from trades, against polars (V5)."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from helpers import BTC, run, times

import tradewind as tw
from tradewind.instruments import InstrumentFields

Row = tuple[int, float, float, float, float, float]


class Collect(tw.Strategy):
    instrument: str = tw.param(BTC)
    interval: str = tw.param("1m")

    def on_start(self, ctx: tw.Context) -> None:
        type(self).bars = []
        ctx.subscribe(ctx.instrument(self.instrument).bars(self.interval))

    def on_bar(self, ctx: tw.Context, bar: tw.Bar) -> None:
        assert ctx.now_ns >= bar.close_time_ns
        self.bars.append((bar.venue_time_ns, bar.open, bar.high, bar.low, bar.close, bar.volume))

    bars: list[Row]


def built(table: pl.DataFrame, interval: str) -> list[Row]:
    """The same bars by polars; the last one has not closed."""
    price = pl.col("price")
    grouped = table.sort("time", maintain_order=True).group_by_dynamic("time", every=interval).agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"), price.last().alias("close"),
        pl.col("quantity").sum().round(8).alias("volume"),
    )  # fmt: skip
    return grouped.with_columns(pl.col("time").dt.epoch("ns")).rows()


@pytest.mark.parametrize("interval", ["1s", "5s", "1m", "7m"])
def test_a_synthetic_market(interval: str) -> None:
    data = tw.load({BTC: tw.synthetic(events=20_000, streams=("trade",), latency="2ns")})
    run(Collect(interval=interval), data)
    frame = tw.synthetic(events=20_000, streams=("trade",), latency="2ns").frame(data.index.instrument(BTC))
    table = frame.select(
        time=pl.from_epoch("venue_time_ns", time_unit="ns"), price=pl.col("a") / 10, quantity=pl.col("b") / 1000
    )
    expected = built(table, interval)
    assert len(Collect.bars) in (len(expected), len(expected) - 1)
    for ours, theirs in zip(Collect.bars, expected, strict=False):
        assert ours == pytest.approx(theirs, abs=1e-7)


@pytest.mark.parametrize("interval", ["1m", "15m", "1h"])
def test_recorded_trades(recorded: Path, interval: str) -> None:
    """Two days and a half of XRP/ETH, with minutes without a trade."""
    table = pl.read_ipc(recorded / "trades-quotes/freqtrade/XRP_ETH-trades.feather")
    coin = InstrumentFields(
        venue="some", symbol="XRPETH", kind="spot", base="XRP", quote="ETH", tick="0.00000001", lot="0.00000001",
        minimum_quantity="0", minimum_notional="0", maker_fee="0", taker_fee="0",
    )  # fmt: skip
    rows = tw.trades(table, {"quantity": "amount", "time": "timestamp"}, time_unit="ms")
    run(
        Collect(instrument=coin.name, interval=interval), {coin.name: rows}, instruments=[coin], balances={"ETH": 1},
        venues={"some": tw.Simulated(latency="20ms")},
    )  # fmt: skip
    same = table.select(time=pl.from_epoch("timestamp", time_unit="ms"), price="price", quantity="amount")
    expected = built(same, interval)
    assert len(Collect.bars) >= len(expected) - 1 > 40
    for ours, theirs in zip(Collect.bars, expected, strict=False):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-7)


def test_a_bar_closes_by_time_even_if_no_trade_follows() -> None:
    """The timer at its end plus a grace closes it, not only the next trade."""
    table = pl.DataFrame({"time": times(3, every_ms=90_000), "price": [100.0, 101.0, 102.0], "quantity": [1.0] * 3})
    closed: list[int] = []

    class Watch(Collect):
        def on_bar(self, ctx: tw.Context, bar: tw.Bar) -> None:
            closed.append((ctx.now_ns - bar.close_time_ns) // 10**6)

    run(Watch(), tw.trades(table))
    assert closed[0] < 30_000


def test_an_indicator_on_bars_has_taken_the_bar() -> None:
    seen: list[tuple[float, float]] = []

    class Watch(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.close = ctx.indicator(tw.Sma(1), ctx.instrument(BTC).bars("5s"))

        def on_bar(self, ctx: tw.Context, bar: tw.Bar) -> None:
            seen.append((self.close.value, bar.close))

    run(Watch(), tw.synthetic(events=5_000))
    assert len(seen) > 10
    assert all(ours == close for ours, close in seen)
