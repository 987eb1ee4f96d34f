"""Our form of market data: one row an event, integers on the instrument's grid."""

from __future__ import annotations

import polars as pl

FUNDING, MARK, BOOK, QUOTE, TRADE, BAR = range(6)
"""The column ``kind``, as ``MarketKind`` in the core."""

BUY, SELL, FIRST, LAST = 1, 2, 4, 8
"""The bits of the column ``flags``."""

FORM: dict[str, pl.DataType] = {
    "venue_time_ns": pl.Int64(),
    "arrival_time_ns": pl.Int64(),
    "kind": pl.UInt8(),
    "flags": pl.UInt8(),
    "a": pl.Int64(),
    "b": pl.Int64(),
    "c": pl.Int64(),
    "d": pl.Int64(),
    "e": pl.Int64(),
    "interval_ns": pl.Int64(),
}
"""The columns of a loaded stream.

``a`` to ``e`` are price, quantity and id of a trade; bid, its quantity, ask and its quantity of a quote; open,
high, low, close and volume of a bar; price and quantity of a change of the book; the price of a mark; the rate of a
funding payment, in units of 1e-9.
"""

PLACED: dict[str, pl.DataType] = {"file": pl.UInt32(), "row": pl.Int64(), **FORM}
"""The same while rows still know where they come from, and times may be missing."""


def placed(
    frame: pl.DataFrame, kind: int, flags: pl.Series | int, payload: dict[str, pl.Series], interval_ns: int = 0
) -> pl.DataFrame:
    """Rows of one kind in our form, from their places, times and payload."""
    columns: dict[str, pl.Expr | pl.Series | int] = {
        "kind": pl.lit(kind),
        "flags": flags,
        "interval_ns": pl.lit(interval_ns),
    }
    columns |= dict.fromkeys("abcde", 0)
    columns |= payload
    times = frame.select("file", "row", "venue_time_ns", "arrival_time_ns")
    return times.with_columns(**columns).select(pl.col(name).cast(dtype) for name, dtype in PLACED.items())
