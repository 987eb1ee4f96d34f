"""What the engine holds of an account, compared with what the venue says (law 7, M5)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradewind.errors import TradewindError, exception
from tradewind.session.differences import Difference, Differences, Look, difference
from tradewind.session.fees import untracked_fees
from tradewind.session.lost import lost_orders
from tradewind.session.opening import is_opened
from tradewind.session.shortfall import shortfall
from tradewind.venues import Cancelled, CancelRequest, Execution, Expired, Filled, OrderState
from tradewind.venues.connection.backoff import Backoff

if TYPE_CHECKING:
    from tradewind._core import Instrument
    from tradewind.session.session import Session

log = logging.getLogger(__name__)
_COMPARE_SECONDS = 10.0
_WAITING_SECONDS = 2.0
"""The time between comparisons while orders wait for one."""
_ASK_SECONDS = 0.5
_AGAIN_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
"""For so long, beyond what an order may take, a comparison waits for the answers about orders, which may never come."""
_ASKED_TIMES = 3
"""How often a venue that does not know an order is asked at least: what was just placed can be missing (F29)."""
_HAD_SECONDS = 600.0
"""For so long a venue may leave out an order that it had: what it lists can be old, and a target is not sent again."""
_HAD_ASK_SECONDS = 10.0
REFUSED_ASK_SECONDS = 60.0
"""What refuses the key once may err; what goes on doing so is asked ever more rarely."""
_YOUNG_SECONDS = 5.0
"""Orders younger than this are left to their own answer and reports."""
_ENDS = {
    "cancelled": "requested",
    "expired": "venue_refused",
    "rejected": "venue_refused",
    # The rest was taken back: somebody amended the order, or the venue prevented a trade with the same owner.
    "filled": "order_not_open",
}
_IN_THE_AIR = ("in_flight", "unknown")
RESTING = ("open", "partly_filled")


class Reconciliation:
    """Keeps the engine's orders and balances at a venue equal to the venue's.

    Both sides are compared after every connect, before orders may leave, and then every few seconds: reports get lost
    on a connection that stays up, too. What became of an order is asked for by its client id until it is known.

    Parameters
    ----------
    session
        Whose engine it is.
    venue
        The venue's name.
    execution
        What asks it.

    """

    def __init__(self, session: Session, venue: str, execution: Execution) -> None:
        self._session = session
        self._venue = venue
        self._execution = execution
        self._traded = assets_of(one for one in session.index.instruments if one.venue == venue)
        self._asking: dict[str, asyncio.Task[None]] = {}
        # Ends of orders, told by the venue before all of their fills.
        self._ends: dict[str, Cancelled | Expired] = {}
        self._unanswered: set[str] = set()
        self._seen: dict[str, float] = {}
        self._is_connected = False
        self._wanted = asyncio.Event()
        self._differences = Differences(asyncio.get_running_loop().time(), self._known())
        self._knows_fees = False
        # What the journal of a run that goes on held, until it was seen to hold all orders that are at the venue.
        self._held_before = session.held
        # Whether the account was seen to hold, since the process began, what strategies hold of it.
        self._has_enough = False
        self._is_told = False
        self._is_opened = is_opened(session, venue)
        # Reports of money that moved which are in what the account held at its start.
        self._left_out = 0
        self._is_over = False

    def connected(self) -> None:
        """Orders reach the venue; they may leave once both sides were compared, from the beginning."""
        self._is_connected = True
        self._wanted.set()

    def compare_soon(self) -> None:
        """Something does not fit; the next comparison finds out."""
        self._wanted.set()

    def disconnected(self) -> None:
        """Nothing reaches the venue, and reports may be missed."""
        self._is_connected = False
        if self.is_up:
            self._session.connection(self._venue, is_connected=False)

    @property
    def is_opened(self) -> bool:
        """Whether what the account held at its start was booked: before, what others move is in it."""
        return self._is_opened

    def leave_out(self) -> None:
        """Money moved before the start was booked, and is in it: a look that goes on looks again."""
        self._left_out += 1

    def booked(self) -> None:
        """Something was reported, by which balances may have changed."""
        self._differences.booked(asyncio.get_running_loop().time(), self._known())

    @property
    def is_up(self) -> bool:
        """Whether orders may leave."""
        return bool(self._session.health.connections.get(f"{self._venue} orders"))

    async def run(self) -> None:
        """Compare, for as long as the session lives."""
        backoff = Backoff()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_COMPARE_SECONDS if self.is_up else _WAITING_SECONDS):
                    await self._wanted.wait()
            if not self._is_connected:
                self._wanted.clear()
                await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._compare()
            except TradewindError as error:
                log.warning("%s: both sides cannot be compared: %s", self._venue, error)
                await asyncio.sleep(backoff.next())
                self._wanted.set()
            else:
                backoff.reset()

    async def close(self) -> None:
        """Ask no more."""
        self._is_over = True
        if self._differences.seen:
            log.warning("%s: it holds %s than is known; not posted", self._venue, _said(self._differences.seen))
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _compare(self) -> None:
        wrong = await self._session.other_account(self._venue) or await self._lost()
        if wrong is not None:
            self._session.fail(wrong)
            return
        is_up, begun = self.is_up, asyncio.get_running_loop().time()
        doubtful = await self._compare_orders(everything=not is_up)
        if self._is_opened:
            await self._compare_balances(begun, doubtful)
        else:
            await self._open()
        if is_up or not self._has_enough:
            return
        if not self._knows_fees:
            names = [one.name for one in self._session.index.instruments if one.venue == self._venue]
            wrong = await untracked_fees(self._venue, self._execution, names, self._known())
            if wrong is not None:
                self._session.fail(wrong)
                return
            self._knows_fees = True
        # The connection may have gone, or gone and come, meanwhile: then what was compared is old.
        if self._is_connected and not self._wanted.is_set():
            self._session.connection(self._venue, is_connected=True)

    # Orders.

    async def _lost(self) -> TradewindError | None:
        """What is wrong where the venue has orders that the journal of a run that goes on does not hold; asked once."""
        if self._held_before is None:
            return None
        wrong = await lost_orders(self._session, self._venue, self._execution, self._held_before)
        if wrong is None:
            self._held_before = None
        return wrong

    async def _compare_orders(self, *, everything: bool) -> Set[str]:
        """Ask for orders that the venue says otherwise about; gives those of unknown fate."""
        theirs = {one.client_id: one for one in await self._execution.open_orders()}
        ours = self._orders()
        now = asyncio.get_running_loop().time()
        self._seen = {name: self._seen.get(name, now) for name in ours}
        asked = {name for name, order in ours.items() if everything or self._is_doubtful(order, theirs.get(name))}
        for name in asked:
            self.ask_later(name)
        for name, state in theirs.items():
            if name not in ours and self._session.is_own(name) and self._session.open_order(name) is None:
                # It was given up, and the venue took it after all: nobody wants it any more.
                self._execution.cancel(CancelRequest(name, state.instrument))
        await self._answered(everything=everything)
        # What was asked for and is not any more was told, and is booked.
        untold = {name for name, order in self._orders().items() if _differs(order, theirs.get(name))} - asked
        return untold | self._asking.keys()

    def _orders(self) -> dict[str, dict[str, Any]]:
        """Orders of ours that are not closed, by their client ids."""
        return {self._session.name_of(one): one for one in self._session.real_orders(self._venue)}

    async def _answered(self, *, everything: bool) -> None:
        """Wait for what is asked about orders, for each once: one that nobody can tell of holds up nothing else."""
        self._unanswered &= set() if everything else self._asking.keys()
        awaited = {task: name for name, task in self._asking.items() if name not in self._unanswered}
        if not awaited:
            return
        _, silent = await asyncio.wait(awaited, timeout=self._execution.fate_seconds + _ANSWER_SECONDS)
        if names := sorted(awaited[task] for task in silent):
            self._unanswered.update(names)
            what = ", ".join(names)
            log.warning("%s: it does not tell what became of %s; balances are not settled meanwhile", self._venue, what)

    def _is_doubtful(self, order: dict[str, Any], state: OrderState | None) -> bool:
        """Whether the venue says otherwise of an order that it had the time to know."""
        # Not by the venue's clock, which may jump or stand still.
        known_for = asyncio.get_running_loop().time() - self._seen[self._session.name_of(order)]
        if known_for < _YOUNG_SECONDS:
            return False
        return _differs(order, state)

    def ask_later(self, name: str, seconds: float = 0.0) -> None:
        """Ask what became of an order, from some seconds on, until it is known; it is never sent again."""
        task = self._asking.get(name)
        if not self._is_over and (task is None or task.done()):
            self._asking[name] = task = asyncio.get_running_loop().create_task(self._ask(name, seconds))
            task.add_done_callback(lambda done: self._asked(name, done))

    def _asked(self, name: str, done: asyncio.Task[None]) -> None:
        if self._asking.get(name) is done:
            del self._asking[name]
        if not done.cancelled() and (failure := done.exception()) is not None:
            self._session.fail(failure)

    async def _ask(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        loop, backoff = asyncio.get_running_loop(), Backoff(first=_ASK_SECONDS, longest=2 * _ASK_SECONDS)
        refused = Backoff(first=_ASK_SECONDS, longest=REFUSED_ASK_SECONDS)
        begun, known_by, missing = loop.time(), loop.time() + self._execution.fate_seconds, 0
        while (order := self._session.open_order(name)) is not None:
            await asyncio.sleep(backoff.next())
            try:
                state = await self._execution.order(name, order["instrument"].name)
                missing += state is None
                is_missed = missing >= _ASKED_TIMES and loop.time() > known_by and name not in self._ends
                if state is None and is_missed:
                    state = await self._execution.find_order(name, order["instrument"].name, order["decided_ns"])
                if state is not None and await self._settle(name, state):
                    return
            except TradewindError as error:
                log.warning("%s: %s", self._venue, error)
                if error.code == "bad_credentials":
                    await asyncio.sleep(refused.next())
                continue
            if state is not None or not is_missed:
                continue
            if loop.time() > begun + _HAD_SECONDS or not had(order):
                self._give_up(name)
                return
            log.warning("%s: it does not name %s, which it had; it is open until it does", self._venue, name)
            known_by, backoff = begun + _HAD_SECONDS, Backoff(first=_ASK_SECONDS, longest=_HAD_ASK_SECONDS)

    async def _settle(self, name: str, state: OrderState) -> bool:
        """Take over what the venue says of an order; false where it does not list all of its fills yet."""
        filled, fills = Decimal(state.filled), list[Filled]()
        if filled or name in self._ends:
            listed = await self._execution.fills(state.instrument, order_id=state.venue_order_id)
            fills = [fill for fill in listed if fill.venue_order_id == state.venue_order_id]
        order, end = self._session.open_order(name), self._ends.get(name)
        if end is not None:
            # What it answers may be older than what it told.
            filled = max(filled, Decimal(end.filled or 0))
        if order is None:
            return True
        if sum(Decimal(fill.quantity) for fill in fills) < filled:
            log.warning("%s: not all fills of %s are listed yet", self._venue, name)
            return False
        order_id = order["order_id"]
        self._session.report(self._venue, order_id, "accepted", "requested", state.created_ns)
        for fill in fills:
            self._session.fill(self._venue, order_id, fill)
            self.booked()
        if end is not None:
            self.ended(end)
        elif state.status in _ENDS:
            if self._session.open_order(name) is not None:
                reason = _ENDS[state.status]
                self._session.report(self._venue, order_id, "cancelled", reason, state.venue_time_ns)
        elif order["status"] == "cancel_in_flight":
            # The cancel got lost: it was in the journal, and not on the wire, when the process ended.
            self._execution.cancel(CancelRequest(name, state.instrument))
        return True

    def ended(self, end: Cancelled | Expired) -> None:
        """Take an order's end; where fills of it are missing yet, it ends with the last of them."""
        self._ends.pop(end.client_id, None)
        order = self._session.open_order(end.client_id)
        if order is None:
            return
        if end.filled is not None and Decimal(order["filled"]) < Decimal(end.filled):
            self._ends[end.client_id] = end
            self._session.report(self._venue, order["order_id"], "lost", "requested", None)
            self.ask_later(end.client_id)
        else:
            self._session.report(self._venue, order["order_id"], "cancelled", end.reason, end.venue_time_ns)

    def filled(self, name: str) -> None:
        """A fill was booked: it may be the last one before an end that is known."""
        if (end := self._ends.get(name)) is not None:
            self.ended(end)

    def _give_up(self, name: str) -> None:
        """The venue does not know the order, and can take it no more."""
        order = self._session.open_order(name)
        if order is not None:
            # An order that was there once was not rejected.
            is_new = order["status"] in _IN_THE_AIR and not had(order)
            kind = "rejected" if is_new else "cancelled"
            self._session.report(self._venue, order["order_id"], kind, "order_not_open", None)

    # Balances.

    async def _open(self) -> None:
        """Take what is there before the run for a deposit, which belongs to no strategy (M3).

        Nothing of ours was traded yet; what others do meanwhile is in what is the same twice in short succession.
        """
        before: tuple[Difference, int] | None = None
        while (now := (difference(await self._held(), self._known()), self._left_out)) != before:
            before = now
            await asyncio.sleep(_AGAIN_SECONDS)
        found = dict(now[0])
        if (wrong := self._session.adoptions.missing(self._venue, found)) is not None:
            self._session.fail(wrong)
            return
        self._is_opened = self._has_enough = True
        self._post("deposit", found)
        # In one go with the money: a run that is killed around it has taken both or neither.
        self._session.adoptions.take(self._venue)

    async def _compare_balances(self, begun: float, doubtful: Set[str]) -> None:
        """Post what differs for certain (M5); a run that goes on must hold what its strategies do."""
        certain = self._differences.judge(begun, self._execution.fate_seconds, doubtful)
        if (wrong := self._missing(certain)) is not None:
            self._session.fail(wrong)
            return
        if certain:
            log.warning("%s: it holds %s than is known; posted as unexplained", self._venue, _said(certain))
            self._post("unexplained", certain)
        self._session.health.unposted[self._venue] = self._differences.seen
        if (wrong := self._missing(await self._look())) is None:
            self._has_enough = True
        elif not self._is_told:
            # The answer may be old, and an order may have been filled that is still asked for.
            self._is_told = True
            log.warning("%s: orders wait until this is over or certain: %s", self._venue, wrong.message)

    async def _look(self) -> dict[str, Decimal]:
        """Look at what the account holds, to be judged later; gives what it seems to hold more."""
        loop = asyncio.get_running_loop()
        asked, held = loop.time(), await self._held()
        self._differences.take(Look(asked, loop.time(), held, frozenset(self._orders())))
        return dict(difference(held, self._known()))

    def _missing(self, found: Mapping[str, Decimal]) -> TradewindError | None:
        """What is wrong where strategies hold more than there is; what goes out while the run is there is no news."""
        if self._has_enough:
            return None
        known = self._known()
        return shortfall(self._session, self._venue, {one: known[one] + more for one, more in found.items()})

    def _post(self, kind: str, found: Mapping[str, Decimal]) -> None:
        for asset, amount in found.items():
            self._session.transfer(self._venue, kind, asset, amount)
        self.booked()

    def _known(self) -> dict[str, Decimal]:
        return {asset: Decimal(held) for asset, held in self._session.kernel.balances(self._venue)}

    async def _held(self) -> dict[str, Decimal]:
        """What the venue holds, by asset. Assets that no instrument of the run knows do not count."""
        theirs = {one.asset: Decimal(one.total) for one in await self._execution.balances()}
        known = self._known()
        # What only other venues trade, this one need not list: it holds none of it.
        listed = self._traded | {asset for asset, held in known.items() if held}
        if missing := sorted(listed - theirs.keys()):
            # An empty answer is not an empty account (F43).
            raise exception("bad_frame", f"{self._venue}: its balances do not name {', '.join(missing)}")
        return {asset: theirs.get(asset, Decimal(0)) for asset in known}


def _differs(order: dict[str, Any], state: OrderState | None) -> bool:
    """Whether an order is not known to rest here as it does there."""
    return state is None or order["status"] not in RESTING or Decimal(state.filled) != Decimal(order["filled"])


def _said(found: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{abs(amount):f} {asset} {'more' if amount > 0 else 'less'}" for asset, amount in found.items())


def assets_of(instruments: Iterable[Instrument]) -> Set[str]:
    """What an account that trades them holds: of a perpetual, what it is settled in."""
    return {
        asset for one in instruments for asset in ((one.base, one.quote) if one.kind == "spot" else (one.settlement,))
    }


def had(order: dict[str, Any]) -> bool:
    """Whether the venue has once said that it has an order: that it does not name it later, says little."""
    return order["is_accepted"] or Decimal(order["filled"]) > 0
