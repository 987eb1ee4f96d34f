"""Bars follow each other: none begins before the one before it has ended."""

from __future__ import annotations

import math

import polars as pl

from tradewind.data.problems import Problems
from tradewind.data.report import LoadReport
from tradewind.errors import DataError
from tradewind.times import interval_text

_HOUR_NS = 3600 * 10**9
_DAY_NS = 24 * _HOUR_NS
_ENOUGH = 10
_ZONES_NS = _HOUR_NS // 4
"""What time zones differ by: a bar of an hour may begin at a quarter."""


class BarOrder:
    """Checks that bars are as far apart as their stated interval, chunk after chunk.

    Parameters
    ----------
    interval
        The interval as the caller wrote it.
    interval_ns
        Its length.
    written_after_ns
        How much later than its beginning the time in a bar's row is.
    problems
        Where overlapping bars are noted.
    report
        Where what is odd is counted.

    """

    def __init__(
        self, interval: str, interval_ns: int, written_after_ns: int, problems: Problems, report: LoadReport
    ) -> None:
        self._interval = interval
        self._interval_ns = interval_ns
        self._written_after_ns = written_after_ns
        # A local day in which clocks go forward is an hour shorter.
        self._shortest_ns = interval_ns - (_HOUR_NS if interval_ns >= _DAY_NS else 0)
        self._step_ns = math.gcd(interval_ns, _ZONES_NS)
        self._problems = problems
        self._report = report
        self._smallest_ns: int | None = None
        self._last_ns: int | None = None
        self._is_first = True

    def check(self, piece: pl.DataFrame) -> None:
        """Note bars that overlap; refuse an interval that none of the first rows has."""
        opens = piece["venue_time_ns"]
        apart = opens - opens.shift(1, fill_value=self._last_ns)
        close = ((apart >= 0) & (apart < self._shortest_ns)).fill_null(value=False)
        bad = piece.filter(close)
        written = (opens.filter(close) + self._written_after_ns).cast(pl.Datetime("ns")).cast(pl.String)
        times = written + (" UTC, its end" if self._written_after_ns else " UTC")
        what = f"bar of {self._interval} begins before the one before it has ended"
        self._problems.add("overlapping_bars", what, bad, times, "is the interval right, and is every bar there once?")
        smallest = apart.min()
        if self._is_first and len(opens) >= _ENOUGH and isinstance(smallest, int) and smallest >= 2 * self._interval_ns:
            text = f"interval = {self._interval!r}, but no two bars are closer than {smallest // 10**9} s"
            raise DataError(
                "bad_setting", text, "a bar would be seen before it had closed: state the data's own interval"
            )
        self._report.off_interval_bars += int((opens % self._step_ns != 0).sum())
        found = [one for one in (smallest, self._smallest_ns) if isinstance(one, int)]
        self._smallest_ns = min(found, default=None)
        is_wide = self._smallest_ns is not None and self._smallest_ns >= 2 * self._interval_ns
        self._report.closest_bars = interval_text(self._smallest_ns) if is_wide and self._smallest_ns else ""
        self._last_ns = opens[-1]
        self._is_first = False
