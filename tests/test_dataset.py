"""A run never starts on bad data; the loaders have their own tests in tests/data."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import BTC, run, times

import tradewind as tw

TRADES = {"time": times(3), "price": [100.0, 101.0, 102.0], "quantity": [1.0, 2.0, 3.0], "id": [1, 2, 3]}
QUOTES = {
    "time": times(3),
    "bid": [100.0] * 3,
    "bid_quantity": [1.0] * 3,
    "ask": [100.1] * 3,
    "ask_quantity": [1.0] * 3,
}
BARS = {
    "time": times(3, 60_000),
    "open": [100.0] * 3,
    "high": [101.0] * 3,
    "low": [99.0] * 3,
    "close": [100.0] * 3,
    "volume": [1.0] * 3,
}
NAN = float("nan")


class NeverStarts(tw.Strategy):
    def on_start(self, ctx: tw.Context) -> None:
        raise AssertionError("the run has started")


def refusal(source: Callable[[], Any]) -> tw.TradewindError:
    with pytest.raises(tw.TradewindError) as caught:
        run(NeverStarts(), {BTC: source()})
    return caught.value


def trades(**changed: Any) -> Any:
    return tw.trades(pl.DataFrame({**TRADES, **changed}))


def quotes(**changed: Any) -> Any:
    return tw.quotes(pl.DataFrame({**QUOTES, **changed}))


def bars(**changed: Any) -> Any:
    return tw.bars(pl.DataFrame({**BARS, **changed}), "1m", "start")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (lambda: trades(time=times(3)[::-1]), "unsorted_rows"),
        (lambda: trades(id=[1, 2, 2]), "repeated_trade_id"),
        (lambda: trades(price=[100.0, -1.0, 102.0]), "negative_value"),
        (lambda: trades(price=[100.0, 0.0, 102.0]), "negative_value"),
        (lambda: trades(quantity=[1.0, -2.0, 3.0]), "negative_value"),
        (lambda: trades(price=[100.0, NAN, 102.0]), "not_a_number"),
        (lambda: trades(price=[100.0, float("inf"), 102.0]), "not_a_number"),
        (lambda: trades(price=[100.0, 101.03, 102.0]), "off_grid"),
        (lambda: trades(quantity=[1.0, 1e15, 3.0]), "out_of_range"),
        (lambda: trades(price=["a", "b", "c"]), "not_a_number"),
        (lambda: trades(price=times(3)), "wrong_type"),
        (lambda: quotes(bid=[100.0, 100.2, 100.0]), "crossed_quote"),
        (lambda: quotes(ask=[100.1, NAN, 100.1]), "not_a_number"),
        (lambda: bars(high=[101.0, 99.5, 101.0]), "inconsistent_bar"),
        (lambda: bars(time=times(3, 30_000)), "overlapping_bars"),
        (lambda: tw.trades(pl.DataFrame(TRADES).drop("price")), "missing_column"),
        (lambda: tw.trades(pl.DataFrame(TRADES).clear()), "empty_data"),
        (lambda: tw.trades("no such file.parquet"), "unreadable_file"),
        (lambda: [], "empty_data"),
    ],
)
def test_bad_rows(source: Callable[[], Any], code: str) -> None:
    assert refusal(source).code == code


def test_rows_that_arrive_before_they_happen() -> None:
    early = [times(3)[0], times(3)[0], times(3)[2]]
    error = refusal(lambda: trades(arrival=early))
    assert error.code == "arrival_before_venue_time"
    assert "align" in error.hint


def test_truncated_files(tmp_path: Path) -> None:
    whole = pl.DataFrame(TRADES)
    whole.write_parquet(tmp_path / "whole.parquet")
    raw = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(raw[: len(raw) // 2])
    packed = gzip.compress(whole.write_csv().encode())
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) - 9])
    (tmp_path / "empty.csv").write_bytes(b"")
    for name, code in {
        "cut.parquet": "unreadable_file",
        "cut.csv.gz": "unreadable_file",
        "empty.csv": "empty_data",
    }.items():
        error = refusal(lambda name=name: tw.trades(tmp_path / name))
        assert error.code == code
        assert name in error.message


def test_all_mistakes_of_a_table_are_told_at_once() -> None:
    error = refusal(lambda: trades(price=[100.0, -1.0, 100.03], quantity=[1.0, 2.0, NAN]))
    assert "row 2" in str(error)
    assert "row 3" in str(error)


def test_equal_rows_without_ids_are_kept_and_locked_quotes_counted() -> None:
    class Counts(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            btc = ctx.instrument(BTC)
            ctx.subscribe(btc.trades, btc.quotes)

    same = pl.DataFrame({"time": [times(1)[0]] * 3, "price": [100.0] * 3, "quantity": [1.0] * 3})
    locked = quotes(bid=[100.0, 100.1, 100.0])
    result = run(Counts(), {BTC: [tw.trades(same), locked]})
    assert result.metrics["rows"] == 6
    assert any("locked" in report for report in result.data.reports)


def test_rows_of_another_order_are_sorted_when_asked() -> None:
    result = run(
        tw.ema_cross(BTC, fast=1, slow=2), tw.trades(pl.DataFrame({**TRADES, "time": times(3)[::-1]}), sort=True)
    )
    assert result.metrics["rows"] == 3


def test_two_streams_of_one_kind_continue_the_market_in_the_order_of_time() -> None:
    """T3: by time, whatever the stream."""
    seen: list[float] = []

    class Watch(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.subscribe(ctx.instrument(BTC).trades)

        def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
            seen.append(trade.price)

    at = times(6)
    one = pl.DataFrame({"time": at[::2], "price": [100.0, 102.0, 104.0], "quantity": [1.0] * 3})
    two = pl.DataFrame({"time": at[1::2], "price": [101.0, 103.0, 105.0], "quantity": [1.0] * 3})
    run(Watch(), [tw.trades(one), tw.trades(two)])
    assert seen == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
