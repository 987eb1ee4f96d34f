"""What can go wrong at the venue, on request: switches that the protocol looks at, and things that happen at once.

Every fault has a name, and the numbers that the list of live faults knows it by. A switch stays on until it is
switched off, for some seconds, or for so many occasions.
"""

from tradewind.sandbox.faults.schedule import Schedule, Step, plan
from tradewind.sandbox.faults.switchboard import Faults
from tradewind.sandbox.faults.table import ACTIONS, SWITCHES

__all__ = ["ACTIONS", "SWITCHES", "Faults", "Schedule", "Step", "plan"]
