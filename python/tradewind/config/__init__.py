"""The system file: what is traded, where, with what, within which limits, in all modes.

`System` reads it, writes it and runs it; its sections are the classes of this package.
"""

from tradewind.config.account import Account, Adoption, Credentials
from tradewind.config.data import Bars, Data, Funding, Marks, OutsideValues, Quotes, Raw, Synthetic, Trades
from tradewind.config.instrument import Instrument
from tradewind.config.operation import Control, Journal, Live, Shutdown
from tradewind.config.problem import Problem, SystemFileError
from tradewind.config.risk import Limits, OrderRate, Risk
from tradewind.config.run import Backtest, Command, Run, WarmUp
from tradewind.config.strategy import Strategy
from tradewind.config.system import MODES, Mode, System
from tradewind.config.venue import ExponentialLatency, Fees, Simulated, UniformLatency, Urls, Venue

__all__ = [
    "MODES",
    "Account",
    "Adoption",
    "Backtest",
    "Bars",
    "Command",
    "Control",
    "Credentials",
    "Data",
    "ExponentialLatency",
    "Fees",
    "Funding",
    "Instrument",
    "Journal",
    "Limits",
    "Live",
    "Marks",
    "Mode",
    "OrderRate",
    "OutsideValues",
    "Problem",
    "Quotes",
    "Raw",
    "Risk",
    "Run",
    "Shutdown",
    "Simulated",
    "Strategy",
    "Synthetic",
    "System",
    "SystemFileError",
    "Trades",
    "UniformLatency",
    "Urls",
    "Venue",
    "WarmUp",
]
