"""The entrance: REST requests and WebSocket handshakes, on the same port."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from tradewind.sandbox import control
from tradewind.sandbox.binance_spot import rest
from tradewind.sandbox.binance_spot.api_connection import ApiConnection
from tradewind.sandbox.binance_spot.connection import framed
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.binance_spot.faulty import SilenceError, seconds_after, seconds_before
from tradewind.sandbox.binance_spot.stream_connection import StreamConnection

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

_log = logging.getLogger("tradewind.sandbox")
_http_log = logging.getLogger("tradewind.sandbox.http")
_HOSTS = (".binance.com", ".binance.vision")
_SILENCE_SECONDS = 60
_LARGEST_FRAME = 1 << 20


def _leave_out_what_was_sent(record: logging.LogRecord) -> bool:
    """What a malformed request said is in no log: it may be a key."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError):
        record.exc_info = None
    return True


_http_log.addFilter(_leave_out_what_was_sent)


class Entrance:
    """What a server answers to who comes.

    Parameters
    ----------
    server
        Whose entrance it is.

    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._web = web.Server(self._answer, access_log=None, logger=_http_log)

    def open_rest(self) -> asyncio.Protocol:
        """What talks to a REST client."""
        return self._web()

    def open_websocket(self, address: str) -> asyncio.BufferedProtocol:
        """What talks to a WebSocket client."""
        found: asyncio.BufferedProtocol = WSProtocol(
            None, None, False, partial(self._upgrade, address), _log, True, 5, False, 20, 20,
            WSAutoPingStrategy.PING_WHEN_IDLE, False, _LARGEST_FRAME, None, 16_384,
        )  # fmt: skip
        return found

    def is_closed(self, head: bytes) -> bool:
        """Whether a fault keeps out who begins so."""
        return b" /control/" not in head and self._server.faults.fires("refused_connections") is not None

    async def close(self) -> None:
        """Let nobody in any more."""
        await self._web.shutdown(1.0)

    # REST

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        server, faults = self._server, self._server.faults
        raw_path, _, query = request.raw_path.partition("?")
        body = (await _read(request)).decode("utf-8", "replace") if request.can_read_body else ""
        path = local_path(raw_path)
        if path.startswith("/control/") and server.settings.control:
            status, text = control.handle(server, request.method, path, body, request.headers.get("Authorization", ""))
            return web.Response(status=status, body=text, content_type="application/json")
        if faults.active and (wrong := self._faulty(request, path)) is not None:
            return wrong
        method = server.venue.by_route.get(f"{request.method} {path}")
        name = method.name if method is not None else ""
        if wait_seconds := seconds_before(faults, name):
            await asyncio.sleep(wait_seconds)
        try:
            address = request.remote or ""
            found = rest.handle(server.venue, request.method, path, query, body, request.headers, address)
        except SilenceError:
            # The client waits until it gives up, or the connection breaks.
            await asyncio.sleep(_SILENCE_SECONDS)
            raise
        if (switch := faults.fires("wrong_weight")) is not None:
            found.headers["X-MBX-USED-WEIGHT-1M"] = str(switch.parameters.get("weight", 1))
        if self._resets(path, carried_out=True):
            return _hung_up(request)
        if delay_seconds := seconds_after(faults, name) + self._delay_seconds(path):
            await asyncio.sleep(delay_seconds)
        return web.Response(
            status=found.status,
            body=found.body,
            headers=found.headers,
            content_type="application/json",
            charset="utf-8",
        )

    def _delay_seconds(self, path: str) -> float:
        """How late a fault lets the answer come."""
        switch = self._server.faults.fires_at("slow_answers", "path", path)
        return 0.0 if switch is None else float(switch.parameters.get("delay_seconds", 0.5))

    def _resets(self, path: str, *, carried_out: bool) -> bool:
        """Whether a fault breaks a request's connection, before or after it was carried out."""
        faults = self._server.faults
        switch = faults.active.get("reset_request")
        is_now = switch is not None and bool(switch.parameters.get("carried_out")) == carried_out
        return is_now and faults.fires_at("reset_request", "path", path) is not None

    def _faulty(self, request: web.BaseRequest, path: str) -> web.Response | None:
        """The answer that a fault gives instead of ours."""
        faults = self._server.faults
        if self._resets(path, carried_out=False):
            return _hung_up(request)
        if (switch := faults.fires_at("rest_error", "path", path)) is not None:
            given = switch.parameters
            body = {"code": given.get("code", -1000), "msg": given.get("message", "An unknown error occurred.")}
            headers = {"Retry-After": str(given["retry_after"])} if "retry_after" in given else {}
            return web.json_response(body, status=int(given.get("status", 503)), headers=headers)
        if (switch := faults.fires_at("nonsense_body", "path", path)) is not None:
            return web.Response(text=str(switch.parameters.get("body", "<html><body>502 Bad Gateway</body></html>")))
        return None

    # WebSockets

    def _upgrade(self, address: str, request: WSUpgradeRequest) -> Any:
        """The listener for a connection's address, or an error."""
        raw_path, _, query = request.path.decode("latin-1").partition("?")
        # A plus sign is one: it is in the names of streams, such as those of candles by the days of another zone.
        path, parameters = unquote(local_path(raw_path)), dict(parse_qsl(query.replace("+", "%2B")))
        meter, now_ms = self._server.venue.meter, self._server.clock.now_ns() // 1_000_000
        if meter.connections.add(address, 1, now_ms) > meter.connections.limit:
            return _refused(429, b"Too many connection attempts")
        try:
            scale = rest.time_scale(parameters.get("timeUnit"))
            if path == "/ws-api/v3":
                meter.charge(address, 2, now_ms, "API")
                wants_limits = parameters.get("returnRateLimits", "true") != "false"
                return ApiConnection(self._server, address, scale, wants_limits)
        except Failure as failure:
            return _refused(failure.status, failure.message.encode())
        if path in ("/ws", "/stream") or path.startswith(("/ws/", "/stream/")):
            return self._open_streams(address, path, parameters.get("streams", ""), scale)
        return None

    def _open_streams(self, address: str, path: str, streams: str, scale: int) -> Any:
        combined = path.startswith("/stream")
        text = streams if combined else path.removeprefix("/ws").strip("/")
        names = [name for name in text.split("/") if name]
        if len(names) > self._server.settings.limits.streams_per_connection:
            return _refused(400, b"Too many streams")
        connection = StreamConnection(self._server, address, names, combined, scale)
        if self._server.faults.fires("early_data"):
            return WSUpgradeResponseWithListener(_EarlyResponse(), connection)
        return connection


async def _read(request: web.BaseRequest) -> bytes:
    """The body of a request, unless it is not packed as it says, or who sent it is gone."""
    try:
        return await request.read()
    except (web.RequestPayloadError, ConnectionResetError):
        raise web.HTTPBadRequest from None


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
