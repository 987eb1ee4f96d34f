"""The server: one port for REST, market streams, the WebSocket API and control."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from tradewind.sandbox import control
from tradewind.sandbox.binance_spot import answer, rest
from tradewind.sandbox.binance_spot.api_connection import ApiConnection
from tradewind.sandbox.binance_spot.connection import Connection, framed
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.binance_spot.faulty import SilenceError, seconds_after, seconds_before
from tradewind.sandbox.binance_spot.stream_connection import StreamConnection
from tradewind.sandbox.binance_spot.streams import Hub
from tradewind.sandbox.binance_spot.user_events import Users
from tradewind.sandbox.binance_spot.venue import Venue
from tradewind.sandbox.clock import Clock
from tradewind.sandbox.crowd import crowded_market
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.faults import Faults
from tradewind.sandbox.faults.events import odd_event
from tradewind.sandbox.market import Level, Market
from tradewind.sandbox.order import AggregateTrade, Execution, Fill, Order, Trade
from tradewind.sandbox.settings import Settings
from tradewind.sandbox.state import StateFile
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import show

_log = logging.getLogger("tradewind.sandbox")
_HOSTS = (".binance.com", ".binance.vision")
_BEAT_SECONDS = 0.1
_LARGEST_HEAD = 16_384
_HEAD_SECONDS = 10
_SILENCE_SECONDS = 60
_LARGEST_FRAME = 1 << 20
_SHORTEST_SLEEP_SECONDS = 0.001


class Server:
    """Everything that runs; also the observer of the exchange.

    Parameters
    ----------
    settings
        What it is asked to be.

    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.notice_seconds = 10.0
        self.control_token = secrets.token_urlsafe(32)
        self.connections: set[Connection] = set()
        self.faults = Faults(self)
        self.users = Users(self.faults)
        self.state = StateFile(settings.state) if settings.state else None
        kept = self.state.take_kept() if self.state else None
        now_ns = self.clock.now_ns()
        symbols = [Symbol.packaged(name) for name in settings.symbols]
        prices = kept.prices if kept else {}
        markets = [crowded_market(one, settings, now_ns, prices.get(one.name, one.start_price)) for one in symbols]
        self.exchange = Exchange(markets, self, settings.kept_orders)
        self.venue = Venue(self.exchange, self.clock, settings.limits, self.faults)
        self.hub = Hub(self.exchange.markets, partial(odd_event, self.faults))
        self._begun_ns = now_ns
        self._crowd_ns = now_ns
        self._execution_id = 1_000_000
        self._events: list[tuple[int, dict[str, Any]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._web = web.Server(self._rest)
        self._loop: asyncio.AbstractEventLoop | None = None
        if kept is not None:
            self._restore(kept, now_ns)

    def _restore(self, kept: Any, now_ns: int) -> None:
        for market in self.exchange.markets.values():
            kept.jump(market)
        self.exchange.restore(kept.accounts.values(), kept.orders.values(), kept.fills)
        self.exchange.paid_in.update(kept.paid_in)
        self.exchange.fees.update(kept.fees)
        self.exchange.crowd.update(kept.crowd)
        self._execution_id += kept.jumps * 1_000_000_000
        self.venue.keys.update({key.key: key for key in kept.keys.values()})
        self.exchange.reenter(now_ns)

    # Running

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        """Listen; gives the port."""
        self._loop = loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Door(self), self.settings.host, self.settings.port, ssl=tls, backlog=4_096
        )
        self._tasks = [loop.create_task(self._run_crowd()), loop.create_task(self._run_beats())]
        for task in self._tasks:
            task.add_done_callback(_complain)
        if self.settings.faults is not None:
            self.faults.schedule(self.settings.faults)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        self.faults.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drop("the exchange stops")
        await self._web.shutdown(1.0)
        await asyncio.sleep(0)
        if self.state is not None:
            self.state.close()

    async def _run_crowd(self) -> None:
        """Let the participants act when their time has come."""
        while True:
            next_ns = self.advance_crowd()
            wait = (next_ns - self._crowd_ns) / 1e9 / (self.settings.speed or 1)
            await asyncio.sleep(max(_SHORTEST_SLEEP_SECONDS, min(wait, 1.0)) if self.settings.speed else 1.0)

    def advance_crowd(self) -> int:
        """Bring the participants up to now; gives when one of them acts next, in their time."""
        now_ns = self.clock.now_ns()
        wall_ns = now_ns - self.clock.offset_ns
        self._crowd_ns = self._begun_ns + int((wall_ns - self._begun_ns) * self.settings.speed)
        upcoming = []
        for market in self.exchange.markets.values():
            if market.is_open and market.is_listed and "quiet_market" not in self.faults.active:
                self.exchange.advance(market, self._crowd_ns, now_ns)
                upcoming.append(market.book.next_action_ns or 1 << 62)
        return min(upcoming, default=1 << 62)

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
                self.state.compact(self.exchange, self.venue.keys.values())

    # The observer of the exchange

    def on_trades(self, market: Market, trades: Sequence[Trade], aggregates: Sequence[AggregateTrade]) -> None:
        """Trades of one action."""
        self.hub.trades(market, trades, aggregates, self.clock.now_ns())

    def on_book(self, market: Market, levels: Sequence[Level], first_id: int, best_changed: bool, now_ns: int) -> None:
        """Levels that changed."""
        self.hub.book(market, levels, first_id, best_changed)

    def on_report(self, order: Order, execution: Execution, fill: Fill | None, now_ns: int) -> None:
        """Something became of an order."""
        execution_id = self.next_execution_id()
        if fill is not None and order.executed == fill.quantity:
            # The limit counts orders that are not filled.
            self.venue.meter.count_order(order.account, -1, now_ns // 1_000_000)
        if self.users.is_wanted(order.account):
            event = answer.report(order, execution, fill, now_ns, execution_id)
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

    def on_changes(self, orders: Sequence[Order], fills: Sequence[Fill], accounts: Sequence[int]) -> None:
        """What is kept before anybody is answered."""
        if self.state is not None:
            self.state.write(self.exchange, orders, fills, accounts)

    def _tell(self, account: int, event: dict[str, Any]) -> None:
        """Send a user's event after the answer to the request that caused it."""
        if not self._events and self._loop is not None:
            self._loop.call_soon(self.deliver_events)
        self._events.append((account, event))

    def deliver_events(self) -> None:
        """Send the users' events that wait."""
        events, self._events = self._events, []
        for account, event in events:
            self.users.deliver(account, event)

    # Requests

    async def _rest(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
        address = request.remote or ""
        path = local_path(path)
        if path.startswith("/control/") and self.settings.control:
            status, text = control.handle(self, request.method, path, body, request.headers.get("Authorization", ""))
            return web.Response(status=status, body=text, content_type="application/json")
        if self.faults.active and (wrong := self._faulty(request, path)) is not None:
            return wrong
        method = self.venue.by_route.get(f"{request.method} {path}")
        name = method.name if method is not None else ""
        await asyncio.sleep(seconds_before(self.faults, name))
        try:
            found = rest.handle(self.venue, request.method, path, query, body, request.headers, address)
        except SilenceError:
            # The client waits until it gives up, or the connection breaks.
            await asyncio.sleep(_SILENCE_SECONDS)
            raise
        if (switch := self.faults.fires("wrong_weight")) is not None:
            found.headers["X-MBX-USED-WEIGHT-1M"] = str(switch.parameters.get("weight", 1))
        if self._resets(path, carried_out=True):
            return _hung_up(request)
        await asyncio.sleep(seconds_after(self.faults, name))
        return web.Response(
            status=found.status,
            body=found.body,
            headers=found.headers,
            content_type="application/json",
            charset="utf-8",
        )

    def _resets(self, path: str, *, carried_out: bool) -> bool:
        """Whether a fault breaks a request's connection, before or after it was carried out."""
        switch = self.faults.active.get("reset_request")
        is_now = switch is not None and bool(switch.parameters.get("carried_out")) == carried_out
        return is_now and self.faults.fires_at("reset_request", "path", path) is not None

    def _faulty(self, request: web.BaseRequest, path: str) -> web.Response | None:
        """The answer that a fault gives instead of ours."""
        if self._resets(path, carried_out=False):
            return _hung_up(request)
        if (switch := self.faults.fires_at("rest_error", "path", path)) is not None:
            given = switch.parameters
            body = {"code": given.get("code", -1000), "msg": given.get("message", "An unknown error occurred.")}
            headers = {"Retry-After": str(given["retry_after"])} if "retry_after" in given else {}
            return web.json_response(body, status=int(given.get("status", 503)), headers=headers)
        if (switch := self.faults.fires_at("nonsense_body", "path", path)) is not None:
            return web.Response(text=str(switch.parameters.get("body", "<html><body>502 Bad Gateway</body></html>")))
        return None

    def open_rest(self) -> asyncio.Protocol:
        """What talks to a REST client."""
        return self._web()

    def open_websocket(self) -> asyncio.BufferedProtocol:
        """What talks to a WebSocket client."""
        found: asyncio.BufferedProtocol = WSProtocol(
            None, None, False, self._upgrade, _log, True, 5, False, 20, 20,
            WSAutoPingStrategy.PING_WHEN_IDLE, False, _LARGEST_FRAME, None, 16_384,
        )  # fmt: skip
        return found

    def _upgrade(self, request: WSUpgradeRequest) -> Any:
        """The listener for a connection's address, or an error."""
        raw_path, _, query = request.path.decode("latin-1").partition("?")
        path = local_path(raw_path)
        parameters = dict(parse_qsl(query))
        address = "127.0.0.1"
        now_ms = self.clock.now_ns() // 1_000_000
        meter = self.venue.meter
        if meter.connections.add(address, 1, now_ms) > meter.connections.limit:
            return _refused(429, b"Too many connection attempts")
        try:
            scale = rest.time_scale(parameters.get("timeUnit"))
        except Failure as failure:
            return _refused(400, failure.message.encode())
        if path == "/ws-api/v3":
            try:
                meter.charge(address, 2, now_ms)
            except Failure as failure:
                return _refused(failure.status, failure.message.encode())
            return ApiConnection(self, address, scale, parameters.get("returnRateLimits", "true") != "false")
        if path in ("/ws", "/stream") or path.startswith(("/ws/", "/stream/")):
            combined = path.startswith("/stream")
            text = parameters.get("streams", "") if combined else path.removeprefix("/ws").strip("/")
            names = [name for name in text.split("/") if name]
            if len(names) > self.settings.limits.streams_per_connection:
                return _refused(400, b"Too many streams")
            connection = StreamConnection(self, address, names, combined, scale)
            if self.faults.fires("early_data"):
                return WSUpgradeResponseWithListener(_EarlyResponse(), connection)
            return connection
        return None


def local_path(path: str) -> str:
    """The path without a venue's host name in front.

    Examples
    --------
    >>> local_path("/api.binance.com/api/v3/time"), local_path("/api/v3/time")
    ('/api/v3/time', '/api/v3/time')

    """
    first, slash, rest_of_it = path.lstrip("/").partition("/")
    if first.endswith(_HOSTS):
        return slash + rest_of_it
    return "/" + path.strip("/")


def _refused(status: int, message: bytes) -> WSUpgradeResponseWithListener:
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, message), None)


class _EarlyResponse(WSUpgradeResponse):
    """An answer to a handshake with a first event in the same segment."""

    def __init__(self) -> None:
        plain = WSUpgradeResponse.create_101_response()
        for name in ("version", "status", "headers", "body"):
            setattr(self, name, getattr(plain, name))

    def to_bytes(self) -> bytearray:
        return super().to_bytes() + framed(b'{"stream":"!neverHeardOf","data":{"e":"neverHeardOf"}}')


def _hung_up(request: web.BaseRequest) -> web.Response:
    """The end of a connection in the place of an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("the exchange stands still", exc_info=error)


class _Door(asyncio.Protocol):
    """Looks at the first bytes of a connection, and hands it to who talks that way.

    A REST client may ask for a WebSocket on a connection that it used before, so the door stays in between.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._head = b""
        self._rest: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(_HEAD_SECONDS, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._rest is not None:
            self._rest.connection_lost(error)

    def eof_received(self) -> bool | None:
        return self._rest.eof_received() if self._rest is not None else None

    def pause_writing(self) -> None:
        if self._rest is not None:
            self._rest.pause_writing()

    def resume_writing(self) -> None:
        if self._rest is not None:
            self._rest.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._rest is not None and not _upgrades(data):
            self._rest.data_received(data)
            return
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) < _LARGEST_HEAD:
            return
        transport, timer = self._transport, self._timer
        assert transport is not None and timer is not None
        timer.cancel()
        if _upgrades(self._head) and not self._server.faults.fires("refused_connections"):
            if self._rest is not None:
                self._rest.connection_lost(None)
            _hand_over(transport, self._server.open_websocket(), self._head)
            return
        if self._server.faults.fires("refused_connections") and b" /control/" not in self._head:
            transport.abort()
            return
        head, self._head = self._head, b""
        self._rest = self._server.open_rest()
        self._rest.connection_made(transport)
        self._rest.data_received(head)


def _upgrades(data: bytes) -> bool:
    """Whether a request asks for a WebSocket."""
    head = data.partition(b"\r\n\r\n")[0].lower()
    return head.startswith(b"get ") and (b"\r\nupgrade: websocket" in head or b"\r\nupgrade:websocket" in head)


def _hand_over(transport: asyncio.Transport, protocol: asyncio.BufferedProtocol, head: bytes) -> None:
    """Give a connection with what was read of it to a protocol with a buffer of its own."""
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    while head:
        buffer = memoryview(protocol.get_buffer(len(head)))
        count = min(len(buffer), len(head))
        buffer[:count] = head[:count]
        head = head[count:]
        protocol.buffer_updated(count)
