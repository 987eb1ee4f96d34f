"""A session: the engine, fed by venues while the market goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradewind import _core
from tradewind._core import Inbox, Index, Instrument
from tradewind.data.values import row_of
from tradewind.errors import TradewindError
from tradewind.journal.segment_writer import SegmentWriter
from tradewind.session.client_ids import client_id, read
from tradewind.session.clock import SessionClock
from tradewind.session.feeds import AccountFeed, MarketFeed
from tradewind.venues import (
    CancelRequest,
    Execution,
    Filled,
    MarketData,
    OrderRequest,
    StreamName,
)

log = logging.getLogger(__name__)
_NEVER_NS = 2**63 - 1
_WRITE_SECONDS = 0.2
_SETTLE_SECONDS = 1.0
_ASK_SECONDS = 0.5
_AGAIN_SECONDS = 0.5
_ASKED_TIMES = 6
_LOOK_BACK_NS = 60 * 10**9
"""How often a venue that does not know an order is asked: what was just placed can be missing for a while (F29)."""


@dataclass
class VenueParts:
    """A venue of a session: its market data, and its orders where they are real."""

    name: str
    market_data: MarketData
    execution: Execution | None = None


@dataclass
class Health:
    """What a person wants to know of a session's connections."""

    connections: dict[str, bool] = field(default_factory=dict)
    misread: Counter[str] = field(default_factory=Counter)
    foreign_reports: int = 0
    gaps: int = 0
    untracked_fees: dict[str, Decimal] = field(default_factory=dict)
    early_rows: int = 0
    slow_writes: int = 0


