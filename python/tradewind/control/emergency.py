"""Cancelling orders straight at the venue, without engine and journal (O6)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from tradewind.config import System
from tradewind.control.client import Problem
from tradewind.errors import TradewindError, exception
from tradewind.session.client_ids import is_ours
from tradewind.session.connect import silent_parts
from tradewind.venues import AccountStatus, CancelRejected, CancelRequest, Execution, OrderState, Report, Unknown

log = logging.getLogger(__name__)

_GLANCE_SECONDS = 1.0
_QUESTION_SECONDS = 10.0
_CONNECTION_SECONDS = 5.0
"""For so long the connection for orders is waited for; then orders are cancelled in the other way that a venue has."""
_BY_HAND = "cancel them at the venue's own page"


class Cancelled(msgspec.Struct, frozen=True):
    """What became of the open orders of an account.

    Parameters
    ----------
    account, venue
        Whose orders.
    cancelled
        Those that were open and are not any more, by client id.
    left
        Those that were still open when the venue was asked last.
    foreign
        Those of other programs or of people, which were left alone.
    problem
        Why it is not known that nothing is open any more; None where it is.
    quiet_seconds
        For how long the venue has listed nothing that was to be cancelled.

    """

    account: str
    venue: str
    cancelled: list[str]
    left: list[str]
    foreign: list[str]
    problem: Problem | None = None
    quiet_seconds: float = 0.0


async def cancel_all(
    system: System, *, foreign: bool = False, timeout_seconds: float = 60.0, say: Callable[[str], None] = log.info
) -> list[Cancelled]:
    """Cancel the open orders of a system's accounts, of all at once: what fails at one keeps none of the others.

    Parameters
    ----------
    system
        Names the venues and the credentials.
    foreign
        Cancel orders that were not sent by Tradewind, too.
    timeout_seconds
        How long it may take in all. A venue may list an order late: an account is done once nothing was listed for as
        long as its orders' fate can be unknown (`Execution.fate_seconds`).
    say
        Is told what goes on.

    """
    accounts = [_Account(name, one.venue, foreign, say) for name, one in system.accounts.items()]
    return await asyncio.gather(*(one.cancel_all(system, timeout_seconds) for one in accounts))


class _Account:
    """One account whose orders are cancelled until none is open, and none can appear that was sent before."""

    def __init__(self, name: str, venue: str, takes_foreign: bool, say: Callable[[str], None]) -> None:
        self._name = name
        self._venue = venue
        self._takes_foreign = takes_foreign
        self._tell = say
        self._told = ""
        self._trouble = ""
        self._refused: str | None = None
        self._connected = asyncio.Event()
        self._seen: dict[str, OrderState] = {}
        self._open: dict[str, OrderState] | None = None
        self._foreign: list[str] = []
        self._quiet_since: float | None = None
        self._quiet_seconds = 0.0

    async def cancel_all(self, system: System, seconds: float) -> Cancelled:
        """Cancel, and tell how far it came, whatever ends it."""
        problem = None
        try:
            await self._within(system, seconds)
        except TradewindError as error:
            problem = Problem(error.code, error.message, error.hint)
        except Exception as error:
            # A defect of ours, or of an adapter, at one venue must not keep the orders of the others.
            log.exception("cancel-all: %s", self._name)
            problem = Problem("internal", f"{self._venue}: {type(error).__name__}: {error}")
        left = list(self._open or {})
        cancelled = [name for name in self._seen if name not in left]
        return Cancelled(self._name, self._venue, cancelled, left, self._foreign, problem, self._quiet_seconds)

    async def _within(self, system: System, seconds: float) -> None:
        market_data, execution = silent_parts(system, self._venue)
        self._say(f"connecting; it takes {seconds:g} s at most")
        try:
            async with asyncio.timeout(seconds) as limit:
                await execution.start(self._take, is_ours)
                await self._until_quiet(execution)
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._too_late(seconds, execution.fate_seconds) from None
        finally:
            await execution.close()
            await market_data.close()

    async def _until_quiet(self, execution: Execution) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() + _CONNECTION_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(late):
                    await self._connected.wait()
            if self._refused is not None:
                message = f"{self._venue}: the key is refused: {self._refused}"
                raise exception("bad_credentials", message, _BY_HAND)
            asked_at = loop.time()
            if await self._look(execution):
                if self._open:
                    await self._cancel_open(execution)
                elif self._is_quiet(asked_at, execution.fate_seconds):
                    return
            await asyncio.sleep(_GLANCE_SECONDS)

    async def _look(self, execution: Execution) -> bool:
        """Ask what is open; tells whether it was answered."""
        try:
            async with asyncio.timeout(_QUESTION_SECONDS):
                listed = {one.client_id: one for one in await execution.open_orders_quickly()}
        except TimeoutError:
            self._complain(f"what is open was not answered within {_QUESTION_SECONDS:g} s")
            return False
        except TradewindError as error:
            if error.code == "bad_credentials":
                raise
            self._complain(f"what is open was not answered: {error.message}")
            return False
        self._open = {name: one for name, one in listed.items() if self._takes_foreign or is_ours(name)}
        self._seen |= self._open
        self._foreign = [name for name in listed if name not in self._open]
        return True

    async def _cancel_open(self, execution: Execution) -> None:
        self._quiet_since, self._quiet_seconds = None, 0.0
        requests = [CancelRequest(name, one.instrument) for name, one in (self._open or {}).items()]
        if self._connected.is_set():
            self._say(f"open orders are cancelled: {len(requests)}")
            for request in requests:
                execution.cancel(request)
        else:
            self._say(f"open orders are cancelled without a connection for orders: {len(requests)}")
            await asyncio.gather(*(self._cancel_otherwise(execution, request) for request in requests))

    async def _cancel_otherwise(self, execution: Execution, request: CancelRequest) -> None:
        try:
            async with asyncio.timeout(_QUESTION_SECONDS):
                await execution.cancel_otherwise(request)
        except TimeoutError:
            self._complain(f"{request.client_id}: its cancel was not answered within {_QUESTION_SECONDS:g} s")
        except TradewindError as error:
            if error.code == "bad_credentials":
                raise
            self._complain(f"{request.client_id} was not cancelled: {error.message}")

    def _is_quiet(self, asked_at: float, fate_seconds: float) -> bool:
        """Whether nothing was listed for so long that none can appear any more that was sent before."""
        if self._quiet_since is None:
            self._quiet_since = asked_at
            self._say(f"no order is listed; one that was just sent may appear: looking for {fate_seconds:g} s more")
        self._quiet_seconds = asked_at - self._quiet_since
        return self._quiet_seconds >= fate_seconds

    def _too_late(self, seconds: float, fate_seconds: float) -> TradewindError:
        if self._open is None:
            what = "it is not known what is open" if self._connected.is_set() else "there is no connection for orders"
        elif self._open:
            what = "orders are still open, or new ones are"
        else:
            what = f"nothing was listed for {self._quiet_seconds:.0f} s, and orders may appear for {fate_seconds:g} s"
        last = f"; the last trouble: {self._trouble}" if self._trouble else ""
        code = "unreachable" if self._open is None else "run_interrupted"
        return exception(code, f"{self._venue}: after {seconds:g} s {what}{last}", f"try again, or {_BY_HAND}")

    def _take(self, report: Report) -> None:
        if isinstance(report, AccountStatus):
            self._take_status(report)
        elif isinstance(report, CancelRejected) and report.code != "order_not_open":
            self._complain(f"{report.client_id} was not cancelled: {report.message}")
        elif isinstance(report, Unknown):
            self._complain(f"{report.client_id}: {report.why}")

    def _take_status(self, report: AccountStatus) -> None:
        if report.state == "connected":
            self._connected.set()
            self._say("connected")
        elif report.state == "credentials_lost":
            self._refused = report.reason or "it is not valid"
            self._connected.set()
        else:
            if report.state == "disconnected":
                self._connected.clear()
            self._complain(report.reason)

    def _complain(self, trouble: str) -> None:
        self._trouble = trouble
        self._say(trouble)

    def _say(self, text: str) -> None:
        """Tell what goes on, once."""
        if text != self._told:
            self._told = text
            self._tell(f"{self._name} ({self._venue}): {text}")
