"""What carries the reports of venues into a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tradewind._core import Inbox
from tradewind.errors import TradewindError
from tradewind.session.reconciliation import Reconciliation
from tradewind.session.warm_up import Past
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
    Transferred,
    Unknown,
)

if TYPE_CHECKING:
    from tradewind.session.session import Session, VenueParts

_SAY_NOTHING = ("order_not_open", "unreachable", "rate_limited", "venue_refused", "trading_off", "bad_credentials")
"""Refusals of a cancel that do not say that the order is there as it was: it may be filled, or on its way.

It is asked for, and where it turns out to rest the engine cancels it again.
"""
_HALT_SECONDS = 5.0
"""How long the order is left alone where the venue's market is closed: it takes no cancel yet."""
log = logging.getLogger(__name__)


def _code(reason: str) -> str:
    """The code of what could not be read; the rest of its text differs each time."""
    return reason[1:].partition("]")[0] if reason.startswith("[") else "error"


class MarketFeed:
    """Gives the engine a venue's market data."""

    def __init__(self, session: Session, venue: VenueParts) -> None:
        self._session = session
        self._venue = venue
        self._inbox = Inbox(session.index)
        self._has_own_clock = venue.name != session.stamping
        self.past = Past(session, venue, self._inbox)
        self.waits = False
        """Whether what comes waits until warm-up is over."""

    async def start(self, streams: Sequence[StreamName], down_since_ns: int | None) -> None:
        """Connect and subscribe; a run that goes on was down since a time."""
        self.waits = self._session.kernel.is_warming
        self.past.begin(streams, down_since_ns)
        recorder = self._venue.recorder
        if recorder is not None:
            recorder.begin(streams)
            self._session.watch(recorder.hand_over)
        sink = MarketSink(self._inbox, self._session.stamp, self._take, self._status, recorder)
        await self._venue.market_data.start(sink)
        self._venue.market_data.subscribe(streams)

    async def close(self) -> None:
        """Fetch nothing more."""
        await self.past.close()

    def _take(self) -> None:
        if self._has_own_clock:
            self._session.bring_back(self._venue.name, self._inbox)
        if self.waits:
            return
        self._session.take_rows(self._inbox)
        if self.past.awaited:
            self.past.look()

    def _status(self, status: StreamStatus | ClockStatus) -> None:
        if isinstance(status, ClockStatus):
            self._session.compared(status)
            return
        if self._venue.recorder is not None:
            self._venue.recorder.status(status)
        if status.state == "error":
            self._session.health.misread[_code(status.reason)] += 1
            log.warning("%s: %s", self._venue.name, status.reason)
            return
        is_trades = status.stream is not None and status.stream.kind == "trades"
        if status.stream is not None and is_trades and status.state != "connected":
            # The trade behind a gap, too, waits for those that are missing.
            self.past.hold(status.stream.instrument)
        # What arrived before the change comes before it.
        self._take()
        if is_trades and self.past.take_over(status):
            return
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

    def __init__(self, session: Session, venue: str, execution: Execution) -> None:
        self._session = session
        self._venue = venue
        self._execution = execution
        self.reconciliation = Reconciliation(session, venue, execution)
        self.comparing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Ask the venue no more."""
        if self.comparing is not None:
            self.comparing.cancel()
            await asyncio.gather(self.comparing, return_exceptions=True)
        await self.reconciliation.close()

    def take(self, report: Report) -> None:
        """Take a report; those about orders of others are counted and left alone (M3)."""
        if self._session.is_sending:
            # That a request could not be sent is known before it has left: the engine hears of it afterwards (law 4).
            asyncio.get_running_loop().call_soon(self.take, report)
            return
        try:
            self._take(report)
            if isinstance(report, Filled | Transferred | Foreign):
                self.reconciliation.booked()
        except TradewindError as error:
            # Money may have moved by what cannot be read: the order is asked for.
            self._session.health.misread[error.code] += 1
            log.warning("%s: %s", self._venue, error)
            if isinstance(report, Filled):
                self.reconciliation.ask_later(report.client_id)

    def _take(self, report: Report) -> None:
        match report:
            case Accepted(client_id=name, venue_time_ns=time_ns):
                self._accepted(name, time_ns)
            case Rejected(client_id=name, code=code, venue_time_ns=time_ns):
                self._order(name, "rejected", code, time_ns)
            case Cancelled() | Expired():
                self.reconciliation.ended(report)
            case CancelRejected(client_id=name, code=code, venue_time_ns=time_ns) if code not in _SAY_NOTHING:
                self._order(name, "cancel_rejected", code, time_ns)
            case CancelRejected(client_id=name) | Unknown(client_id=name):
                self._order(name, "lost", "requested", None)
                is_halted = isinstance(report, CancelRejected) and report.code == "trading_off"
                self.reconciliation.ask_later(name, _HALT_SECONDS if is_halted else 0.0)
            case Filled(client_id=name):
                held = self._session.order_of(name)
                if held is not None:
                    self._session.fill(self._venue, held[0], report)
                self.reconciliation.filled(name)
            case Transferred():
                self._transferred(report)
            case Foreign():
                self._foreign(report)
            case AccountStatus():
                self._status(report)
            case _:
                pass  # balances are asked for when both sides are compared; of the clock market data tell

    def _transferred(self, report: Transferred) -> None:
        if not self.reconciliation.is_opened:
            self.reconciliation.leave_out()
        elif report.asset in dict(self._session.kernel.balances(self._venue)):
            self._session.transfer(self._venue, "deposit", report.asset, Decimal(report.amount))

    def _foreign(self, report: Foreign) -> None:
        self._session.health.foreign_reports += 1
        if report.fill is not None and self.reconciliation.is_opened:
            self._session.foreign_fill(self._venue, report.fill)
        elif report.fill is not None:
            self.reconciliation.leave_out()

    def _order(self, name: str, kind: str, reason: str, venue_time_ns: int | None) -> None:
        held = self._session.order_of(name)
        if held is not None:
            self._session.report(self._venue, held[0], kind, reason, venue_time_ns)

    def _accepted(self, name: str, venue_time_ns: int) -> None:
        self._order(name, "accepted", "requested", venue_time_ns)
        if self._session.open_order(name) is not None:
            return
        # It was given up, and the venue took it after all: nobody wants it any more.
        held = self._session.order_of(name)
        if held is not None:
            self._execution.cancel(CancelRequest(name, held[1]))
        elif self._session.is_own(name):
            self.reconciliation.compare_soon()

    def _status(self, status: AccountStatus) -> None:
        """Orders reach the venue, or do not; before they do, both sides are compared."""
        match status.state:
            case "connected":
                self.reconciliation.connected()
            case "credentials_lost":
                self._session.cannot_order(self._venue, f"the key is refused: {status.reason}", logging.ERROR)
                self.reconciliation.disconnected()
                self._session.command("trading_off")
            case "error":
                self._session.health.misread[_code(status.reason)] += 1
                log.warning("%s: %s", self._venue, status.reason)
            case _:
                self._session.cannot_order(self._venue, status.reason)
                self.reconciliation.disconnected()
