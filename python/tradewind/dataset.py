"""Loaded data: names resolved, rows held once, shared by every run that uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import polars as pl

from tradewind import instruments as packaged
from tradewind._core import ChunkFeed, Index, Instrument, Recording
from tradewind.data import Stream
from tradewind.data.values import Row, Values, digest_of
from tradewind.errors import exception
from tradewind.instruments import InstrumentFields
from tradewind.synthetic import SyntheticMarket

Source = Stream | SyntheticMarket | Values
_COLUMNS = ("venue_time_ns", "arrival_time_ns", "kind", "flags", "a", "b", "c", "d", "e", "interval_ns")
_CHUNK_ROWS = 1_000_000


@dataclass(frozen=True)
class Dataset:
    """Data that were read and checked, with the instruments they belong to.

    Made by `load`; give it to `backtest` in the place of ``data`` to read files once for many runs.
    """

    index: Index
    instruments: tuple[InstrumentFields, ...]
    recordings: tuple[Recording | ChunkFeed, ...]
    reports: tuple[str, ...] = ()
    digest: str = ""
    is_synthetic: bool = field(default=False)
    values: tuple[Row, ...] = field(default=(), repr=False)
    value_streams: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows all recordings hold."""
        return sum(recording.rows or 0 for recording in self.recordings)

    def __repr__(self) -> str:
        names = ", ".join(fields.name for fields in self.instruments)
        return f"Dataset({names}: {self.rows:,} rows)"


def load(
    data: Mapping[str, Source | Iterable[Source]],
    instruments: Iterable[InstrumentFields] = (),
    *,
    chunk_rows: int | None = None,
    stream: bool = False,
) -> Dataset:
    """Read and check data.

    Parameters
    ----------
    data
        Streams by instrument: ``{"binance_usdm:BTCUSDT": tw.trades("btc.parquet")}``; several streams as a list.
    instruments
        Specifications of instruments that are not packaged, and of those without data that prices are needed of.
    chunk_rows
        Read in chunks of this many rows, which needs less memory while loading; the result is the same.
    stream
        Hold no rows: read the data in chunks now, to check them, and again in every run. Runs give the same hashes in
        memory that does not grow with the data; such data serve `backtest`, and not `backtest_many`. Files must not
        change meanwhile; a stream that is sorted, and a synthetic market, is held whole.

    Examples
    --------
    >>> import tradewind as tw
    >>> tw.load({"synthetic:BTCUSDT": tw.synthetic(events=1_000)})
    Dataset(synthetic:BTCUSDT: 1,000 rows)

    """
    tables, data = _apart(data)
    given = {fields.name: fields for fields in instruments}
    names = list(dict.fromkeys([*data, *given]))
    fields = tuple(given.get(name) or packaged.load(name) for name in names)
    index = Index([definition(one) for one in fields])
    digest = blake2b(digest_size=16)
    recordings: list[Recording | ChunkFeed] = []
    reports, synthetic = [], False
    for name, sources in data.items():
        one = next(one for one in fields if one.name == name)
        listed = [sources] if isinstance(sources, Source) else list(sources)
        for place, source in enumerate(listed):
            instrument = index.instrument(name)
            label = f"{name} {place}"
            if isinstance(source, SyntheticMarket):
                synthetic = True
                recordings.append(_recording(label, index, instrument, [source.frame(instrument)], digest))
                reports.append(f"{name}: {source}")
            elif isinstance(source, Stream):
                recordings.append(_read(label, index, source, one, digest, chunk_rows, stream=stream))
                reports.append(f"{name}: {source.report}")
            else:
                raise exception(
                    "wrong_type",
                    f"data of {name}: {type(source).__name__} is not a stream",
                    "wrap it: tw.trades(...), tw.quotes(...), tw.bars(...) or tw.binance_raw(...)",
                )
    values: list[Row] = []
    for name, table in tables.items():
        rows = table.rows(name)
        digest.update(digest_of(rows))
        reports.append(f"{name}: {len(rows):,} values")
        values += rows
    values.sort(key=lambda row: row[2])
    return Dataset(
        index, fields, tuple(recordings), tuple(reports), digest.hexdigest(), synthetic, tuple(values), tuple(tables)
    )


