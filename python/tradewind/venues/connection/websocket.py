"""A WebSocket connection that is kept: made again when it is lost, and overlapped when it is about to be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tradewind.venues.connection.backoff import Backoff, Budget
from tradewind.venues.connection.failures import failure

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
        self.is_decided = asyncio.Event()
        self.is_delivering = False
        self.is_retired = False

    @property
    def has_begun(self) -> bool:
        """Whether the handshake was done."""
        return self._transport is not None

    @property
    def is_open(self) -> bool:
        """Whether something can be sent on it; where not, its loss has been or will be told."""
        is_gone = self.is_retired or self.lost.done()
        return self._transport is not None and not is_gone and not self._transport.is_disconnected

    def send(self, message: bytes) -> bool:
        """Write a text frame now; tells whether there was a socket to write it to."""
        if self._transport is None or not self.is_open:
            return False
        self._transport.send(_TEXT, message)
        return True

    def deliver(self) -> bool:
        """What it was opened for has come: a successor takes over now. Tells whether this is the current channel."""
        self.is_delivering = self.link.take(self)
        if self.is_delivering:
            self.is_decided.set()
        return self.is_delivering

    def close(self) -> None:
        """End it; nothing more is delivered or sent."""
        self.is_retired = True
        if self._transport is None:
            self.end("it was never open")
        else:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Picows: the handshake is done. The first data may be in the same segment."""
        self._transport = transport
        if self.is_retired:
            transport.disconnect(graceful=False)
        else:
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
            self.end(f"closed by the venue: {frame.get_close_code()} {text}".strip())
            transport.disconnect(graceful=False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Picows: the socket is gone."""
        self.end("the connection was lost")

    def end(self, reason: str) -> None:
        """Nothing is sent on it any more; what was asked on it may still be answered until it is closed."""
        if not self.lost.done():
            self.lost.set_result(reason)
            self.is_decided.set()


class Link:
    """Keeps one channel open.

    At most one is current. Beside it there may be one more: a successor that does not deliver yet, or, for a moment,
    the one that it took over from. A successor takes over when it delivers, in that call, and only from a channel that
    is open. Where the current one is lost before, its successor is given up and a new one is made: there is one way
    back from a loss, and each is told.

    Parameters
    ----------
    url
        Where to connect to, asked each time.
    on_open, on_message, on_lost
        Called with the channel: when it is open, with each message, and when the current one was lost, with the reason.
        A failed attempt to connect, while there is none, is reported as lost too, with no channel.
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
        self._successor: Channel | None = None
        self.current: Channel | None = None

    @property
    def ready(self) -> Channel | None:
        """The current channel, where it delivers."""
        channel = self.current
        return channel if channel is not None and channel.is_delivering and channel.is_open else None

    def start(self) -> None:
        """Connect, and go on until `close`."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Disconnect for good."""
        if self.current is not None:
            self.current.close()
        await _stop(self._keeper)
        await _stop(self._overtaker)
        if self.current is not None:
            await asyncio.wait([self.current.lost], timeout=1.0)
            self.current = None

    def replace(self) -> None:
        """Open a new channel beside the current one, which ends once the new one delivers.

        Where there is no current one, a new one is being made already.
        """
        is_overtaking = self._overtaker is not None and not self._overtaker.done()
        if self.current is not None and self.current.is_open and not is_overtaking:
            self._overtaker = asyncio.get_running_loop().create_task(self._overtake(self.current))

    def take(self, channel: Channel) -> bool:
        """Let a channel that delivers be the current one, if it is that or its successor; tells whether it is."""
        if channel is self._successor and self.current is not None and self.current.is_open:
            self.current.end("another took over")
            self.current, self._successor = channel, None
        return channel is self.current

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.current = channel = Channel(self)
            try:
                await self._open(channel)
            except _FAILURES as error:
                self.current = None
                found = failure(error)
                hint = f" ({found.hint})" if found.hint else ""
                self._on_lost(None, f"{self.url} cannot be reached: {found.text}{hint}")
                await asyncio.sleep(self._backoff.next())
                continue
            since = loop.time()
            channel, reason = await self._until_lost(channel)
            # Nothing is open any more when the loss is told, so that what was not answered will not be.
            channel.close()
            await _stop(self._overtaker)
            self.current = None
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

    async def _open(self, channel: Channel) -> None:
        try:
            await self._budget.wait()
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

    async def _overtake(self, old: Channel) -> None:
        """Open successors of this channel until one takes over; then this one ends."""
        backoff = Backoff()
        try:
            while not await self._succeed():
                await asyncio.sleep(backoff.next())
            # What was asked on the old one may still be answered there.
            await asyncio.sleep(_DRAIN_SECONDS)
        finally:
            if self.current is not old:
                old.close()

    async def _succeed(self) -> bool:
        """Open a successor; tells whether it took over. Where it did not, the old one goes on and no harm was done."""
        self._successor = channel = Channel(self)
        try:
            await self._open(channel)
            await asyncio.wait_for(channel.is_decided.wait(), _OVERLAP_SECONDS)
        except _FAILURES:
            return False
        finally:
            if self._successor is channel:
                self._successor = None
                channel.close()
        return self.current is channel


async def _stop(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
