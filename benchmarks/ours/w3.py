"""W3: barter's own benchmark, with and without its orders."""

from __future__ import annotations

from typing import Any

import market

import tradewind as tw
from tradewind._core import Backtest, NativeStrategy
from tradewind.backtest import Settings

MONEY = {"USDT": 100_000_000_000}
SETTINGS = Settings(balances=MONEY, venues={"bench": tw.Simulated(latency=0, taking_on_trades="last_trade_whole")})


def run(data: tw.Dataset, *, orders: bool, keep: str = "everything") -> dict[str, Any]:
    """The run of one benchmark, as the kernel takes it."""
    return SETTINGS.run([NativeStrategy("follow_trades", {"orders": orders})], data, keep=keep, journal=False)


def measure(identity: str, *, orders: bool) -> None:
    """Time it, best of some."""
    data = market.w3()
    market.report(identity, 9, lambda: market.timed(Backtest(run(data, orders=orders, keep="metrics"))))
