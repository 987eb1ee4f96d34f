"""What a session that ends leaves at its venues."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from tradewind.errors import TradewindError
from tradewind.session.reconciliation import REFUSED_ASK_SECONDS, RESTING, had
from tradewind.venues import CancelRequest, Execution
from tradewind.venues.connection.backoff import Backoff

if TYPE_CHECKING:
    from tradewind.session.session import Session

log = logging.getLogger(__name__)
_REFUSED_SECONDS = 2.0


class Remains:
    """Orders that are open at a venue when a session ends, or may be.

    The venue lists what the engine does not know of. An engine that has failed takes no answer any more: what it held
    then is cancelled and asked for by its client id, as it can be on its way still, or not be listed yet (F29).

    Parameters
    ----------
    session
        What ends.

    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._listed: dict[str, set[str]] = {}
        self._gone: set[str] = set()
        self._begun: float | None = None
        # A venue that refuses the key, and when it is asked again.
        self._refused: dict[str, Backoff] = {}
        self._not_before: dict[str, float] = {}

    @property
    def names(self) -> list[str]:
        """The client ids of what is open, or may be."""
        return sorted(self._held().keys() | set().union(*self._listed.values()))

    async def settle(self) -> bool:
        """Cancel what there is, and ask what became of it; whether nothing is open any more."""
        if self._begun is None and self._held():
            # The engine has failed: nothing is sent any more.
            self._begun = asyncio.get_running_loop().time()
        asking = (self._settle(venue, execution) for venue, execution in self._session.executions.items())
        return all(await asyncio.gather(*asking)) and not self.names

    def _held(self, venue: str | None = None) -> dict[str, dict[str, Any]]:
        """What the engine holds as open and the venue has not ended; what is queued, or was kept back, never left."""
        held = {
            self._session.name_of(one): one for one in self._session.real_orders(venue) if one["status"] != "queued"
        }
        return {name: order for name, order in held.items() if name not in self._gone | self._session.unsent}

    async def _settle(self, venue: str, execution: Execution) -> bool:
        """Do so at a venue; whether it says what is open."""
        if asyncio.get_running_loop().time() < self._not_before.get(venue, 0.0):
            return False
        held = self._held(venue)
        for name, order in held.items():
            execution.cancel(CancelRequest(name, order["instrument"].name))
        try:
            found = await execution.open_orders()
        except TradewindError as error:
            log.warning("%s: what is open is not known: %s", venue, error)
            self._heed(venue, error)
            return False
        listed = {one.client_id: one for one in found if self._session.is_own(one.client_id)}
        self._listed[venue] = set(listed)
        for name in listed.keys() - held.keys():
            execution.cancel(CancelRequest(name, listed[name].instrument))
        await asyncio.gather(*(self._ask(execution, name, held[name]) for name in held.keys() - listed.keys()))
        return True

    async def _ask(self, execution: Execution, name: str, order: dict[str, Any]) -> None:
        """Ask what became of an order: it has ended, or was never taken and can be no more."""
        now, begun = asyncio.get_running_loop().time(), self._begun
        try:
            state = await execution.order(name, order["instrument"].name)
        except TradewindError as error:
            log.warning("%s: what became of %s is not known: %s", execution.venue, name, error)
            self._heed(execution.venue, error)
            return
        if state is not None:
            is_gone = state.status not in RESTING
        else:
            is_gone = begun is not None and now > begun + execution.fate_seconds and not had(order)
        if is_gone:
            self._gone.add(name)

    def _heed(self, venue: str, error: TradewindError) -> None:
        """Ask a venue that refuses the key ever more rarely."""
        now = asyncio.get_running_loop().time()
        if error.code == "bad_credentials" and now >= self._not_before.get(venue, 0.0):
            refused = self._refused.setdefault(venue, Backoff(first=_REFUSED_SECONDS, longest=REFUSED_ASK_SECONDS))
            self._not_before[venue] = now + refused.next()
