"""Paper and live trading: the engine of the backtest, fed by venues while the market goes on."""

from tradewind.session.rerun import Rerun, rerun
from tradewind.session.rewind import State, state_at
from tradewind.session.run import run
from tradewind.session.session import Session

__all__ = ["Rerun", "Session", "State", "rerun", "run", "state_at"]
