"""Loaded data: names resolved, rows held once, shared by every run that uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import polars as pl

from tradewind import instruments as packaged
from tradewind._core import Index, Recording
from tradewind.data import Stream
from tradewind.errors import exception
from tradewind.instruments import InstrumentFields
from tradewind.synthetic import SyntheticMarket

Source = Stream | SyntheticMarket
_COLUMNS = ("venue_time_ns", "arrival_time_ns", "kind", "flags", "a", "b", "c", "d", "e", "interval_ns")


@dataclass(frozen=True)
class Dataset:
    """Data that were read and checked, with the instruments they belong to.

    Made by `load`; give it to `backtest` in the place of ``data`` to read files once for many runs.
    """

    index: Index
    instruments: tuple[InstrumentFields, ...]
    recordings: tuple[Recording, ...]
    reports: tuple[str, ...] = ()
    digest: str = ""
    is_synthetic: bool = field(default=False)

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

    Examples
    --------
    >>> import tradewind as tw
    >>> tw.load({"synthetic:BTCUSDT": tw.synthetic(events=1_000)})
    Dataset(synthetic:BTCUSDT: 1,000 rows)

    """
    given = {fields.name: fields for fields in instruments}
    names = list(dict.fromkeys([*data, *given]))
    fields = tuple(given.get(name) or packaged.load(name) for name in names)
    index = Index([definition(one) for one in fields])
    digest = blake2b(digest_size=16)
    recordings, reports, synthetic = [], [], False
    for name, sources in data.items():
        one = next(one for one in fields if one.name == name)
        listed = [sources] if isinstance(sources, Source) else list(sources)
        for place, source in enumerate(listed):
            instrument = index.instrument(name)
            label = f"{name} {place}"
            if isinstance(source, SyntheticMarket):
                synthetic = True
                frames = [source.frame(instrument)]
                reports.append(f"{name}: {source}")
            elif isinstance(source, Stream):
                frames = [source.load(one)] if chunk_rows is None else list(source.chunks(one, rows=chunk_rows))
                reports.append(f"{name}: {source.report}")
            else:
                raise exception(
                    "wrong_type",
                    f"data of {name}: {type(source).__name__} is not a stream",
                    "wrap it: tw.trades(...), tw.quotes(...), tw.bars(...) or tw.binance_raw(...)",
                )
            recordings.append(_recording(label, index, name, frames, digest))
    return Dataset(index, fields, tuple(recordings), tuple(reports), digest.hexdigest(), synthetic)


def definition(fields: InstrumentFields) -> dict[str, Any]:
    """An instrument's specification as the kernel takes it: numbers as decimal text."""
    values = fields.model_dump(exclude={"source", "date"})
    return {key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in values.items()}


def _recording(label: str, index: Index, name: str, frames: list[pl.DataFrame], digest: Any) -> Recording:
    chunks = []
    digest.update(label.encode())
    # By columns, so that the digest is of the rows and not of how they were cut into chunks.
    contents = {column: blake2b(digest_size=16) for column in _COLUMNS}
    for frame in frames:
        columns: dict[str, Any] = {column: frame[column].to_numpy() for column in _COLUMNS}
        for column in _COLUMNS:
            contents[column].update(columns[column])
        chunks.append({**columns, "instrument": None})
    for content in contents.values():
        digest.update(content.digest())
    return Recording(label, index, index.instrument(name), chunks)
