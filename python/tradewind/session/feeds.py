"""What carries the reports of venues into a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradewind._core import Inbox
from tradewind.errors import TradewindError
from tradewind.venues import (
    Accepted,
    AccountStatus,
    Cancelled,
    CancelRejected,
    CancelRequest,
    ClockStatus,
    Execution,
    Expired,
    Filled,
    Foreign,
    MarketSink,
    Rejected,
    Report,
    StreamName,
    StreamStatus,
    Unknown,
)

if TYPE_CHECKING:
    from tradewind.session.session import Session, VenueParts

log = logging.getLogger(__name__)


class MarketFeed:
    """Gives the engine a venue's market data."""

    def __init__(self, session: Session, venue: VenueParts) -> None:
        self._session = session
        self._venue = venue
        self._inbox = Inbox(session.index)

    async def start(self, streams: Sequence[StreamName]) -> None:
        """Connect and subscribe."""
        take, session = self._inbox, self._session
        sink = MarketSink(take, session.stamp, lambda: session.take_rows(take), self._status)
        await self._venue.market_data.start(sink)
        self._venue.market_data.subscribe(streams)

    def _status(self, status: StreamStatus | ClockStatus) -> None:
        if isinstance(status, ClockStatus):
            return
        if status.state == "error":
            self._session.health.misread[status.reason.partition("]")[0]] += 1
            log.warning("%s: %s", self._venue.name, status.reason)
            return
        # What arrived before the change comes before it.
        self._session.take_rows(self._inbox)
        if status.stream is not None:
            instrument = self._session.index.instrument(status.stream.instrument)
            if status.state == "gap":
                self._session.gap(instrument, status.stream.kind, status.from_ns, status.to_ns)
            # A book with a hole is not traded on until it was resynced; missing trades do not come any more.
            if status.state != "gap" or status.stream.kind == "book":
                is_fresh = status.state in ("connected", "resynced")
                self._session.stream(instrument, status.stream.kind, is_fresh=is_fresh)


class AccountFeed:
    """Gives the engine what a venue says about orders and the account."""

    def __init__(self, session: Session, venue: str, execution: Execution, *, is_known: bool) -> None:
        self._session = session
        self._venue = venue
        self._execution = execution
        self._was_connected = is_known
        self._connecting: asyncio.Task[None] | None = None

    def take(self, report: Report) -> None:
        """Take a report; those about orders of others are counted and left alone (M3)."""
        match report:
            case Accepted(client_id=name, venue_time_ns=time_ns):
                self._order(name, "accepted", "requested", time_ns)
            case Rejected(client_id=name, code=code, venue_time_ns=time_ns):
                self._order(name, "rejected", code, time_ns)
            case Cancelled(client_id=name, reason=reason, venue_time_ns=time_ns):
                self._order(name, "cancelled", reason, time_ns)
            case Expired(client_id=name, reason=reason, venue_time_ns=time_ns):
                self._order(name, "cancelled", reason, time_ns)
            case CancelRejected(client_id=name, code=code, venue_time_ns=time_ns):
                self._order(name, "cancel_rejected", code, time_ns)
            case Unknown(client_id=name):
                self._order(name, "lost", "requested", None)
                self._session.ask_later(self._venue, self._execution, name)
            case Filled(client_id=name):
                held = self._session.order_of(name)
                if held is not None:
                    self._session.fill(self._venue, held[0], report)
            case Foreign():
                self._session.health.foreign_reports += 1
            case AccountStatus():
                self._status(report)
            case _:
                pass  # balances are asked for when both sides are compared; the clock is the venue's own

    def _order(self, name: str, kind: str, reason: str, venue_time_ns: int | None) -> None:
        held = self._session.order_of(name)
        if held is None:
            return
        self._session.report(self._venue, held[0], kind, reason, venue_time_ns)
        if kind == "accepted" and not self._session.is_open(name):
            # It was given up, and the venue took it after all: nobody wants it any more.
            self._execution.cancel(CancelRequest(name, held[1]))

    def _status(self, status: AccountStatus) -> None:
        """Orders reach the venue, or do not; before they do, both sides are compared."""
        match status.state:
            case "connected":
                if self._connecting is None or self._connecting.done():
                    self._connecting = asyncio.get_running_loop().create_task(self._connect())
            case "credentials_lost":
                log.error("%s: the key is refused: %s", self._venue, status.reason)
                self._session.command("trading_off")
            case "error":
                self._session.health.misread[status.reason.partition("]")[0]] += 1
                log.warning("%s: %s", self._venue, status.reason)
            case _:
                if self._session.health.connections.get(f"{self._venue} orders"):
                    self._session.connection(self._venue, is_connected=False)

    async def _connect(self) -> None:
        try:
            await self._session.reconcile(self._venue, self._execution, is_first=not self._was_connected)
        except TradewindError as error:
            log.warning("%s: %s", self._venue, error)
            return
        self._was_connected = True
        self._session.connection(self._venue, is_connected=True)
