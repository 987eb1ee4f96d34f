"""Streams from tables: trades, quotes, bars, marks and funding in files and data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import polars as pl

from tradewind.data import columns as names
from tradewind.data.bars import BarOrder
from tradewind.data.columns import Columns, Field, resolve
from tradewind.data.events import aggressor, bar_events, funding_events, mark_events, quote_events, trade_events
from tradewind.data.ids import TradeIds
from tradewind.data.numbers import Rounding
from tradewind.data.source import Table, tables
from tradewind.data.stream import Loading, Stream, interval_ns
from tradewind.data.times import TimeReader
from tradewind.errors import DataError
from tradewind.instruments import InstrumentFields

Label = Literal["start", "end"]
"""Which end of its interval a recorded bar's time is (V5)."""


@dataclass(kw_only=True)
class TableStream(Stream):
    """A stream whose rows are the rows of tables.

    Parameters
    ----------
    source
        Files or a data frame.
    columns
        Our names to theirs.
    reader
        How times are written.
    header
        Whether CSV files begin with the names of their columns.

    """

    FIELDS: ClassVar[tuple[Field, ...]]
    REQUIRED: ClassVar[tuple[Field, ...]]

    source: Any
    columns: Columns = field(default_factory=dict)
    reader: TimeReader
    header: bool = True

    def __repr__(self) -> str:
        source = self.source if isinstance(self.source, str) else type(self.source).__name__
        return f"{type(self).__name__}({source})"

    def constants(self) -> Mapping[str, str]:
        """Fields that the caller stated instead of a column."""
        return {}

    def _start(self, instrument: InstrumentFields) -> Loading:
        return self._loading(instrument, tables(self.source, self.header))

    def _loading(self, instrument: InstrumentFields, opened: list[Table]) -> TableLoading:
        raise NotImplementedError


