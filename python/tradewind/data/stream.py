"""A stream: data described before the instrument is known, loaded once it is."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

import polars as pl

from tradewind.data.form import FORM, PLACED
from tradewind.data.numbers import Converter, Grid, GridChoice, Rounding
from tradewind.data.problems import Problems
from tradewind.data.report import LoadReport
from tradewind.data.timing import TimeSettings, Timing
from tradewind.errors import DataError
from tradewind.instruments import InstrumentFields

_UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
_LONGEST = 2**14
_RATE_DECIMALS = 9


@dataclass(kw_only=True)
class Stream(ABC):
    """Data of one instrument, in the order in which they were recorded.

    Parameters
    ----------
    times
        What was stated about times.
    rounding
        What happens to a number off the grid.
    grid
        Whether numbers must be on tick and lot, or on the instrument's decimals.
    sort
        Whether rows are sorted by arrival, stably, before they are checked.

    """

    times: TimeSettings
    rounding: Rounding = None
    grid: GridChoice = "step"
    sort: bool = False
    report: LoadReport | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.rounding not in (None, "nearest"):
            raise DataError("bad_setting", f"rounding = {self.rounding!r}", 'leave it out, or write "nearest"')
        if self.grid not in get_args(GridChoice):
            raise DataError("bad_setting", f"grid = {self.grid!r}", 'write "step" or "decimals"')

    def load(self, instrument: InstrumentFields) -> pl.DataFrame:
        """Read everything, in our form (see ``tradewind.data.FORM``), with all mistakes in one error.

        What was done is in ``report`` afterwards.
        """
        work = self._start(instrument)
        pieces = list(work.pieces(None))
        work.timing.align(_smallest(work, pieces))
        done = [work.timing.complete(piece) for piece in pieces]
        if self.sort and done:
            done = [pl.concat(done).sort("arrival_time_ns", maintain_order=True)]
        for piece in done:
            work.check(piece)
        work.problems.raise_if_any()
        return work.finish(pl.concat(done))

    def chunks(self, instrument: InstrumentFields, rows: int = 1_000_000) -> Iterator[pl.DataFrame]:
        """Read the same rows in chunks of about ``rows``, in bounded memory.

        The first chunk with mistakes ends the reading. Sorting needs all rows at once; alignment reads twice.
        """
        if rows < 1:
            raise DataError("bad_setting", f"rows = {rows}: at least one row makes a chunk")
        if self.sort:
            yield from self.load(instrument).iter_slices(rows)
            return
        smallest = None
        if self.times.align:
            first = self._start(instrument)
            smallest = _smallest(first, first.pieces(rows))
        work = self._start(instrument)
        work.timing.align(smallest)
        for piece in work.pieces(rows):
            done = work.timing.complete(piece)
            work.check(done)
            work.problems.raise_if_any()
            yield work.finish(done)
        work.problems.raise_if_any()

    @abstractmethod
    def _start(self, instrument: InstrumentFields) -> Loading:
        """Open the source for one loading."""


class Loading(ABC):
    """One loading of a stream for one instrument.

    Parameters
    ----------
    stream
        What is loaded; its ``report`` is this loading's from now on.
    instrument
        Whose grid the numbers are on.
    places
        The names of the files or tables.
    latency_name
        The argument by which the caller states the latency of rows without a time.

    """

    def __init__(
        self, stream: Stream, instrument: InstrumentFields, places: list[str], latency_name: str = "latency_ns"
    ) -> None:
        self.report = stream.report = LoadReport(sources=tuple(places))
        self.problems = Problems(places)
        grids = {
            "price": Grid(instrument.price_decimals, instrument.tick_units),
            "quantity": Grid(instrument.quantity_decimals, instrument.lot_units),
            # Nobody trades at a mark: it need not be on the tick.
            "mark": Grid(instrument.price_decimals, 1),
            "rate": Grid(_RATE_DECIMALS, 1),
        }
        self.convert = Converter(grids, stream.rounding, stream.grid, self.problems, self.report)
        self.timing = Timing(stream.times, latency_name, self.problems, self.report)

    @abstractmethod
    def pieces(self, rows: int | None) -> Iterator[pl.DataFrame]:
        """Events in our form with their places, times as recorded; whole files, or chunks of ``rows``."""

    def check(self, piece: pl.DataFrame) -> None:
        """Check what concerns rows and their neighbours."""
        self.timing.check(piece)

    def finish(self, piece: pl.DataFrame) -> pl.DataFrame:
        """Count the rows and forget where they came from."""
        self.report.rows += piece.height
        return piece.select(FORM.keys())


def _smallest(work: Loading, pieces: list[pl.DataFrame] | Iterator[pl.DataFrame]) -> int | None:
    found = [smallest for piece in pieces if (smallest := work.timing.smallest_difference(piece)) is not None]
    return min(found, default=None)


def empty() -> pl.DataFrame:
    """No rows, with their places."""
    return pl.DataFrame(schema=PLACED)


def interval_ns(text: str) -> int:
    """The length of a bar interval such as ``5m``.

    Examples
    --------
    >>> interval_ns("5m")
    300000000000

    """
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    if match is None or not 0 < int(match[1]) < _LONGEST:
        raise DataError(
            "bad_setting", f"bar interval {text!r} cannot be read", "write a count and a unit: 30s, 5m, 1h, 1d"
        )
    return int(match[1]) * _UNITS_NS[match[2]]
