"""Recorded data of a backtest, by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, Field, model_validator

from tradewind import data
from tradewind.config.base import (
    Column,
    Duration,
    Flag,
    InstrumentName,
    Lasting,
    Name,
    PathText,
    Positive,
    Section,
    Text,
    Whole,
    mistake,
)
from tradewind.data.tables import BarStream, FundingStream, MarkStream, QuoteStream, TableStream, TradeStream
from tradewind.data.times import TimeUnit
from tradewind.data.values import values
from tradewind.dataset import Source
from tradewind.synthetic import synthetic
from tradewind.times import duration_ns

Locate: TypeAlias = Callable[[str], Path]
"""What makes a path of the file one of this machine."""


class _Data(Section):
    instrument: InstrumentName
    """The instrument, such as "binance_spot:BTCUSDT". Required."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are read."""
        return ()


class _Files(_Data):
    files: Annotated[tuple[PathText, ...], Field(min_length=1)]
    """The files, each continuing the one before. Required."""
    align: Flag = False
    """Shift all arrivals so that none is before its venue time; the report says by how much (T2). Default: false."""
    minimum_latency: Duration = "0s"
    """The smallest time from venue to us after that shift. Default: "0s"."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are read."""
        return self.files

    def _located(self, locate: Locate) -> list[str | Path]:
        return [locate(file) for file in self.files]


class _Table(_Files):
    columns: dict[Text, Column] = Field(default_factory=dict)
    """Our names of columns to theirs, or to their position from zero: { quantity = "amount" }. Default: common names
    are recognised."""
    time_unit: TimeUnit | None = None
    """What integers in time columns count: "s", "ms", "us" or "ns". Required where times are integers."""
    time_format: Text | None = None
    """The format of times in text, in the notation of strftime. Default: ISO 8601."""
    zone: Text | None = None
    """The time zone of times that carry none, such as "UTC". Required where they carry none."""
    latency: Duration | None = None
    """The time from venue to us, for rows that lack one of their two times. Default: such rows arrive at once."""
    sort: Flag = False
    """Sort rows by arrival; otherwise unsorted rows are an error. Default: false."""
    header: Flag = True
    """Whether CSV files begin with the names of their columns. Default: true."""

    def _reading(self, locate: Locate) -> dict[str, Any]:
        return {
            "source": self._located(locate),
            "columns": self.columns,
            "time_unit": self.time_unit,
            "time_format": self.time_format,
            "zone": self.zone,
            "latency_ns": None if self.latency is None else duration_ns(self.latency),
            "align": self.align,
            "minimum_latency_ns": duration_ns(self.minimum_latency),
            "sort": self.sort,
            "header": self.header,
        }


class _OnGrid(_Table):
    rounding: Literal["nearest"] | None = None
    """What becomes of numbers off the instrument's grid: "nearest" moves them to the nearest step. Default: they are an
    error."""
    grid: Literal["step", "decimals"] = "step"
    """"decimals" keeps numbers between two steps, for data from before the venue changed its tick or lot. Default:
    "step"."""

    def _reading(self, locate: Locate) -> dict[str, Any]:
        return super()._reading(locate) | {"rounding": self.rounding, "grid": self.grid}


class Trades(_OnGrid):
    """Trades from tables."""

    kind: Literal["trades"]
    """What the rows are: "trades". Required."""

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return data.trades(**self._reading(locate))


class Quotes(_OnGrid):
    """Best bids and offers from tables."""

    kind: Literal["quotes"]
    """What the rows are: "quotes". Required."""
    quantity: Positive | None = None
    """The size of every bid and ask, for data without sizes. Default: sizes are columns."""

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return data.quotes(**self._reading(locate), quantity=self.quantity)


class Bars(_OnGrid):
    """Bars from tables."""

    kind: Literal["bars"]
    """What the rows are: "bars". Required."""
    interval: Lasting
    """How long a bar lasts, such as "1m". Required."""
    label: Literal["start", "end"]
    """Which end of the bar its time is: "start" or "end". Required."""

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return data.bars(**self._reading(locate), interval=self.interval, label=self.label)


class Marks(_Table):
    """Mark prices from tables."""

    kind: Literal["marks"]
    """What the rows are: "marks". Required."""

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return data.marks(**self._reading(locate))


class Funding(_Table):
    """Funding payments of a perpetual from tables."""

    kind: Literal["funding"]
    """What the rows are: "funding". Required."""

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return data.funding(**self._reading(locate))


