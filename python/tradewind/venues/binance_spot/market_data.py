"""The market streams of Binance Spot."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

import aiohttp
import msgspec

from tradewind.errors import exception
from tradewind.venues.backoff import Backoff
from tradewind.venues.binance_spot.book import BookSequence, Depth, Snapshot
from tradewind.venues.binance_spot.protocol import LIMITS, MILLISECOND_NS, STREAMS, Urls, server_offset_ns
from tradewind.venues.interface import MarketSink, Side, Subscription


class _Trade(msgspec.Struct):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _Quote(msgspec.Struct):
    s: str
    b: str
    B: str
    a: str
    A: str


class _Frame(msgspec.Struct):
    """A frame of a combined stream, an answer to a command, or a notice."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    code: int | None = None
    msg: str = ""


_FRAME = msgspec.json.Decoder(_Frame)
_TRADE = msgspec.json.Decoder(_Trade)
_QUOTE = msgspec.json.Decoder(_Quote)
_DEPTH = msgspec.json.Decoder(Depth)
_SNAPSHOT = msgspec.json.Decoder(Snapshot)


class BinanceSpotMarketData:
    """Trades, best bids and offers, and books, over combined streams.

    Parameters
    ----------
    urls
        Where the venue is.

    """

    def __init__(self, urls: Urls | None = None) -> None:
        self._urls = urls or Urls()
        self._books: dict[str, BookSequence] = {}
        self._resyncs: dict[str, asyncio.Task[None]] = {}
        self._last_trade: dict[str, int] = {}

    async def server_offset_ns(self) -> int:
        """How far the venue's clock is ahead of ours."""
        return await server_offset_ns(self._urls)

    async def run(self, subscriptions: Iterable[Subscription], sink: MarketSink) -> None:
        """Feed the sink until cancelled, through every disconnect."""
        wanted = list(subscriptions)
        for one in wanted:
            if one.kind not in STREAMS:
                message = f"Binance Spot has no stream {one.kind} of {one.symbol}"
                raise exception("missing_stream", message, f"there are {', '.join(STREAMS)}")
        names = [f"{one.symbol.lower()}@{STREAMS[one.kind]}" for one in wanted]
        most = LIMITS["streams_per_connection"]
        if len(names) > most:
            raise exception("bad_setting", f"{len(names)} streams: Binance allows {most} on a connection")
        backoff = Backoff()
        async with aiohttp.ClientSession(connector=self._urls.connector()) as client:
            while True:
                try:
                    await self._connection(client, names, sink, backoff)
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    sink.misread(f"connection: {type(error).__name__}: {error}")
                finally:
                    self._drop(sink)
                await asyncio.sleep(backoff.next_seconds())

    async def _connection(
        self, client: aiohttp.ClientSession, names: list[str], sink: MarketSink, backoff: Backoff
    ) -> None:
        """One connection, until it ends."""
        url = f"{self._urls.stream}/stream?streams={'/'.join(names)}"
        silent = aiohttp.ClientWSTimeout(ws_receive=LIMITS["silent_seconds"], ws_close=2)
        ends = time.monotonic() + LIMITS["life_seconds"]
        # The client answers the server's pings itself, with the payload that the venue asks for.
        async with client.ws_connect(url, timeout=silent, max_msg_size=64 * 2**20, compress=0) as socket:
            for name in names:
                if name.endswith(STREAMS["book"]):
                    self._resync(client, name.split("@")[0].upper(), sink)
            sink.connected(is_connected=True)
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                backoff.reset()
                if not self._take(client, message.data, sink) or time.monotonic() > ends:
                    return

    def _drop(self, sink: MarketSink) -> None:
        sink.connected(is_connected=False)
        for task in self._resyncs.values():
            task.cancel()
        self._resyncs.clear()
        for book in self._books.values():
            book.lose()

    def _take(self, client: aiohttp.ClientSession, text: str, sink: MarketSink) -> bool:
        """Take a frame; false where the venue announces the end of the connection."""
        try:
            frame = _FRAME.decode(text)
            kind = frame.stream.partition("@")[2]
            if kind == "trade":
                self._trade(_TRADE.decode(frame.data), sink)
            elif kind == "bookTicker":
                quote = _QUOTE.decode(frame.data)
                sink.quote(quote.s, None, quote.b, quote.B, quote.a, quote.A)
            elif kind.startswith("depth"):
                self._depth(client, _DEPTH.decode(frame.data), sink)
            elif frame.stream == "!serverShutdown" or '"serverShutdown"' in text:
                return False
            elif frame.code is not None:
                sink.misread(f"the venue answered {frame.code}: {frame.msg}")
        except msgspec.DecodeError as error:
            sink.misread(f"{error}: {text[:200]}")
        return True

    def _trade(self, trade: _Trade, sink: MarketSink) -> None:
        # After a reconnect the venue may repeat trades that were seen.
        if trade.t <= self._last_trade.get(trade.s, -1):
            return
        self._last_trade[trade.s] = trade.t
        side: Side = "sell" if trade.m else "buy"
        sink.trade(trade.s, trade.T * MILLISECOND_NS, trade.p, trade.q, side, trade.t)

    def _depth(self, client: aiohttp.ClientSession, depth: Depth, sink: MarketSink) -> None:
        book = self._books.setdefault(depth.s, BookSequence())
        verdict = book.take(depth)
        if verdict == "apply":
            sink.book(depth.s, depth.E * MILLISECOND_NS, _levels(depth.b, depth.a), snapshot=False)
        elif verdict == "gap":
            self._resync(client, depth.s, sink)

    def _resync(self, client: aiohttp.ClientSession, symbol: str, sink: MarketSink) -> None:
        """Fetch a snapshot, unless that is under way."""
        self._books.setdefault(symbol, BookSequence())
        sink.stale(symbol, "book", is_stale=True)
        task = self._resyncs.get(symbol)
        if task is None or task.done():
            self._resyncs[symbol] = asyncio.get_running_loop().create_task(self._snapshot(client, symbol, sink))

    async def _snapshot(self, client: aiohttp.ClientSession, symbol: str, sink: MarketSink) -> None:
        backoff = Backoff()
        url = f"{self._urls.rest}/api/v3/depth"
        parameters = {"symbol": symbol, "limit": str(LIMITS["snapshot_levels"])}
        while True:
            with contextlib.suppress(TimeoutError):
                try:
                    async with client.get(url, params=parameters, timeout=aiohttp.ClientTimeout(total=10)) as answer:
                        answer.raise_for_status()
                        snapshot = _SNAPSHOT.decode(await answer.read())
                        later = self._books[symbol].begin(snapshot)
                        if later is not None:
                            sink.book(symbol, None, _levels(snapshot.bids, snapshot.asks), snapshot=True)
                            for depth in later:
                                sink.book(symbol, None, _levels(depth.b, depth.a), snapshot=False)
                            sink.stale(symbol, "book", is_stale=False)
                            return
                except aiohttp.ClientResponseError as error:
                    sink.misread(f"the snapshot of {symbol}: HTTP {error.status}")
                    after = "0" if error.headers is None else error.headers.get("Retry-After", "0")
                    await asyncio.sleep(float(after) if after.isdecimal() else 0)
                except (aiohttp.ClientError, OSError, msgspec.DecodeError) as error:
                    sink.misread(f"the snapshot of {symbol}: {type(error).__name__}: {error}")
            await asyncio.sleep(backoff.next_seconds())


def _levels(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> list[tuple[Side, str, str]]:
    levels: list[tuple[Side, str, str]] = [("buy", price, quantity) for price, quantity in bids]
    levels += [("sell", price, quantity) for price, quantity in asks]
    return levels
