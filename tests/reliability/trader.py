"""A strategy that trades steadily on what the market does, and never on what it did itself."""

import logging
from typing import Any

import tradewind as tw

books = logging.getLogger("reliability.trader.books")
lags = logging.getLogger("reliability.trader.lags")
PAUSE_NS = 50_000_000
"""Its own trades come back as market data; within this time nothing is decided, so that a quiet market stays quiet."""


class Steady(tw.Strategy):
    """In and out, with a resting order now and then."""

    step: int = tw.state(0)
    acted_ns: int = tw.state(0)

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        self.average = ctx.indicator(tw.Ema(5), self.btc.trades)
        ctx.subscribe(self.btc.trades, self.btc.quotes, self.btc.book, "probe")

    def on_trade(self, ctx: tw.Context, trade: Any) -> None:
        if ctx.now_ns - self.acted_ns < PAUSE_NS:
            return
        self.acted_ns = ctx.now_ns
        self.step += 1
        lags.debug("%s", (ctx.now_ns - trade.venue_time_ns) / 1e9)
        match self.step % 4:
            case 0:
                ctx.target(self.btc, 0)
            case 1:
                ctx.target(self.btc, 0.01)
            case 2:
                ctx.buy(self.btc, 0.001, round(trade.price * 0.99, 2))
            case _:
                ctx.cancel_all()

    def on_fill(self, ctx: tw.Context, fill: Any) -> None:
        self.acted_ns = ctx.now_ns

    def on_data(self, ctx: tw.Context, data: Any) -> None:
        """Tell who listens what is known of the market; nothing of it decides anything."""
        books.debug("%s", (ctx.is_stale(self.btc), ctx.book(self.btc, 20)))
