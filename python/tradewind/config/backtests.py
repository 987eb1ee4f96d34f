"""A system as the arguments of a backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradewind.backtest import Command, backtest
from tradewind.config.code import make_strategy
from tradewind.config.data import OutsideValues, market_data
from tradewind.config.problem import SystemFileError
from tradewind.config.readiness import missing
from tradewind.dataset import Dataset, load
from tradewind.dataset import Source as DataSource
from tradewind.loading import refuse_while_loading
from tradewind.result import Result
from tradewind.times import duration_ns

if TYPE_CHECKING:
    from tradewind.config.system import System


def load_data(system: System) -> Dataset:
    """Read the data of a system."""
    sources: dict[str, list[DataSource]] = {}
    for _, one in market_data(system.data):
        sources.setdefault(one.instrument, []).append(one.source(system.path))
    values = {one.name: one.source(system.path) for one in system.data if isinstance(one, OutsideValues)}
    settings = system.backtest_settings
    return load({**sources, **values}, system.specifications(), chunk_rows=settings.chunk_rows, stream=settings.stream)


def run_backtest(system: System, dataset: Dataset | None, **options: Any) -> Result:
    """Run a system over its data."""
    refuse_while_loading("a backtest")
    if problems := missing(system, "backtest"):
        raise SystemFileError(system.run.name, problems)
    # Strategies first: they are quick to check, and data may take long.
    strategies = [make_strategy(name, one, system.folder) for name, one in system.strategies.items()]
    names = [fields.name for fields in system.specifications()]
    used = dict.fromkeys(name.partition(":")[0] for name in names)
    return backtest(
        strategies,
        data=load_data(system) if dataset is None else dataset,
        balances={one.venue: one.balances for one in system.accounts.values() if one.venue in used},
        venues={venue: _simulated(system, venue) for venue in used},
        risk=system.risk.whole(system.folder),
        currency=system.currency,
        interval=system.run.interval,
        days=system.run.days,
        seed=system.run.seed,
        warm_up=max(system.warm_up.trades, system.warm_up.bars, key=duration_ns),
        commands=[Command(**dict(one)) for one in system.backtest_settings.commands],
        **options,
    )


def _simulated(system: System, venue: str) -> Any:
    owner = system.account_of(venue)
    settings = system.venues[venue].simulated
    assert settings is not None  # `missing` has seen to it
    return settings.value(owner[1].leverage if owner else None)
