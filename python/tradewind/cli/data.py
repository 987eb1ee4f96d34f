"""Data on the command line: ``venue:symbol=kind:file,file``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from cyclopts import Parameter

from tradewind.cli.assignments import assignments
from tradewind.cli.screen import SHOWN
from tradewind.data import bars, binance_raw, funding, marks, quotes, trades
from tradewind.data.tables import BarStream, FundingStream, MarkStream, QuoteStream, TableStream, TradeStream
from tradewind.dataset import Source
from tradewind.errors import exception
from tradewind.synthetic import synthetic
from tradewind.times import duration_ns

Kind = Literal["trades", "quotes", "bars", "marks", "funding", "raw", "synthetic"]
_TABLES: dict[Kind, type[TableStream]] = {
    "trades": TradeStream,
    "quotes": QuoteStream,
    "bars": BarStream,
    "marks": MarkStream,
    "funding": FundingStream,
}
_EXAMPLE = '"binance_usdm:BTCUSDT=trades:btc.parquet"'


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class DataOptions:
    """How data are read; each holds for all of them that it can be said of.

    Parameters
    ----------
    column
        A column by our name and theirs, such as quantity=amount; may be repeated.
    time_unit
        What integers in time columns count.
    time_format
        The format of times in text, where it is not ISO 8601.
    zone
        The time zone of times that carry none, such as UTC.
    align
        Shift arrivals so that none is before its venue time.
    minimum_latency
        The smallest time from venue to us after that shift, such as 1ms.
    data_latency
        The time from venue to us for rows that lack one of the two, such as 5ms.
    quote_latency
        The same for raw quotes without venue time (Binance spot).
    rounding
        What becomes of numbers off the grid; they are an error otherwise.
    grid
        "decimals" keeps numbers between two steps, for data from before the venue changed them.
    sort
        Sort rows by arrival; unsorted rows are an error otherwise.
    interval
        How long a bar lasts, such as 1m.
    label
        Whether a bar's time is its start or its end.
    stream
        What is read from raw recordings; may be repeated. Trades and quotes otherwise.

    """

    column: tuple[str, ...] = ()
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    time_format: str | None = None
    zone: str | None = None
    align: bool = False
    minimum_latency: str | None = None
    data_latency: str | None = None
    quote_latency: str | None = None
    rounding: Literal["nearest"] | None = None
    grid: Annotated[Literal["step", "decimals"], SHOWN] = "step"
    sort: bool = False
    interval: str | None = None
    label: Literal["start", "end"] | None = None
    stream: tuple[Literal["trade", "quote", "book"], ...] = ()

    def source(self, kind: Kind, files: list[str]) -> Source:
        """The stream of a kind from files."""
        makers: dict[Kind, Callable[[list[str]], Source]] = {
            "trades": lambda files: trades(files, self._columns("trades"), **self._table, **self._grid),
            "quotes": lambda files: quotes(files, self._columns("quotes"), **self._table, **self._grid),
            "bars": self._bars,
            "marks": lambda files: marks(files, self._columns("marks"), **self._table),
            "funding": lambda files: funding(files, self._columns("funding"), **self._table),
            "raw": self._raw,
            "synthetic": _synthetic,
        }
        return makers[kind](files)

    def check_columns(self, kinds: Iterable[Kind]) -> None:
        """Refuse a column that none of the kinds has."""
        known = list(dict.fromkeys(name for kind in kinds for name in _fields(kind)))
        unknown = [name for name in assignments("--column", self.column, "quantity=amount") if name not in known]
        if unknown:
            hint = f"the names are {', '.join(known)}" if known else "raw and synthetic data need none"
            raise exception("bad_setting", f"--column {', '.join(unknown)}: no data have it", hint)

    def _columns(self, kind: Kind) -> dict[str, str | int]:
        given = assignments("--column", self.column, "quantity=amount")
        own = _fields(kind)
        return {name: int(column) if column.isdecimal() else column for name, column in given.items() if name in own}

    @property
    def _times(self) -> dict[str, Any]:
        return {
            "align": self.align,
            "minimum_latency_ns": duration_ns(self.minimum_latency) if self.minimum_latency else 0,
        }

    @property
    def _table(self) -> dict[str, Any]:
        return self._times | {
            "time_unit": self.time_unit,
            "time_format": self.time_format,
            "zone": self.zone,
            "latency_ns": _optional_ns(self.data_latency),
            "sort": self.sort,
        }

    @property
    def _grid(self) -> dict[str, Any]:
        return {"rounding": self.rounding, "grid": self.grid}

    def _bars(self, files: list[str]) -> Source:
        if self.interval is None or self.label is None:
            raise exception(
                "missing_setting",
                "bars need their interval and what their times are the label of",
                "add --interval 1m --label start, or end",
            )
        return bars(files, self.interval, self.label, self._columns("bars"), **self._table, **self._grid)

    def _raw(self, files: list[str]) -> Source:
        streams = self.stream or ("trade", "quote")
        return binance_raw(files, streams=streams, quote_latency_ns=_optional_ns(self.quote_latency), **self._times)


def sources(given: Iterable[str], options: DataOptions) -> Mapping[str, list[Source]]:
    """The streams of every instrument, from ``venue:symbol=kind:file,file``.

    Where no kind is said, a file that ends in ``.gz`` but not in ``.csv.gz`` is a raw recording; others hold trades.

    Examples
    --------
    >>> sources(["synthetic:BTCUSDT=synthetic:1000"], DataOptions())
    {'synthetic:BTCUSDT': [synthetic market, 1,000 events, seed 1]}

    """
    found: dict[str, list[Source]] = {}
    kinds: list[Kind] = []
    for text in given:
        name, equals, rest = text.partition("=")
        if not equals or ":" not in name or not rest:
            raise exception(
                "bad_setting", f"--data {text!r} does not name an instrument and its file", f"write --data {_EXAMPLE}"
            )
        kind, files = _kind(rest)
        kinds.append(kind)
        found.setdefault(name, []).append(options.source(kind, files.split(",")))
    options.check_columns(kinds)
    return found


def _fields(kind: Kind) -> list[str]:
    return [field.name for field in _TABLES[kind].FIELDS] if kind in _TABLES else []


def _kind(text: str) -> tuple[Kind, str]:
    prefix, colon, rest = text.partition(":")
    for kind in get_args(Kind):
        if colon and prefix == kind:
            return kind, rest
    return ("raw", text) if text.endswith(".gz") and not text.endswith(".csv.gz") else ("trades", text)


def _synthetic(files: list[str]) -> Source:
    try:
        return synthetic(events=int(files[0]))
    except ValueError:
        raise exception(
            "bad_setting", f"synthetic:{files[0]} is not a number of events", "write synthetic:200000"
        ) from None


def _optional_ns(text: str | None) -> int | None:
    return None if text is None else duration_ns(text)
