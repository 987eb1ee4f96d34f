"""``tradewind backtest``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tradewind.backtest import backtest as run_backtest
from tradewind.cli.assignments import assignments, parameters
from tradewind.cli.data import DataOptions, sources
from tradewind.cli.screen import SHOWN, note, progress, show_json
from tradewind.cli.venue import VenueOptions
from tradewind.dataset import load
from tradewind.errors import exception
from tradewind.folders import made
from tradewind.instruments import load_file
from tradewind.journal import FILE_NAME
from tradewind.loading import load_strategy_class
from tradewind.result import Result
from tradewind.risk import Limits


@Parameter(name="*", group="Run")
@dataclass(frozen=True)
class RunOptions:
    """What the run starts with, and what it may do.

    Parameters
    ----------
    balance
        What the account holds at the start: USDT=100000, or binance_spot:USDT=1000 where there are several venues.
    limit
        A limit such as position=2; there are order_quantity, order_notional, position, open_orders and price_collar.
    currency
        The currency of the totals, where the balances hold several assets.
    equity_interval
        The interval of the equity curve.
    seed
        The seed of everything that is random.

    """

    balance: Annotated[tuple[str, ...], Parameter(required=True)] = ()
    limit: tuple[str, ...] = ()
    currency: str | None = None
    equity_interval: Annotated[str, SHOWN] = "1h"
    seed: Annotated[int, SHOWN] = 0

    @property
    def balances(self) -> dict[str, Any]:
        """The balances, by venue where one is named."""
        found: dict[str, Any] = {}
        for name, amount in assignments("--balance", self.balance, "USDT=100000").items():
            venue, colon, asset = name.rpartition(":")
            if colon:
                found.setdefault(venue, {})[asset] = amount
            else:
                found[asset] = amount
        return found

    @property
    def limits(self) -> Limits:
        """The limits."""
        given: dict[str, Any] = dict(assignments("--limit", self.limit, "position=2"))
        known = [name for name in Limits.__dataclass_fields__ if name in given]
        if unknown := given.keys() - set(known):
            raise exception(
                "bad_setting",
                f"--limit {', '.join(sorted(unknown))}: is not known",
                f"there are {', '.join(Limits.__dataclass_fields__)}",
            )
        if "open_orders" in given:
            text = given["open_orders"]
            given["open_orders"] = int(text) if text.removeprefix("-").isdecimal() else text
        return Limits(**given)


def backtest(
    strategy: str,
    /,
    *,
    data: list[str],
    param: tuple[str, ...] = (),
    instrument: tuple[Path, ...] = (),
    out: Path | None = None,
    journal: Path | None = None,
    json: bool = False,
    run: RunOptions = RunOptions(),
    reading: DataOptions = DataOptions(),  # noqa: B008 - frozen
    venue: VenueOptions = VenueOptions(),  # noqa: B008 - frozen
) -> int:
    """Run a strategy over recorded data.

    tradewind backtest strategy.py --data "binance_usdm:BTCUSDT=btc.parquet" --balance USDT=100000

    Parameters
    ----------
    strategy
        A file that defines a strategy, or file.py:Class.
    data
        An instrument and its data: "venue:symbol=file", "venue:symbol=quotes:file"; may be repeated. Kinds are trades,
        quotes, bars, marks, funding, raw (Binance frames) and synthetic (a number of events). Files joined by commas
        are continued.
    param
        A parameter of the strategy, such as fast=10; may be repeated.
    instrument
        A TOML file with the specification of an instrument that is not packaged; may be repeated.
    out
        A folder for orders, fills and equity (Parquet), metrics and manifest (JSON).
    journal
        A file for the whole stream of inputs and decisions, for `tradewind replay`.
    json
        Print metrics as JSON.

    """
    cls = load_strategy_class(strategy)
    made = cls(**parameters(cls, param))
    streams = sources(data, reading)
    balances, limits, venues = run.balances, run.limits, venue.venues(streams)
    specifications = [load_file(path) for path in instrument]
    note("reading data")
    dataset = load(streams, specifications)
    for report in dataset.reports:
        note(f"  {report}")
    file = _journal_file(journal, out)
    with progress("backtest", dataset.rows) as update:
        result = run_backtest(
            made,
            data=dataset,
            balances=balances,
            venues=venues,
            risk=limits,
            currency=run.currency,
            interval=run.equity_interval,
            seed=run.seed,
            journal=file,
            progress=update,
        )
    show(result, out=out, journal=file, json=json)
    return 0


def show(
    result: Result, *, out: Path | None, journal: Path | None, json: bool, more: Mapping[str, Any] | None = None
) -> None:
    """Save a result where that is asked for, and print it."""
    if out is not None:
        result.save(out)
    if json:
        places = {"out": None if out is None else str(out), "journal": None if journal is None else str(journal)}
        show_json({**result.metrics, "seconds": result.seconds, **places, **(more or {})})
        return
    print(result)
    if out is not None or journal is not None:
        print()
    if out is not None:
        print(f"wrote orders, fills and equity (Parquet), metrics and manifest (JSON) to {out}/")
    if journal is not None:
        print(f"wrote the journal to {journal}")


def _journal_file(journal: Path | None, out: Path | None) -> Path | None:
    """The journal's file: within the folder, if one is named; made before the run, so that nothing is lost after it."""
    if out is not None:
        made(out, "--out")
    return journal / FILE_NAME if journal is not None and journal.is_dir() else journal
