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
from tradewind._core import Index, Instrument
from tradewind.data.values import row_of
from tradewind.errors import TradewindError, exception
from tradewind.journal import JournalWriter
from tradewind.session.client_ids import client_id, read
from tradewind.session.clock import SessionClock
from tradewind.venues import Execution, FillReport, MarketData, NewOrder, OrderReport, Subscription
from tradewind.venues.interface import Side

log = logging.getLogger(__name__)
_NEVER_NS = 2**63 - 1
_WRITE_SECONDS = 0.2
_SETTLE_SECONDS = 1.0
_ASK_SECONDS = 0.5
_ASKED_TIMES = 6
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
    early_rows: int = 0


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
        writer: JournalWriter,
        run: str,
        clock: SessionClock,
    ) -> None:
        self.kernel = kernel
        self.health = Health()
        self._index = index
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
        held = None if instrument is None else self._index.instrument(instrument)
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
        self.write()
        for request in requests:
            self._send(request)

    def write(self) -> None:
        """Write to the journal what is not in it yet."""
        try:
            self._writer.write(self.kernel.take_journal())
        except TradewindError as error:
            # Without a journal nothing may leave.
            self._fail(error)
            raise

    def _send(self, request: dict[str, Any]) -> None:
        instrument: Instrument = request["instrument"]
        venue = self._venues[instrument.venue]
        assert venue.execution is not None
        name = client_id(self._run, request["strategy"], request["count"])
        self._orders[name] = (request["order_id"], instrument.symbol)
        if request["is_cancel"]:
            venue.execution.cancel(name, instrument.symbol)
            return
        venue.execution.place(
            NewOrder(
                client_id=name,
                symbol=instrument.symbol,
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
        subscriptions = self._start(is_recovered)
        tasks = [asyncio.create_task(self._write_now_and_then())]
        try:
            for venue in self._venues.values():
                feed = MarketFeed(self, self._index, venue.name)
                tasks.append(asyncio.create_task(venue.market_data.run(subscriptions[venue.name], feed)))
                if venue.execution is not None:
                    account = AccountFeed(self, venue.name, venue.execution, is_known=is_recovered)
                    tasks.append(asyncio.create_task(venue.execution.run(account)))
            waiting = asyncio.create_task(self._stopped.wait())
            done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            for task in done - {waiting}:
                task.result()
                raise exception("internal", "a venue's task ended by itself")
            await self._end()
        finally:
            for task in [*tasks, *self._asking.values()]:
                task.cancel()
            await asyncio.gather(*tasks, *self._asking.values(), return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()
            with contextlib.suppress(TradewindError):
                self.write()
        if self._failure is not None:
            raise self._failure

    def _start(self, is_recovered: bool) -> dict[str, list[Subscription]]:
        if not is_recovered:
            now_ns = self.stamp()
            self.act(lambda: self.kernel.start(now_ns, False))
            # A block of its own: who recovers the run knows from it which streams were named.
            self.write()
        if self._failure is not None:
            raise self._failure
        instruments = self._index.instruments
        streams = received(self.kernel)
        subscriptions: dict[str, list[Subscription]] = {name: [] for name in self._venues}
        for at, kind in streams:
            subscriptions[instruments[at].venue].append(Subscription(instruments[at].symbol, kind))
        for name, venue in self._venues.items():
            self._connection(name, "market_data", is_connected=False)
            if venue.execution is not None:
                self._connection(name, "orders", is_connected=False)
        return subscriptions

    def _connection(self, venue: str, part: str, *, is_connected: bool) -> None:
        self.health.connections[f"{venue} {part}"] = is_connected
        kind = "connected" if is_connected else "disconnected"
        self.act(lambda: self.kernel.connection(self.stamp(), kind, venue, part))

    async def _write_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            self.write()
            for watcher in self._watchers:
                watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a function some times a second."""
        self._watchers.append(watcher)

    async def _end(self) -> None:
        """No new positions, orders cancelled and their outcome awaited; then the strategies stop (O6)."""
        if self._failure is not None:
            for name, (_, symbol) in self._orders.items():
                for venue in self._venues.values():
                    if venue.execution is not None and self._is_open(name):
                        venue.execution.cancel(name, symbol)
            await asyncio.sleep(_SETTLE_SECONDS if self._orders else 0)
            return
        self.command("trading_off")
        self.command("cancel_all")
        await self._settled()
        self.act(self.kernel.finish)
        await self._settled()

    def _is_open(self, name: str) -> bool:
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
        order_id, symbol = held
        missing = 0
        while missing < _ASKED_TIMES:
            await asyncio.sleep(_ASK_SECONDS)
            try:
                state = await execution.order(name, symbol)
            except TradewindError as error:
                log.warning("%s: %s", venue, error)
                continue
            if state is None:
                missing += 1
                continue
            self.report(venue, order_id, "accepted", "requested", None)
            for fill in state.fills:
                self.fill(venue, order_id, fill)
            if state.status in ("cancelled", "expired", "rejected"):
                self.report(venue, order_id, "cancelled", "requested", None)
            return
        self.report(venue, order_id, "rejected", "order_not_open", None)

    def report(self, venue: str, order_id: int, kind: str, reason: str, venue_time_ns: int | None) -> None:
        """Give the engine a report about an order."""
        now_ns = self.stamp(venue_time_ns)
        time_ns = now_ns if venue_time_ns is None else venue_time_ns
        self.act(lambda: self.kernel.order(venue, time_ns, now_ns, order_id, kind, reason))

    def fill(self, venue: str, order_id: int, fill: FillReport) -> None:
        """Give the engine a fill; one that it knows changes nothing."""
        now_ns = self.stamp(fill.venue_time_ns)
        time_ns = now_ns if fill.venue_time_ns is None else fill.venue_time_ns
        values = {
            "order_id": order_id,
            "trade_id": fill.trade_id,
            "instrument": self._index.instrument(f"{venue}:{fill.symbol}"),
            "side": fill.side,
            "price": fill.price,
            "quantity": fill.quantity,
            "is_maker": fill.is_maker,
            "fee": fill.fee,
            "fee_asset": fill.fee_asset,
        }
        self.act(lambda: self.kernel.fill(venue, time_ns, now_ns, values))

    async def reconcile(self, venue: str, execution: Execution, *, is_first: bool) -> None:
        """Compare open orders and balances with the venue's, and take over what it says (M5)."""
        for one in self.kernel.open_orders():
            if one["instrument"].venue == venue:
                name = client_id(self._run, one["strategy_index"], one["count"])
                self._orders[name] = (one["order_id"], one["instrument"].symbol)
                self.ask_later(venue, execution, name)
        await asyncio.gather(*self._asking.values())
        held = dict(self.kernel.balances(venue))
        for asset, amount in (await execution.balances()).items():
            # An asset that no instrument of the run knows moves nothing here.
            if asset in held and amount != Decimal(held[asset]):
                self._transfer(venue, "deposit" if is_first else "unexplained", asset, amount - Decimal(held[asset]))

    def _transfer(self, venue: str, kind: str, asset: str, amount: Decimal) -> None:
        now_ns = self.stamp()
        self.act(lambda: self.kernel.transfer(venue, now_ns, now_ns, kind, asset, f"{amount:f}"))


class MarketFeed:
    """Stamps a venue's market data and gives them to the engine."""

    def __init__(self, session: Session, index: Index, venue: str) -> None:
        self._session = session
        self._kernel = session.kernel
        self._venue = venue
        self._instruments = {one.symbol: one for one in index.instruments if one.venue == venue}

    def trade(
        self, symbol: str, venue_time_ns: int | None, price: str, quantity: str, side: Side | None, id: int
    ) -> None:
        """Somebody traded."""
        now_ns = self._session.stamp(venue_time_ns)
        time_ns = now_ns if venue_time_ns is None else venue_time_ns
        instrument = self._instruments[symbol]
        self._take(lambda: self._kernel.trade(instrument, time_ns, now_ns, price, quantity, side, id))

    def quote(
        self, symbol: str, venue_time_ns: int | None, bid: str, bid_quantity: str, ask: str, ask_quantity: str
    ) -> None:
        """The best bid and offer changed."""
        now_ns = self._session.stamp(venue_time_ns)
        time_ns = now_ns if venue_time_ns is None else venue_time_ns
        instrument = self._instruments[symbol]
        self._take(lambda: self._kernel.quote(instrument, time_ns, now_ns, bid, bid_quantity, ask, ask_quantity))

    def book(
        self, symbol: str, venue_time_ns: int | None, levels: Sequence[tuple[Side, str, str]], *, snapshot: bool
    ) -> None:
        """Levels of the book changed."""
        now_ns = self._session.stamp(venue_time_ns)
        time_ns = now_ns if venue_time_ns is None else venue_time_ns
        instrument = self._instruments[symbol]
        self._take(lambda: self._kernel.book(instrument, time_ns, now_ns, levels, snapshot))

    def connected(self, *, is_connected: bool) -> None:
        """The connection stands, or is gone."""
        if self._session.health.connections.get(f"{self._venue} market_data") != is_connected:
            self._session._connection(self._venue, "market_data", is_connected=is_connected)

    def stale(self, symbol: str, kind: str, *, is_stale: bool) -> None:
        """A stream is stale, or whole again."""
        word, instrument = "stale" if is_stale else "fresh", self._instruments[symbol]
        self._session.act(lambda: self._kernel.stream(self._session.stamp(), word, instrument, kind))

    def misread(self, what: str) -> None:
        """A message could not be read."""
        self._session.health.misread[what.partition(":")[0][:60]] += 1
        log.warning("%s: %s", self._venue, what)

    def _take(self, act: Callable[[], None]) -> None:
        """A row that cannot be true is not traded on: it is counted and said."""
        try:
            self._session.act(act)
        except TradewindError as error:
            self.misread(str(error))


class AccountFeed:
    """Gives the engine what a venue says about orders and the account."""

    def __init__(self, session: Session, venue: str, execution: Execution, *, is_known: bool) -> None:
        self._session = session
        self._venue = venue
        self._execution = execution
        self._was_connected = is_known
        self._tasks: set[asyncio.Task[None]] = set()

    def order(self, report: OrderReport) -> None:
        """An order of ours changed; those of others are left alone."""
        held = self._session.order_of(report.client_id)
        if held is None:
            self._session.health.foreign_reports += 1
            return
        self._session.report(self._venue, held[0], report.kind, report.reason, report.venue_time_ns)
        if report.kind == "lost":
            self._session.ask_later(self._venue, self._execution, report.client_id)

    def fill(self, report: FillReport) -> None:
        """An order of ours was filled."""
        held = self._session.order_of(report.client_id)
        if held is None:
            self._session.health.foreign_reports += 1
            return
        self._session.fill(self._venue, held[0], report)

    def balances(self, balances: dict[str, Decimal]) -> None:
        """What the account holds; compared when orders have settled."""

    def account_connected(self, *, is_connected: bool) -> None:
        """Orders reach the venue, or do not; before they do, both sides are compared."""
        if is_connected:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self._session.health.connections.get(f"{self._venue} orders"):
            self._session._connection(self._venue, "orders", is_connected=False)

    async def _connect(self) -> None:
        try:
            await self._session.reconcile(self._venue, self._execution, is_first=not self._was_connected)
        except TradewindError as error:
            log.warning("%s: %s", self._venue, error)
            return
        self._was_connected = True
        self._session._connection(self._venue, "orders", is_connected=True)

    def credentials_lost(self, why: str) -> None:
        """The key is not accepted any more: trading stops, what is known is kept (F52)."""
        log.error("%s: the key is refused: %s", self._venue, why)
        self._session.command("trading_off")
