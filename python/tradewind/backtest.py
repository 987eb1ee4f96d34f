"""Backtests: one strategy or several over recorded data, or many runs over one data set."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from tradewind._core import Backtest, NativeStrategy
from tradewind.dataset import Dataset, Source, load
from tradewind.errors import TradewindWarning, exception
from tradewind.instruments import InstrumentFields
from tradewind.journal import JournalWriter, Storage
from tradewind.journal.manifest import manifest_of
from tradewind.loading import refuse_while_loading
from tradewind.result import Result
from tradewind.risk import Limits, Risk, as_risk
from tradewind.simulation import Duration, Simulated, simulated
from tradewind.strategy import Strategy
from tradewind.table import is_all_warm_up
from tradewind.times import duration_ns, instant_text, to_ns

Amount = Decimal | float | int | str
Balances = Mapping[str, Amount] | Mapping[str, Mapping[str, Amount]]
AnyStrategy = Strategy | NativeStrategy
_SLICE_ROWS = 100_000


@dataclass(frozen=True)
class Command:
    """Something that somebody commands the engine at a time, as an input like any other.

    Parameters
    ----------
    time
        When it reaches the engine.
    word
        ``"trading_off"`` (only reductions pass), ``"trading_on"``, ``"cancel_all"``, ``"close_all"``, or ``"stop"``:
        the strategies stop for good.
    strategy, instrument
        For which strategy and instrument orders are cancelled and positions closed; for all where not given.

    """

    time: datetime
    word: Literal["trading_on", "trading_off", "cancel_all", "close_all", "stop"]
    strategy: str | None = None
    instrument: str | None = None


@dataclass(frozen=True)
class Outage:
    """A time without a connection to a venue.

    Nothing of its market data arrives, orders are refused (``venue_disconnected``), cancels fail, and what the venue
    reports arrives when it is over. Strategies hear of it in `on_status`.

    Parameters
    ----------
    venue
        Which venue.
    start, end
        From when until when, by arrival.

    """

    venue: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"outage of {self.venue}, {instant_text(self.start)} to {instant_text(self.end)}"


@dataclass(frozen=True)
class Halt:
    """A time in which a venue takes no new orders for an instrument and matches nothing.

    Parameters
    ----------
    instrument
        Which instrument.
    start, end
        From when until when, by venue time.

    """

    instrument: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"halt of {self.instrument}, {instant_text(self.start)} to {instant_text(self.end)}"


@dataclass(frozen=True)
class Settings:
    """Everything about a run besides its strategies and data."""

    balances: Balances
    venues: Mapping[str, Simulated] = field(default_factory=dict)
    risk: Risk = field(default_factory=Risk)
    currency: str | None = None
    interval: Duration = "1h"
    days: Literal[365, 252] = 365
    seed: int = 0
    commands: tuple[Command, ...] = ()
    incidents: tuple[Outage | Halt, ...] = ()
    warm_up: Duration = 0

    def __post_init__(self) -> None:
        if not isinstance(self.balances, Mapping):
            hint = 'write the amounts by asset: balances={"USDT": 100_000}'
            raise exception("bad_setting", f"balances = {self.balances!r} names no asset", hint)
        for name, one in self.venues.items():
            if not isinstance(one, Simulated):
                hint = f'write venues={{"{name}": tw.Simulated(latency="20ms")}}'
                raise exception("bad_setting", f"venues: {name} = {one!r} is no tw.Simulated", hint)
        for incident in self.incidents:
            if to_ns(incident.end) <= to_ns(incident.start):
                raise exception("bad_setting", f"{incident!r} ends before it starts")
        if duration_ns(self.warm_up) < 0:
            raise exception("bad_setting", f"warm_up = {self.warm_up!r} is below zero")
        if self.days not in (365, 252):
            raise exception("bad_setting", f"days = {self.days!r}", "write 365, or 252 for markets with a calendar")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**64:
            raise exception("bad_setting", f"seed = {self.seed!r}", "give an integer from 0 to 2**64 - 1")

    def run(self, strategies: Iterable[AnyStrategy], data: Dataset, *, keep: str, journal: bool) -> dict[str, Any]:
        """The run as the kernel takes it."""
        index = data.index
        venues = {venue: simulated(venue, dict(self.venues)) for venue in index.venues}
        for name in self.venues:
            if name not in venues:
                raise exception(
                    "unknown_venue", f"venues: {name!r} is not a venue of the data", f"there are {', '.join(venues)}"
                )
        return {
            "index": index,
            "strategies": [(strategy.name, _fresh(strategy)) for strategy in strategies],
            "risk": self.risk.values(index, self.resolved_currency),
            "recordings": list(data.recordings),
            "venues": [settings.values(venue) for venue, (settings, _) in venues.items()],
            "balances": self._balances(index.venues),
            "currency": self.resolved_currency,
            "interval_ns": duration_ns(self.interval),
            "trading_days": self.days == 252,
            "seed": self.seed,
            "keep": keep,
            "journal": journal,
            "commands": [(to_ns(one.time), one.word, one.strategy, one.instrument) for one in self.commands],
            "values": list(data.values),
            "value_streams": list(data.value_streams),
            "outages": [
                (one.venue, to_ns(one.start), to_ns(one.end)) for one in self.incidents if isinstance(one, Outage)
            ],
            "halts": [
                (one.instrument, to_ns(one.start), to_ns(one.end)) for one in self.incidents if isinstance(one, Halt)
            ],
            "warm_up_ns": duration_ns(self.warm_up),
        }

    def _balances(self, venues: list[str]) -> list[tuple[str, str, str]]:
        nested = {key: value for key, value in self.balances.items() if isinstance(value, Mapping)}
        if nested and len(nested) != len(self.balances):
            raise exception("bad_setting", "balances are partly by venue and partly not", "write all of them by venue")
        flat = {key: value for key, value in self.balances.items() if not isinstance(value, Mapping)}
        if flat and len(venues) != 1:
            line = ", ".join(f'"{venue}": {{...}}' for venue in venues)
            raise exception(
                "missing_setting", "balances do not say at which venue they are", f"write balances={{{line}}}"
            )
        by_venue = {**nested, **({venues[0]: flat} if flat else {})}
        return [
            (venue, asset, _decimal(asset, amount))
            for venue, assets in by_venue.items()
            for asset, amount in assets.items()
        ]

    @property
    def resolved_currency(self) -> str:
        """The currency of the totals: the stated one, or the only asset of the balances."""
        if self.currency is not None:
            return self.currency
        nested = [value for value in self.balances.values() if isinstance(value, Mapping)]
        assets = list(dict.fromkeys([key for one in nested for key in one] or list(self.balances)))
        if len(assets) == 1:
            return assets[0]
        raise exception(
            "missing_setting", "the currency of the totals is not stated", f'add currency="{(assets or ["USDT"])[0]}"'
        )


def backtest(
    strategies: AnyStrategy | Iterable[AnyStrategy],
    *,
    data: Dataset | Mapping[str, Source | Iterable[Source]],
    balances: Balances,
    instruments: Iterable[InstrumentFields] = (),
    venues: Mapping[str, Simulated] | None = None,
    risk: Risk | Limits | None = None,
    currency: str | None = None,
    interval: Duration = "1h",
    days: Literal[365, 252] = 365,
    seed: int = 0,
    commands: Iterable[Command] = (),
    incidents: Iterable[Outage | Halt] = (),
    warm_up: Duration = 0,
    journal: str | Path | Storage | None = None,
    keep: Literal["everything", "metrics"] = "everything",
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Run strategies over recorded data with simulated venues.

    Parameters
    ----------
    strategies
        One strategy or several; on one account they share its money (M4).
    data
        Streams by instrument, or a `Dataset` that was loaded before.
    balances
        What the account starts with: ``{"USDT": 100_000}``, or by venue where there are several.
    instruments
        Specifications that are not packaged.
    venues
        How each venue is simulated; packaged venues have the preset ``typical`` (20 ms each way).
    risk
        Limits, or limits and checks.
    currency
        The currency of the totals; needed where the balances hold several assets.
    interval
        The interval of the equity curve. The drawdown is that of the curve: what came and went between two of its
        points is not in it.
    days
        How many days make a year (N6). With 365 every UTC day that the run touches counts as a whole one, its first
        and its last, too; with 252 only those of them that have a point of the equity curve.
    seed
        The seed of everything that is random.
    commands
        Commands from outside at given times, such as to stop trading.
    incidents
        Outages of connections and halts of markets, to see what a strategy makes of them.
    warm_up
        How much of the data, from its start, only teaches indicators, bars and histories: strategies are not called,
        and nothing is traded or counted (V4).
    journal
        A file (or the folder of a run) to write the whole stream of inputs and decisions to, so that the run can be
        replayed.
    keep
        ``"metrics"`` keeps figures and hashes only.
    progress
        Called with the number of rows met so far, some times a second.

    Returns
    -------
    Result
        Metrics, orders, fills, positions, equity and ledger.

    Examples
    --------
    >>> import tradewind as tw
    >>> result = tw.backtest(
    ...     tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.5),
    ...     data={"synthetic:BTCUSDT": tw.synthetic(events=20_000)},
    ...     balances={"USDT": 100_000},
    ... )
    >>> result.metrics["orders"] > 0
    True

    """
    refuse_while_loading("a backtest")
    dataset = data if isinstance(data, Dataset) else load(data, instruments)
    listed = listed_strategies(strategies)
    settings = Settings(
        balances=balances,
        venues=dict(venues or {}),
        risk=as_risk(risk),
        currency=currency,
        interval=interval,
        days=days,
        seed=seed,
        commands=tuple(commands),
        incidents=tuple(incidents),
        warm_up=warm_up,
    )
    # Before the run: the source of its code may be edited while it goes on.
    manifest = manifest_of(dataset, listed, settings)
    run = settings.run(listed, dataset, keep=keep, journal=journal is not None)
    kernel = Backtest(run)
    started = time.perf_counter()
    if journal is None:
        _advance(kernel, progress)
    else:
        with JournalWriter(journal, manifest) as writer:
            _advance(kernel, progress, writer)
            writer.finish(kernel.outcome())
    result = Result(kernel, dataset, settings, listed, time.perf_counter() - started, manifest)
    if is_all_warm_up(result):
        warnings.warn(
            f"warm_up = {warm_up!r} is all of the data: no strategy was called", TradewindWarning, stacklevel=2
        )
    return result


