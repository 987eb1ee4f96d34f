"""A strategy that trades often, for sessions of a few seconds."""

import tradewind as tw


class Busy(tw.Strategy):
    """In and out every few trades, with a resting order now and then."""

    every: int = tw.param(2, low=1, high=1000)
    seen: int = tw.state(0)

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        self.average = ctx.indicator(tw.Ema(5), self.btc.trades)

    def on_trade(self, ctx: tw.Context, trade: object) -> None:
        self.seen += 1
        if self.seen % self.every:
            return
        match self.seen // self.every % 4:
            case 0:
                ctx.cancel_all()
            case 3:
                ctx.buy(self.btc, 0.001, round(ctx.price(self.btc) * 0.99, 2))
            case step:
                ctx.target(self.btc, 0.01 if step == 1 else 0)
