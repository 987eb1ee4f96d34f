"""Cancelling orders straight at the venue, without engine and journal (O6)."""

from __future__ import annotations

import asyncio

import msgspec

from tradewind.config import System
from tradewind.errors import exception
from tradewind.session.client_ids import is_ours
from tradewind.session.connect import venue_parts
from tradewind.venues import AccountStatus, CancelRequest, Execution, OrderState, Report, VenueClock

_GLANCE_SECONDS = 0.5


class Cancelled(msgspec.Struct, frozen=True):
    """What became of the open orders of an account.

    Parameters
    ----------
    account, venue
        Whose orders.
    cancelled
        Those that were open and are not any more, by client id.
    left
        Those that are still open.
    foreign
        Those of other programs or of people, which were left alone.

    """

    account: str
    venue: str
    cancelled: list[str]
    left: list[str]
    foreign: list[str]


async def cancel_all(system: System, *, foreign: bool = False, timeout_seconds: float = 10.0) -> list[Cancelled]:
    """Cancel the open orders of a system's accounts.

    Parameters
    ----------
    system
        Names the venues and the credentials.
    foreign
        Cancel orders that were not sent by Tradewind, too.
    timeout_seconds
        How long the venue's answers are waited for.

    """
    found = []
    for name, account in system.accounts.items():
        if system.venues[account.venue].adapter_of(account.venue) is None:
            hint = f'add adapter = "binance_spot" to [venues.{account.venue}]'
            raise exception("missing_setting", f"nothing says how {account.venue} is spoken to", hint)
        parts = await venue_parts(system, account.venue, "live", VenueClock())
        assert parts.execution is not None
        venue = _Venue(parts.execution, foreign, timeout_seconds)
        try:
            cancelled, left, others = await venue.cancel_all()
        finally:
            await parts.execution.close()
            await parts.market_data.close()
        found.append(Cancelled(name, account.venue, cancelled, left, others))
    return found


class _Venue:
    """One account whose orders are cancelled until none is open."""

    def __init__(self, execution: Execution, foreign: bool, timeout_seconds: float) -> None:
        self._execution = execution
        self._takes_foreign = foreign
        self._timeout = timeout_seconds
        self._connected = asyncio.Event()
        self._refused = ""

    async def cancel_all(self) -> tuple[list[str], list[str], list[str]]:
        """Cancel; gives what was cancelled, what is left, and what was left alone."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._execution.start(self._take, is_ours)
                await self._connected.wait()
        except TimeoutError:
            message = f"{self._execution.venue}: no connection for orders within {self._timeout:g} s"
            raise exception("unreachable", message, "cancel them at the venue's own page") from None
        if self._refused:
            raise exception("bad_credentials", f"{self._execution.venue}: the key is refused: {self._refused}")
        seen: dict[str, OrderState] = {}
        until = asyncio.get_running_loop().time() + self._timeout
        while True:
            now_open = {one.client_id: one for one in await self._execution.open_orders()}
            wanted = {name: one for name, one in now_open.items() if self._takes_foreign or is_ours(name)}
            seen |= wanted
            if not wanted or asyncio.get_running_loop().time() > until:
                cancelled = [name for name in seen if name not in wanted]
                return cancelled, list(wanted), [name for name in now_open if name not in wanted]
            for name, one in wanted.items():
                self._execution.cancel(CancelRequest(name, one.instrument))
            await asyncio.sleep(_GLANCE_SECONDS)

    def _take(self, report: Report) -> None:
        if isinstance(report, AccountStatus) and report.state in ("connected", "credentials_lost"):
            self._refused = report.reason or "it is not valid" if report.state == "credentials_lost" else ""
            self._connected.set()
