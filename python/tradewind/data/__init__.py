"""Market data from files, data frames and raw recordings.

A *stream* describes data before the instrument is known. ``stream.load(instrument)`` reads it into
one polars frame in our form: integers on the instrument's grid, nanoseconds, the recording's order.
``stream.chunks(instrument)`` gives the same rows in bounded memory, and ``stream.report`` says what was done.
Rows that messages name count from 1, without a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from tradewind.data.binance import RawStream, RawStreamKind
from tradewind.data.columns import Columns
from tradewind.data.form import FORM
from tradewind.data.numbers import GridChoice, Rounding
from tradewind.data.report import LoadReport
from tradewind.data.source import Source
from tradewind.data.stream import Stream
from tradewind.data.tables import BarStream, FundingStream, Label, MarkStream, QuoteStream, TradeStream
from tradewind.data.times import TimeReader, TimeUnit
from tradewind.data.timing import TimeSettings

__all__ = ["FORM", "LoadReport", "Stream", "bars", "binance_raw", "funding", "marks", "quotes", "trades"]


def trades(
    source: Source,
    columns: Columns | None = None,
    *,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    zone: str | None = None,
    latency_ns: int | None = None,
    align: bool = False,
    minimum_latency_ns: int = 0,
    rounding: Rounding = None,
    grid: GridChoice = "step",
    sort: bool = False,
    header: bool = True,
) -> Stream:
    """Trades of one instrument from a table.

    The fields are ``time``, ``price``, ``quantity`` and, where there are any, ``arrival``, ``id`` and
    ``side`` (buy or sell: who took) or ``buyer_maker``.

    Parameters
    ----------
    source
        A path (``.parquet``, ``.csv``, ``.csv.gz``, ``.feather``, ``.arrow``), a list of paths that continue
        each other, or a data frame of polars, pandas or Arrow.
    columns
        Our names to theirs, such as ``{"quantity": "amount"}``, or to their position from zero. Common names
        are recognised.
    time_unit
        What integers in time columns count: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``.
    time_format
        The format of times in text, where it is not ISO 8601.
    zone
        The time zone of times that carry none, such as ``"UTC"``.
    latency_ns
        The time from the venue to us, for rows that lack one of the two times. Without it, rows that have no
        arrival arrive when they happen.
    align
        Shift all arrivals so that none is before its venue time; the report says by how much.
    minimum_latency_ns
        The smallest time from the venue to us after that shift.
    rounding
        ``"nearest"`` moves numbers off the grid to the nearest step; otherwise they are an error.
    grid
        ``"decimals"`` keeps numbers between two steps that fit the instrument's decimals, for data from before
        the venue changed its tick or lot.
    sort
        Sort rows by arrival, stably; otherwise unsorted rows are an error.
    header
        Whether CSV files begin with the names of their columns.

    Examples
    --------
    >>> import polars as pl
    >>> from tradewind import instruments
    >>> table = pl.DataFrame({"ts": [1, 2], "price": ["61800.2", "61800.3"], "amount": [0.5, 0.001]})
    >>> stream = trades(table, time_unit="ms")
    >>> stream.load(instruments.load("binance_usdm:BTCUSDT"))["a", "b"].rows()
    [(6180020, 500), (6180030, 1)]
    >>> print(stream.report)
    2 rows of data frame; assumed_arrivals 2

    """
    return TradeStream(
        source=source,
        columns=columns or {},
        reader=TimeReader(time_unit, zone, time_format),
        times=TimeSettings(latency_ns, align, minimum_latency_ns),
        rounding=rounding,
        grid=grid,
        sort=sort,
        header=header,
    )


def quotes(
    source: Source,
    columns: Columns | None = None,
    *,
    quantity: Decimal | str | int | None = None,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    zone: str | None = None,
    latency_ns: int | None = None,
    align: bool = False,
    minimum_latency_ns: int = 0,
    rounding: Rounding = None,
    grid: GridChoice = "step",
    sort: bool = False,
    header: bool = True,
) -> Stream:
    """Best bids and offers of one instrument from a table.

    The fields are ``time``, ``bid``, ``bid_quantity``, ``ask``, ``ask_quantity`` and, where there is one,
    ``arrival``. Locked quotes are kept and counted; crossed ones are an error.

    Parameters
    ----------
    quantity
        The size of every bid and ask, for data that have no sizes.

    See ``trades`` for the other parameters.

    Examples
    --------
    >>> import polars as pl
    >>> from tradewind import instruments
    >>> table = pl.DataFrame({"time": ["2024-08-08T23:54:15.03Z"], "bid": [61800.2], "ask": [61800.3]})
    >>> quotes(table, quantity=1).load(instruments.load("binance_usdm:BTCUSDT"))["a", "b", "c", "d"].rows()
    [(6180020, 1000, 6180030, 1000)]

    """
    return QuoteStream(
        source=source,
        columns=columns or {},
        quantity=None if quantity is None else str(quantity),
        reader=TimeReader(time_unit, zone, time_format),
        times=TimeSettings(latency_ns, align, minimum_latency_ns),
        rounding=rounding,
        grid=grid,
        sort=sort,
        header=header,
    )


def bars(
    source: Source,
    interval: str,
    label: Label,
    columns: Columns | None = None,
    *,
    zone: str | None = None,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    latency_ns: int | None = None,
    align: bool = False,
    minimum_latency_ns: int = 0,
    rounding: Rounding = None,
    grid: GridChoice = "step",
    sort: bool = False,
    header: bool = True,
) -> Stream:
    """Bars of one instrument from a table.

    The fields are ``time``, ``open``, ``high``, ``low``, ``close``, ``volume`` and, where there is one,
    ``arrival``. A bar's venue time is its start; it arrives at the earliest at its end (V5).

    Parameters
    ----------
    interval
        How long a bar lasts: ``30s``, ``5m``, ``1h``, ``1d``.
    label
        Whether a row's time is the start or the end of its bar.
    zone
        The time zone of times that carry none; must be stated for them.

    See ``trades`` for the other parameters.

    Examples
    --------
    >>> import polars as pl
    >>> from tradewind import instruments
    >>> row = {"time": ["2024-08-08 23:55"], "open": [61800], "high": [61802.5], "low": [61800], "close": [61801]}
    >>> table = pl.DataFrame(row).with_columns(volume=pl.lit(1.5))
    >>> stream = bars(table, interval="1m", label="end", zone="UTC")
    >>> bar = stream.load(instruments.load("binance_usdm:BTCUSDT")).row(0, named=True)
    >>> bar["arrival_time_ns"] - bar["venue_time_ns"] == bar["interval_ns"]
    True

    """
    return BarStream(
        source=source,
        interval=interval,
        label=label,
        columns=columns or {},
        reader=TimeReader(time_unit, zone, time_format),
        times=TimeSettings(latency_ns, align, minimum_latency_ns),
        rounding=rounding,
        grid=grid,
        sort=sort,
        header=header,
    )


def marks(
    source: Source,
    columns: Columns | None = None,
    *,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    zone: str | None = None,
    latency_ns: int | None = None,
    align: bool = False,
    minimum_latency_ns: int = 0,
    sort: bool = False,
    header: bool = True,
) -> Stream:
    """Mark prices of one instrument from a table.

    The fields are ``time``, ``price`` (also recognised as ``mark_price``) and, where there is one, ``arrival``.
    Venues compute marks, mostly with more decimals than their tick: nobody trades at them, so they need not be on the
    tick. They are held with the instrument's price decimals; those with more are rounded to the nearest unit of the
    last decimal, halves up, and counted in the report as ``rounded_values``. To hold all of their decimals, define the
    instrument with that many ``price_decimals``.

    Bars of marks are no marks: a close is known at its bar's end, so the column of that time must be stated.

    See ``trades`` for the parameters.

    Examples
    --------
    >>> import polars as pl
    >>> from tradewind import instruments
    >>> table = pl.DataFrame({"ts": [1, 2], "mark_price": ["61800.25", "61800.25734221"]})
    >>> stream = marks(table, time_unit="s")
    >>> stream.load(instruments.load("binance_usdm:BTCUSDT"))["a"].to_list()
    [6180025, 6180026]
    >>> print(stream.report)
    2 rows of data frame; assumed_arrivals 2; rounded_values 1

    """
    return MarkStream(
        source=source,
        columns=columns or {},
        reader=TimeReader(time_unit, zone, time_format),
        times=TimeSettings(latency_ns, align, minimum_latency_ns),
        sort=sort,
        header=header,
    )


def funding(
    source: Source,
    columns: Columns | None = None,
    *,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    zone: str | None = None,
    latency_ns: int | None = None,
    align: bool = False,
    minimum_latency_ns: int = 0,
    sort: bool = False,
    header: bool = True,
) -> Stream:
    """Funding payments of one perpetual from a table.

    The fields are ``time`` (when the payment falls due), ``rate`` (a fraction: 0.0001 is 0.01 %; above zero, long pays
    short) and, where there is one, ``arrival``. Rates count in units of 1e-9; those with more decimals are rounded to
    the nearest unit, halves up, and counted in the report as ``rounded_values``. A row is a payment: announced or
    estimated rates of times in between do not belong here, and two rows of the same time are an error.

    A payment is on the position's value at the venue's mark of that time (N4). Of rows of the same time in different
    streams the payment comes first, so that it takes the last mark before it.

    See ``trades`` for the parameters.

    Examples
    --------
    >>> import polars as pl
    >>> from tradewind import instruments
    >>> table = pl.DataFrame({"time": ["2024-08-08T16:00:00Z"], "funding_rate": ["-0.00004062"]})
    >>> funding(table).load(instruments.load("binance_usdm:BTCUSDT"))["a"].to_list()
    [-40620]

    """
    return FundingStream(
        source=source,
        columns=columns or {},
        reader=TimeReader(time_unit, zone, time_format),
        times=TimeSettings(latency_ns, align, minimum_latency_ns),
        sort=sort,
        header=header,
    )


def binance_raw(
    paths: str | Path | Sequence[str | Path],
    *,
    streams: Sequence[RawStreamKind] = ("trade", "quote"),
    align: bool = False,
    minimum_latency_ns: int = 0,
    quote_latency_ns: int | None = None,
) -> Stream:
    """One instrument's events from raw Binance frames, in the order in which they were recorded.

    Each line of a file is a local receive time in nanoseconds and the frame as it arrived; several files are
    one recording continued. Frames of other symbols and streams are skipped, and counted in the report; so are
    frames that came twice. A book with a hole stands still until the next snapshot, and the report counts it. A file
    that ends within a frame gives what is before, with a warning. Numbers
    must fit the instrument's decimals; those between two steps of tick or lot are kept and counted, since a book
    holds orders from before the venue changed its steps.

    Parameters
    ----------
    paths
        A file (text, or gzip where it ends in ``.gz``) or a list of them.
    streams
        What to read: ``"trade"``, ``"quote"`` (best bid and offer) and ``"book"`` (depth differences, which
        need the REST snapshot in the recording).
    align
        Shift all arrivals so that none is before its venue time; the report says by how much.
    minimum_latency_ns
        The smallest time from the venue to us after that shift.
    quote_latency_ns
        The time from the venue to us for frames without venue time: spot quotes and spot snapshots (T2).

    Examples
    --------
    >>> from tradewind import instruments
    >>> stream = binance_raw("btcusdt.gz", align=True, minimum_latency_ns=1_000_000)
    >>> stream.load(instruments.load("binance_usdm:BTCUSDT"))
    Traceback (most recent call last):
    ...
    tradewind.errors.DataError: [unreadable_file] btcusdt.gz does not exist

    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    return RawStream(
        paths=[Path(path) for path in listed],
        kinds=tuple(streams),
        grid="decimals",
        times=TimeSettings(quote_latency_ns, align, minimum_latency_ns),
    )
