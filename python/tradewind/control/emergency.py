"""Cancelling orders straight at the venue, without engine and journal (O6)."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from tradewind.config import System
from tradewind.control.client import Problem
from tradewind.errors import TradewindError, exception
from tradewind.session.client_ids import is_ours
from tradewind.session.connect import venue_parts
from tradewind.venues import AccountStatus, CancelRequest, Execution, OrderState, Report, VenueClock

log = logging.getLogger(__name__)

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
    problem
        Why it is not known what is open; None where it is.

    """

    account: str
    venue: str
    cancelled: list[str]
    left: list[str]
    foreign: list[str]
    problem: Problem | None = None


async def cancel_all(system: System, *, foreign: bool = False, timeout_seconds: float = 10.0) -> list[Cancelled]:
    """Cancel the open orders of a system's accounts, of all at once: what fails at one keeps none of the others.

    Parameters
    ----------
    system
        Names the venues and the credentials.
    foreign
        Cancel orders that were not sent by Tradewind, too.
    timeout_seconds
        How long the venue's answers are waited for.

    """
    return await asyncio.gather(*(_of_account(system, name, foreign, timeout_seconds) for name in system.accounts))


async def _of_account(system: System, name: str, foreign: bool, timeout_seconds: float) -> Cancelled:
    venue = system.accounts[name].venue
    try:
        return Cancelled(name, venue, *await _at_venue(system, venue, foreign, timeout_seconds))
    except TradewindError as error:
        problem = Problem(error.code, error.message, error.hint)
    except Exception as error:
        # A defect of ours, or of an adapter, at one venue must not keep the orders of the others.
        log.exception("cancel-all: %s", name)
        problem = Problem("internal", f"{venue}: {type(error).__name__}: {error}")
    return Cancelled(name, venue, [], [], [], problem)


async def _at_venue(
    system: System, name: str, foreign: bool, timeout_seconds: float
) -> tuple[list[str], list[str], list[str]]:
    if system.venues[name].adapter_of(name) is None:
        hint = f'add adapter = "binance_spot" to [venues.{name}]'
        raise exception("missing_setting", f"nothing says how {name} is spoken to", hint)
    parts = await venue_parts(system, name, "live", VenueClock())
    assert parts.execution is not None
    try:
        return await _Venue(parts.execution, foreign, timeout_seconds).cancel_all()
    finally:
        await parts.execution.close()
        await parts.market_data.close()


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
