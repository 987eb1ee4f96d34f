"""What a result says of itself: the manifest of its start, and figures that add up."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import BTC, RICH, START, check_accounts, quote_rows, run

import tradewind as tw
from tradewind.journal import Journal
from tradewind.loading import load_strategy_class

SOURCE = """
import tradewind as tw


class Holds(tw.Strategy):
    size: float = tw.param(0.5)

    def on_start(self, ctx):
        self.what = ctx.instruments[0]
        ctx.subscribe(self.what.quotes)

    def on_quote(self, ctx, quote):
        ctx.target(self.what, self.size)
"""


@pytest.fixture
def holds(tmp_path: Path) -> Any:
    file = tmp_path / "holds.py"
    file.write_text(SOURCE)
    return load_strategy_class(str(file))


def test_the_saved_source_is_that_of_the_start(holds: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    result = run(holds(), journal=folder)
    (tmp_path / "holds.py").write_text(SOURCE + "# edited after the run\n")
    result.save(folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["code"]["modules"][0]["source"] == SOURCE
    with Journal(folder) as journal:
        assert journal.manifest == result.manifest


def test_commands_are_stated(holds: Any) -> None:
    halt = tw.Command(START + timedelta(seconds=3), "trading_off")
    cancel = tw.Command(START + timedelta(seconds=4), "cancel_all", instrument=BTC)
    result = run(holds(), commands=[halt, cancel])
    words = [command["word"] for command in result.manifest.settings["commands"]]
    assert words == ["trading_off", "cancel_all"]
    text = " ".join(repr(result).split())
    assert "trading_off at 2026-01-01 00:00:03.000000 UTC" in text
    assert f"cancel_all in {BTC} at 2026-01-01 00:00:04.000000 UTC" in text


def test_the_specification_and_the_balances_are_stated(holds: Any) -> None:
    text = " ".join(repr(run(holds(), balances={"synthetic": {"USDT": 5_000}})).split())
    for part in (
        *("linear perpetual", "tick 0.1", "lot 0.001", "minimum 0.001 and 5 USDT", "liquidation fee 0.01"),
        *("initial margin 0.05", "maintenance margin 0.025", "synthetic: 5000 USDT"),
    ):
        assert part in text, part


def test_the_assets_of_a_bankrupt_account_add_up(holds: Any) -> None:
    result = run(holds(size=10), quote_rows([100.0] * 5 + [20.0] * 5, quantity=100), balances={"USDT": 100})
    check_accounts(result)
    (row,) = result.metrics["assets"]
    assert Decimal(row["insurance"]) > 0
    taken = sum(Decimal(row[name]) for name in ("exchange_fees", "network_fees", "liquidation_fees"))
    given = sum(Decimal(row[name]) for name in ("deposited", "traded", "funding", "insurance"))
    assert given - taken == Decimal(row["wallet"])
    assert "insurance" in repr(result)
    assert "insurance" not in repr(run(holds()))


def test_reasons_of_refusals_are_figures(holds: Any) -> None:
    settings: dict[str, Any] = {"risk": tw.Limits(order_quantity=0.1)}
    result = run(holds(), **settings)
    refused = result.orders.filter(pl.col("status") == "rejected").height
    assert result.metrics["rejections"] == {"risk_order_quantity": refused}
    assert f"refused risk_order_quantity {refused} " in " ".join(repr(result).split())
    assert (result.metrics["currency"], result.metrics["days"]) == ("USDT", 365)
    assert run(holds(), balances=RICH).metrics["rejections"] == {}
    assert run(holds(), keep="metrics", **settings).metrics["rejections"] == {"risk_order_quantity": refused}


def test_reasons_are_under_the_words_of_the_table() -> None:
    class Tries(tw.Strategy):
        sizes: tuple[float, ...] = tw.param(())

        def on_start(self, ctx: tw.Context) -> None:
            self.btc = ctx.instrument(BTC)
            ctx.subscribe(self.btc.quotes)
            self.left = list(self.sizes)

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            if self.left:
                ctx.buy(self.btc, self.left.pop())

    risk = tw.Limits(order_quantity=1_000_000)
    for sizes, label in (((2e6,), "refused"), ((1e6,), "rejected"), ((2e6, 1e6), "refused or rejected")):
        metrics = (result := run(Tries(sizes=sizes), risk=risk)).metrics
        listed = ", ".join(f"{reason} 1" for reason in metrics["rejections"])
        assert f" {label} {listed} run " in " ".join(repr(result).split())


@pytest.mark.parametrize(
    ("interval", "label"), [("1h", "hourly samples"), ("1d", "daily samples"), (900, "samples every 15m")]
)
def test_a_drawdown_names_what_it_is_of(holds: Any, interval: Any, label: str) -> None:
    result = run(holds(), interval=interval)
    assert f"({label})" in repr(result)
    assert result.metrics["interval_ns"] == tw.times.duration_ns(interval)


def test_returns_name_the_days_that_they_count(holds: Any) -> None:
    # From 22:00 to 02:00 two days later: three UTC days are begun, though it lasts little more than one.
    prices = [100.0 + at % 7 for at in range(29)]
    times = [START + timedelta(hours=22 + at) for at in range(29)]
    rows = tw.quotes(
        pl.DataFrame({"time": times, "bid": prices, "ask": [price + 0.1 for price in prices]}), quantity="1"
    )
    figures = run(holds(), rows)
    metrics = figures.metrics
    assert metrics["counted_days"] == 3
    assert metrics["annual_return"] == pytest.approx((1 + metrics["total_return"]) ** (365 / 3) - 1, rel=1e-9)
    text = " ".join(repr(figures).split())
    assert f"annual {tw.table.percent(metrics['annual_return'])}, Sharpe" in text
    assert "(daily: 3 UTC days begun, 365 a year)" in text
    calendar = run(holds(), rows, days=252, keep="metrics")
    assert calendar.metrics["counted_days"] is None
    assert "(daily: UTC days with samples, 252 a year)" in " ".join(repr(calendar).split())
    assert run(holds(), rows, days=252).metrics["counted_days"] == 3
    assert "1 UTC day begun" in repr(run(holds()))
