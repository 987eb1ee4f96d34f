"""A session: the engine, fed by venues while the market goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradewind import _core
from tradewind._core import Inbox, Index, Instrument, client_id
from tradewind.config.account import Adoption
from tradewind.config.operation import Shutdown
from tradewind.config.run import WarmUp
from tradewind.control.audit import Audit, Events
from tradewind.data.recorder import RawRecorder
from tradewind.data.values import row_of
from tradewind.errors import TradewindError, exception
from tradewind.journal.segment_writer import SegmentWriter
from tradewind.session.adoption import Adoptions
from tradewind.session.client_ids import read_client_id
from tradewind.session.clock import ClockJudge, SessionClock
from tradewind.session.ending import Ending
from tradewind.session.feeds import AccountFeed, MarketFeed
from tradewind.session.lost import Held
from tradewind.session.opening import is_opened
from tradewind.session.reached import other_account
from tradewind.session.warm_up import declares, warm_up
from tradewind.venues import (
    CancelRequest,
    ClockStatus,
    Execution,
    Filled,
    MarketData,
    OrderRequest,
    StreamName,
)
from tradewind.venues.connection.clock import CLOCK_LIMIT_NS

log = logging.getLogger(__name__)
_NEVER_NS = 2**63 - 1
_WRITE_SECONDS = 0.2
_STANDSTILL_NS = 10**9
"""What was due for longer happens while nothing is known of the market (T4)."""
_AHEAD_NS = 5 * 10**9
"""For so long a venue whose clock was far ahead counts as that: longer than a busy market is silent."""
_FUTURE_NS = 5 * 10**9
"""By how much a venue's time may be after ours: clocks differ by less, so what says more says nothing (T2)."""
_LARGEST_ID = 2**63 - 1


@dataclass
class VenueParts:
    """A venue of a session: its market data, and its orders where they are real."""

    name: str
    market_data: MarketData
    execution: Execution | None = None
    recorder: RawRecorder | None = None
    reached: Mapping[str, str] = field(default_factory=dict)
    trouble: TradewindError | None = None
    """Why it could not be asked at the start."""
    whose: Callable[[], Awaitable[Mapping[str, str]]] | None = None
    """Asks whose account it is, where that could not be asked at the start."""


@dataclass
class Health:
    """What a person wants to know of a session's connections."""

    connections: dict[str, bool] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    """Why connections are down, where it was said."""
    misread: Counter[str] = field(default_factory=Counter)
    foreign_reports: int = 0
    gaps: int = 0
    untracked_fees: dict[str, Decimal] = field(default_factory=dict)
    unposted: dict[str, Mapping[str, Decimal]] = field(default_factory=dict)
    """What accounts hold more than is known, by venue and asset, while it is not certain enough to be posted (M5)."""
    early_reports: int = 0
    slow_writes: int = 0
    raw_recording: str = ""
    """Why raw frames are not recorded any more."""


