"""Strategies that worker processes import."""

from __future__ import annotations

import time

from helpers import BTC

import tradewind as tw


class Sum(tw.Strategy):
    """Buys at the first trade; fails or is slow where it is told to."""

    fails: bool = tw.param(False)
    slow: bool = tw.param(False)
    quantity: float = tw.param(0.01)

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if self.fails:
            raise ZeroDivisionError("as it was told to")
        if self.slow:
            time.sleep(0.001)
        ctx.target(self.btc, self.quantity)
