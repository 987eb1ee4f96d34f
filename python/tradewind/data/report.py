"""What was done to data while they were loaded, so that a result can state it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass
class LoadReport:
    """Counts and settings of one loading.

    Examples
    --------
    >>> print(LoadReport(sources=("btc.parquet",), rows=2001, rounded_values=3))
    2,001 rows of btc.parquet; rounded_values 3

    """

    sources: tuple[str, ...]
    """The files or tables that were read."""
    rows: int = 0
    """Events that came out."""
    latency_ns: int | None = None
    """The stated latency by which a missing time was filled in; none where none was stated."""
    assumed_arrivals: int = 0
    """Rows without an arrival time of their own: they arrive at venue time plus the latency."""
    assumed_venue_times: int = 0
    """Rows without a venue time of their own: arrival minus the latency (T2)."""
    alignment_shift_ns: int = 0
    """By how much alignment moved every arrival (T2)."""
    early_arrivals: int = 0
    """Rows that came before their venue time by the error of a recorder's clock that is put on the venue's: they
    arrive when they happened, as in a session (T2)."""
    late_rows: int = 0
    """Rows whose venue time lies before that of an earlier row (T1)."""
    off_interval_bars: int = 0
    """Bars that begin beside the whole multiples of their interval, as those of a minute do at 00:00:30; time zones may
    move them by quarters of an hour."""
    closest_bars: str = ""
    """How far apart the two closest bars are, where that is twice their stated interval or more."""
    locked_quotes: int = 0
    """Quotes whose bid equals their ask; they are kept."""
    rounded_values: int = 0
    """Numbers that were not exactly on a step of the grid and were moved onto it (N2); mark prices and funding rates
    that have more decimals than are held."""
    off_step_values: int = 0
    """Numbers between two steps that were kept because ``grid="decimals"`` was asked for."""
    text_ids: int = 0
    """Trade ids that are no numbers: checked for repeats, then held as zero."""
    skipped_frames: dict[str, int] = field(default_factory=dict)
    """Frames of a raw recording that were not asked for, by stream."""
    stale_updates: int = 0
    """Book updates older than the snapshot, dropped by the venue's rule."""
    repeated_frames: int = 0
    """Frames that came again, left out by their numbers: a new connection overlapped the old one."""
    book_gaps: int = 0
    """How often a book was interrupted in a raw recording: it stands still until the next snapshot."""
    cut_off: tuple[str, ...] = ()
    """Raw files that end within a frame: whoever recorded them was killed."""
    symbols: tuple[str, ...] = ()
    """Symbols that the data name, where they name any."""

    def __str__(self) -> str:
        stated = [
            f"{entry.name} {value:,}" if isinstance(value, int) else f"{entry.name} {value}"
            for entry in fields(self)
            if entry.name not in ("sources", "rows") and (value := getattr(self, entry.name))
        ]
        return "; ".join([f"{self.rows:,} rows of {', '.join(self.sources)}", *stated])
