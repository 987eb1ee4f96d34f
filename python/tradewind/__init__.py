"""Tradewind: the strategy you tested is the strategy that trades.

>>> import tradewind as tw
>>> tw.Ema(20)
Ema { period: 20, seed: Average }
"""

from tradewind._core import Context, Index, Instrument, NativeStrategy, __version__
from tradewind.backtest import Command, Halt, Outage, backtest
from tradewind.config import System
from tradewind.data import bars, binance_raw, funding, marks, quotes, trades
from tradewind.data.values import values
from tradewind.dataset import Dataset, load
from tradewind.determinism import check_determinism
from tradewind.errors import TradewindError
from tradewind.indicators import Atr, Ema, Rsi, Sma, StandardDeviation
from tradewind.instruments import InstrumentFields
from tradewind.memory import state
from tradewind.native import ema_cross
from tradewind.result import Result
from tradewind.risk import Limits, OrderRate, Risk
from tradewind.simulation import Exponential, Measured, Simulated, Uniform
from tradewind.strategy import Strategy, param
from tradewind.sweep import Outcome, Outcomes, backtest_many
from tradewind.synthetic import synthetic

__all__ = [
    "Atr",
    "Command",
    "Context",
    "Dataset",
    "Ema",
    "Exponential",
    "Halt",
    "Index",
    "Instrument",
    "InstrumentFields",
    "Limits",
    "Measured",
    "NativeStrategy",
    "OrderRate",
    "Outage",
    "Outcome",
    "Outcomes",
    "Result",
    "Risk",
    "Rsi",
    "Simulated",
    "Sma",
    "StandardDeviation",
    "Strategy",
    "System",
    "TradewindError",
    "Uniform",
    "__version__",
    "backtest",
    "backtest_many",
    "bars",
    "binance_raw",
    "check_determinism",
    "ema_cross",
    "funding",
    "load",
    "marks",
    "param",
    "quotes",
    "state",
    "synthetic",
    "trades",
    "values",
]