class OutsideValues(Section):
    """Values from outside from tables (V2), such as a model's output; they belong to no instrument."""

    kind: Literal["values"]
    """What the rows are: "values". Required."""
    name: Name
    """What strategies call them in `ctx.subscribe("mood")`, and `tradewind ctl RUN value` in a session. Required."""
    files: Annotated[tuple[PathText, ...], Field(min_length=1)]
    """The files. Required."""
    holds: Literal["number", "text", "json"] | None = None
    """What a value is: a "number", a "text" or "json". Required for CSV files. Default: by the type of each value."""
    columns: dict[Text, Text] = Field(default_factory=dict)
    """Our names of columns to theirs: { value = "score" }; we call them time, arrival and value. Default: time and
    value, and no arrival."""
    time_unit: TimeUnit | None = None
    """What integers in time columns count: "s", "ms", "us" or "ns". Required where times are integers."""
    time_format: Text | None = None
    """The format of times in text, in the notation of strftime. Default: ISO 8601."""
    zone: Text | None = None
    """The time zone of times that carry none, such as "UTC". Required where they carry none."""
    latency: Duration = "0s"
    """How long after its time a value reaches us, where no column says when it did. Default: "0s"."""
    header: Flag = True
    """Whether CSV files begin with the names of their columns. Default: true."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are read."""
        return self.files

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return values(
            [locate(file) for file in self.files],
            **{name: self.columns[name] for name in VALUE_COLUMNS if name in self.columns},
            kind=self.holds,
            latency=self.latency,
            time_unit=self.time_unit,
            time_format=self.time_format,
            zone=self.zone,
            header=self.header,
        )


class Raw(_Files):
    """Frames of Binance as they were recorded."""

    kind: Literal["raw"]
    """What the rows are: "raw" frames. Required."""
    streams: Annotated[tuple[Literal["trade", "quote", "book"], ...], Field(min_length=1)] = ("trade", "quote")
    """What is read from the frames. Default: ["trade", "quote"]."""
    quote_latency: Duration | None = None
    """The time from venue to us of frames without a venue time, such as spot quotes. Required where there are such."""

    def source(self, locate: Locate) -> Source:
        """As a backtest takes it."""
        return data.binance_raw(
            self._located(locate),
            streams=self.streams,
            align=self.align,
            minimum_latency_ns=duration_ns(self.minimum_latency),
            quote_latency_ns=None if self.quote_latency is None else duration_ns(self.quote_latency),
        )


_KINDS_OF_ROWS = Literal["trade", "quote", "book", "mark", "funding"]
_FIRST = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


class Synthetic(_Data):
    """A synthetic market, for examples and tests; results say that it is one. `events` or `duration` is stated."""

    kind: Literal["synthetic"]
    """What the rows are: a "synthetic" market. Required."""
    events: Annotated[Whole, Field(gt=0, le=10**9)] | None = None
    """How many rows there are."""
    duration: Lasting | None = None
    """How long the market lasts."""
    seed: Annotated[Whole, Field(ge=0, lt=2**64)] = 1
    """The same seed gives the same market. Default: 1."""
    start: AwareDatetime = _FIRST
    """The time of the first row. Default: 2026-01-01T00:00:00Z."""
    price: Positive = Decimal(60_000)
    """The first price. Default: 60000."""
    volatility: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.6
    """That of a year, as a fraction: 0.6 is 60 %. Default: 0.6."""
    activity: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 20.0
    """How many actions of participants there are in a second, on average. Default: 20."""
    latency: Duration = "1ms"
    """The mean time that a row takes to arrive. Default: "1ms"."""
    streams: Annotated[tuple[_KINDS_OF_ROWS, ...], Field(min_length=1)] = ("trade", "quote")
    """What is emitted. Default: ["trade", "quote"]."""

    @model_validator(mode="after")
    def _has_an_end(self) -> Synthetic:
        if (self.events is None) == (self.duration is None):
            raise mistake("bad_setting", "needs either events or duration", "write events = 100000")
        return self

    def source(self, _: Locate) -> Source:
        """As a backtest takes it."""
        return synthetic(**{name: getattr(self, name) for name in type(self).model_fields if name not in _NOT_ITS})


MarketData: TypeAlias = Trades | Quotes | Bars | Marks | Funding | Raw | Synthetic
Data: TypeAlias = Annotated[MarketData | OutsideValues, Field(discriminator="kind")]

VALUE_COLUMNS = ("time", "arrival", "value")
_NOT_ITS = ("kind", "instrument")


def market_data(data: Iterable[Data]) -> list[tuple[int, MarketData]]:
    """What belongs to an instrument, each with its place among all data."""
    return [(at, one) for at, one in enumerate(data) if not isinstance(one, OutsideValues)]


_TABLES: dict[str, type[TableStream]] = {
    "trades": TradeStream,
    "quotes": QuoteStream,
    "bars": BarStream,
    "marks": MarkStream,
    "funding": FundingStream,
}


def columns_of(kind: str) -> tuple[str, ...]:
    """The columns that a table of this kind has, by our names; none where it is no table."""
    if kind == "values":
        return VALUE_COLUMNS
    stream = _TABLES.get(kind)
    return () if stream is None else tuple(column.name for column in stream.FIELDS)
