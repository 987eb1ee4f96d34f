"""docs/results.md names every figure and every column that a result has, and no other column."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import tradewind as tw
from tradewind import indicators

PAGE = (Path(__file__).parents[1] / "docs" / "results.md").read_text()


@pytest.fixture(scope="module")
def result() -> tw.Result:
    return tw.backtest(
        tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.5),
        data={"synthetic:BTCUSDT": tw.synthetic(events=5_000)},
        balances={"USDT": 100_000},
    )


def section(title: str) -> set[str]:
    """What stands in the first cells of the table below a heading."""
    text = PAGE[PAGE.index(f"### {title}\n") :].split("\n#", 1)[0]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_figure_is_explained(result: tw.Result) -> None:
    metrics = result.metrics
    assert section("Of the whole run") == set(metrics)
    each = section("Of an instrument, and in total")
    assert each == set(metrics["instruments"][0]) and set(metrics["total"]) < each
    assert section("Of an asset") == set(metrics["assets"][0])


@pytest.mark.parametrize("name", ["orders", "fills", "positions", "equity", "ledger"])
def test_every_column_is_explained_with_its_type(result: tw.Result, name: str) -> None:
    table = PAGE.partition(f"<!-- {name} -->\n")[2].partition("<!-- end -->")[0]
    told = re.findall(r"^\| `(\w+)` \| (\w+) \| \S.*\|$", table, re.MULTILINE)
    frame: pl.DataFrame = getattr(result, name)
    assert told == [(column, str(kind.base_type())) for column, kind in frame.schema.items()]


def test_every_indicator_is_there() -> None:
    made = [name for name, value in vars(indicators).items() if getattr(value, "__module__", "") == indicators.__name__]
    assert len(made) == 5 and all(f"`tw.{name}(" in PAGE for name in made)
