"""A journal's entries as tables with typed columns: exact decimals, times, names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from tradewind._core import Index, entry_scales, entry_tables
from tradewind.journal.block import Block
from tradewind.journal.manifest import Manifest

MARKET = ("trades", "quotes", "book", "bars", "marks", "funding")
"""The tables of market data, one a kind."""

TABLES = (
    "inputs", *MARKET, "decisions", "account", "fills", "commands", "timers", "values", "parameters", "status",
)  # fmt: skip
"""The tables that entries decode to."""

_DIGITS = 38
_TIME = pl.Datetime("ns", "UTC")
_PRICES = ("price", "bid", "ask", "open", "high", "low", "close")
_QUANTITIES = ("quantity", "bid_quantity", "ask_quantity", "volume")
_AMOUNTS = ("amount", "fee")


class Decoder:
    """Decodes blocks into tables, one after another.

    Parameters
    ----------
    manifest
        That of the run; it names instruments and strategies.
    tables
        Which tables are wanted, with the wanted columns of each or None for all.

    """

    def __init__(self, manifest: Manifest, tables: Iterable[str] | Mapping[str, Sequence[str] | None] = TABLES) -> None:
        self._index = manifest.index()
        self._strategies = sorted(one.name for one in manifest.code.strategies)
        wanted = tables if isinstance(tables, Mapping) else dict.fromkeys(tables)
        self._tables = {name: None if columns is None else list(columns) for name, columns in wanted.items()}
        self._time_ns = 0
        self._scales = scales(self._index)

    def decode(self, block: Block) -> dict[str, pl.DataFrame]:
        """The tables of a block."""
        return self._decode(block.data, block.first)

    def empty(self) -> dict[str, pl.DataFrame]:
        """The tables without rows."""
        return self._decode(b"", 1)

    def _decode(self, data: bytes, first: int) -> dict[str, pl.DataFrame]:
        tables, self._time_ns = entry_tables(self._index, self._strategies, data, first, self._time_ns, self._tables)
        return {name: self._frame(columns) for name, columns in tables.items()}

    def _frame(self, columns: Mapping[str, tuple[str, Any, Any]]) -> pl.DataFrame:
        return pl.DataFrame([_series(name, column, self._scales.get(name, 0)) for name, column in columns.items()])


def scales(index: Index) -> dict[str, int]:
    """The decimals of the integers in each column of exact numbers."""
    prices, quantities, amounts, rates = entry_scales(index)
    return {
        **dict.fromkeys(_PRICES, prices),
        **dict.fromkeys(_QUANTITIES, quantities),
        **dict.fromkeys(_AMOUNTS, amounts),
        "rate": rates,
    }


def _series(name: str, column: tuple[str, Any, Any], scale: int) -> pl.Series:
    kind, values, present = column
    if kind == "word":
        return pl.Series(name, present, dtype=pl.String).gather(np.frombuffer(values, np.uint32))
    if kind == "decimal_text":
        return pl.Series(name, values, dtype=pl.String).cast(pl.Decimal(_DIGITS, scale))
    series = _plain(name, kind, values, scale)
    return series if present is None else series.zip_with(_flags(present), pl.Series([None], dtype=series.dtype))


def _plain(name: str, kind: str, values: bytes, scale: int) -> pl.Series:
    match kind:
        case "flag":
            return _flags(values).alias(name)
        case "float":
            return pl.Series(name, np.frombuffer(values, np.float64))
        case "time":
            return pl.Series(name, np.frombuffer(values, np.int64)).cast(_TIME)
        case "decimal":
            whole = pl.Series(name, np.frombuffer(values, np.int64)).cast(pl.Decimal(_DIGITS, 0))
            # A product has the larger scale of both: what was an integer at that scale is the number itself.
            return whole.to_frame().select(pl.col(name) * pl.lit(Decimal(1).scaleb(-scale))).to_series()
        case _:
            return pl.Series(name, np.frombuffer(values, np.int64))


def _flags(values: bytes) -> pl.Series:
    return pl.Series(np.frombuffer(values, np.bool_))