def received(kernel: _core.Session) -> list[tuple[int, str]]:
    """The streams that a started session receives; simulated venues fill from them (F1).

    Bars are built from trades. Where no book was named, quotes come too: simulated orders fill from them, in paper
    trading and in the backtest that a live session is compared with.
    """
    streams = dict.fromkeys((at, "trades" if kind.startswith("bars") else kind) for at, kind in kernel.named_streams())
    for at, kind in list(streams):
        if kind != "book" and (at, "book") not in streams:
            streams[at, "quotes"] = None
    kernel.set_streams(list(streams))
    return list(streams)


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

    """

    def __init__(
        self,
        kernel: _core.Session,
        index: Index,
        venues: Sequence[VenueParts],
        writer: SegmentWriter,
        run: str,
        clock: SessionClock,
    ) -> None:
        self.kernel = kernel
        self.health = Health()
        self.index = index
        self._venues = {venue.name: venue for venue in venues}
        self._writer = writer
        self._run = run
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._armed_ns = _NEVER_NS
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self._orders: dict[str, tuple[int, str]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._watchers: list[Callable[[], None]] = []

    # What feeds the kernel.

    def act(self, act: Callable[[], None]) -> None:
        """Feed the kernel, then let requests leave and time go on. A failure of the kernel ends the session."""
        if self._failure is not None:
            return
        try:
            act()
        except TradewindError as error:
            if not self.kernel.is_failed:
                raise
            self._fail(error)
            return
        except BaseException as error:
            self._fail(error)
            return
        self._let_requests_leave()
        self._arm()

    def stamp(self, venue_time_ns: int | None = None) -> int:
        """The time of what arrives now."""
        if venue_time_ns is not None and venue_time_ns > self._clock.now_ns():
            self.health.early_rows += 1
        return self._clock.stamp(venue_time_ns or 0)

    def command(self, word: str, strategy: str | None = None, instrument: str | None = None) -> None:
        """Command the engine: `trading_on`, `trading_off`, `cancel_all`, `close_all`."""
        held = None if instrument is None else self.index.instrument(instrument)
        self.act(lambda: self.kernel.command(self.stamp(), word, strategy, held))

    def send(self, name: str, value: Any) -> None:
        """Give strategies a value from outside (V2)."""
        now_ns = self.stamp()
        row = row_of(name, now_ns, now_ns, value, None, name)
        self.act(lambda: self.kernel.value(row))

    def stop(self) -> None:
        """Ask the session to end in order."""
        self._stopped.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._stopped.set()

    def _let_requests_leave(self) -> None:
        requests = self.kernel.take_requests()
        if not requests:
            return
        self.write(leaves=True)
        for request in requests:
            self._send(request)

    def write(self, *, leaves: bool = False) -> None:
        """Write to the journal what is not in it yet, before orders leave or now and then."""
        try:
            self._writer.write(self.kernel.take_journal(), leaves=leaves)
        except TradewindError as error:
            # Without a journal nothing may leave.
            self._fail(error)
            raise

    def _send(self, request: dict[str, Any]) -> None:
        instrument: Instrument = request["instrument"]
        venue = self._venues[instrument.venue]
        assert venue.execution is not None
        name = client_id(self._run, request["strategy"], request["count"])
        self._orders[name] = (request["order_id"], instrument.name)
        if request["is_cancel"]:
            venue.execution.cancel(CancelRequest(name, instrument.name))
            return
        venue.execution.place(
            OrderRequest(
                client_id=name,
                instrument=instrument.name,
                side=request["side"],
                quantity=request["quantity"],
                price=request["price"],
                time_in_force=request["time_in_force"],
            )
        )

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
        self._armed_ns = _NEVER_NS
        now_ns = self._clock.stamp()
        self.act(lambda: self.kernel.advance(now_ns))

    # The life of a session.

    async def run(self, *, is_recovered: bool = False) -> None:
        """Start, trade until asked to stop, and end in order."""
        streams = self._start(is_recovered)
        writing = asyncio.create_task(self._write_now_and_then())
        try:
            for venue in self._venues.values():
                await MarketFeed(self, venue).start(
                    [name for name in streams if name.instrument.startswith(f"{venue.name}:")]
                )
                if venue.execution is not None:
                    feed = AccountFeed(self, venue.name, venue.execution, is_known=is_recovered)
                    await venue.execution.start(feed.take, lambda name: read(name, self._run) is not None)
            stopping = asyncio.create_task(self._stopped.wait())
            await asyncio.wait([stopping, writing], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await self._end()
        finally:
            for venue in self._venues.values():
                await venue.market_data.close()
                if venue.execution is not None:
                    await venue.execution.close()
            for task in (writing, *self._asking.values()):
                task.cancel()
            ended = await asyncio.gather(writing, *self._asking.values(), return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()
            if self._failure is None:
                self._failure = next((one for one in ended if isinstance(one, Exception)), None)
            with contextlib.suppress(TradewindError):
                self.write()
        if self._failure is not None:
            raise self._failure

    def _start(self, is_recovered: bool) -> list[StreamName]:
        # Before the strategies start: what they ask for in `on_start` must not leave yet.
        for name, venue in self._venues.items():
            if venue.execution is not None:
                self.connection(name, is_connected=False)
        if not is_recovered:
            now_ns = self.stamp()
            self.act(lambda: self.kernel.start(now_ns, False))
            # A block of its own: who recovers the run knows from it which streams were named.
            self.write()
        if self._failure is not None:
            raise self._failure
        instruments = self.index.instruments
        streams = received(self.kernel)
        for at, kind in streams:
            self.stream(instruments[at], kind, is_fresh=False)
        return [StreamName(instruments[at].name, kind) for at, kind in streams]  # type: ignore[arg-type]

    def stream(self, instrument: Instrument, kind: str, *, is_fresh: bool) -> None:
        """Tell the engine whether a stream can be traded on."""
        self.health.connections[f"{instrument.name} {kind}"] = is_fresh
        self.act(lambda: self.kernel.stream(self.stamp(), "fresh" if is_fresh else "stale", instrument, kind))

    def gap(self, instrument: Instrument, kind: str, from_ns: int, to_ns: int) -> None:
        """Tell the engine that rows of a stream are missing (V4)."""
        self.health.gaps += 1
        self.act(lambda: self.kernel.stream(self.stamp(), "gap", instrument, kind, from_ns, max(0, to_ns - from_ns)))

    def connection(self, venue: str, *, is_connected: bool) -> None:
        """Tell the engine whether orders reach a venue."""
        self.health.connections[f"{venue} orders"] = is_connected
        kind = "connected" if is_connected else "disconnected"
        self.act(lambda: self.kernel.connection(self.stamp(), kind, venue, "orders"))

    def take_rows(self, inbox: Inbox) -> None:
        """Give the engine what has arrived."""
        self.act(lambda: self._clock.start_after(self.kernel.take_rows(inbox)))

    async def _write_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            self.write()
            self._writer.keep_up(self.kernel)
            self.health.slow_writes = self._writer.slow_writes
            for watcher in self._watchers:
                watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a function some times a second."""
        self._watchers.append(watcher)

    async def _end(self) -> None:
        """No new positions, orders cancelled and their outcome awaited; then the strategies stop (O6)."""
        if self._failure is not None:
            for name, (_, instrument) in self._orders.items():
                venue = self._venues[instrument.partition(":")[0]]
                if venue.execution is not None and self.is_open(name):
                    venue.execution.cancel(CancelRequest(name, instrument))
            await asyncio.sleep(_SETTLE_SECONDS if self._orders else 0)
            return
        self.command("trading_off")
        self.command("cancel_all")
        await self._settled()
        self.act(self.kernel.finish)
        await self._settled()

    def is_open(self, name: str) -> bool:
        """Whether an order of this run is not closed."""
        held = read(name, self._run)
        return any((one["strategy_index"], one["count"]) == held for one in self.kernel.open_orders())

    async def _settled(self) -> None:
        """Wait until real venues have answered for every order, for a while."""
        for _ in range(int(_SETTLE_SECONDS * 10 / 0.1)):
            real = [one for one in self.kernel.open_orders() if self._is_real(one["instrument"])]
            if not real:
                return
            await asyncio.sleep(0.1)

    def _is_real(self, instrument: Instrument) -> bool:
        venue = self._venues.get(instrument.venue)
        return venue is not None and venue.execution is not None

    # What accounts say.

    def order_of(self, name: str) -> tuple[int, str] | None:
        """The engine's number and the symbol of an order of this run."""
        return self._orders.get(name) if read(name, self._run) is not None else None

    def ask_later(self, venue: str, execution: Execution, name: str) -> None:
        """Ask a venue what became of an order whose fate is unknown, until it is known (law 7)."""
        task = self._asking.get(name)
        if task is None or task.done():
            self._asking[name] = asyncio.create_task(self._ask(venue, execution, name))

    async def _ask(self, venue: str, execution: Execution, name: str) -> None:
        held = self.order_of(name)
        if held is None:
            return
        order_id, instrument = held
        missing = 0
        while missing < _ASKED_TIMES:
            await asyncio.sleep(_ASK_SECONDS)
            try:
                state = await execution.order(name, instrument)
                if state is None:
                    missing += 1
                    continue
                since_ns = max(0, self._decided_ns(order_id) - _LOOK_BACK_NS)
                fills = [] if Decimal(state.filled) == 0 else await execution.fills(instrument, since_ns=since_ns)
            except TradewindError as error:
                log.warning("%s: %s", venue, error)
                continue
            self.report(venue, order_id, "accepted", "requested", None)
            for fill in fills:
                if fill.venue_order_id == state.venue_order_id:
                    self.fill(venue, order_id, fill)
            if state.status in ("cancelled", "expired", "rejected"):
                self.report(venue, order_id, "cancelled", "requested", None)
            return
        self.report(venue, order_id, "rejected", "order_not_open", None)

    def _decided_ns(self, order_id: int) -> int:
        return next((one["decided_ns"] for one in self.kernel.open_orders() if one["order_id"] == order_id), 0)

    def report(self, venue: str, order_id: int, kind: str, reason: str, venue_time_ns: int | None) -> None:
        """Give the engine a report about an order."""
        now_ns = self.stamp(venue_time_ns)
        time_ns = now_ns if venue_time_ns is None else venue_time_ns
        self.act(lambda: self.kernel.order(venue, time_ns, now_ns, order_id, kind, reason))

    def fill(self, venue: str, order_id: int, fill: Filled) -> None:
        """Give the engine a fill; one that it knows changes nothing."""
        now_ns = self.stamp(fill.venue_time_ns)
        instrument = self.index.instrument(fill.instrument)
        fee, fee_asset = str(fill.fee), fill.fee_asset
        if fee_asset not in dict(self.kernel.balances(venue)):
            # Paid in an asset that the run does not know, such as BNB: no balance that it knows has changed by it.
            paid = self.health.untracked_fees.get(fee_asset, Decimal(0))
            self.health.untracked_fees[fee_asset] = paid + Decimal(fee)
            fee, fee_asset = "0", instrument.quote
        values = {
            "order_id": order_id,
            "trade_id": fill.trade_id,
            "instrument": instrument,
            "side": fill.side,
            "price": str(fill.price),
            "quantity": str(fill.quantity),
            "is_maker": fill.is_maker,
            "fee": fee,
            "fee_asset": fee_asset,
        }
        self.act(lambda: self.kernel.fill(venue, fill.venue_time_ns, now_ns, values))

    async def reconcile(self, venue: str, execution: Execution, *, is_first: bool) -> None:
        """Compare open orders and balances with the venue's, and take over what it says (M5)."""
        for one in self.kernel.open_orders():
            if one["instrument"].venue == venue:
                name = client_id(self._run, one["strategy_index"], one["count"])
                self._orders[name] = (one["order_id"], one["instrument"].name)
                self.ask_later(venue, execution, name)
        await asyncio.gather(*self._asking.values())
        for asset, amount in (await self._differences(venue, execution)).items():
            self._transfer(venue, "deposit" if is_first else "unexplained", asset, amount)

    async def _differences(self, venue: str, execution: Execution) -> dict[str, Decimal]:
        """What the venue holds more than we know, by asset, once it is the same twice.

        A fill between the venue's answer and its report is in one side and not yet in the other: posted as a
        difference, it would count twice. An asset that no instrument of the run knows moves nothing here.
        """
        before: dict[str, Decimal] | None = None
        while True:
            known = dict(self.kernel.balances(venue))
            theirs = {one.asset: Decimal(one.total) for one in await execution.balances()}
            found = {asset: theirs.get(asset, Decimal(0)) - Decimal(held) for asset, held in known.items()}
            found = {asset: amount for asset, amount in found.items() if amount}
            if not found or (found == before and dict(self.kernel.balances(venue)) == known):
                return found
            before = found
            await asyncio.sleep(_AGAIN_SECONDS)

    def _transfer(self, venue: str, kind: str, asset: str, amount: Decimal) -> None:
        now_ns = self.stamp()
        self.act(lambda: self.kernel.transfer(venue, now_ns, now_ns, kind, asset, f"{amount:f}"))
