"""What all WebSocket connections have in common: whole frames out, pings, and an end with a reason."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

_log = logging.getLogger("tradewind.sandbox")
_SHORT, _MEDIUM = 126, 1 << 16
_LARGEST_MESSAGE = 1 << 20
_TEXT, _BINARY = 0x81, b"\x82"
_PART = 50


def framed(payload: bytes) -> bytes:
    r"""A text frame as it goes over the wire, the same to every client: a frame is encoded once.

    Examples
    --------
    >>> framed(b"{}")
    b'\x81\x02{}'

    """
    size = len(payload)
    if size < _SHORT:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < _MEDIUM:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def fragmented(frame: bytes) -> bytes:
    r"""A text frame as several.

    Examples
    --------
    >>> fragmented(framed(b"." * 60))[:2], len(fragmented(framed(b"." * 60)))
    (b'\x012', 64)

    """
    start = 2 if frame[1] < _SHORT else 4 if frame[1] == _SHORT else 10
    payload = frame[start:]
    parts = [payload[at : at + _PART] for at in range(0, len(payload), _PART)]
    last = len(parts) - 1
    heads = ((0x80 if at == last else 0) | (0 if at else 1) for at in range(len(parts)))
    return b"".join(bytes((head, len(part))) + part for head, part in zip(heads, parts, strict=True))


class Connection(WSListener):
    """A WebSocket connection of a client; frames of one round of the loop are written together."""

    def __init__(self, server: Server, address: str) -> None:
        super().__init__()
        self.server = server
        self.address = address
        self.transport: WSTransport | None = None
        self.end_reason = ""
        self._socket: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._pings: deque[tuple[bytes, float]] = deque()
        self._timers: list[asyncio.TimerHandle] = []
        self._parts = bytearray()
        self._is_cut_off = False
        self._loop = asyncio.get_running_loop()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self.transport = transport
        self._socket = transport.underlying_transport
        self.server.connections.add(self)
        limits = self.server.settings.limits
        self._timers = [
            self._loop.call_later(limits.ping_seconds, self._ping),
            self._loop.call_later(limits.connection_seconds, self.announce_end),
        ]

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone."""
        for timer in self._timers:
            timer.cancel()
        self._waiting.clear()
        self._socket = None
        self.server.connections.discard(self)
        self.ended()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; a message may come in several."""
        kind = frame.msg_type
        if self._is_cut_off:
            return
        if kind == WSMsgType.PING:
            if not self.server.faults.fires("unanswered_pings"):
                transport.send_pong(frame.get_payload_as_bytes())
            self.counted()
        elif kind == WSMsgType.PONG:
            self._pong(frame.get_payload_as_bytes())
            self.counted()
        elif kind == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK, b"")
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._part(frame)
        else:
            self.end(WSCloseCode.UNSUPPORTED_DATA, "binary frames are not understood")

    def _part(self, frame: WSFrame) -> None:
        if frame.fin and not self._parts:
            self.received(frame.get_payload_as_bytes())
            return
        self._parts += frame.get_payload_as_bytes()
        if len(self._parts) > _LARGEST_MESSAGE:
            self._parts.clear()
            self.end(WSCloseCode.MESSAGE_TOO_BIG, "a message is too big")
        elif frame.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            self.received(whole)

    # What kinds of connections differ in

    def received(self, message: bytes) -> None:
        """A whole message came."""
        raise NotImplementedError

    def counted(self) -> None:
        """A control frame came; some connections count them."""

    def ended(self) -> None:
        """The connection is gone."""

    def farewell(self) -> bytes:
        """The message that says that the server is about to close the connection."""
        raise NotImplementedError

    # Sending

    def send(self, frame: bytes) -> None:
        """Send a whole frame, with the others of this round; who does not read is dropped."""
        if self._socket is None or self._is_cut_off:
            return
        if not self._waiting:
            self._loop.call_soon(self._flush)
        if self.server.faults.active:
            frame = self._misframed(frame)
        self._waiting.append(frame)

    def send_now(self, frame: bytes) -> None:
        """Send a frame at once, after what waits."""
        self._waiting.append(frame)
        self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._socket is None or not waiting:
            return
        if self._socket.get_write_buffer_size() > self.server.settings.limits.backlog_bytes:
            self.drop("it reads too slowly")
            return
        self._socket.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def end(self, code: WSCloseCode, reason: str) -> None:
        """Close the connection in good order."""
        self.end_reason = reason
        if self.transport is not None and not self.transport.is_close_frame_sent:
            self._flush()
            self.transport.send_close(code, reason.encode())
            self.transport.disconnect()

    def drop(self, reason: str) -> None:
        """Close the connection at once; what was not read is lost."""
        self.end_reason = reason
        _log.warning("dropped a connection of %s: %s", self.address, reason)
        if self._socket is not None:
            self._socket.abort()

    def hang_up(self) -> None:
        """Close the connection without a word, after what was sent."""
        if self._socket is not None:
            self._socket.close()

    def cut_off(self) -> None:
        """Let nothing pass any more, in neither direction, and say nothing of it."""
        self._is_cut_off = True
        for timer in self._timers:
            timer.cancel()

    def _misframed(self, frame: bytes) -> bytes:
        """A frame as the faults that are on want it."""
        faults = self.server.faults
        is_text = frame[0] == _TEXT
        if is_text and faults.fires("fragmented_frames"):
            return fragmented(frame)
        return _BINARY + frame[1:] if is_text and faults.fires("binary_frames") else frame

    def announce_end(self) -> None:
        """Say that the connection is about to be closed, and close it a little later."""
        self.send(framed(self.farewell()))
        notice_seconds = self.server.notice_seconds
        self._timers.append(
            self._loop.call_later(notice_seconds, self.end, WSCloseCode.GOING_AWAY, "the connection is too old")
        )

    # Pings

    def _ping(self) -> None:
        limits = self.server.settings.limits
        now = self._loop.time()
        if self._pings and now - self._pings[0][1] >= limits.pong_seconds:
            self.end_reason = "it does not answer pings"
            self.drop(self.end_reason)
            return
        payload = str(self.server.clock.now_ns() // 1_000_000).encode()
        self._pings.append((payload, now))
        if self.transport is not None:
            self.transport.send_ping(payload)
        self._timers[0] = self._loop.call_later(limits.ping_seconds, self._ping)

    def _pong(self, payload: bytes) -> None:
        """A pong answers a ping with the same payload, and those before it."""
        if self.server.faults.fires("ignored_pongs"):
            return
        if any(payload == sent for sent, _ in self._pings):
            while self._pings.popleft()[0] != payload:
                pass
