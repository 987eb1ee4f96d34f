"""Long while a fast average of the trades is above a slow one, else short, or flat where that cannot be."""

import tradewind as tw


class EmaCross(tw.Strategy):
    """Long above, short or flat below."""

    instrument: str = tw.param("synthetic:BTCUSDT", help="what is traded")
    fast: int = tw.param(1_000, low=2, high=100_000, help="trades of the fast average")
    slow: int = tw.param(10_000, low=3, high=500_000, help="trades of the slow average")
    quantity: float = tw.param(0.05, low=0, help="how much is held, long or short")
    short: bool = tw.param(True, help="short below, else flat: spot cannot be short")

    def on_start(self, ctx: tw.Context) -> None:
        """Name the instrument and attach the averages to its trades."""
        self.traded = ctx.instrument(self.instrument)
        self.fast_ema = ctx.indicator(tw.Ema(self.fast), self.traded.trades)
        self.slow_ema = ctx.indicator(tw.Ema(self.slow), self.traded.trades)

    def on_trade(self, ctx: tw.Context, trade: object) -> None:
        """Be on the side of the faster average."""
        if self.slow_ema.ready:
            below = -self.quantity if self.short else 0
            ctx.target(self.traded, self.quantity if self.fast_ema.value > self.slow_ema.value else below)


if __name__ == "__main__":
    result = tw.backtest(
        EmaCross(),
        data={"synthetic:BTCUSDT": tw.synthetic(events=500_000)},
        balances={"USDT": 100_000},
        journal="runs/journal.sqlite",
    )
    print(result)
