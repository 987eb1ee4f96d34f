"""Long while a fast average of the trades is above a slow one, else short.

Run it with ``python examples/ema_cross.py``, or from the command line:
``tradewind backtest examples/ema_cross.py --data synthetic:BTCUSDT=synthetic:500000 --balance USDT=100000``.
"""

import tradewind as tw


class EmaCross(tw.Strategy):
    """Long above, short below."""

    instrument: str = tw.param("synthetic:BTCUSDT", help="what is traded")
    fast: int = tw.param(20, low=2, high=100_000, help="trades of the fast average")
    slow: int = tw.param(100, low=3, high=500_000, help="trades of the slow average")
    quantity: float = tw.param(0.05, low=0, help="how much is held, long or short")

    def on_start(self, ctx):
        self.traded = ctx.instrument(self.instrument)
        self.fast_ema = ctx.indicator(tw.Ema(self.fast), self.traded.trades)
        self.slow_ema = ctx.indicator(tw.Ema(self.slow), self.traded.trades)

    def on_trade(self, ctx, trade):
        if self.slow_ema.ready:
            ctx.target(self.traded, self.quantity if self.fast_ema.value > self.slow_ema.value else -self.quantity)


if __name__ == "__main__":
    print(
        tw.backtest(
            EmaCross(fast=500, slow=5_000),
            data={"synthetic:BTCUSDT": tw.synthetic(events=500_000)},
            balances={"USDT": 100_000},
        )
    )
