"""The server: one port for REST, market streams, the WebSocket API and control."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Sequence
from functools import partial
from typing import Any

from tradewind.errors import exception
from tradewind.sandbox.binance_spot import answer
from tradewind.sandbox.binance_spot.connection import Connection
from tradewind.sandbox.binance_spot.limits import Meter
from tradewind.sandbox.binance_spot.streams import Hub
from tradewind.sandbox.binance_spot.user_events import Users
from tradewind.sandbox.binance_spot.venue import Venue
from tradewind.sandbox.clock import Clock
from tradewind.sandbox.crowd import Crowd, crowded_market
from tradewind.sandbox.door import Door
from tradewind.sandbox.entrance import Entrance
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.faults import Faults
from tradewind.sandbox.faults.events import odd_event
from tradewind.sandbox.market import Level, Market
from tradewind.sandbox.observer import Cause, Changes
from tradewind.sandbox.order import AggregateTrade, Execution, Fill, Order, Trade
from tradewind.sandbox.recording import Playback, recorded_market, recorded_streams
from tradewind.sandbox.settings import Settings
from tradewind.sandbox.state import Kept, StateFile
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import show

_log = logging.getLogger("tradewind.sandbox")
_BEAT_SECONDS = 0.1
_BACKLOG = 4_096


class Server:
    """Everything that runs; also the observer of the exchange.

    Parameters
    ----------
    settings
        What it is asked to be.

    """

    def __init__(self, settings: Settings) -> None:
        streams = recorded_streams(settings)
        self.settings = settings = settings.model_copy(update={"symbols": tuple(streams)}) if streams else settings
        self.clock = Clock()
        self.notice_seconds = 10.0
        self.control_token = secrets.token_urlsafe(32)
        self.connections: set[Connection] = set()
        self.faults = Faults(self)
        self.users = Users(self.faults)
        self.state = StateFile(settings.state) if settings.state else None
        kept = self.state.read() if self.state else None
        now_ns = self.clock.now_ns()
        symbols = [Symbol.packaged(name) for name in settings.symbols]
        prices, above = (kept.prices, kept.highest_id) if kept else ({}, 0)
        if streams:
            markets = [recorded_market(one, above) for one in symbols]
        else:
            begin = [(one, prices.get(one.name, one.start_price)) for one in symbols]
            markets = [crowded_market(one, settings, now_ns, price, above) for one, price in begin]
        self.exchange = Exchange(markets, self, settings.kept_orders)
        meter = Meter(settings.limits, self._keep_orders)
        self.venue = Venue(self.exchange, self.clock, self.faults, meter)
        self.hub = Hub(self.exchange.markets, partial(odd_event, self.faults))
        self.market_tasks: list[asyncio.Task[None]] = []
        self._entrance: Entrance | None = None
        self._execution_id = 1_000_000
        self._events: list[tuple[int, dict[str, Any]]] = []
        self._beats: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._players: list[Crowd] | list[Playback]
        self._players = [Playback(self, streams)] if streams else [Crowd(self, one, now_ns) for one in markets]
        if kept is not None:
            self._restore(kept, now_ns)
        if self.state is not None:
            self.begin_state(self.state)
        self.exchange.reenter(now_ns)

    def _restore(self, kept: Kept, now_ns: int) -> None:
        unknown = {order.symbol for order in kept.orders.values() if order.is_open} - self.exchange.markets.keys()
        if unknown:
            message = f"sandbox: {self.settings.state} has open orders in {', '.join(sorted(unknown))}"
            raise exception("bad_setting", message, "name these in symbols, too")
        self.exchange.restore(kept.accounts.values(), kept.orders.values(), kept.fills, kept.prevented)
        self.exchange.paid_in.update(kept.paid_in)
        self.exchange.fees.update(kept.fees)
        self.exchange.crowd.update(kept.crowd)
        self._execution_id += kept.jumps * 1_000_000_000
        self.venue.keys.update({key.key: key for key in kept.keys.values()})
        self.venue.meter.restore_orders(kept.counts, now_ns // 1_000_000)

    def begin_state(self, state: StateFile) -> None:
        """Write everything that is kept as the first line of a new file."""
        counts = {account: self.venue.meter.kept_orders(account) for account in self.exchange.accounts}
        state.begin(self.exchange, self.venue.keys.values(), counts)

    def _keep_orders(self, account: int) -> None:
        """What the limits of orders count is kept before anybody is answered."""
        if self.state is not None:
            self.state.write_counts(account, self.venue.meter.kept_orders(account))

    # Running

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        """Listen; gives the port."""
        self._loop = loop = asyncio.get_running_loop()
        self._entrance = entrance = Entrance(self)
        host, port = self.settings.host, self.settings.port
        try:
            self._server = await loop.create_server(lambda: Door(entrance), host, port, ssl=tls, backlog=_BACKLOG)
        except OSError as error:
            message = f"sandbox: host = {host!r}, port = {port}: {error.strerror}"
            raise exception("bad_setting", message, "name another with --port; 0 takes a free one") from error
        self.market_tasks = [loop.create_task(player.run()) for player in self._players]
        self._beats = loop.create_task(self._run_beats())
        for task in (*self.market_tasks, self._beats):
            task.add_done_callback(_complain)
        if self.settings.faults is not None:
            self.faults.schedule(self.settings.faults)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        self.faults.clear()
        tasks = [task for task in (*self.market_tasks, self._beats) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drop("the exchange stops")
        if self._entrance is not None:
            await self._entrance.close()
        await asyncio.sleep(0)
        if self.state is not None:
            self.state.close()

    def may_move(self, market: Market) -> bool:
        """Whether what is behind a market may act in it now."""
        return market.is_open and market.is_listed and "quiet_market" not in self.faults.active

    async def _run_beats(self) -> None:
        """What is sent by the clock."""
        beat = 0
        assert self._loop is not None
        begun = self._loop.time()
        while True:
            beat += 1
            await asyncio.sleep(max(begun + beat * _BEAT_SECONDS - self._loop.time(), 0))
            self.hub.beat(beat, self.clock.now_ns())
            if self.state is not None and beat % 10 == 0:
                self.state.note_markets(self.exchange.markets.values())
                if self.state.is_grown:
                    self.begin_state(self.state)

    # The observer of the exchange

    def on_trades(self, market: Market, trades: Sequence[Trade], aggregates: Sequence[AggregateTrade]) -> None:
        """Trades of one action."""
        self.hub.trades(market, trades, aggregates, self.clock.now_ns())

    def on_book(self, market: Market, levels: Sequence[Level], first_id: int, best_changed: bool, now_ns: int) -> None:
        """Levels that changed."""
        self.hub.book(market, levels, first_id, best_changed)

    def on_report(self, order: Order, execution: Execution, cause: Cause, now_ns: int) -> None:
        """Something became of an order."""
        execution_id = self.next_execution_id()
        if isinstance(cause, Fill) and order.executed == cause.quantity:
            # The limit counts orders that are not filled.
            self.venue.meter.count_order(order.account, -1, now_ns // 1_000_000)
        if self.users.is_wanted(order.account):
            event = answer.report(order, execution, cause, now_ns, execution_id)
            self._tell(order.account, event)

    def next_execution_id(self) -> int:
        """The id of the next report."""
        self._execution_id += 1
        return self._execution_id

    def on_balances(self, account: int, assets: Sequence[str], now_ns: int) -> None:
        """Balances that may be others now."""
        if self.users.is_wanted(account):
            self._tell(account, answer.position(self.exchange.accounts[account], assets, now_ns))

    def on_transfer(self, account: int, asset: str, amount: int, now_ns: int) -> None:
        """Something was paid in or out."""
        event = {"e": "balanceUpdate", "E": now_ns, "a": asset, "d": show(amount), "T": now_ns}
        self._tell(account, event)

    def on_changes(self, changes: Changes) -> None:
        """What is kept before anybody is answered."""
        if self.state is not None:
            self.state.write(self.exchange, changes)

    def _tell(self, account: int, event: dict[str, Any]) -> None:
        """Send a user's event after the answer to the request that caused it."""
        if self._loop is None or not self.users.is_wanted(account):
            return
        if not self._events:
            # In the next round: in this one the answer leaves.
            self._loop.call_soon(self._loop.call_soon, self.deliver_events)
        self._events.append((account, event))

    def deliver_events(self) -> None:
        """Send the users' events that wait."""
        events, self._events = self._events, []
        for account, event in events:
            self.users.deliver(account, event)


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("the exchange stands still", exc_info=error)
