"""Steering and following a running session: over HTTP and a WebSocket on this machine, for who has its token.

`Control` asks a session of another process for its state and for changes, `Replica` is its engine once more, and
`ControlServer` is what a session of your own serves both with. The entries of the audit are the types of
`tradewind.control.entries`.
"""

from tradewind.control.audit import Audit, Events
from tradewind.control.client import Control
from tradewind.control.commands import Done
from tradewind.control.frames import Agreement
from tradewind.control.replica import Replica
from tradewind.control.server import ControlServer
from tradewind.control.status import About, Status

__all__ = ["About", "Agreement", "Audit", "Control", "ControlServer", "Done", "Events", "Replica", "Status"]
