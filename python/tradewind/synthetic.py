"""A synthetic market: many seeded participants on a real order book, so that trades, quotes and depth agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from tradewind._core import Instrument, synthetic_rows
from tradewind.errors import exception
from tradewind.simulation import Duration
from tradewind.times import duration_ns, to_ns


@dataclass(frozen=True)
class SyntheticMarket:
    """The settings of a synthetic market; made by `synthetic`."""

    events: int | None
    duration: Duration | None
    seed: int
    start: datetime
    price: float | Decimal
    volatility: float
    activity: float
    latency: Duration
    streams: tuple[str, ...]

    def __repr__(self) -> str:
        length = f"{self.events:,} events" if self.events is not None else f"{self.duration}"
        return f"synthetic market, {length}, seed {self.seed}"

    def frame(self, instrument: Instrument) -> pl.DataFrame:
        """All rows, in the form of a loaded stream."""
        settings: dict[str, Any] = {
            "seed": self.seed,
            "start_ns": to_ns(self.start),
            "events": self.events,
            "duration_ns": None if self.duration is None else duration_ns(self.duration),
            "initial_price": round(Decimal(str(self.price)).scaleb(instrument.price_decimals)),
            "volatility": self.volatility,
            "activity": self.activity,
            "latency_ns": duration_ns(self.latency),
            "emit": list(self.streams),
        }
        columns = synthetic_rows(instrument, settings)
        kinds = {"kind": np.uint8, "flags": np.uint8}
        frame = pl.DataFrame({name: np.frombuffer(raw, kinds.get(name, np.int64)) for name, raw in columns.items()})
        return frame.with_columns(interval_ns=pl.lit(0, pl.Int64))


def synthetic(
    *,
    events: int | None = None,
    duration: Duration | None = None,
    seed: int = 1,
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    price: float | Decimal = 60_000,
    volatility: float = 0.6,
    activity: float = 20.0,
    latency: Duration = "1ms",
    streams: tuple[str, ...] = ("trade", "quote"),
) -> SyntheticMarket:
    """Describe a synthetic market, to be given as the data of an instrument.

    Parameters
    ----------
    events, duration
        How long it is: a number of rows, or a time. One of them is needed.
    seed
        The same seed gives the same market, on every machine.
    start
        The time of the first row.
    price
        The first price, on the instrument's tick.
    volatility
        A year's, as a fraction: 0.6 is 60 %.
    activity
        How many actions of participants there are in a second, on average.
    latency
        The mean time that a row takes to arrive.
    streams
        What is emitted, of ``trade``, ``quote``, ``book``, and for perpetuals ``mark`` and ``funding``.

    Examples
    --------
    >>> synthetic(events=1_000)
    synthetic market, 1,000 events, seed 1

    """
    if (events is None) == (duration is None):
        raise exception(
            "bad_setting", "a synthetic market needs either events or duration", "tw.synthetic(events=10_000)"
        )
    return SyntheticMarket(events, duration, seed, start, price, volatility, activity, latency, tuple(streams))
