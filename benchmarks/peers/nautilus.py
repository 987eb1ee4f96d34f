"""W1 on NautilusTrader: ``python benchmarks/peers/nautilus.py W1-ema|W1-empty``.

Its low-level idiom: a ``BacktestEngine`` with the trades added in bulk as objects, a Python
strategy, its own EMA in Rust updated in the callback (measured faster than registering it
for the trades), logging and the analysis after the run switched off. Prints one line of
JSON; only ``engine.run()`` is timed.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model import (
    AccountType,
    AggressorSide,
    CryptoPerpetual,
    Currency,
    InstrumentId,
    Money,
    OmsType,
    OrderSide,
    Price,
    Quantity,
    Symbol,
    TradeId,
    TradeTick,
    Venue,
)
from nautilus_trader.trading import Strategy, StrategyConfig

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import workloads

INSTRUMENT = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")
USDT = Currency.from_str("USDT")
MAKER_RATE, TAKER_RATE = Decimal("0.0002"), Decimal("0.0005")


class EmaCross(Strategy):
    """Long one above, short one below, at market."""

    def __init__(self, config: StrategyConfig) -> None:
        super().__init__(config)
        self.fast = ExponentialMovingAverage(workloads.FAST)
        self.slow = ExponentialMovingAverage(workloads.SLOW)
        self.target = 0
        self.quantities = {1: Quantity.from_str("1.000"), 2: Quantity.from_str("2.000")}

    def on_start(self) -> None:
        self.subscribe_trades(INSTRUMENT)

    def on_trade(self, trade: TradeTick) -> None:
        self.fast.handle_trade_tick(trade)
        self.slow.handle_trade_tick(trade)
        if not self.slow.initialized:
            return
        wanted = 1 if self.fast.value > self.slow.value else -1
        if wanted != self.target:
            self.send(wanted)

    def send(self, wanted: int) -> None:
        """Sends the order that leads from the current target to ``wanted``."""
        side = OrderSide.BUY if wanted > 0 else OrderSide.SELL
        quantity = self.quantities[abs(wanted - self.target)]
        self.submit_order(self.order_factory.market(INSTRUMENT, side, quantity))
        self.target = wanted


class Empty(Strategy):
    """Receives every trade and does nothing."""

    def on_start(self) -> None:
        self.subscribe_trades(INSTRUMENT)

    def on_trade(self, trade: TradeTick) -> None:
        pass


def instrument() -> CryptoPerpetual:
    """The linear perpetual of W1."""
    return CryptoPerpetual(
        instrument_id=INSTRUMENT,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=Currency.from_str("BTC"),
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        size_precision=3,
        price_increment=Price.from_str("0.1"),
        size_increment=Quantity.from_str("0.001"),
        ts_event=0,
        ts_init=0,
    )


def trade_ticks() -> list[TradeTick]:
    """The trades of W1 as the peer's objects."""
    columns = workloads.load("w1")
    sides = {1: AggressorSide.BUY, -1: AggressorSide.SELL}
    names = ("price", "quantity", "side", "trade_id", "timestamp")
    return [
        TradeTick(
            INSTRUMENT,
            Price(price, 1),
            Quantity(quantity, 3),
            sides[side],
            TradeId(str(id_)),
            time_ns,
            time_ns,
        )
        for price, quantity, side, id_, time_ns in zip(*(columns[name].tolist() for name in names), strict=True)
    ]


def build(strategy: Strategy) -> BacktestEngine:
    """An engine with venue, instrument, trades and strategy."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            bypass_logging=True,
            run_analysis=False,
            logging=LoggerConfig(bypass_logging=True),
        )
    )
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(10_000_000.0, USDT)],
        default_leverage=Decimal(10),
        fee_model=MakerTakerFeeModel(MAKER_RATE, TAKER_RATE),
    )
    engine.add_instrument(instrument())
    engine.add_data(trade_ticks())
    engine.add_strategy(strategy)
    return engine


def main(workload: str) -> None:
    """Runs one workload and prints what was measured."""
    workloads.prepare()
    config = StrategyConfig(log_events=False, log_commands=False)
    engine = build({"W1-ema": EmaCross, "W1-empty": Empty}[workload](config))
    start = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - start
    result = engine.get_result()
    line = {
        "id": workload,
        "events": result.iterations,
        "orders": result.total_orders,
        "fills": len(engine.generate_fills_report()) if result.total_orders else 0,
        "seconds": seconds,
        "events_per_second": result.iterations / seconds,
        "version": version("nautilus_trader"),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1])