class TableLoading(Loading):
    """One loading of a table stream."""

    def __init__(self, stream: TableStream, instrument: InstrumentFields, opened: list[Table]) -> None:
        super().__init__(stream, instrument, [table.place for table in opened])
        self._stream = stream
        self._tables = opened
        self._columns = [self._resolve(table) for table in opened]
        self.timing.has_arrivals = any("arrival" in found for found in self._columns)

    def pieces(self, rows: int | None) -> Iterator[pl.DataFrame]:
        """Read the tables one after another."""
        for file, (table, found) in enumerate(zip(self._tables, self._columns, strict=True)):
            wanted = [pl.col(theirs).alias(ours) for ours, theirs in found.items()]
            height = 0
            for chunk in table.read(wanted, rows):
                stated = {name: pl.lit(text) for name, text in self._stream.constants().items()}
                numbered = chunk.with_columns(
                    file=pl.lit(file), row=pl.int_range(height + 1, height + chunk.height + 1), **stated
                )
                height += chunk.height
                if not (timed := self._timed(numbered)).is_empty():
                    yield self.events(timed)

    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events of rows that have their times."""
        raise NotImplementedError

    def _resolve(self, table: Table) -> dict[str, str]:
        stream, present = self._stream, table.names()
        fields = [field for field in stream.FIELDS if field.name not in stream.constants()]
        found = resolve(
            table.place, present, fields, [field for field in stream.REQUIRED if field in fields], stream.columns
        )
        if "time" not in found and ("arrival" not in found or stream.times.latency_ns is None):
            if "arrival" in found:
                hint = (
                    "state latency_ns=..., the time from the venue to the recorder, or name the column of venue times"
                )
                raise DataError("missing_setting", f"{table.place} has arrival times only", hint)
            time = [field for field in fields if field.name == names.TIME.name]
            resolve(table.place, present, fields, time, stream.columns)
        return found

    def _timed(self, frame: pl.DataFrame) -> pl.DataFrame:
        for ours, theirs in (("venue_time_ns", "time"), ("arrival_time_ns", "arrival")):
            if theirs in frame.columns:
                times = self._stream.reader.read(frame, theirs, self.problems)
                lost = times.is_null() & frame[theirs].is_not_null()
                # Rows with an unreadable time are noted already; the loading ends with that error.
                frame = frame.with_columns(times.alias(ours)).filter(~lost)
            else:
                frame = frame.with_columns(pl.lit(None, dtype=pl.Int64).alias(ours))
        return frame


@dataclass(kw_only=True, repr=False)
class TradeStream(TableStream):
    """Trades from a table; see ``tradewind.data.trades``."""

    FIELDS = (names.TIME, names.ARRIVAL, names.PRICE, names.QUANTITY, names.ID, names.SIDE, names.BUYER_MAKER)
    REQUIRED = (names.PRICE, names.QUANTITY)

    def _loading(self, instrument: InstrumentFields, opened: list[Table]) -> TableLoading:
        return _TradeLoading(self, instrument, opened)


class _TradeLoading(TableLoading):
    def __init__(self, stream: TradeStream, instrument: InstrumentFields, opened: list[Table]) -> None:
        super().__init__(stream, instrument, opened)
        self._ids = TradeIds()
        for table, found in zip(opened, self._columns, strict=True):
            if "side" in found and "buyer_maker" in found:
                text = f"{table.place}: {found['side']!r} and {found['buyer_maker']!r} both tell the aggressor"
                raise DataError(
                    "missing_setting", text, f'state columns={{"side": "{found["side"]}"}} or leave one out'
                )

    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        return trade_events(frame.with_columns(flags=aggressor(frame, self.problems)), self.convert, self._ids)


@dataclass(kw_only=True, repr=False)
class QuoteStream(TableStream):
    """Quotes from a table; see ``tradewind.data.quotes``."""

    FIELDS = (names.TIME, names.ARRIVAL, names.BID, names.BID_QUANTITY, names.ASK, names.ASK_QUANTITY)
    REQUIRED = (names.BID, names.BID_QUANTITY, names.ASK, names.ASK_QUANTITY)

    quantity: str | None = None

    def constants(self) -> Mapping[str, str]:
        """The stated size, on both sides."""
        return {} if self.quantity is None else {"bid_quantity": self.quantity, "ask_quantity": self.quantity}

    def _loading(self, instrument: InstrumentFields, opened: list[Table]) -> TableLoading:
        return _QuoteLoading(self, instrument, opened)


class _QuoteLoading(TableLoading):
    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        return quote_events(frame, self.convert)


@dataclass(kw_only=True, repr=False)
class BarStream(TableStream):
    """Bars from a table; see ``tradewind.data.bars``."""

    FIELDS = (names.TIME, names.ARRIVAL, names.OPEN, names.HIGH, names.LOW, names.CLOSE, names.VOLUME)
    REQUIRED = (names.OPEN, names.HIGH, names.LOW, names.CLOSE, names.VOLUME)

    interval: str
    label: Label

    def __post_init__(self) -> None:
        super().__post_init__()
        interval_ns(self.interval)
        if self.label not in ("start", "end"):
            raise DataError("bad_setting", f"label = {self.label!r}", 'write "start" or "end": which is a bar\'s time?')

    def _loading(self, instrument: InstrumentFields, opened: list[Table]) -> TableLoading:
        return _BarLoading(self, instrument, opened)


class _BarLoading(TableLoading):
    def __init__(self, stream: BarStream, instrument: InstrumentFields, opened: list[Table]) -> None:
        super().__init__(stream, instrument, opened)
        self._interval_ns = interval_ns(stream.interval)
        self._before_ns = self.timing.written_after_ns = self._interval_ns if stream.label == "end" else 0
        self._order = BarOrder(stream.interval, self._interval_ns, self._before_ns, self.problems, self.report)

    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.with_columns(pl.col("venue_time_ns") - self._before_ns)
        return bar_events(frame, self.convert, self._interval_ns)

    def check(self, piece: pl.DataFrame) -> None:
        super().check(piece)
        self._order.check(piece)


@dataclass(kw_only=True, repr=False)
class MarkStream(TableStream):
    """Mark prices from a table; see ``tradewind.data.marks``."""

    FIELDS = (names.TIME, names.ARRIVAL, names.MARK_PRICE)
    REQUIRED = (names.MARK_PRICE,)

    rounding: Rounding = "nearest"

    def _loading(self, instrument: InstrumentFields, opened: list[Table]) -> TableLoading:
        return _MarkLoading(self, instrument, opened)


class _MarkLoading(TableLoading):
    def __init__(self, stream: MarkStream, instrument: InstrumentFields, opened: list[Table]) -> None:
        super().__init__(stream, instrument, opened)
        for table, found in zip(opened, self._columns, strict=True):
            time = found.get("time", "")
            if "time" not in stream.columns and "open" in time.lower():
                text = f"{table.place} holds bars, whose prices are not known at {time!r}"
                hint = 'a close is the mark at its bar\'s end: state columns={"time": ...}'
                raise DataError("missing_setting", text, hint)

    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        return mark_events(frame, self.convert)


@dataclass(kw_only=True, repr=False)
class FundingStream(TableStream):
    """Funding payments from a table; see ``tradewind.data.funding``."""

    FIELDS = (names.PAYMENT_TIME, names.ARRIVAL, names.RATE)
    REQUIRED = (names.RATE,)

    rounding: Rounding = "nearest"

    def _loading(self, instrument: InstrumentFields, opened: list[Table]) -> TableLoading:
        if instrument.kind == "spot":
            raise DataError("bad_setting", f"funding of {instrument.name}: a spot instrument has none")
        return _FundingLoading(self, instrument, opened)


class _FundingLoading(TableLoading):
    def __init__(self, stream: FundingStream, instrument: InstrumentFields, opened: list[Table]) -> None:
        super().__init__(stream, instrument, opened)
        self._last_ns: int | None = None

    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        return funding_events(frame, self.convert)

    def check(self, piece: pl.DataFrame) -> None:
        super().check(piece)
        times = piece["venue_time_ns"]
        again = (times == times.shift(1, fill_value=self._last_ns)).fill_null(value=False)
        values = times.filter(again).cast(pl.Datetime("ns")).cast(pl.String) + " UTC"
        what, hint = "payment falls due together with the one before", "is every payment there once?"
        self.problems.add("unsorted_rows", what, piece.filter(again), values, hint)
        self._last_ns = times[-1]
