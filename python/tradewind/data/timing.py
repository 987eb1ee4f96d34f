"""When rows happened and when they arrived: missing times, alignment, order (T1-T3)."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from tradewind.data.problems import Problems
from tradewind.data.report import LoadReport
from tradewind.errors import DataError

_VENUE, _ARRIVAL, _INTERVAL = pl.col("venue_time_ns"), pl.col("arrival_time_ns"), pl.col("interval_ns")
_MOST_AHEAD_NS = 5 * 10**9
"""By how much a venue's time may be ahead of ours in a session: what is further ahead is misread there."""


@dataclass(frozen=True)
class TimeSettings:
    """What the caller stated about times.

    Parameters
    ----------
    latency_ns
        The time from venue to us where a row lacks one of its two times.
    align
        Whether arrivals that lie before their venue time are put right by one shift of all arrivals.
    minimum_latency_ns
        The smallest time from venue to us after that shift.

    """

    latency_ns: int | None = None
    align: bool = False
    minimum_latency_ns: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.align, bool):
            hint = "write align=True, and minimum_latency_ns=... for the smallest latency"
            raise DataError("wrong_type", f"align = {self.align!r}: must be True or False", hint)
        for name in ("latency_ns", "minimum_latency_ns"):
            if (getattr(self, name) or 0) < 0:
                raise DataError("bad_setting", f"{name} = {getattr(self, name)}: must not be negative")
        if self.minimum_latency_ns and not self.align:
            raise DataError("bad_setting", "minimum_latency_ns is used by alignment only", "add align=True")


@dataclass
class Timing:
    """Completes and checks the times of one stream, chunk after chunk."""

    settings: TimeSettings
    latency_name: str
    problems: Problems
    report: LoadReport
    has_arrivals: bool = True
    written_after_ns: int = 0
    """How much later than the venue time the time of a row is written, as that of a bar at its end is."""
    shift_ns: int = 0
    is_on_venue_clock: bool = False
    """Whether arrivals were stamped by the venue's clock, as a session does: what comes before it happened does so by
    that clock's error, and arrives when it happened (T2)."""
    unsorted_hint: str = "add sort=True to sort the rows by arrival, or is the file another kind of data?"
    _last_arrival: int | None = field(default=None, init=False)
    _met_ns: int | None = field(default=None, init=False)
    _latest_venue: int | None = field(default=None, init=False)

    def smallest_difference(self, frame: pl.DataFrame) -> int | None:
        """The smallest time from venue (a bar's close) to arrival among rows that have both."""
        smallest: int | None = frame.select((_ARRIVAL - _VENUE - _INTERVAL).min()).item()
        return smallest

    def align(self, smallest: int | None) -> None:
        """Shift arrivals so that the smallest time from venue to arrival is the stated minimum."""
        if self.settings.align and smallest is not None:
            self.shift_ns = max(0, self.settings.minimum_latency_ns - smallest)
        self.report.alignment_shift_ns = self.shift_ns

    def complete(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Shift arrivals and fill in the times that a row lacks, by the stated latency (T2)."""
        frame = self._filled(frame.with_columns(_ARRIVAL + self.shift_ns))
        return self._stamped(frame) if self.is_on_venue_clock else frame

    def _filled(self, frame: pl.DataFrame) -> pl.DataFrame:
        no_venue, no_arrival = frame["venue_time_ns"].is_null(), frame["arrival_time_ns"].is_null()
        if not (no_venue.any() or no_arrival.any()):
            return frame
        latency = self.settings.latency_ns
        self._refuse("wrong_type", frame, no_venue & no_arrival, "row has no time", "")
        if latency is None:
            hint = f"state {self.latency_name}=..., the time from the venue to the recorder"
            self._refuse("missing_setting", frame, no_venue & ~no_arrival, "row has no venue time", hint)
            if self.has_arrivals:
                self._refuse("missing_setting", frame, no_arrival & ~no_venue, "row has no arrival time", hint)
        self.report.latency_ns = latency
        self.report.assumed_venue_times += int((no_venue & ~no_arrival).sum())
        self.report.assumed_arrivals += int((no_arrival & ~no_venue).sum())
        delay = (latency or 0) + _INTERVAL
        return frame.with_columns(_VENUE.fill_null(_ARRIVAL - delay), _ARRIVAL.fill_null(_VENUE + delay))

    def _stamped(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What comes before it happened arrives when it happened, and what is behind it not before."""
        known = _VENUE + _INTERVAL
        is_early = (known > _ARRIVAL) & (known - _ARRIVAL <= _MOST_AHEAD_NS)
        met = pl.when(is_early).then(known).cum_max().forward_fill()
        met = pl.max_horizontal(met, pl.lit(self._met_ns, pl.Int64))
        # By more than a clock's error nothing is moved: such rows are out of order.
        is_behind = (met > _ARRIVAL) & (met - _ARRIVAL <= _MOST_AHEAD_NS)
        arrival = pl.when(is_behind.fill_null(value=False)).then(met).otherwise(_ARRIVAL)
        found = frame.select(count=is_early.sum(), met=met.last())
        self.report.early_arrivals += found["count"].item() or 0
        self._met_ns = None if found.is_empty() else found["met"].item()
        return frame.with_columns(arrival.alias("arrival_time_ns"))

    def check(self, frame: pl.DataFrame) -> None:
        """Note rows that arrive before they happened, or out of order; count late ones."""
        venue, arrival, interval = frame["venue_time_ns"], frame["arrival_time_ns"], frame["interval_ns"]
        early = (arrival < venue + interval).fill_null(value=False)
        if early.any():
            ahead = (venue + interval - arrival).filter(early)
            hint = (
                "the recorder's clock was behind the venue's: add align=True to shift all arrivals "
                f"(here by {ahead.max()!r} ns or more), and minimum_latency_ns=... for the smallest latency"
            )
            what = "arrival is before venue time, by ns"
            self.problems.add("arrival_before_venue_time", what, frame.filter(early), ahead, hint)
        back = (arrival < arrival.shift(1, fill_value=self._last_arrival)).fill_null(value=False)
        written = _ARRIVAL - self.shift_ns if self.has_arrivals else _VENUE + self.written_after_ns
        values = written.filter(pl.Series(back)).cast(pl.Datetime("ns")).cast(pl.String) + " UTC"
        what, shown = "row is earlier than the one before", frame.select(values).to_series()
        self.problems.add("unsorted_rows", what, frame.filter(back), shown, self.unsorted_hint)
        latest = venue.cum_max()
        before = latest.shift(1, fill_value=self._latest_venue)
        if self._latest_venue is not None:
            before = before.clip(lower_bound=self._latest_venue)
        self.report.late_rows += int((venue < before).sum())
        self._last_arrival = arrival[-1]
        known = [time for time in (latest[-1], self._latest_venue) if time is not None]
        self._latest_venue = max(known, default=None)

    def _refuse(self, code: str, frame: pl.DataFrame, rows: pl.Series, what: str, hint: str) -> None:
        bad = frame.filter(rows)
        self.problems.add(code, what, bad, bad["arrival_time_ns"].fill_null(bad["venue_time_ns"]), hint)
