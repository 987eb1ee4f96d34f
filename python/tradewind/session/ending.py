"""The end of a session: what becomes of its orders and positions (O6)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tradewind.config.operation import Shutdown
from tradewind.errors import TradewindError, exception
from tradewind.times import duration_ns

if TYPE_CHECKING:
    from tradewind.session.feeds import AccountFeed
    from tradewind.session.session import Session

log = logging.getLogger(__name__)
_GLANCE_SECONDS = 0.1
_ASK_SECONDS = 1.0


class Ending:
    """Ends trading in order: no new positions, orders cancelled and their outcome awaited; then the strategies stop.

    A run whose orders are open afterwards is not finished: it goes on with them when it is started again.

    Parameters
    ----------
    session
        What ends.
    shutdown
        What becomes of orders and positions.
    accounts
        The real venues.

    """

    def __init__(self, session: Session, shutdown: Shutdown, accounts: Sequence[AccountFeed]) -> None:
        self._session = session
        self._shutdown = shutdown
        self._accounts = accounts
        self._cancelled_at = 0.0

    async def run(self) -> None:
        """End."""
        session = self._session
        if self._shutdown.orders == "keep" and session.kernel.open_orders():
            return
        session.command("trading_off")
        session.command("cancel_all")
        if self._shutdown.positions == "close":
            session.command("close_all")
            await self._simulated_closed()
        is_settled = await self._settled()
        if session.failure is None and is_settled:
            session.act(session.kernel.finish)
            is_settled = await self._settled()
        if session.failure is None:
            if not is_settled:
                self._tell_what_is_held()
                raise self._left_open()
            session.is_finished = True
        elif not is_settled:
            log.error("%s", self._left_open())
        self._tell_what_is_held()

    def _tell_what_is_held(self) -> None:
        """Where positions were to be closed: those that are left, as orders did not reach the venue, or as dust."""
        if self._shutdown.positions == "close" and (left := self._session.kernel.positions()):
            held = ", ".join(f"{quantity} of {instrument} ({strategy})" for strategy, instrument, quantity in left)
            log.error("trading has ended, and positions are left that were to be closed: %s", held)

    def _left_open(self) -> TradewindError:
        names = [self._session.name_of(one) for one in self._session.real_orders()]
        what = f"orders are open or may be: {', '.join(names)}" if names else "open orders may be left"
        hint = "start the same run again: it goes on with them; or cancel them at the venue"
        return exception("run_interrupted", f"trading has ended, and {what}", hint)

    async def _simulated_closed(self) -> None:
        """Wait until simulated venues have closed what is held: they fill from what is still to come."""
        session = self._session
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_seconds):
                while session.failure is None and not session.is_hurried and self._is_closing_simulated:
                    await asyncio.sleep(_GLANCE_SECONDS)

    @property
    def _is_closing_simulated(self) -> bool:
        kernel = self._session.kernel
        return bool(kernel.positions()) and len(kernel.open_orders()) > len(self._session.real_orders())

    @property
    def _patience_seconds(self) -> float:
        return duration_ns(self._shutdown.timeout) / 1e9

    async def _settled(self) -> bool:
        """Wait until no order of this run is open, here and at the venues, for as long as the system says."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                while not await self._is_settled():
                    if self._session.is_hurried:
                        return False
        except TimeoutError:
            return False
        return True

    async def _is_settled(self) -> bool:
        """Whether nothing is open; the venues are asked, too, because a session that has failed does not know."""
        session = self._session
        if session.failure is None and (open_here := session.real_orders()):
            loop = asyncio.get_running_loop()
            is_resting = any(one["status"] in ("open", "partly_filled") for one in open_here)
            if is_resting and loop.time() - self._cancelled_at > _ASK_SECONDS:
                # An earlier cancel did not get through.
                self._cancelled_at = loop.time()
                session.command("cancel_all")
            await asyncio.sleep(_GLANCE_SECONDS)
            return False
        if not session.kernel.outcome()["orders"]:
            return True
        try:
            left = [name for account in self._accounts for name in await account.reconciliation.cancel_left()]
        except TradewindError as error:
            log.warning("%s", error)
            left = ["unknown"]
        if left:
            await asyncio.sleep(_ASK_SECONDS)
        return not left
