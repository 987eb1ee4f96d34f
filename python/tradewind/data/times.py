"""Columns of times become nanoseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zoneinfo import available_timezones

import polars as pl

from tradewind.data.problems import Problems
from tradewind.errors import DataError

TimeUnit = Literal["s", "ms", "us", "ns"]
"""What an integer in a time column counts."""

_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_LARGEST = 2**63 - 1
_FIRST_NS, _LAST_NS = 631_152_000 * 10**9, 4_102_444_800 * 10**9
_ISO = (
    r"^\s*(?<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<clock>\d{2}:\d{2})(?<second>:\d{2})?(?:[.,](?<fraction>\d{1,9})\d*)?)?"
    r"\s*(?<offset>Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?\s*$"
)
_ISO_HINT = 'write 2024-08-08T23:54:15.030Z, or state time_format="%Y%m%d %H%M%S%3f"'


@dataclass(frozen=True)
class TimeReader:
    """How the times of a table are written.

    Parameters
    ----------
    unit
        What integers count; must be stated where times are integers.
    zone
        The time zone of times that do not carry one.
    text_format
        The format of times in text, in the notation of ``strftime``; ISO 8601 where none is stated.

    """

    unit: TimeUnit | None
    zone: str | None
    text_format: str | None

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in _NS:
            raise DataError("bad_setting", f"time_unit = {self.unit!r}", f"one of {', '.join(map(repr, _NS))}")
        if self.zone is not None and self.zone not in available_timezones():
            raise DataError("bad_setting", f"zone = {self.zone!r} is not a time zone", 'such as "America/New_York"')

    def read(self, frame: pl.DataFrame, field: str, problems: Problems) -> pl.Series:
        """Read column ``field`` of ``frame``; null where it is empty or, noted in ``problems``, unreadable."""
        column = frame[field]
        if column.dtype in (pl.Categorical, pl.Enum):
            column = column.cast(pl.String)
        if column.dtype == pl.String:
            times = self._texts(column, field)
        elif column.dtype.is_integer():
            times = self._integers(column, field)
        elif column.dtype in (pl.Datetime, pl.Date):
            times = self._datetimes(column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column, field)
        elif column.dtype == pl.Null:
            times = column.cast(pl.Int64)
        else:
            hint = 'times are datetimes, ISO text, or integers with time_unit="ms"'
            raise DataError("wrong_type", f"column {field!r} is {column.dtype}, which is no time", hint)
        lost = times.is_null() & column.is_not_null()
        if lost.any():
            what = f"{field} is not a time that exists and fits 64 bits of nanoseconds"
            hint = _ISO_HINT if column.dtype == pl.String else "check time_unit and zone"
            problems.add("wrong_type", what, frame.filter(lost), column.filter(lost), hint)
        return times.alias(field)

    def _integers(self, column: pl.Series, field: str) -> pl.Series:
        if self.unit is None:
            value = column.drop_nulls().head(1).to_list()
            hint = 'add time_unit="ms", or "s", "us", "ns"'
            raise DataError(
                "missing_setting", f"column {field!r} holds integers such as {value}: what do they count?", hint
            )
        self._check_unit(column, field, self.unit)
        return _scaled(column, _NS[self.unit])

    def _check_unit(self, column: pl.Series, field: str, unit: TimeUnit) -> None:
        """Refuse a unit that gives no year of markets where another unit does."""
        for value in column.drop_nulls().head(1).to_list():
            fitting = [name for name, ns in _NS.items() if _FIRST_NS <= value * ns <= _LAST_NS]
            if fitting and unit not in fitting:
                raise DataError(
                    "bad_setting",
                    f"column {field!r} holds {value}, which is not between 1990 and 2100 with time_unit={unit!r}",
                    f"write time_unit={fitting[0]!r}",
                )

    def _texts(self, column: pl.Series, field: str) -> pl.Series:
        first = column.drop_nulls().head(1)
        if self.text_format is not None:
            times = column.str.strip_chars().str.to_datetime(self.text_format, time_unit="ns", strict=False)
            return self._datetimes(times, field)
        if self.unit is not None or first.str.contains(r"^\s*-?\d+\s*$").any():
            return self._integers(column.str.strip_chars().cast(pl.Int64, strict=False).alias(field), field)
        return self._iso(column, field)

    def _iso(self, column: pl.Series, field: str) -> pl.Series:
        parts = column.str.extract_groups(_ISO).struct.unnest()
        stated = parts["offset"].is_not_null()
        clock = parts.select(
            pl.col("day") + " " + pl.col("clock").fill_null("00:00") + pl.col("second").fill_null(":00")
        ).to_series()
        local = clock.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ns", strict=False)
        fraction = parts["fraction"].fill_null("").str.pad_end(9, "0").cast(pl.Int64)
        utc = local.cast(pl.Int64) + fraction - _offset_ns(parts["offset"])
        if (~stated & local.is_not_null()).any():
            zoned = self._datetimes(local, field) + fraction
            utc = utc.zip_with(stated, zoned)
        return utc

    def _datetimes(self, column: pl.Series, field: str) -> pl.Series:
        assert isinstance(column.dtype, pl.Datetime)
        unit = column.dtype.time_unit or "us"
        if column.dtype.time_zone is None:
            if self.zone is None:
                value = column.drop_nulls().head(1).to_list()
                text = value[0].isoformat(" ") if value else "none"
                hint = 'add zone="UTC", or the zone that they are in'
                raise DataError("missing_setting", f"times in column {field!r}, such as {text}, carry no zone", hint)
            column = column.dt.replace_time_zone(self.zone, ambiguous="null", non_existent="null")
        ticks = column.dt.convert_time_zone("UTC").to_physical()
        return _scaled(ticks, _NS[unit])


def _scaled(column: pl.Series, factor: int) -> pl.Series:
    """The product, null where it does not fit 64 bits."""
    if factor == 1:
        return column.cast(pl.Int64, strict=False)
    value = pl.col("value").cast(pl.Int64, strict=False)
    fits = value.is_between(-_LARGEST // factor + 1, _LARGEST // factor)
    return pl.DataFrame({"value": column}).select(pl.when(fits).then(value * factor)).to_series()


def _offset_ns(offset: pl.Series) -> pl.Series:
    """How far local time is ahead of UTC."""
    digits = pl.col("offset").str.replace_all(r"[^0-9]", "")
    minutes = (
        digits.str.slice(0, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
        + digits.str.slice(2, 2).cast(pl.Int64, strict=False).fill_null(0)
    ) * pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
    return pl.DataFrame({"offset": offset}).select(minutes.fill_null(0) * 60 * _NS["s"]).to_series()
