"""The door: what a connection's first bytes say decides who talks to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.sandbox.entrance import Entrance

_LARGEST_HEAD = 16_384
_HEAD_SECONDS = 10


class Door(asyncio.Protocol):
    """Looks at the first bytes of a connection, and hands it to who talks that way.

    A REST client may ask for a WebSocket on a connection that it used before, so the door stays in between.
    """

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._head = b""
        self._rest: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(_HEAD_SECONDS, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        """They are gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self._rest is not None:
            self._rest.connection_lost(error)

    def eof_received(self) -> bool | None:
        """They have said everything."""
        return self._rest.eof_received() if self._rest is not None else None

    def pause_writing(self) -> None:
        """They do not read fast enough."""
        if self._rest is not None:
            self._rest.pause_writing()

    def resume_writing(self) -> None:
        """They read again."""
        if self._rest is not None:
            self._rest.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Wait for a whole head, and pass on what comes after it."""
        if self._rest is not None and not _upgrades(data):
            self._rest.data_received(data)
            return
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) < _LARGEST_HEAD:
            return
        transport, timer = self._transport, self._timer
        assert transport is not None and timer is not None
        timer.cancel()
        head, self._head = self._head, b""
        if self._entrance.is_closed(head):
            transport.abort()
        elif _upgrades(head):
            if self._rest is not None:
                self._rest.connection_lost(None)
            _hand_over(transport, self._entrance.open_websocket(_address(transport)), head)
        else:
            self._rest = self._entrance.open_rest()
            self._rest.connection_made(transport)
            self._rest.data_received(head)


def _upgrades(data: bytes) -> bool:
    """Whether a request asks for a WebSocket."""
    if data[:4].lower() != b"get ":
        return False
    head = data.partition(b"\r\n\r\n")[0].lower()
    return b"\r\nupgrade: websocket" in head or b"\r\nupgrade:websocket" in head


def _address(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


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
