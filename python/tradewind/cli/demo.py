"""``tradewind demo``: a backtest over a synthetic market and its replay, then sessions on a local exchange."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

from tradewind.backtest import backtest
from tradewind.cli.backtest import show
from tradewind.cli.demo_session import demo_sessions
from tradewind.cli.screen import SHOWN, note, progress
from tradewind.dataset import load
from tradewind.journal import FILE_NAME
from tradewind.journal import replay as replay_here
from tradewind.loading import load_strategy_class
from tradewind.synthetic import synthetic


def demo(
    *,
    events: Annotated[int, SHOWN] = 1_000_000,
    out: Annotated[Path, SHOWN] = Path("runs/demo"),
    json: bool = False,
    backtest_only: bool = False,
) -> int:
    """Run an EMA cross over a synthetic market and replay it, then trade with it on a local exchange.

    Parameters
    ----------
    events
        How long the market is, in trades and quotes.
    out
        The folder of the run.
    json
        Print metrics as JSON, and run no sessions.
    backtest_only
        Do not trade on paper and live on a local exchange afterwards, for 26 s.

    """
    cls = load_strategy_class(str(resources.files("tradewind.cli") / "template" / "strategy.py"))
    strategies = [
        cls(name="btc cross", instrument="synthetic:BTCUSDT", quantity=0.05),
        cls(name="eth cross", instrument="synthetic:ETHUSDT", quantity=0.5),
    ]
    note("making a synthetic market")
    market = load(
        {
            "synthetic:BTCUSDT": synthetic(events=events * 3 // 5, seed=1),
            "synthetic:ETHUSDT": synthetic(events=events - events * 3 // 5, seed=2, price=3_000),
        }
    )
    journal = out / FILE_NAME
    with progress("backtest", market.rows) as update:
        result = backtest(strategies, data=market, balances={"USDT": 100_000}, journal=journal, progress=update)
    with progress("replay", result.metrics["inputs"]) as update:
        report = replay_here(journal, progress=update)
    show(result, out=out, journal=journal, json=json, more={"replay": report.to_dict()})
    if not json:
        print(f"replayed the run from its journal: {report}")
    proved = json or backtest_only or demo_sessions(out / "local exchange")
    return 0 if report.identical and proved else 1
