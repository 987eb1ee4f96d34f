"""W2: the same rules as a native strategy, with both clocks on: rows arrive a microsecond after their venue time."""

import market

import tradewind as tw
from tradewind._core import Backtest
from tradewind.backtest import Settings

if __name__ == "__main__":
    data = market.w1(arrival_delay_ns=1_000)
    cross = tw.ema_cross(
        "bench:BTCUSDT", fast=market.workloads.FAST, slow=market.workloads.SLOW, quantity=1, seed="first"
    )
    limits = tw.Limits(order_quantity=10, position=10, open_orders=10)
    settings = Settings(balances=market.MONEY, venues={"bench": tw.Simulated(latency="1us")}, risk=tw.Risk(limits))
    market.report(
        "W2", 7, lambda: market.timed(Backtest(settings.run([cross], data, keep="everything", journal=False)))
    )
