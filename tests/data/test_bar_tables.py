"""Bars: their label and zone are stated, and they arrive when they have closed (V5)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from tradewind.data import bars
from tradewind.errors import DataError
from tradewind.instruments import InstrumentFields

MINUTE = 60 * 10**9


def table(rows: int = 3, every: int = 60, **columns: Any) -> pl.DataFrame:
    values = {"time": [every * at for at in range(rows)], "open": 100.0, "high": 102.0, "low": 99.5, "close": 101.0}
    return pl.DataFrame({**values, "volume": 1.5, **columns})


def test_labels(instrument: InstrumentFields) -> None:
    start = bars(table(), "1m", "start", time_unit="s").load(instrument)
    assert start.row(1) == (MINUTE, 2 * MINUTE, 5, 0, 1000, 1020, 995, 1010, 1500, MINUTE)
    end = bars(table(), interval="1m", label="end", time_unit="s").load(instrument)
    assert end["venue_time_ns"].to_list() == [-MINUTE, 0, MINUTE]
    assert end["arrival_time_ns"].to_list() == [0, MINUTE, 2 * MINUTE]
    later = bars(table(), "1m", "start", time_unit="s", latency_ns=7).load(instrument)
    assert (later["arrival_time_ns"] - start["arrival_time_ns"]).to_list() == [7] * 3


def test_a_bar_that_arrives_before_its_end_is_refused(instrument: InstrumentFields) -> None:
    frame = table(arrival=[59, 119, 180])
    with pytest.raises(DataError, match="row 1: 1000000000; row 2: 1000000000") as caught:
        bars(frame, "1m", "start", time_unit="s").load(instrument)
    assert caught.value.code == "arrival_before_venue_time"
    stream = bars(frame, "1m", "start", time_unit="s", align=True)
    assert stream.load(instrument)["arrival_time_ns"].to_list() == [MINUTE, 2 * MINUTE, 3 * MINUTE + 10**9]


def test_label_and_zone_must_be_stated(instrument: InstrumentFields) -> None:
    with pytest.raises(DataError, match=r"\[bad_setting\] label = 'left'"):
        bars(table(), "1m", "left")  # type: ignore[arg-type]
    days = table().with_columns(time=pl.Series([dt.date(2024, 3, 8 + at) for at in range(3)]))
    with pytest.raises(DataError, match="carry no zone"):
        bars(days, "1d", "start").load(instrument)
    # The clocks go forward on the third day: it starts 24 hours after the second, the fourth 23 after it.
    spring = table(4).with_columns(time=pl.Series([dt.date(2024, 3, 8 + at) for at in range(4)]))
    hours = bars(spring, "1d", "start", zone="America/New_York").load(instrument)["venue_time_ns"].diff()
    assert [gap // (60 * MINUTE) for gap in hours.drop_nulls()] == [24, 24, 23]


def test_inconsistent_bars(instrument: InstrumentFields) -> None:
    frame = table(high=[102.0, 100.5, 102.0], low=[99.5, 99.5, 100.5])
    with pytest.raises(DataError) as caught:
        bars(frame, "1m", "start", time_unit="s").load(instrument)
    assert caught.value.code == "inconsistent_bar"
    assert "row 2: open 100.0, high 100.5, low 99.5, close 101.0; row 3:" in caught.value.message


def test_bars_do_not_overlap(instrument: InstrumentFields) -> None:
    for frame in (table(every=30), table().with_columns(time=pl.Series([0, 60, 60]))):
        with pytest.raises(DataError, match=r"\[overlapping_bars\].* row 3: 1970-01-01 00:01:00"):
            bars(frame, "1m", "start", time_unit="s").load(instrument)
        with pytest.raises(DataError, match="overlapping_bars"):
            list(bars(frame, "1m", "start", time_unit="s").chunks(instrument, 1))
    assert (
        bars(table().with_columns(time=pl.Series([0, 60, 300])), "1m", "start", time_unit="s").load(instrument).height
        == 3
    )


def test_bars_that_overlap_are_named_by_the_times_in_their_rows(instrument: InstrumentFields) -> None:
    for label, told in (("start", "UTC"), ("end", "UTC, its end")):
        with pytest.raises(DataError) as caught:
            bars(table(every=30), "1m", label, time_unit="s").load(instrument)  # type: ignore[arg-type]
        assert caught.value.message.endswith(f"row 3: 1970-01-01 00:01:00.000000000 {told}")


def test_an_interval_that_no_bar_has_is_refused(instrument: InstrumentFields) -> None:
    with pytest.raises(DataError, match=r"interval = '1m', but no two bars are closer than 3600 s"):
        bars(table(24, every=3600), "1m", "start", time_unit="s").load(instrument)


@pytest.mark.parametrize("interval", ["", "m", "0m", "16384d", "1w", "5 m", "-1m"])
def test_intervals_that_cannot_be_read(interval: str) -> None:
    with pytest.raises(DataError, match="bar interval"):
        bars(table(), interval, "start")


def test_bars_beside_their_interval_are_counted_and_wide_ones_told(instrument: InstrumentFields) -> None:
    for seconds, interval, off, closest in (
        ([0, 60, 120], "1m", 0, ""),
        ([0, 300, 600], "1m", 0, "5m"),
        ([30, 90, 150], "1m", 3, ""),
        # Of a zone that is a quarter of an hour off.
        ([2700, 6300, 9900], "1h", 0, ""),
    ):
        stream = bars(table().with_columns(time=pl.Series(seconds)), interval, "start", time_unit="s")
        for load in (stream.load, lambda one, stream=stream: list(stream.chunks(one, 1))):
            load(instrument)
            assert stream.report is not None
            assert (stream.report.off_interval_bars, stream.report.closest_bars) == (off, closest)
