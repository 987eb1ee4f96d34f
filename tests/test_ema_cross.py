"""The example in Python gives the same orders as the native strategy."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tradewind as tw
from tradewind.loading import load_strategy_class

EXAMPLE = Path(__file__).parents[1] / "examples" / "ema_cross.py"


@pytest.mark.parametrize(("fast", "slow", "seed"), [(20, 100, 1), (5, 10, 2), (500, 5_000, 3)])
def test_the_example_orders_like_the_native_strategy(fast, slow, seed):
    market = tw.load({"synthetic:BTCUSDT": tw.synthetic(events=50_000, seed=seed)})
    strategies = (
        load_strategy_class(str(EXAMPLE))(fast=fast, slow=slow, quantity=0.05),
        tw.ema_cross("synthetic:BTCUSDT", fast=fast, slow=slow, quantity=0.05),
    )
    python, native = (tw.backtest(strategy, data=market, balances={"USDT": 100_000}) for strategy in strategies)
    assert python.orders.height > 0
    for name in ("orders", "fills"):
        assert_frame_equal(*(getattr(result, name).select(pl.exclude("strategy")) for result in (python, native)))