def _advance(kernel: Backtest, progress: Callable[[int], None] | None, writer: JournalWriter | None = None) -> None:
    """Run slice by slice, so that Ctrl-C and progress are seen."""
    done = False
    while not done:
        try:
            done = kernel.advance(_SLICE_ROWS)
        finally:
            if writer is not None:
                writer.write(kernel.take_journal())
        if progress is not None:
            progress(kernel.rows)


def listed_strategies(strategies: AnyStrategy | Iterable[AnyStrategy]) -> list[AnyStrategy]:
    """One strategy or several, as a list; anything else is an error."""
    if isinstance(strategies, AnyStrategy):
        return [strategies]
    listed = list(strategies) if isinstance(strategies, Iterable) else [strategies]
    if not listed:
        raise exception("bad_strategy", "there is no strategy", "give one, or a list of them")
    for one in listed:
        if not isinstance(one, AnyStrategy):
            hint = (
                f"make one of it: {one.__name__}()"
                if isinstance(one, type)
                else "give objects of classes of tw.Strategy"
            )
            raise exception("bad_strategy", f"{one!r} is not a strategy", hint)
    return listed


def _fresh(strategy: AnyStrategy) -> AnyStrategy:
    return strategy.fresh() if isinstance(strategy, Strategy) else strategy


def _decimal(asset: str, amount: Amount) -> str:
    try:
        number = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except ArithmeticError:
        raise exception("bad_setting", f"the balance of {asset}, {amount!r}, is not a number") from None
    if not number.is_finite() or number < 0:
        raise exception("bad_setting", f"the balance of {asset}, {amount!r}, is not an amount")
    return f"{number:f}"
