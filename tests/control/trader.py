"""A strategy that is steered from outside."""

from __future__ import annotations

import tradewind as tw


class Busy(tw.Strategy):
    """Buys what it is told to; leaves alone what others open in its name."""

    size: float = tw.param(0.01, low=0, high=1)
    pace: int = tw.param(2, low=1)
    word: str = tw.param("calm", choices=("calm", "wild"))
    moods: list = tw.state([])
    seen: int = tw.state(0)

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        ctx.subscribe("mood")

    def on_trade(self, ctx: tw.Context, trade: object) -> None:
        self.seen += 1

    def on_data(self, ctx: tw.Context, data: tw.Value) -> None:
        self.moods = [*self.moods, data.value]
        if data.value == "buy":
            ctx.target(self.btc, self.size)
        if data.value == "fail":
            raise ZeroDivisionError("mine")

    def set_parameter(self, name: str, value: object) -> None:
        super().set_parameter(name, value)
        if value == "wild":
            raise ZeroDivisionError("not now")
