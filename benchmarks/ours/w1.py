"""W1: a Python strategy on a million trades."""

from __future__ import annotations

import market

import tradewind as tw
from tradewind._core import Backtest
from tradewind.backtest import Settings


class EmaCross(tw.Strategy):
    """Long one above, short one below, at market."""

    def on_start(self, ctx: tw.Context) -> None:
        """Attach both averages."""
        self.instrument = ctx.instrument("bench:BTCUSDT")
        self.fast = ctx.indicator(tw.Ema(market.workloads.FAST, seed="first"), self.instrument.trades)
        self.slow = ctx.indicator(tw.Ema(market.workloads.SLOW, seed="first"), self.instrument.trades)
        self.wanted = 0

    def on_trade(self, ctx: tw.Context, trade: object) -> None:
        """Flip when the averages cross."""
        wanted = 1 if self.fast.value > self.slow.value else -1
        if wanted != self.wanted and self.slow.ready:
            self.wanted = wanted
            ctx.target(self.instrument, wanted)


class Empty(tw.Strategy):
    """Watches and does nothing."""

    def on_start(self, ctx: tw.Context) -> None:
        """Name the trades."""
        ctx.subscribe(ctx.instrument("bench:BTCUSDT").trades)

    def on_trade(self, ctx: tw.Context, trade: object) -> None:
        """Do nothing."""


def measure(identity: str, strategy: type[tw.Strategy]) -> None:
    """Time the strategy."""
    data = market.w1()
    settings = Settings(balances=market.MONEY, venues=market.INSTANT)
    market.report(
        identity, 5, lambda: market.timed(Backtest(settings.run([strategy()], data, keep="everything", journal=False)))
    )
