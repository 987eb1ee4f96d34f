"""What a run leaves: figures, orders, fills, positions, equity and the ledger."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from tradewind._core import Backtest, Session
from tradewind.dataset import Dataset
from tradewind.errors import exception
from tradewind.journal.manifest import Manifest
from tradewind.table import render
from tradewind.times import DAY_NS, duration_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradewind.backtest import AnyStrategy, Settings

_TIMES = {
    "decided_ns": "decided",
    "closed_ns": "closed",
    "venue_time_ns": "venue_time",
    "arrival_time_ns": "arrival_time",
    "time_ns": "time",
}


class Result:
    """A finished run. Its text shows the figures and everything that decided them.

    Frames are polars'; prices and quantities in them are floats, amounts of money exact decimals.
    """

    def __init__(
        self,
        run: Backtest | Session,
        data: Dataset,
        settings: Settings,
        strategies: Sequence[AnyStrategy],
        seconds: float,
        manifest: Manifest,
    ) -> None:
        self._run = run
        self.data = data
        self.settings = settings
        self.strategies = tuple(strategies)
        self.seconds = seconds
        self.manifest = manifest
        """Everything that decided the run, with the source of its code, as it was when the run began."""
        outcome, interval_ns = run.outcome(), duration_ns(settings.interval)
        self.metrics: dict[str, Any] = metrics_of(
            outcome, settings.resolved_currency, settings.days, interval_ns, run.equity()[0]
        )
        """Every figure by name, as docs/results.md explains them; what is not known is None."""

    @property
    def decisions_hash(self) -> str:
        """The hash of every strategy's requests and fills, by names (D3)."""
        return str(self.metrics["decisions_hash"])

    @property
    def state_hash(self) -> str:
        """The canonical hash of the final state (D3)."""
        return str(self.metrics["state_hash"])

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Every order, in the order of closing."""
        return frame(self._run.orders())

    @cached_property
    def fills(self) -> pl.DataFrame:
        """Every fill, with its fee, the profit it realised and its slippage against the mid at the decision."""
        return frame(self._run.fills())

    @cached_property
    def ledger(self) -> pl.DataFrame:
        """Every posting of the double-entry ledger."""
        return frame(self._run.ledger())

    @cached_property
    def equity(self) -> pl.DataFrame:
        """The equity curve: ``time`` and ``equity`` in the currency of the totals."""
        times, values = self._run.equity()
        return pl.DataFrame(
            {"time": pl.Series(times, dtype=pl.Datetime("ns", "UTC")), "equity": pl.Series(values, dtype=pl.Float64)}
        )

    @cached_property
    def positions(self) -> pl.DataFrame:
        """What is held at the end, by instrument."""
        columns = ("instrument", "position", "dust", "mark", "mark_source", "unrealised", "realised", "settlement")
        rows = [{name: row[name] for name in columns} for row in self.metrics["instruments"]]
        schema = {
            name: pl.Float64 if name in ("position", "dust", "mark", "unrealised", "realised") else pl.String
            for name in columns
        }
        return pl.DataFrame(rows, schema=schema)

    def save(self, directory: str | Path) -> Path:
        """Write ``orders``, ``fills`` and ``equity`` (Parquet), ``manifest.json`` and ``metrics.json`` to a folder.

        The metrics come last: a folder that holds them is whole.

        Parameters
        ----------
        directory
            The folder; what an earlier run left in it is replaced.

        Returns
        -------
        Path
            The folder.

        """
        folder = Path(directory)
        metrics = folder / "metrics.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            metrics.unlink(missing_ok=True)
            for name in ("orders", "fills", "equity"):
                getattr(self, name).write_parquet(folder / f"{name}.parquet")
            (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(self.manifest)))
            metrics.write_bytes(msgspec.json.format(msgspec.json.encode(self.metrics)))
        except OSError as error:
            raise exception("bad_setting", f"the result cannot be written to {folder}: {error.strerror}") from error
        return folder

    def __repr__(self) -> str:
        return render(self)


def metrics_of(
    outcome: Mapping[str, Any], currency: str, days: int, interval_ns: int, times_ns: Sequence[int]
) -> dict[str, Any]:
    """Figures with what they are counted in: the currency, the year, the days, and the interval of the equity curve.

    Parameters
    ----------
    outcome
        What the kernel says.
    currency
        That of the totals.
    days
        How many make a year.
    interval_ns
        The interval of the equity curve.
    times_ns
        The times of its points; none where they were not kept.

    """
    counted = _counted_days(outcome["span_ns"], times_ns, days)
    return {
        **outcome,
        "currency": currency,
        "days": days,
        "counted_days": counted,
        "interval_ns": interval_ns,
    }


def _counted_days(span_ns: tuple[int, int] | None, times_ns: Sequence[int], days: int) -> int | None:
    """How many UTC days count: all that the curve touches, or those with a point of it (N6)."""
    if span_ns is None or span_ns[0] == span_ns[1]:
        return 0
    first = span_ns[0] // DAY_NS
    # A point at midnight closes the day before.
    if days == 365:
        return max(first, (span_ns[1] - 1) // DAY_NS) - first + 1
    return len({max(first, (time_ns - 1) // DAY_NS) for time_ns in times_ns}) or None


def frame(columns: dict[str, tuple[str, Any]]) -> pl.DataFrame:
    """A frame of the columns that the kernel gives."""
    series = []
    for name, (kind, values) in columns.items():
        match kind:
            case "i8" if name in _TIMES:
                series.append(pl.Series(_TIMES[name], np.frombuffer(values, np.int64)).cast(pl.Datetime("ns", "UTC")))
            case "i8":
                series.append(pl.Series(name, np.frombuffer(values, np.int64)))
            case "f8":
                series.append(pl.Series(name, np.frombuffer(values, np.float64)).fill_nan(None))
            case "decimal":
                series.append(pl.Series(name, values, dtype=pl.String).cast(pl.Decimal(38, 12)))
            case _:
                series.append(pl.Series(name, values, dtype=pl.String))
    return pl.DataFrame(series)
