"""Paper and live trading: the engine of the backtest, fed by venues while the market goes on."""

from tradewind.session.run import run
from tradewind.session.session import Session

__all__ = ["Session", "run"]
