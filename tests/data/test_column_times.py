"""Times in columns become nanoseconds, UTC, and nothing about them is guessed."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.data.problems import Problems
from tradewind.data.times import TimeReader, TimeUnit
from tradewind.errors import DataError

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read(
    values: pl.Series, unit: TimeUnit | None = None, zone: str | None = None, text_format: str | None = None
) -> list[int | None]:
    problems = Problems(["table"])
    frame = pl.DataFrame({"file": 0, "row": range(1, len(values) + 1), "time": values})
    times = TimeReader(unit, zone, text_format).read(frame, "time", problems).to_list()
    problems.raise_if_any()
    return times


def ns(time: dt.datetime) -> int:
    return (time - EPOCH) // dt.timedelta(microseconds=1) * 1000


ZONES = st.sampled_from([dt.UTC, dt.timezone(-dt.timedelta(hours=5, minutes=30))])
MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=ZONES)


@given(st.lists(MOMENTS, min_size=1, max_size=20))
def test_iso_text_of_the_standard_library(moments: list[dt.datetime]) -> None:
    # isoformat leaves the microseconds out where they are zero.
    assert read(pl.Series([moment.isoformat() for moment in moments])) == [ns(moment) for moment in moments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-08-08T23:54:15.03Z", 1723161255_030_000_000),
        ("2024-08-08 23:54:15.030123456+00:00", 1723161255_030_123_456),
        ("2024-08-09 01:54:15+0200", 1723161255_000_000_000),
        ("2024-08-08 23:54Z", 1723161240_000_000_000),
        ("2024-08-08T18:54:15-05", 1723161255_000_000_000),
    ],
)
def test_iso_text(text: str, expected: int) -> None:
    assert read(pl.Series([text])) == [expected]


def test_integers_need_their_unit() -> None:
    values = pl.Series([1723161255030])
    with pytest.raises(
        DataError, match=r"\[missing_setting\] column 'time' holds integers.*\nhint: add time_unit=\"ms\""
    ):
        read(values)
    for unit, factor in {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}.items():
        assert read(pl.Series([1723]), unit) == [1723 * factor]  # type: ignore[arg-type]
    assert read(pl.Series(["1723161255030"]), "ms") == [1723161255_030_000_000]
    with pytest.raises(DataError, match="missing_setting"):
        read(pl.Series(["1723161255030"]))
    for unit in ("s", "us", "ns"):
        with pytest.raises(DataError, match=r"1723161255030.*not between 1990 and 2100.*\nhint: write time_unit='ms'"):
            read(values, unit)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"\[wrong_type\].*row 1: 9223372036854775807"):
        read(pl.Series([2**63 - 1]), "s")


def test_times_without_a_zone_need_one() -> None:
    naive = pl.Series([dt.datetime(2024, 8, 8, 23, 54)])
    with pytest.raises(DataError, match=r"2024-08-08 23:54:00, carry no zone\nhint: add zone=\"UTC\""):
        read(naive)
    with pytest.raises(DataError, match="carry no zone"):
        read(pl.Series(["2024-08-08 23:54"]))
    new_york = 1723175640_000_000_000
    assert read(naive, zone="America/New_York") == [new_york]
    assert read(pl.Series(["2024-08-08 23:54:00"]), zone="America/New_York") == [new_york]
    assert read(pl.Series([dt.date(2024, 8, 8)]), zone="UTC") == [1723075200_000_000_000]
    assert read(pl.Series(["2024-08-08", "2024-08-08T00:00Z"]), zone="America/New_York") == [
        1723089600_000_000_000,
        1723075200_000_000_000,
    ]


def test_a_time_that_a_zone_has_twice_or_never_is_refused() -> None:
    twice, never = dt.datetime(2024, 11, 3, 1, 30), dt.datetime(2024, 3, 10, 2, 30)
    with pytest.raises(DataError, match=r"row 1: 2024-11-03 01:30:00; row 2: 2024-03-10 02:30:00"):
        read(pl.Series([twice, never]), zone="America/New_York")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_any_unit(unit: Literal["ms", "us", "ns"]) -> None:
    values = pl.Series([dt.datetime(2024, 8, 8, 23, 54, 15, 30000)]).cast(pl.Datetime(unit))
    assert read(values.dt.replace_time_zone("Europe/Berlin")) == [1723154055_030_000_000]


def test_a_format_of_ones_own() -> None:
    assert read(pl.Series(["20200101 170000065"]), zone="EST5EDT", text_format="%Y%m%d %H%M%S%3f") == [
        1577916000_065_000_000
    ]


def test_what_is_no_time() -> None:
    with pytest.raises(DataError, match=r"\[wrong_type\].*row 2: yesterday\nhint: write 2024"):
        read(pl.Series(["2024-08-08T23:54:15Z", "yesterday", None]))
    with pytest.raises(DataError, match=r"column 'time' is Float64, which is no time"):
        read(pl.Series([1.5]))
    with pytest.raises(DataError, match=r"\[bad_setting\] zone = 'Mars'"):
        TimeReader(None, "Mars", None)
    with pytest.raises(DataError, match=r"\[bad_setting\] time_unit = 'min'"):
        TimeReader("min", None, None)  # type: ignore[arg-type]
