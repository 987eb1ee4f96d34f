"""Fees in the report are those of the ledger, each counted once."""

from __future__ import annotations

import pytest
from helpers import SPOT, quote_rows, run

import tradewind as tw


class InAndOut(tw.Strategy):
    """Buys one, and sells what the fee left of it."""

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(SPOT)
        ctx.subscribe(self.btc.quotes)
        self.seen = 0

    def on_quote(self, ctx: tw.Context, quote: object) -> None:
        self.seen += 1
        if self.seen == 2:
            ctx.buy(self.btc, 1)
        if self.seen == 5:
            ctx.sell(self.btc, self.btc.round_quantity(ctx.position(self.btc).quantity))


def test_a_fee_in_the_base_is_counted_once() -> None:
    result = run(InAndOut(), {SPOT: quote_rows([100.0] * 10)}, balances={"USDT": 1_000})
    metrics, total = result.metrics, result.metrics["total"]
    assert result.fills["fee_asset"].to_list() == ["BTC", "USDT"]
    change = metrics["final_equity"] - metrics["starting_equity"]
    assert change < 0
    # What is realised lost the fee in the base already; the fee in the quote comes on top.
    assert total["net_realised"] + total["unrealised"] == pytest.approx(change, abs=1e-9)
    assert total["expectancy"] == pytest.approx(total["net_realised"], abs=1e-9)


def test_the_last_point_of_the_equity_curve_stands_once() -> None:
    result = run(InAndOut(), {SPOT: quote_rows([100.0] * 10)}, balances={"USDT": 1_000}, interval="1s")
    assert result.equity["time"].is_unique().all()
    assert result.equity["equity"][-1] == result.metrics["final_equity"]
