"""The HTTP interface of a running session, on the session's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http import HttpProcessingError

from tradewind.config import Control
from tradewind.config.problem import SystemFileError
from tradewind.control import requests
from tradewind.control.audit import Reader
from tradewind.control.commands import Commands, Done
from tradewind.control.door import Door
from tradewind.control.frames import Agreement, frame_of
from tradewind.control.gate import Gate, Sparse
from tradewind.control.history import history
from tradewind.control.status import About, Observer
from tradewind.errors import TradewindError, exception
from tradewind.journal.block import Block

if TYPE_CHECKING:
    from tradewind.session.session import Session

log = logging.getLogger(__name__)
# What is no HTTP at all, of whoever sends it.
_http_log = logging.getLogger("tradewind.control.http")
_http_log.addFilter(Sparse())

MOST_READERS = 64
"""How many may read the audit at once."""

_MOST_BODY_BYTES = 2**20
_LAST_SECONDS = 2.0
_HEARTBEAT_SECONDS = 20.0
_TURNS_TO_THE_END = 3
_STATUS = {"not_running": 409, "unknown_order": 404, "internal": 500, "rate_limited": 429}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlServer:
    """Serves a session for as long as the context lasts.

    Parameters
    ----------
    session
        The session; the server runs on its loop.
    about
        What does not change about it.
    settings
        The ``[control]`` of its system.
    token_file
        The owner-only file of a token that stays; otherwise a fresh one is made in the folder of the run.

    """

    def __init__(
        self, session: Session, about: About, settings: Control | None = None, token_file: Path | None = None
    ) -> None:
        self.url = ""
        self._session = session
        self._about = about
        self._settings = settings or Control()
        self._door = Door(self._settings, about.folder, token_file)
        self._observer = Observer(session, about)
        self._commands = Commands(session, about.strategies)
        self._runner: web.AppRunner
        self._gate: Gate
        self._listening: asyncio.Server | None = None
        self.readers = 0

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._answer], client_max_size=_MOST_BODY_BYTES)
        application.add_routes(self._routes())
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_http_log,
            handle_signals=False,
            shutdown_timeout=_LAST_SECONDS,
            keepalive_timeout=60,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._gate = Gate(self._runner.server)
        host, port = self._settings.host, self._settings.port
        try:
            listening = asyncio.get_running_loop().create_server(
                self._gate.entrance, host, port, backlog=self._gate.most
            )
            self._listening = await listening
            self.url = self._door.open(self._listening.sockets[0].getsockname()[1])
        except OSError as error:
            await self._close()
            hint = "write port = 0 in [control] for a free one"
            raise exception("bad_setting", f"control cannot listen on {host}:{port}: {error.strerror}", hint) from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._door.close()
        await self._close()

    async def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self._gate.close()
        await self._runner.cleanup()

    def _routes(self) -> list[web.RouteDef]:
        changes = {
            "value": self._change(requests.Value, self._commands.value),
            "trading": self._change(requests.Trading, self._commands.trading),
            "cancel": self._change(requests.Cancel, self._commands.cancel),
            "close": self._change(requests.Close, self._commands.close),
            "open": self._change(requests.Open, self._commands.open),
            "parameter": self._change(requests.Parameter, self._commands.set_parameter),
            "stop": self._change(requests.Stop, self._commands.stop),
        }
        return [
            web.get("/status", self._status, allow_head=False),
            web.get("/manifest", self._manifest, allow_head=False),
            web.get("/audit", self._audit, allow_head=False),
            *(web.post(f"/{name}", handler) for name, handler in changes.items()),
        ]

    # Answers.

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may come in, and say in one form what is wrong."""
        try:
            refused = self._door.refusal(request.headers)
            if refused is not None:
                return _problem(*refused)
            self._gate.know(request.transport)
            return await handler(request)
        except TradewindError as error:
            return _problem(_STATUS.get(error.code, 400), error)
        except web.HTTPRequestEntityTooLarge:
            hint = "send less, or a reference to it"
            return _problem(413, exception("out_of_range", f"the request has over {_MOST_BODY_BYTES:,} bytes", hint))
        except (web.RequestPayloadError, HttpProcessingError) as error:
            hint = "send JSON as it is, or compressed as Content-Encoding says"
            return _problem(400, exception("wrong_type", f"the request cannot be read: {error}", hint))
        except web.HTTPNotFound:
            paths = ", ".join(sorted(one.path for one in self._routes()))
            return _problem(404, exception("bad_setting", f"there is no {request.path}", f"there are {paths}"))
        except web.HTTPMethodNotAllowed as error:
            hint = f"use {', '.join(sorted(error.allowed_methods))}"
            return _problem(405, exception("bad_setting", f"{request.path} does not take {request.method}", hint))
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:
            # A defect of ours must not end the session; it is told, and kept with its traceback.
            log.exception("control: %s %s", request.method, request.path)
            return _problem(500, exception("internal", f"{request.path}: {type(error).__name__}: {error}"))

    def _change(self, kind: type[requests.Request], carry_out: Callable[[requests.Request], Done]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            if request.can_read_body and request.content_type != "application/json":
                hint = "send Content-Type: application/json"
                raise exception("wrong_type", f"the request is {request.content_type}, not JSON", hint)
            asked = requests.read(kind, await request.read(), self._commands.names)
            if await _is_given_up(request):
                log.warning("control: %s is not carried out: whoever asked has gone", request.path)
                raise exception("unreachable", "whoever asked has gone")
            return _json(carry_out(asked))

        return handle

    async def _status(self, request: web.Request) -> web.Response:
        return _json(self._observer.status())

    async def _manifest(self, request: web.Request) -> web.Response:
        return _json(self._session.audit.manifest)

    # The audit.

    async def _audit(self, request: web.Request) -> web.StreamResponse:
        """The blocks so far, then those that come, then the hashes at the end."""
        after = _after(request)
        if self.readers >= MOST_READERS:
            raise exception("rate_limited", f"{MOST_READERS} readers follow the audit already", "close one of them")
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, timeout=_LAST_SECONDS, max_msg_size=1_024)
        await socket.prepare(request)
        reader = self._session.audit.reader()
        tasks = [
            asyncio.create_task(self._send(socket, reader, after, self._session.audit.last)),
            asyncio.create_task(self._listen(socket, reader)),
            asyncio.create_task(reader.dropped.wait()),
        ]
        self.readers += 1
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self.readers -= 1
            for error in ended:
                if isinstance(error, Exception):
                    log.error("control: a reader of the audit was let down", exc_info=error)
        if reader.dropped.is_set():
            await _drop(socket, request.transport)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, reader: Reader) -> None:
        """Give the hashes where they are asked for, until the connection ends."""
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "compare":
                self._session.write()
                reader.put(msgspec.json.encode(self._agreement()))

    async def _send(self, socket: web.WebSocketResponse, reader: Reader, after: int, last: int) -> None:
        try:
            if after < last:
                async with contextlib.aclosing(history(self._about.journal)) as blocks:
                    async for block in blocks:
                        if block.first > last:
                            break
                        if block.last > after:
                            await socket.send_bytes(frame_of(block))
            while (item := await reader.next()) is not None:
                if isinstance(item, Block):
                    await socket.send_bytes(frame_of(item))
                else:
                    await socket.send_str(item.decode())
            await socket.send_str(msgspec.json.encode(self._agreement()).decode())
            await socket.close(message=b"the session has ended")
        except ConnectionError:
            log.info("control: a reader of the audit went away")
        except TradewindError as error:
            if not reader.dropped.is_set():
                log.warning("control: %s", error)
                reason = f"{error.code}: {error.message}".encode()[:120]
                await socket.close(code=WSCloseCode.INTERNAL_ERROR, message=reason)

    def _agreement(self) -> Agreement:
        state, decisions = self._session.kernel.hashes
        return Agreement(self._session.audit.last, state, decisions)


async def _is_given_up(request: web.Request) -> bool:
    """Whether whoever asked waits no more: what lay here while the session was held up must not be done now."""
    # The end of a connection is read behind the request, in a turn of the loop of its own.
    for _ in range(_TURNS_TO_THE_END):
        await asyncio.sleep(0)
    return request.transport is None or request.transport.is_closing()


async def _drop(socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
    """Say why a reader is dropped; break off where not even that is read."""
    try:
        async with asyncio.timeout(_LAST_SECONDS):
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"slow_reader")
    except TimeoutError:
        if transport is not None:
            transport.abort()


def _after(request: web.Request) -> int:
    text = request.query.get("after", "0")
    if not text.isdecimal() or len(text) > 18:
        raise exception("bad_setting", f"after={text!r} is not the number of an entry", "leave it out for all of them")
    return int(text)


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def _problem(status: int, error: TradewindError) -> web.Response:
    body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, SystemFileError):
        body["problems"] = [{name: one.to_dict()[name] for name in _TOLD} for one in error.problems]
    return _json(body, status)


_TOLD = ("code", "place", "message", "hint")
