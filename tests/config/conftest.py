from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tradewind as tw
from tradewind.cli import run

STRATEGY = """
import tradewind as tw


class Cross(tw.Strategy):
    instrument: str = tw.param("synthetic:BTCUSDT")
    fast: int = tw.param(20, low=5, high=100)
    slow: int = tw.param(100)
    quantity: float = tw.param(0.01)

    def on_start(self, ctx):
        self.traded = ctx.instrument(self.instrument)
        self.fast_ema = ctx.indicator(tw.Ema(self.fast), self.traded.trades)
        self.slow_ema = ctx.indicator(tw.Ema(self.slow), self.traded.trades)

    def on_trade(self, ctx, trade):
        if self.slow_ema.ready:
            ctx.target(self.traded, self.quantity if self.fast_ema.value > self.slow_ema.value else 0)


def never_on_top(ctx, order):
    return None if order.quantity < 1 else "too large"
"""

GOOD = """
[run]
name = "test"
seed = 3

[venues.synthetic]
simulated = { latency = "5ms", answer_latency = { minimum = "1ms", mean = "2ms" }, resting = "touch" }

[accounts.main]
venue = "synthetic"
balances = { USDT = "100000" }
leverage = 3

[instruments."synthetic:BTCUSDT"]

[strategies.cross]
class = "strategy.py:Cross"
parameters = { fast = 10, quantity = 0.01 }

[risk]
order_notional = "600.9"
checks = ["strategy.py:never_on_top"]

[risk.instruments."synthetic:BTCUSDT"]
position = "0.015"

[[data]]
instrument = "synthetic:BTCUSDT"
kind = "synthetic"
events = 20_000
seed = 5

[[backtest.commands]]
time = 2026-01-01T00:05:00Z
word = "trading_off"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strategy.py").write_text(STRATEGY)
    (tmp_path / "system.toml").write_text(GOOD)
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Callable[[str], tw.System]:
    """Reads a system of this text."""

    def read(text: str) -> tw.System:
        (folder / "system.toml").write_text(text)
        return tw.System.read("system.toml")

    return read


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process: exit code, standard output and standard error."""

    def cli(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return cli
