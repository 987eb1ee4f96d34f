"""Rows of a session, as its journal has them and as its raw recording gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tradewind import instruments
from tradewind.data import LoadReport, binance_raw
from tradewind.journal import query

BTC = instruments.load("binance_spot:BTCUSDT")
MS = 1_000_000
_COLUMNS = {
    "trades": (4, "case aggressor when 'buy' then 1 when 'sell' then 2 end", "price, quantity, trade_id, 0 as d"),
    "quotes": (3, "0", "bid, bid_quantity, ask, ask_quantity"),
    "book": (
        2,
        "case side when 'buy' then 1 else 2 end + case when is_first then 4 else 0 end"
        " + case when is_last then 8 else 0 end",
        "price, quantity, 0 as c, 0 as d",
    ),
}

Row = tuple[Any, ...]
"""Kind, flags, venue's time, four values; and when it arrived."""


def journalled(run: Path, kinds: Sequence[str] = tuple(_COLUMNS)) -> list[tuple[Row, int]]:
    """The rows of market data in a journal, in their order, but those of a warm-up."""
    found: list[tuple[int, Row, int]] = []
    for name in kinds:
        kind, flags, values = _COLUMNS[name]
        text = f"select sequence, time, venue_time, {flags} as flags, {values} from {name} where not is_warm_up"
        for row in query(run, text).collect().with_columns(pl.col("time", "venue_time").dt.epoch("ns")).iter_rows():
            sequence, time_ns, venue_ns, bits, *four = row
            units = [int(one.scaleb(8)) if not isinstance(one, int) else one for one in four]
            found.append((sequence, (kind, bits, venue_ns, *units), time_ns))
    return [(row, time_ns) for _, row, time_ns in sorted(found)]


def imported(
    folder: Path, kinds: Sequence[Any] = ("trade", "quote", "book")
) -> tuple[list[tuple[Row, int]], LoadReport]:
    """The rows that our importer reads from the raw files of a folder."""
    stream = binance_raw(sorted(folder.glob("btcusdt_*.gz")), streams=kinds, quote_latency_ns=MS)
    frame = stream.load(BTC)
    assert stream.report is not None
    names = ["kind", "flags", "venue_time_ns", *"abcd", "arrival_time_ns"]
    return [(row[:-1], row[-1]) for row in frame.select(names).iter_rows()], stream.report
