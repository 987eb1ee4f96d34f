"""A strategy whose orders end in every way: taken whole and in parts, rested and filled, cancelled, rejected."""

from typing import Any

import tradewind as tw


class Busy(tw.Strategy):
    """Something else every second trade."""

    seen: int = tw.state(0)

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx: tw.Context, trade: Any) -> None:
        self.seen += 1
        if self.seen % 2:
            return
        held = ctx.position(self.btc).quantity
        match self.seen // 2 % 9:
            case 0:
                ctx.cancel_all()
            case 1:
                ctx.buy(self.btc, 0.05, time_in_force="ioc")
            case 2:
                # Behind the last trade: it rests until somebody sells.
                ctx.buy(self.btc, 0.01, round(trade.price - 0.01, 2), time_in_force="post_only")
            case 3:
                ctx.buy(self.btc, 0.02, round(trade.price + 0.02, 2), time_in_force="ioc")
            case 4 if held > 0:
                ctx.sell(self.btc, 0.01, round(trade.price + 0.01, 2))
            case 5:
                # More than there is.
                ctx.sell(self.btc, 0.19)
            case 6:
                # It would take.
                ctx.buy(self.btc, 0.001, round(trade.price * 1.001, 2), time_in_force="post_only")
            case 7:
                ctx.target(self.btc, 0.03, price=round(trade.price - 0.01, 2))
            case 8:
                ctx.close(self.btc)
