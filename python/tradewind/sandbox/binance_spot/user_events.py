"""User data: what became of orders and balances, for those who subscribed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tradewind.sandbox.faults.events import odd_report

if TYPE_CHECKING:
    from tradewind.sandbox.binance_spot.api_connection import ApiConnection
    from tradewind.sandbox.faults import Faults


class Users:
    """Who listens to which account.

    Parameters
    ----------
    faults
        What goes wrong.

    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._listeners: dict[int, dict[ApiConnection, int]] = {}

    def add(self, account: int, connection: ApiConnection, number: int) -> None:
        """Let a connection listen, under the number of its subscription."""
        self._listeners.setdefault(account, {})[connection] = number

    def remove(self, account: int, connection: ApiConnection) -> None:
        """Let it listen no longer."""
        listeners = self._listeners.get(account, {})
        listeners.pop(connection, None)
        if not listeners:
            self._listeners.pop(account, None)

    def is_wanted(self, account: int) -> bool:
        """Whether somebody listens."""
        return account in self._listeners

    def listeners(self, account: int) -> list[ApiConnection]:
        """The connections that listen to an account."""
        return list(self._listeners.get(account, ()))

    def deliver(self, account: int, event: dict[str, Any]) -> None:
        """Send an event to all who listen, as far as faults let it through."""
        if self._faults.active or self._faults.held_report is not None:
            odd_report(self._faults, event, partial(self._send, account))
        else:
            self._send(account, event)

    def _send(self, account: int, event: dict[str, Any]) -> None:
        for connection, number in list(self._listeners.get(account, {}).items()):
            connection.deliver(number, event)