def _apart(
    data: Mapping[str, Source | Iterable[Source]],
) -> tuple[dict[str, Values], dict[str, Source | Iterable[Source]]]:
    """Values from outside apart from market data."""
    values = {name: one for name, one in data.items() if isinstance(one, Values)}
    for name in values:
        if ":" in name:
            hint = 'give values a name of their own: data={"sentiment": tw.values(...)}'
            raise exception("bad_setting", f"data of {name}: values from outside belong to no instrument", hint)
    return values, {name: one for name, one in data.items() if name not in values}


def definition(fields: InstrumentFields) -> dict[str, Any]:
    """An instrument's specification as the kernel takes it: numbers as decimal text."""
    values = fields.model_dump(exclude={"source", "date"})
    return {key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in values.items()}


def _read(
    label: str,
    index: Index,
    source: Stream,
    fields: InstrumentFields,
    digest: Any,
    chunk_rows: int | None,
    *,
    stream: bool,
) -> Recording | ChunkFeed:
    instrument = index.instrument(fields.name)
    if not stream:
        frames = [source.load(fields)] if chunk_rows is None else source.chunks(fields, rows=chunk_rows)
        return _recording(label, index, instrument, frames, digest)
    rows = _CHUNK_ROWS if chunk_rows is None else chunk_rows
    return _feed(label, index, instrument, lambda: source.chunks(fields, rows=rows), digest)


def _recording(
    label: str, index: Index, instrument: Instrument, frames: Iterable[pl.DataFrame], digest: Any
) -> Recording:
    contents = _Contents(label)
    recording = Recording(label, index, instrument, (contents.columns(frame) for frame in frames))
    contents.add_to(digest)
    return recording


def _feed(
    label: str, index: Index, instrument: Instrument, frames: Callable[[], Iterable[pl.DataFrame]], digest: Any
) -> ChunkFeed:
    """What reads the frames again in every run; they are met once before, for what a run must know at its start."""
    contents = _Contents(label)
    streams: dict[tuple[int, str], None] = {}
    rows, longest_delay_ns = 0, 0
    for frame in frames():
        # Each chunk is checked as a recording of its own; a run checks them as one.
        chunk = Recording(label, index, instrument, [contents.columns(frame)])
        streams |= dict.fromkeys(chunk.streams)
        rows += frame.height
        delay_ns: int | None = frame.select((pl.col("arrival_time_ns") - pl.col("venue_time_ns")).max()).item()
        longest_delay_ns = max(longest_delay_ns, delay_ns or 0)
    contents.add_to(digest)

    def again() -> Iterator[dict[str, Any]]:
        met = 0
        for frame in frames():
            met += frame.height
            yield _columns(frame)
        if met != rows:
            raise exception("unreadable_file", f"{label}: {met:,} rows were read, {rows:,} before: the data changed")

    return ChunkFeed(label, instrument, list(streams), longest_delay_ns, rows, again)


def _columns(frame: pl.DataFrame) -> dict[str, Any]:
    return {**{column: frame[column].to_numpy() for column in _COLUMNS}, "instrument": None}


class _Contents:
    """The digest of rows: by columns, so that it is of the rows and not of how they were cut into chunks."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._digests = {column: blake2b(digest_size=16) for column in _COLUMNS}

    def columns(self, frame: pl.DataFrame) -> dict[str, Any]:
        """A frame's rows as the kernel takes them."""
        columns = _columns(frame)
        for column, content in self._digests.items():
            content.update(columns[column])
        return columns

    def add_to(self, digest: Any) -> None:
        """Add the rows that were met to the digest of all data."""
        digest.update(self._label.encode())
        for content in self._digests.values():
            digest.update(content.digest())
