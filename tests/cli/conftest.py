from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.cli import run

STRATEGY = """
import tradewind as tw


class Cross(tw.Strategy):
    instrument: str = tw.param("synthetic:BTCUSDT")
    fast: int = tw.param(20)
    slow: int = tw.param(100)
    quantity: float = tw.param(0.01)
    both: bool = tw.param(True)

    def on_start(self, ctx):
        self.traded = ctx.instrument(self.instrument)
        self.fast_ema = ctx.indicator(tw.Ema(self.fast), self.traded.trades)
        self.slow_ema = ctx.indicator(tw.Ema(self.slow), self.traded.trades)

    def on_trade(self, ctx, trade):
        if self.slow_ema.ready:
            below = -self.quantity if self.both else 0
            ctx.target(self.traded, self.quantity if self.fast_ema.value > self.slow_ema.value else below)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strategy.py").write_text(STRATEGY)
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process: exit code, standard output and standard error."""

    def cli(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return cli


@pytest.fixture
def process(folder: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command in a process of its own, as a shell does."""

    def process(*arguments: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
        command = [sys.executable, "-c", "from tradewind.cli import main; main()", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=environment, cwd=folder, text=True, **pipes)

    return process


@pytest.fixture
def masked() -> Callable[[str], str]:
    """What a command printed, without what differs from run to run."""

    def masked(text: str) -> str:
        text = re.sub(r"in \d+\.\d\d s( \([\d,]+ events a second\))?", "in <seconds>", text)
        text = re.sub(r"\b[0-9a-f]{16}\b", "<hash>", text)
        return re.sub(r"\S*/pytest-of-\S*?/(?=\w+\.\w+)", "<folder>/", text)

    return masked
