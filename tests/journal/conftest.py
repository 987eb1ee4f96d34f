from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import tradewind as tw
from tradewind.loading import load_strategy_class

HEADER = """
import time
import tradewind as tw


class Orders(tw.Strategy):
    quantity: float = tw.param(0.05)

    def on_start(self, ctx):
        self.btc = ctx.instrument("synthetic:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        self.seen = 0

    def on_trade(self, ctx, trade):
        self.seen += 1
"""


@pytest.fixture(scope="session")
def market() -> tw.Dataset:
    return tw.load({"synthetic:BTCUSDT": tw.synthetic(events=3_000)})


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a strategy file whose `on_trade` ends with the given lines."""

    def write(body: str, name: str = "orders.py") -> Path:
        file = tmp_path / name
        file.write_text(HEADER + textwrap.indent(textwrap.dedent(body), " " * 8))
        return file

    return write


@pytest.fixture
def record(tmp_path: Path, market: tw.Dataset) -> Callable[..., Path]:
    """Runs the strategy of a file with a journal."""

    def record(file: Path, **settings: object) -> Path:
        journal = tmp_path / "journal.sqlite"
        tw.backtest(
            load_strategy_class(str(file))(), data=market, balances={"USDT": 100_000}, journal=journal, **settings
        )
        return journal

    return record
