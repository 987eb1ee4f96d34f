"""A WebSocket connection that is kept: made again when it is lost, and overlapped when it is about to be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tradewind.venues.connection.backoff import Backoff, Budget

_HEALTHY_SECONDS = 10.0
_OVERLAP_SECONDS = 15.0
_DRAIN_SECONDS = 1.0
_LARGEST_FRAME = 64 << 20
_TEXT = WSMsgType.TEXT
_FAILURES = (OSError, WSError, TimeoutError, ssl.SSLError)


class Channel(WSListener):
    """One socket, from its handshake to its end."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._fragments: list[bytes] = []
        self._transport: WSTransport | None = None
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_delivering = asyncio.Event()
        self.is_retired = False

    @property
    def has_begun(self) -> bool:
        """Whether the handshake was done."""
        return self._transport is not None

    def send(self, message: bytes) -> bool:
        """Write a text frame now; tells whether there was a socket to write it to."""
        if self._transport is None or self.lost.done() or self._transport.is_disconnected:
            return False
        self._transport.send(_TEXT, message)
        return True

    def close(self) -> None:
        """End it; nothing more is delivered."""
        self.is_retired = True
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Picows: the handshake is done. The first data may be in the same segment."""
        self._transport = transport
        if not self.is_retired:
            self.link.on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Picows: a frame; pings are answered by picows and are no data."""
        if self.is_retired:
            return
        kind = frame.msg_type
        if kind == _TEXT and frame.fin and not self._fragments:
            self.link.on_message(self, frame.get_payload_as_bytes())
        elif kind in (_TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self.link.on_message(self, message)
        elif kind == WSMsgType.CLOSE:
            reason = frame.get_close_message() or b""
            text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            self._end(f"closed by the venue: {frame.get_close_code()} {text}".strip())
            transport.disconnect(graceful=False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Picows: the socket is gone."""
        self._end("the connection was lost")

    def _end(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)


class Link:
    """Keeps one channel open.

    Parameters
    ----------
    url
        Where to connect to, asked each time.
    on_open, on_message, on_lost
        Called with the channel: when it is open, with each message, and when the last one was lost, with the reason.
        A failed attempt to connect is reported as lost too, with no channel.
    budget
        How often may be connected.
    lifetime_seconds
        After nine tenths of this a new channel takes over; zero for no limit.

    """

    def __init__(
        self,
        url: str,
        on_open: Callable[[Channel], None],
        on_message: Callable[[Channel, bytes], None],
        on_lost: Callable[[Channel | None, str], None],
        budget: Budget,
        *,
        lifetime_seconds: float = 0.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self.on_open = on_open
        self.on_message = on_message
        self._on_lost = on_lost
        self._budget = budget
        self._lifetime = lifetime_seconds * 0.9
        self._ssl = ssl_context
        self._backoff = Backoff()
        self._keeper: asyncio.Task[None] | None = None
        self._overtaker: asyncio.Task[None] | None = None
        self.current: Channel | None = None

    def start(self) -> None:
        """Connect, and go on until `close`."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Disconnect for good."""
        for task in (self._overtaker, self._keeper):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self.current is not None:
            self.current.close()
            await asyncio.wait([self.current.lost], timeout=1.0)
            self.current = None

    def replace(self) -> None:
        """Open a new channel beside this one, which ends once the new one delivers."""
        if self._overtaker is None or self._overtaker.done():
            self._overtaker = asyncio.get_running_loop().create_task(self._overtake())

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.current = channel = await self._connect()
            except _FAILURES as error:
                self._on_lost(None, f"{self.url} cannot be reached: {error or type(error).__name__}")
                await asyncio.sleep(self._backoff.next())
                continue
            since = loop.time()
            channel, reason = await self._until_lost(channel)
            self._on_lost(channel, reason)
            if loop.time() - since > _HEALTHY_SECONDS:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next())

    async def _until_lost(self, channel: Channel) -> tuple[Channel, str]:
        """Wait for the end of this channel, or of the one that took over from it; gives the one that was lost."""
        loop = asyncio.get_running_loop()
        while True:
            timer = loop.call_later(self._lifetime, self.replace) if self._lifetime else None
            try:
                reason = await asyncio.shield(channel.lost)
            finally:
                if timer is not None:
                    timer.cancel()
            if self.current is channel or self.current is None:
                return channel, reason
            channel = self.current

    async def _connect(self) -> Channel:
        await self._budget.wait()
        channel = Channel(self)
        try:
            await ws_connect(
                lambda: channel,
                self.url,
                ssl_context=self._ssl,
                enable_auto_ping=True,
                max_frame_size=_LARGEST_FRAME,
            )
            if not channel.has_begun:
                # picows returns as if all were well where the peer hangs up before the handshake is done.
                raise ConnectionResetError("closed during the handshake")
        except BaseException:
            channel.close()
            raise
        return channel

    async def _overtake(self) -> None:
        backoff = Backoff()
        while True:
            channel = None
            try:
                channel = await self._connect()
                await asyncio.wait_for(channel.is_delivering.wait(), _OVERLAP_SECONDS)
            except _FAILURES:
                if channel is not None:
                    channel.close()
                await asyncio.sleep(backoff.next())
                continue
            except asyncio.CancelledError:
                if channel is not None:
                    channel.close()
                raise
            old, self.current = self.current, channel
            # What was asked on the old one may still be answered there.
            await asyncio.sleep(_DRAIN_SECONDS)
            if old is not None:
                old.close()
            return
