"""A strategy that is steered from outside."""

from __future__ import annotations

from typing import Any

import tradewind as tw


class Busy(tw.Strategy):
    """Does what it is told, and nothing else."""

    size: float = tw.param(0.01, low=0, high=1)
    pace: int = tw.param(2, low=1)
    word: str = tw.param("calm", choices=("calm", "wild"))
    tags: list = tw.param([])
    moods: list = tw.state([])
    seen: int = tw.state(0)
    last: float = tw.state(0.0)

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        ctx.subscribe("mood")

    def on_trade(self, ctx: tw.Context, trade: Any) -> None:
        self.seen += 1
        self.last = trade.price

    def on_data(self, ctx: tw.Context, data: Any) -> None:
        self.moods = [*self.moods, data.value]
        if data.value == "wait":
            ctx.target(self.btc, self.size, round(ctx.price(self.btc) * 0.9, 2))
        if data.value == "fail":
            raise ZeroDivisionError("mine")

    def set_parameter(self, name: str, value: Any) -> None:
        super().set_parameter(name, value)
        if value == "wild":
            raise ZeroDivisionError("not now")