class Session:
    """The engine with its venues, journal and clock; one asyncio loop owns all of it.

    Parameters
    ----------
    kernel
        The engine with its simulated venues.
    index
        Its instruments.
    venues
        The venues by name.
    writer
        The journal; every input and decision is in it before a request leaves.
    run
        The name of the run in client ids.
    clock
        What stamps arrivals.
    audit
        What is told of every entry of the journal.
    shutdown
        What becomes of orders and positions at the end.
    history
        What is fetched before trading.
    adopts
        Holdings that strategies take over at the first start.

    """

    def __init__(
        self,
        kernel: _core.Session,
        index: Index,
        venues: Sequence[VenueParts],
        writer: SegmentWriter,
        run: str,
        clock: SessionClock,
        audit: Audit,
        shutdown: Shutdown | None = None,
        history: WarmUp | None = None,
        adopts: Sequence[Adoption] = (),
    ) -> None:
        self.kernel = kernel
        self.audit = audit
        self.health = Health()
        self.index = index
        self._venues = {venue.name: venue for venue in venues}
        self.stamping = next(iter(self._venues))
        """The venue whose clock stamps everything."""
        self._writer = writer
        self._run = run
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._armed_ns = _NEVER_NS
        self._stopped = asyncio.Event()
        self.failure: BaseException | None = None
        self.is_finished = False
        self.is_unclosed = False
        """Whether positions are left that were to be closed at the end."""
        self.left: Collection[str] | None = None
        """The client ids of what is open at the venues behind a failure, or may be; None where nobody looked."""
        self.held = Held.of(self) if audit.last else None
        """What the journal of a run that goes on held; None where it begins."""
        self.unsent: set[str] = set()
        """Those of orders that the failure kept from leaving."""
        # When requests left last: of what was decided before this process began it is not known.
        self._left_ns = kernel.now_ns
        self.hurried = asyncio.Event()
        self.is_sending = False
        self._is_suspended = False
        self._is_catching_up = False
        self._shutdown = shutdown or Shutdown()
        self.history = history or WarmUp()
        self.adoptions = Adoptions(self, adopts)
        self._accounts: dict[str, AccountFeed] = {}
        self._markets: list[MarketFeed] = []
        self._watchers: list[Callable[[], None]] = []
        self._judges = {name: ClockJudge() for name in self._venues}
        self._timely = dict.fromkeys(self._venues, True)
        # Until when a venue counts as ahead of the clock that stamps everything, by our monotonic clock.
        self._ahead_until_ns: dict[str, int] = {}
        self._streams: dict[tuple[Instrument, str], bool] = {}

    # What feeds the kernel.

    def act(self, act: Callable[..., Any], *given: Any) -> Any:
        """Feed the kernel, then let requests leave and time go on; gives what `act` gave.

        A failure of the kernel ends the session.
        """
        if self.failure is not None or self._is_suspended:
            return None
        if self._armed_ns != _NEVER_NS and self._clock.now_ns() - self._armed_ns > _STANDSTILL_NS:
            self._catch_up(self._armed_ns)
        try:
            told = act(*given)
        except Exception as error:
            if not self.kernel.is_failed:
                raise
            self._fail_within(error)
            return None
        except BaseException as error:
            self._fail_within(error)
            return None
        self._let_requests_leave()
        self._arm()
        return told

    def _fail_within(self, error: BaseException) -> None:
        """Fail while the kernel is fed: what it has decided since requests left last does not leave any more."""
        self.fail(error)
        kept = [one for one in self.real_orders() if one["status"] == "in_flight" and one["decided_ns"] > self._left_ns]
        self.unsent.update(self.name_of(one) for one in kept)

    def _catch_up(self, due_ns: int) -> None:
        """Let happen what was due while this process stood still, with stale streams: nothing opens by it."""
        if self._is_catching_up:
            return
        fresh = [held for held, delivers in self._streams.items() if delivers and self._timely[held[0].venue]]
        if not fresh:
            return
        log.warning("timers are late by %.1f s: what they open is refused", (self._clock.now_ns() - due_ns) / 1e9)
        self._is_catching_up = True
        for instrument, kind in fresh:
            self._tell_stream(instrument, kind, is_fresh=False, time_ns=due_ns)
        now_ns = self.stamp()
        self.act(lambda: self.kernel.advance(now_ns))
        for instrument, kind in fresh:
            self._tell_stream(instrument, kind, is_fresh=True)
        self._is_catching_up = False

    def now_ns(self) -> int:
        """The time on the venues' clock."""
        return self._clock.now_ns()

    def stamp(self) -> int:
        """The time of what arrives now."""
        return self._clock.stamp()

    def _times(self, venue_time_ns: int | None) -> tuple[int, int]:
        """When something happened and when it arrived, which is never before (T2)."""
        now_ns = self._clock.now_ns()
        if venue_time_ns is None or not 0 <= venue_time_ns <= now_ns + _FUTURE_NS:
            now_ns = self._clock.stamp()
            return now_ns, now_ns
        self.health.early_reports += venue_time_ns > now_ns
        return venue_time_ns, self._clock.stamp(venue_time_ns)

    def command(self, word: str, strategy: str | None = None, instrument: str | None = None) -> None:
        """Command the engine: `trading_on`, `trading_off`, `cancel_all`, `close_all`."""
        held = None if instrument is None else self.index.instrument(instrument)
        self.act(lambda: self.kernel.command(self.stamp(), word, strategy, held))

    def send(self, name: str, value: Any) -> None:
        """Give strategies a value from outside (V2); an error where they have not started, or will act no more."""
        if not self.is_running:
            message = (
                f"the value {name!r} reaches nobody: the session {'is ending' if self.is_ending else 'has not started'}"
            )
            raise exception("not_running", message, "send it while the session runs")
        now_ns = self.stamp()
        row = row_of(name, now_ns, now_ns, value, None, name)
        self.act(lambda: self.kernel.value(row))

    def events(self, *tables: str) -> Events:
        """The entries of the audit from now on, as objects of `tradewind.control.entries`.

        Parameters
        ----------
        tables
            Only those of these tables, such as ``"fills"``; all where none is named. A reader that takes too long is
            dropped with the error ``slow_reader``.

        """
        return self.audit.events(tables)

    @property
    def is_running(self) -> bool:
        """Whether the strategies have started, and nothing has asked for the end."""
        return self.audit.last > 0 and not self.is_ending

    @property
    def is_ending(self) -> bool:
        """Whether the end was asked for, or something failed."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ask the session to end in order."""
        self._stopped.set()

    def hurry(self) -> None:
        """Ask the session to end without waiting for the venue's answers any longer."""
        self.hurried.set()
        self._stopped.set()

    def suspend(self) -> None:
        """Feed the engine nothing more: what happens from now on is asked for when the same run is started again."""
        self._is_suspended = True

    def fail(self, error: BaseException) -> None:
        """End the session because of an error; the first one counts."""
        if self.failure is None:
            self.failure = error
        self._stopped.set()

    def _let_requests_leave(self) -> None:
        requests = self.kernel.take_requests(self._run)
        if not requests:
            return
        block = self._record(leaves=True)
        self._left_ns = self.kernel.now_ns
        if self.failure is not None:
            self.unsent.update(fields[0] for _, is_cancel, fields in requests if not is_cancel)
        self.is_sending = True
        try:
            for venue, is_cancel, fields in requests:
                # Without a journal nothing may leave. Before the first connect there is nobody to send a cancel to: it
                # leaves when both sides are compared, as one that was in the journal when the process was killed.
                if self.failure is None and venue in self._accounts:
                    execution = self._venues[venue].execution
                    assert execution is not None
                    if is_cancel:
                        execution.cancel(CancelRequest(*fields))
                    else:
                        execution.place(OrderRequest(*fields))
        finally:
            self.is_sending = False
            # Whoever reads along does not keep an order waiting.
            self.audit.publish(block)

    def write(self) -> None:
        """Write to the journal what is not in it yet."""
        self.audit.publish(self._record(leaves=False))

    def _record(self, *, leaves: bool) -> tuple[int, int, bytes] | None:
        """Write to the journal, before orders leave or now and then; gives what is in it now."""
        try:
            block = self.kernel.take_journal()
            # What cannot be written is kept, and comes first next time: the journal has no hole.
            self._writer.write(block, leaves=leaves)
        except Exception as error:
            self.fail(error)
            return None
        return block

    def _arm(self) -> None:
        """Wake up when something is due by itself."""
        next_ns = self.kernel.next_ns
        if next_ns == self._armed_ns and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_ns = next_ns
        if next_ns != _NEVER_NS:
            wait = max(0.0, (next_ns - self._clock.now_ns()) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(min(wait, 3600.0), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now_ns = self._clock.stamp()
        self.act(lambda: self.kernel.advance(now_ns))

    # The life of a session.

    async def run(self, *, is_recovered: bool = False) -> None:
        """Start, trade until asked to stop, and end in order."""
        work: list[asyncio.Task[None]] = []
        try:
            # What went on while it was down is fetched; of a run that was killed in its warm-up, all of it.
            down_since_ns = self.kernel.now_ns if is_recovered and not self.kernel.is_warming else None
            streams = self._start(is_recovered, down_since_ns)
            reaching = self.in_background(self._reach_accounts())
            listening = self.in_background(self._listen(reaching, streams, down_since_ns))
            work = [reaching, listening, self.in_background(self._write_now_and_then())]
            await self._stopped.wait()
            # Of market data nothing more is needed; orders of before are still to be cancelled.
            listening.cancel()
            await Ending(self, self._shutdown, reaching).run()
        finally:
            await self._close(work)
            self.audit.close()
        if self.failure is not None:
            raise self.failure

    async def _reach_accounts(self) -> None:
        for venue in self._venues.values():
            if venue.execution is not None:
                feed = self._accounts[venue.name] = AccountFeed(self, venue.name, venue.execution)
                feed.comparing = self.in_background(feed.reconciliation.run())
                await venue.execution.start(feed.take, self.is_own)

    async def _listen(self, reaching: asyncio.Task[None], streams: list[StreamName], down_since_ns: int | None) -> None:
        await asyncio.shield(reaching)
        for venue in self._venues.values():
            market = MarketFeed(self, venue)
            self._markets.append(market)
            await market.start([one for one in streams if one.instrument.startswith(f"{venue.name}:")], down_since_ns)
        if self.kernel.is_warming:
            await warm_up(self, self._markets)

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside; where it fails, the session fails."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.fail(error)

        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(ended)
        return task

    async def _close(self, work: list[asyncio.Task[None]]) -> None:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        # Who asks the venues ends before the connections on which they are asked.
        for feed in self._accounts.values():
            await feed.close()
        for market in self._markets:
            await market.close()
        for venue in self._venues.values():
            await venue.market_data.close()
            if venue.execution is not None:
                await venue.execution.close()
        if self._timer is not None:
            self._timer.cancel()
        self.write()

    def _start(self, is_recovered: bool, down_since_ns: int | None) -> list[StreamName]:
        # Before the strategies start: what they ask for in `on_start` must not leave yet. Connections have been gone
        # since the run was cut off: no bar closes before what was missed in it is there.
        # (Behind what the run met last: whatever that was, they come after it.)
        gone_since_ns = None if down_since_ns is None else down_since_ns + 1
        self._look_at_clocks()
        for name, venue in self._venues.items():
            if venue.execution is not None:
                self.connection(name, is_connected=False, time_ns=gone_since_ns)
        if not is_recovered:
            if self.audit.last == 0:
                for name in (one for one, venue in self._venues.items() if venue.execution is None):
                    # Of a simulated account it is known what it holds: what the system file says.
                    self.adoptions.take(name)
            now_ns = self.stamp()
            self.act(lambda: self.kernel.start(now_ns, declares(self.history)))
            self.write()
        if self.failure is not None:
            # It listens to nothing, and ends in order: a run whose changes were accepted may have open orders.
            return []
        instruments = self.index.instruments
        streams = self.kernel.received_streams()
        for at, kind in streams:
            self.stream(instruments[at], kind, is_fresh=False, time_ns=gone_since_ns)
        for at, kind in streams if down_since_ns is not None else ():
            if kind != "trades":
                self.gap(instruments[at], kind, down_since_ns or 0, self.now_ns())
        return [StreamName(instruments[at].name, kind) for at, kind in streams]  # type: ignore[arg-type]

    def stream(self, instrument: Instrument, kind: str, *, is_fresh: bool, time_ns: int | None = None) -> None:
        """Take whether a stream delivers, since a time or from now on; it is stale while its clock is wrong (T2)."""
        self._tell_stream(instrument, kind, is_fresh and self._timely[instrument.venue], time_ns)
        self._streams[instrument, kind] = is_fresh

    def compared(self, status: ClockStatus) -> None:
        """Take how a venue's clock goes."""
        self._judges[status.venue].take(status)
        self._look_at_clocks()

    def bring_back(self, venue: str, inbox: Inbox) -> None:
        """Keep a venue whose clock is far ahead of the one that stamps everything from taking it along (T2)."""
        if inbox.bring_back(self._clock.now_ns(), CLOCK_LIMIT_NS):
            self._ahead_until_ns[venue] = time.monotonic_ns() + _AHEAD_NS
            if self._timely[venue]:
                self._look_at_clocks()

    def _look_at_clocks(self) -> None:
        """Streams are stale while their venue's clock, or the one that stamps everything, cannot be traded by."""
        is_stamping_right = self._clock.is_right and self._judges[self.stamping].is_right
        now_ns, stamping = time.monotonic_ns(), self.stamping
        for venue, judge in self._judges.items():
            is_ahead = self._ahead_until_ns.get(venue, 0) > now_ns
            is_right = is_stamping_right and judge.is_right and not is_ahead
            if is_right == self._timely[venue]:
                continue
            self._timely[venue] = is_right
            if not self._clock.is_right:
                log.warning("%s: its clock is before what the run has met: time stands still until then", stamping)
            elif is_ahead:
                limit = CLOCK_LIMIT_NS / 1e9
                log.warning(
                    "%s: its clock is more than %g s ahead of that of %s, which stamps everything",
                    venue,
                    limit,
                    stamping,
                )
            for (instrument, kind), delivers in list(self._streams.items()):
                if delivers and instrument.venue == venue:
                    self._tell_stream(instrument, kind, is_right)

    def _tell_stream(self, instrument: Instrument, kind: str, is_fresh: bool, time_ns: int | None = None) -> None:
        self.health.connections[f"{instrument.name} {kind}"] = is_fresh
        now_ns = self.stamp() if time_ns is None else time_ns
        self.act(lambda: self.kernel.stream(now_ns, "fresh" if is_fresh else "stale", instrument, kind))

    def gap(self, instrument: Instrument, kind: str, from_ns: int, to_ns: int) -> None:
        """Tell the engine that rows of a stream are missing (V4)."""
        self.health.gaps += 1
        self.act(lambda: self.kernel.stream(self.stamp(), "gap", instrument, kind, from_ns, max(0, to_ns - from_ns)))

    def connection(self, venue: str, *, is_connected: bool, time_ns: int | None = None) -> None:
        """Tell the engine whether orders reach a venue, since a time or from now on."""
        self.health.connections[f"{venue} orders"] = is_connected
        if is_connected:
            self.health.reasons.pop(f"{venue} orders", None)
        kind = "connected" if is_connected else "disconnected"
        now_ns = self.stamp() if time_ns is None else time_ns
        self.act(lambda: self.kernel.connection(now_ns, kind, venue, "orders"))

    def cannot_order(self, venue: str, reason: str, level: int = logging.WARNING) -> None:
        """Say why orders do not reach a venue: once, and not at each attempt that fails in the same way."""
        name = f"{venue} orders"
        if reason and self.health.reasons.get(name) != reason:
            self.health.reasons[name] = reason
            log.log(level, "%s are down: %s", name, reason)

    def take_rows(self, inbox: Inbox) -> None:
        """Give the engine what has arrived."""
        last_ns = self.act(self.kernel.take_rows, inbox)
        if last_ns is not None:
            self._clock.start_after(last_ns)

    def take_history(self, inbox: Inbox) -> None:
        """Give the engine what happened before: nobody is called (V4)."""
        self.act(lambda: self._clock.start_after(self.kernel.warm_up(inbox)))

    async def _write_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            self.write()
            self._look_at_clocks()
            self._writer.keep_up(self.kernel)
            self.health.slow_writes = self._writer.slow_writes
            for watcher in self._watchers:
                watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a function some times a second."""
        self._watchers.append(watcher)

    # Orders.

    def name_of(self, order: dict[str, Any]) -> str:
        """The client id of an order."""
        return client_id(self._run, order["strategy_index"], order["count"])

    def is_own(self, name: str) -> bool:
        """Whether a client id is of this run."""
        return read_client_id(name, self._run) is not None

    def open_order(self, name: str) -> dict[str, Any] | None:
        """An order of this run that is not closed."""
        held = read_client_id(name, self._run)
        return next((one for one in self.kernel.open_orders() if (one["strategy_index"], one["count"]) == held), None)

    @property
    def executions(self) -> dict[str, Execution]:
        """What sends orders to the real venues, as far as they were reached for."""
        sending = {name: venue.execution for name, venue in self._venues.items() if name in self._accounts}
        return {name: execution for name, execution in sending.items() if execution is not None}

    def real_orders(self, venue: str | None = None) -> list[dict[str, Any]]:
        """Orders at a real venue, or at all, that are not closed."""
        real = {name for name, one in self._venues.items() if one.execution is not None and venue in (None, name)}
        return [one for one in self.kernel.open_orders() if one["instrument"].venue in real]

    def order_of(self, name: str) -> tuple[int, str] | None:
        """The engine's number and the instrument of an order of this run, unless it was closed long ago."""
        held = read_client_id(name, self._run)
        return None if held is None else self.kernel.find_order(*held)

    # What accounts say.

    @property
    def unknown_accounts(self) -> list[str]:
        """The real venues whose accounts were not heard of yet: what they hold is not nothing."""
        return [
            name
            for name, venue in self._venues.items()
            if venue.execution is not None
            and not (self._accounts[name].reconciliation.is_opened if name in self._accounts else is_opened(self, name))
        ]

    @property
    def equity_now(self) -> float | None:
        """What everything is worth; None where a price is missing, or an account is not known yet."""
        return None if self.unknown_accounts else self.kernel.equity_now

    async def other_account(self, venue: str) -> TradewindError | None:
        """What is wrong where the account is not that of the run; asked once, where the start could not ask it."""
        parts = self._venues[venue]
        if parts.whose is None:
            return None
        wrong = other_account(venue, parts.reached, await parts.whose())
        parts.whose = None
        return wrong

    def report(self, venue: str, order_id: int, kind: str, reason: str, venue_time_ns: int | None) -> None:
        """Give the engine a report about an order."""
        venue_ns, now_ns = self._times(venue_time_ns)
        self.act(lambda: self.kernel.order(venue, venue_ns, now_ns, order_id, kind, reason))

    def fill(self, venue: str, order_id: int, fill: Filled) -> None:
        """Give the engine a fill; one that it knows changes nothing."""
        if not 0 <= fill.trade_id <= _LARGEST_ID:
            raise exception("bad_frame", f"{venue}: a fill of {fill.instrument} has the number {fill.trade_id}")
        venue_ns, now_ns = self._times(fill.venue_time_ns)
        instrument = self.index.instrument(fill.instrument)
        fee, fee_asset = Decimal(fill.fee), fill.fee_asset
        if fee_asset not in dict(self.kernel.balances(venue)):
            # Paid in an asset that the run does not know, such as BNB: no balance that it knows has changed by it.
            paid = self.health.untracked_fees.get(fee_asset, Decimal(0))
            self.health.untracked_fees[fee_asset] = paid + fee
            fee, fee_asset = Decimal(0), instrument.quote
        values = {
            "order_id": order_id,
            "trade_id": fill.trade_id,
            "instrument": instrument,
            "side": fill.side,
            "price": str(fill.price),
            "quantity": str(fill.quantity),
            "is_maker": fill.is_maker,
            "fee": f"{fee:f}",
            "fee_asset": fee_asset,
        }
        self.act(lambda: self.kernel.fill(venue, venue_ns, now_ns, values))

    def foreign_fill(self, venue: str, fill: Filled) -> None:
        """Somebody else traded on the account: its balances change, no strategy's position does (M3)."""
        if fill.instrument not in {one.name for one in self.index.instruments}:
            return  # what it moves of our assets is found when both sides are compared
        instrument = self.index.instrument(fill.instrument)
        sign = 1 if fill.side == "buy" else -1
        quantity, price = Decimal(fill.quantity), Decimal(fill.price)
        self.transfer(venue, "foreign", instrument.base, sign * quantity)
        self.transfer(venue, "foreign", instrument.quote, -sign * quantity * price)
        if Decimal(fill.fee) and fill.fee_asset in dict(self.kernel.balances(venue)):
            self.transfer(venue, "foreign", fill.fee_asset, -Decimal(fill.fee))

    def adopt(self, strategy: str, instrument: str, quantity: Decimal, cost: Decimal) -> None:
        """Make what the account holds a strategy's position, at what it has cost (M3)."""
        held = self.index.instrument(instrument)
        self.act(lambda: self.kernel.adopt(self.stamp(), strategy, held, f"{quantity:f}", f"{cost:f}"))

    def transfer(self, venue: str, kind: str, asset: str, amount: Decimal) -> None:
        """Tell the engine of money that moved without a fill of ours: a `deposit`, `foreign` or `unexplained`."""
        now_ns = self.stamp()
        self.act(lambda: self.kernel.transfer(venue, now_ns, now_ns, kind, asset, f"{amount:f}"))
