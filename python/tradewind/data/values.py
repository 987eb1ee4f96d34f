"""Values from outside, from tables: a model's output, news, anything of one's own (V2)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import polars as pl

from tradewind.data.problems import Problems
from tradewind.data.source import tables
from tradewind.data.times import TimeReader, TimeUnit
from tradewind.errors import DataError
from tradewind.simulation import Duration
from tradewind.times import duration_ns

Kind = Literal["number", "text", "json"]
Row = tuple[str, int, int, Kind, float | None, str | None]
"""A value as the kernel takes it: stream, both times, kind, and the number or the text."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """A table of values with their times; made by `values`."""

    source: Any
    time: str
    arrival: str | None
    value: str
    kind: Kind | None
    latency_ns: int
    reader: TimeReader
    header: bool

    def __repr__(self) -> str:
        return f"Values({self.source if isinstance(self.source, str) else type(self.source).__name__})"

    def rows(self, name: str) -> list[Row]:
        """Every value, in the order of arrival."""
        rows: list[Row] = []
        for table in tables(self.source, self.header):
            wanted = [self.time, self.value, *([self.arrival] if self.arrival else [])]
            missing = [column for column in wanted if column not in table.names()]
            if missing:
                held = ", ".join(table.names())
                raise DataError("missing_column", f"{name}: there is no column {missing[0]!r}", f"there are {held}")
            for frame in table.read([pl.col(column) for column in wanted], None):
                rows += self._rows(name, frame)
        if not rows:
            raise DataError("empty_data", f"{name}: the table of values holds no rows")
        return sorted(rows, key=lambda row: row[2])

    def _rows(self, name: str, frame: pl.DataFrame) -> list[Row]:
        times = self._times(name, frame, self.time)
        arrivals = (
            [time + self.latency_ns for time in times]
            if self.arrival is None
            else self._times(name, frame, self.arrival)
        )
        values = frame[self.value].to_list()
        listed: list[Row] = []
        for place, (time, arrival, value) in enumerate(zip(times, arrivals, values, strict=True)):
            if arrival < time:
                raise DataError(
                    "arrival_before_venue_time",
                    f"{name}: row {place} arrived at {arrival} ns, before its time {time} ns",
                )
            listed.append(row_of(name, time, arrival, value, self.kind, f"{name}: row {place}"))
        return listed

    def _times(self, name: str, frame: pl.DataFrame, column: str) -> Sequence[int]:
        places = frame.select(pl.lit(0).alias("file"), pl.int_range(pl.len()).alias("row"), pl.col(column))
        problems = Problems([name])
        times = self.reader.read(places, column, problems)
        problems.raise_if_any()
        if times.is_null().any():
            raise DataError("wrong_type", f"{name}: row {times.is_null().arg_max()} has no {column}")
        return times.to_list()


def row_of(name: str, time_ns: int, arrival_ns: int, value: Any, kind: Kind | None, place: str) -> Row:
    """A value as the kernel takes it; its kind is stated, or that of the value."""
    if kind is None:
        kind = "number" if isinstance(value, (int, float)) else "text" if isinstance(value, str) else "json"
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise DataError("not_a_number", f"{place}: {value!r} is not a finite number")
        return (name, time_ns, arrival_ns, kind, float(value), None)
    if kind == "text":
        if not isinstance(value, str):
            raise DataError("wrong_type", f"{place}: {value!r} is not a text")
        return (name, time_ns, arrival_ns, kind, None, value)
    try:
        text = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        json.loads(text)
    except (TypeError, ValueError) as error:
        raise DataError("wrong_type", f"{place}: {value!r} is not JSON: {error}") from error
    return (name, time_ns, arrival_ns, kind, None, text)


def values(
    source: Any,
    *,
    time: str = "time",
    value: str = "value",
    arrival: str | None = None,
    kind: Kind | None = None,
    latency: Duration = 0,
    time_unit: TimeUnit | None = None,
    zone: str | None = None,
    time_format: str | None = None,
    header: bool = True,
) -> Values:
    """Values from outside in a table: a stream of its own beside the instruments' data.

    A strategy names it in `on_start` (``ctx.subscribe("sentiment")``) and receives it in `on_data`; in a session the
    same stream is fed by the control API or ``session.send``.

    Parameters
    ----------
    source
        A file (Parquet, CSV, Feather) or a data frame.
    time, value
        The columns of when a value was true, and of what it says.
    arrival
        The column of when it was known to us; where there is none, ``latency`` after its time.
    kind
        ``"number"``, ``"text"`` or ``"json"``; where it is not stated, by the type of each value.
    latency
        How long after its time a value arrives.
    time_unit, zone, time_format, header
        How the table is written, as for `trades`.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import UTC, datetime
    >>> table = pl.DataFrame({"time": [datetime(2026, 1, 1, tzinfo=UTC)], "value": [0.5]})
    >>> values(table, latency="1s").rows("sentiment")
    [('sentiment', 1767225600000000000, 1767225601000000000, 'number', 0.5, None)]

    """
    return Values(
        source=source,
        time=time,
        arrival=arrival,
        value=value,
        kind=kind,
        latency_ns=duration_ns(latency),
        reader=TimeReader(time_unit, zone, time_format),
        header=header,
    )


def digest_of(rows: Sequence[Row]) -> bytes:
    """The digest of values, as part of the digest of a run's data."""
    return blake2b(repr(rows).encode(), digest_size=16).digest()
