"""The end of a session: what becomes of its orders and positions (O6)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from tradewind.config.operation import Shutdown
from tradewind.errors import TradewindError, exception
from tradewind.session.remains import Remains
from tradewind.times import duration_ns

if TYPE_CHECKING:
    from tradewind.session.session import Session

log = logging.getLogger(__name__)
_GLANCE_SECONDS = 0.1
_ASK_SECONDS = 1.0
_SETTLE_SECONDS = 60.0
"""A run that was started to settle what is left has the time to connect, and to know what became of every order."""


class Ending:
    """Ends trading in order: no new positions, orders cancelled and their outcome awaited; then the strategies stop.

    A run whose orders are open afterwards is not finished: it goes on with them when it is started again. One whose
    strategies had stopped by then is only settled, and ends.

    Parameters
    ----------
    session
        What ends.
    shutdown
        What becomes of orders and positions.
    reaching
        What connects the real venues; an end that comes early waits for it.

    """

    def __init__(self, session: Session, shutdown: Shutdown, reaching: asyncio.Task[None]) -> None:
        self._session = session
        self._shutdown = shutdown
        self._reaching = reaching
        self._remains = Remains(session)
        stated = duration_ns(shutdown.timeout) / 1e9
        self._patience_seconds = max(stated, _SETTLE_SECONDS) if session.kernel.has_stopped else stated
        self._cancelled_at = 0.0

    async def run(self) -> None:
        """End."""
        session = self._session
        # Nobody goes on with what is kept where the strategies have stopped.
        if self._shutdown.orders == "keep" and session.kernel.open_orders() and not session.kernel.has_stopped:
            if session.failure is not None and (kept := self._remains.names):
                log.error("trading has ended, and orders are kept, as the system says: %s", ", ".join(kept))
            session.suspend()
            return
        session.command("trading_off")
        session.command("cancel_all")
        if self._shutdown.positions == "close":
            await self._closed()
        is_settled = await self._settled()
        if session.failure is None and is_settled:
            session.act(session.kernel.finish)
            is_settled = await self._settled()
        if session.failure is None:
            if not is_settled:
                self._tell_what_is_held()
                raise self._left_open()
            session.is_finished = True
        else:
            session.left = self._remains.names
            if not is_settled:
                log.error("%s", self._left_open())
        self._tell_what_is_held()

    def _tell_what_is_held(self) -> None:
        """Where positions were to be closed: those that are left, as orders did not reach the venue, or as dust."""
        if self._shutdown.positions != "close":
            return
        to_close = set(self._session.kernel.positions_to_close())
        left, dust = list[str](), list[str]()
        for strategy, instrument, quantity in self._session.kernel.positions():
            kind = left if (strategy, instrument) in to_close else dust
            kind.append(f"{quantity} of {instrument} ({strategy})")
        if left:
            self._session.is_unclosed = True
            log.error("trading has ended, and positions are left that were to be closed: %s", ", ".join(left))
        if dust:
            log.warning("positions were closed but for dust, which is too little for an order: %s", ", ".join(dust))

    def _left_open(self) -> TradewindError:
        names = self._remains.names
        what = f"orders are open or may be: {', '.join(names)}" if names else "open orders may be left"
        goes_on = "it settles them, and ends" if self._session.kernel.has_stopped else "it goes on with them"
        hint = f"start the same run again: {goes_on}; or cancel them at the venue"
        return exception("run_interrupted", f"trading has ended, and {what}", hint)

    async def _closed(self) -> None:
        """Close what is held, for as long as the system says: an order that was refused is asked for again.

        While an order is open there may be more to close: a purchase on its way, or a fill that nobody heard of.
        """
        session, loop = self._session, asyncio.get_running_loop()
        session.command("close_all")
        asked_at = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_seconds):
                while session.failure is None and not session.hurried.is_set() and self._is_more_to_close:
                    await asyncio.sleep(_GLANCE_SECONDS)
                    self._cancel_again()
                    if loop.time() - asked_at > _ASK_SECONDS:
                        asked_at = loop.time()
                        for strategy, instrument in self._given_up():
                            session.command("close_all", strategy, instrument)

    @property
    def _is_more_to_close(self) -> bool:
        return bool(self._session.kernel.positions_to_close() or self._session.kernel.open_orders())

    def _given_up(self) -> list[tuple[str, str]]:
        """What is held that no order works to close, although orders reach its venue."""
        session = self._session
        working = {(one["strategy"], one["instrument"].name) for one in session.kernel.open_orders()}
        down = {venue for venue in session.index.venues if session.health.connections.get(f"{venue} orders") is False}
        held = [one for one in session.kernel.positions_to_close() if one not in working]
        return [(strategy, name) for strategy, name in held if session.index.instrument(name).venue not in down]

    async def _settled(self) -> bool:
        """Wait until no order of this run is open, here and at the venues, for as long as the system says."""
        settling = asyncio.create_task(self._settle())
        hurrying = asyncio.create_task(self._session.hurried.wait())
        # A venue may be asked, which takes as long as it likes.
        await asyncio.wait((settling, hurrying), timeout=self._patience_seconds, return_when=asyncio.FIRST_COMPLETED)
        is_settled = settling.done()
        for task in (settling, hurrying):
            task.cancel()
        await asyncio.gather(hurrying, return_exceptions=True)
        with suppress(asyncio.CancelledError):
            await settling
        return is_settled

    async def _settle(self) -> None:
        while not await self._is_settled():
            pass

    async def _is_settled(self) -> bool:
        """Whether nothing is open; the venues are asked, too, because a session that has failed does not know."""
        session = self._session
        if session.failure is None and session.real_orders():
            self._cancel_again()
            await asyncio.sleep(_GLANCE_SECONDS)
            return False
        if not session.kernel.outcome()["orders"]:
            return True
        if not self._reaching.done():
            await asyncio.sleep(_GLANCE_SECONDS)
            return False
        is_settled = await self._remains.settle()
        if not is_settled:
            await asyncio.sleep(_ASK_SECONDS)
        return is_settled

    def _cancel_again(self) -> None:
        """Cancel what rests at a venue: an earlier cancel did not get through."""
        session, now = self._session, asyncio.get_running_loop().time()
        is_resting = any(one["status"] in ("open", "partly_filled") for one in session.real_orders())
        if is_resting and now - self._cancelled_at > _ASK_SECONDS:
            self._cancelled_at = now
            session.command("cancel_all")
