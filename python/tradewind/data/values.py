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
from tradewind.data.source import Table, tables
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
        opened = tables(self.source, self.header)
        problems = Problems([f"{name}: {table.place}" for table in opened])
        rows: list[Row] = []
        for place, table in enumerate(opened):
            self._check_columns(name, table)
            wanted = [pl.col(theirs).alias(ours) for ours, theirs in self._columns.items()]
            for frame in table.read(wanted, None):
                row = pl.int_range(1, pl.len() + 1).alias("row")
                rows += self._rows(name, frame.with_columns(row, file=pl.lit(place)), problems)
        problems.raise_if_any()
        return sorted(rows, key=lambda row: row[2])

    @property
    def _columns(self) -> dict[str, str]:
        arrival = {} if self.arrival is None else {"arrival": self.arrival}
        return {"time": self.time, "value": self.value} | arrival

    def _check_columns(self, name: str, table: Table) -> None:
        held = table.names()
        missing = [column for column in self._columns.values() if column not in held]
        if missing:
            message = f"{name}: {table.place} has no column {' and no '.join(map(repr, missing))}"
            raise DataError("missing_column", message, f"there are {', '.join(held)}")
        if table.is_text and self.kind is None:
            message = f"{name}: {table.place} holds text, as CSV files do, and nothing says what it means"
            hint = 'add kind="number", or "text" or "json" (holds = in a system file)'
            raise DataError("missing_setting", message, hint)

    def _rows(self, name: str, frame: pl.DataFrame, problems: Problems) -> list[Row]:
        """The values of a table; what is wrong with them is noted."""
        times = self._times(frame, "time", problems)
        arrivals = times + self.latency_ns if self.arrival is None else self._times(frame, "arrival", problems)
        early = (arrivals < times).fill_null(value=False)
        what = "arrived before its time, by nanoseconds"
        problems.add("arrival_before_venue_time", what, frame.filter(early), (times - arrivals).filter(early))
        column, listed = self._numbers(frame["value"]), list[Row]()
        wrong: dict[str, list[int]] = {}
        for row, (time_ns, arrival_ns, value) in enumerate(zip(times, arrivals, column, strict=True)):
            kind = self.kind or kind_of(value)
            # An empty cell says nothing, but where JSON is stated.
            stored = None if value is None and self.kind is None else _stored(value, kind)
            if stored is None:
                wrong.setdefault(kind, []).append(row)
            elif time_ns is not None and arrival_ns is not None:
                listed.append((name, time_ns, arrival_ns, kind, *stored))
        for expected, places in wrong.items():
            code, wanted = _WANTED[expected]
            problems.add(code, f"value {wanted}", frame[places], frame["value"][places])
        return listed

    def _times(self, frame: pl.DataFrame, column: str, problems: Problems) -> pl.Series:
        empty = frame[column].is_null()
        problems.add("wrong_type", f"{column} is empty", frame.filter(empty), frame[column].filter(empty))
        return self.reader.read(frame, column, problems)

    def _numbers(self, column: pl.Series) -> pl.Series:
        """The column, with numbers in the place of decimals, and of text that stands for numbers."""
        if column.dtype.is_decimal():
            return column.cast(pl.Float64)
        if self.kind == "number" and column.dtype == pl.String:
            return column.str.strip_chars().cast(pl.Float64, strict=False)
        return column


def row_of(name: str, time_ns: int, arrival_ns: int, value: Any, kind: Kind | None, place: str) -> Row:
    """A value as the kernel takes it; its kind is stated, or that of the value."""
    kind = kind or kind_of(value)
    stored = _stored(value, kind)
    if stored is None:
        code, wanted = _WANTED[kind]
        raise DataError(code, f"{place}: {value!r} {wanted}")
    return (name, time_ns, arrival_ns, kind, *stored)


def kind_of(value: Any) -> Kind:
    """What a value is where nobody says it."""
    return "number" if isinstance(value, (int, float)) else "text" if isinstance(value, str) else "json"


_WANTED: dict[str, tuple[str, str]] = {
    "number": ("not_a_number", "is not a finite number"),
    "text": ("wrong_type", "is not a text"),
    "json": ("wrong_type", "is not JSON"),
}


def _stored(value: Any, kind: Kind) -> tuple[float | None, str | None] | None:
    """The number or the text that a value is kept as; none where it is not of the kind."""
    match kind:
        case "number":
            return _as_number(value)
        case "text":
            return (None, value) if isinstance(value, str) else None
        case "json":
            return _as_json(value)


def _as_number(value: Any) -> tuple[float, None] | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return (number, None) if math.isfinite(number) else None


def _as_json(value: Any) -> tuple[None, str] | None:
    try:
        text = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        json.loads(text)
    except (TypeError, ValueError):
        return None
    return (None, text)


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
        A file (Parquet, CSV, Feather), a list of files, or a data frame.
    time, value
        The columns of when a value was true, and of what it says.
    arrival
        The column of when it was known to us; where there is none, ``latency`` after its time.
    kind
        ``"number"``, ``"text"`` or ``"json"``; where it is not stated, by the type of each value. For CSV files it has
        to be stated, as everything in them is text.
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
