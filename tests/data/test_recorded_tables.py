"""Recorded tables, against independent readings of the same files."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.feather
import pyarrow.parquet
import pytest

from tradewind import instruments
from tradewind.data import Stream, bars, quotes, trades
from tradewind.errors import DataError
from tradewind.instruments import InstrumentFields

Define = Callable[..., InstrumentFields]
MS = 1_000_000


def load(stream: Stream, instrument: InstrumentFields) -> pl.DataFrame:
    events = stream.load(instrument)
    for rows in (100, 997):
        assert pl.concat(stream.chunks(instrument, rows)).equals(events)
    return events


def units(value: object, decimals: int) -> int:
    return int(Decimal(str(value)).scaleb(decimals).to_integral_value(ROUND_HALF_UP))


def ns(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file, read with pyarrow."""
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def test_binance_trades(recorded: Path) -> None:
    path = recorded / "trades-quotes/binance/btcusdt-trades.parquet"
    spot = instruments.load("binance_spot:BTCUSDT")
    with pytest.raises(
        DataError, match=r"\[off_grid\] quantity is not on the grid of steps of 0.00001: .* row 1: 0.000263"
    ):
        trades(path).load(spot)
    stream = trades(path, grid="decimals")
    events = load(stream, spot)
    expected = [
        (
            ns(row["timestamp"]),
            2 if row["buyer_maker"] == "True" else 1,
            units(f"{row['price']:.2f}", 8),
            units(f"{row['quantity']:.6f}", 8),
            row["trade_id"],
        )
        for row in rows_of(path)
    ]
    assert events.select("venue_time_ns", "flags", "a", "b", "c").rows() == expected
    assert stream.report is not None
    assert stream.report.off_step_values == sum(quantity % 1000 != 0 for *_, quantity, _ in expected)


def test_binance_quotes(recorded: Path, define: Define) -> None:
    path = recorded / "trades-quotes/binance/btcusdt-quotes.parquet"
    events = load(quotes(path), define(tick="0.01", lot="0.000001"))
    fields = {"bid": 2, "bid_size": 6, "ask": 2, "ask_size": 6}
    expected = [
        (ns(row["timestamp"]), *(units(f"{row[name]:.6f}", decimals) for name, decimals in fields.items()))
        for row in rows_of(path)
    ]
    assert events.select("venue_time_ns", *"abcd").rows() == expected


def test_truefx_quotes_with_left_out_microseconds_and_a_locked_one(recorded: Path, define: Define) -> None:
    path = recorded / "trades-quotes/truefx/usdjpy-ticks.csv"
    stream = quotes(path, quantity=1_000_000)
    events = load(stream, define(tick="0.001", lot="1", minimum_quantity="1"))
    with path.open() as file:
        expected = [
            (pd.Timestamp(row["timestamp"]).value, units(row["bid"], 3), units(row["ask"], 3))
            for row in csv.DictReader(file)
        ]
    assert events.select("venue_time_ns", "a", "c").rows() == expected
    assert stream.report is not None
    assert stream.report.locked_quotes == 1


def test_quotes_without_a_header(recorded: Path, define: Define) -> None:
    path = recorded / "trades-quotes/fx/quote_tick_data.csv"
    stream = quotes(
        path,
        {"time": 0, "bid": 1, "ask": 2},
        header=False,
        quantity=1,
        time_format="%Y%m%d %H%M%S%3f",
        zone="Etc/GMT+5",
    )
    events = load(stream, define(tick="0.00001", lot="1", minimum_quantity="1"))
    with path.open() as file:
        rows = list(csv.reader(file))
    assert events.select("a", "c").rows() == [(units(row[1], 5), units(row[2], 5)) for row in rows]
    assert events["venue_time_ns"][0] == pd.Timestamp("2020-01-01 22:00:00.065Z").value


def test_freqtrade_trades(recorded: Path, define: Define) -> None:
    path = recorded / "trades-quotes/freqtrade/XRP_ETH-trades.feather"
    with pytest.raises(DataError, match="what do they count"):
        trades(path).load(define())
    events = load(trades(path, time_unit="ms"), define(tick="0.00000001", lot="1", minimum_quantity="1"))
    table = pyarrow.feather.read_table(path).to_pylist()
    expected = [
        (
            row["timestamp"] * MS,
            {"buy": 1, "sell": 2}[row["side"]],
            units(row["price"], 8),
            int(row["amount"]),
            int(row["id"]),
        )
        for row in table
    ]
    assert events.select("venue_time_ns", "flags", "a", "b", "c").rows() == expected


@pytest.mark.parametrize(
    ("name", "make", "fields"),
    [
        ("tardis/bitmex_trades_XBTUSD.csv", trades, ("price", "amount")),
        ("tardis/huobi-dm-swap_quotes_BTC-USD.csv", quotes, ("bid_price", "bid_amount")),
    ],
)
def test_tardis_files_carry_both_times(
    name: str, make: Callable[..., Stream], fields: tuple[str, str], recorded: Path, define: Define
) -> None:
    path = recorded / "trades-quotes" / name
    events = load(make(path, time_unit="us"), define(tick="0.1", lot="1", minimum_quantity="1"))
    with path.open() as file:
        expected = [
            (
                int(row["timestamp"]) * 1000,
                int(row["local_timestamp"]) * 1000,
                units(row[fields[0]], 1),
                int(row[fields[1]]),
            )
            for row in csv.DictReader(file)
        ]
    assert events.select("venue_time_ns", "arrival_time_ns", "a", "b").rows() == expected


@pytest.mark.parametrize(
    ("name", "interval", "zone", "decimals"),
    [
        ("backtesting-py/GOOG.csv", "1d", "America/New_York", 2),
        ("backtesting-py/EURUSD.csv", "1h", "UTC", 5),
        ("nautilus/btc-perp-20211231-20220201_1m.csv", "1m", "UTC", 3),
    ],
)
def test_bars(name: str, interval: str, zone: str, decimals: int, recorded: Path, define: Define) -> None:
    path = recorded / "bars" / name
    instrument = define(tick=str(Decimal(1).scaleb(-decimals)), lot="0.0001")
    # One of the files holds volumes that are sums of floats.
    stream = bars(path, interval, "start", zone=zone, rounding="nearest" if "perp" in name else None)
    events = stream.load(instrument)
    assert pl.concat(stream.chunks(instrument, 1000)).equals(events)
    with path.open() as file:
        _, *lines = csv.reader(file)
    expected = [
        (pd.Timestamp(line[0], tz=zone).value, *(units(value, decimals) for value in line[1:5]), units(line[5], 4))
        for line in lines
    ]
    assert events.select("venue_time_ns", *"abcde").rows() == expected
    assert (events["arrival_time_ns"] - events["venue_time_ns"] == events["interval_ns"]).all()
