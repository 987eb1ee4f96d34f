"""What a run is called and counted in, and what is particular to backtests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from tradewind.config.base import (
    Duration,
    Flag,
    InstrumentName,
    Lasting,
    Name,
    PathText,
    Section,
    StrategyName,
    Text,
    Whole,
)


class Run(Section):
    """What holds for the run as a whole."""

    name: Name = "system"
    """What the run is called; the folder of its results, below `directory`. Default: "system"."""
    seed: Annotated[Whole, Field(ge=0, lt=2**64)] = 0
    """The seed of everything that is random. Default: 0."""
    currency: Text | None = None
    """The currency of the totals and of the daily loss. Default: the only asset of the balances."""
    directory: PathText = "runs"
    """Where runs are kept, each in DIRECTORY/NAME/MODE. Default: "runs"."""
    interval: Lasting = "1h"
    """The interval of the equity curve. Default: "1h"."""
    days: Literal[365, 252] = 365
    """The days by which returns are annualised (N6): 365, or 252 for markets with a calendar. Default: 365."""
    busy_wait: Flag = False
    """Whether a session never sleeps: it answers faster, and takes a core for itself. Default: false."""


class Command(Section):
    """Something that is commanded at a time of a backtest, such as a halt."""

    time: AwareDatetime
    """When it reaches the engine: a time with its zone, such as 2026-01-01T12:00:00Z. Required."""
    word: Literal["trading_on", "trading_off", "cancel_all", "close_all"]
    """What is commanded. Required."""
    strategy: StrategyName | None = None
    """For which strategy orders are cancelled and positions closed. Default: all."""
    instrument: InstrumentName | None = None
    """For which instrument. Default: all."""


class Backtest(Section):
    """What only a backtest needs."""

    stream: Flag = False
    """Hold no rows: read the data in chunks in the run, too, for data that do not fit memory. Default: false."""
    chunk_rows: Annotated[Whole, Field(gt=0)] | None = None
    """Read the data in chunks of this many rows. Default: whole, or a million rows where `stream` is true."""
    commands: tuple[Command, ...] = ()
    """Commands at given times. Default: none."""


class WarmUp(Section):
    """History before trading (V4).

    In paper and live it is fetched from the venue; a backtest takes it from the beginning of its data.
    """

    trades: Duration = "0s"
    """How far back trades are fetched, for every instrument of which a strategy named them. Default: "0s", none."""
    bars: Duration = "0s"
    """How far back bars are fetched, in time, whatever their interval. Default: "0s", none."""
    timeout: Lasting = "60s"
    """How long a history is waited for, before trading and after a gap. Default: "60s"."""
    required: Flag = False
    """Whether a run ends with the error `not_warm` where it cannot be had, rather than trade. Default: false."""
