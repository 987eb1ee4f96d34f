"""Binance Spot: market data."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tradewind._core import BinanceDecoder
from tradewind.errors import exception
from tradewind.instruments import InstrumentFields, load
from tradewind.times import duration_ns
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.connection.rest import Rest
from tradewind.venues.connection.subscriptions import Subscriptions
from tradewind.venues.connection.websocket import Link
from tradewind.venues.constants import constants
from tradewind.venues.interface import StreamName
from tradewind.venues.sink import MarketSink
from tradewind.venues.streaming import StreamingMarketData

_VENUE = "binance_spot"
_INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "7d")
_SUFFIXES = {"trades": "trade", "quotes": "bookTicker", "book": "depth@100ms", "bars": "kline_"}
_PAGE = 1_000
_MILLISECOND_NS = 1_000_000


class _Trade(msgspec.Struct):
    """A trade as the history tells it."""

    id: int
    price: str
    quantity: str = msgspec.field(name="qty")
    time_ms: int = msgspec.field(name="time")
    is_buyer_maker: bool = msgspec.field(name="isBuyerMaker")


class BinanceSpotMarketData(StreamingMarketData):
    """Trades, quotes, books and bars of Binance Spot.

    Parameters
    ----------
    stream_url, rest_url
        Where it is; Binance itself where they are not stated, a sandbox or testnet otherwise.
    clock
        The venue's clock, to be shared with its execution and the session.
    silence_seconds
        By kind of stream, after how long a silence the venue is asked whether there was anything to say.

    Examples
    --------
    >>> BinanceSpotMarketData(stream_url="ws://127.0.0.1:9777", rest_url="http://127.0.0.1:9777").venue
    'binance_spot'

    """

    decoder: BinanceDecoder
    numbers_trades = True

    def __init__(
        self,
        *,
        stream_url: str = "",
        rest_url: str = "",
        clock: VenueClock | None = None,
        silence_seconds: Mapping[str, float] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        words = constants(_VENUE)
        words = words | {"silence": words["silence"] | dict(silence_seconds or {})}
        clock = clock or VenueClock()
        rest = make_rest(rest_url, clock, ssl_context=ssl_context)
        super().__init__(_VENUE, words, f"{(stream_url or words['urls']['stream']).rstrip('/')}/stream", rest, clock)
        self.ssl_context = ssl_context

    async def instruments(self, symbols: Sequence[str] = ()) -> list[InstrumentFields]:
        """Read grid and limits of these symbols, or of all; fees are the regular user's, as packaged."""
        parameters = {"symbols": msgspec.json.encode(list(symbols)).decode()} if symbols else {}
        return await self.rest.read("/api/v3/exchangeInfo", _specifications, parameters)

    async def history(self, stream: StreamName, from_ns: int, to_ns: int, sink: MarketSink) -> None:
        """Push closed bars, or trades: one by one with their numbers, as they were streamed."""
        if stream.kind == "bars":
            await self._bars(stream, from_ns, to_ns, sink)
        elif stream.kind == "trades":
            await self._trades(stream, from_ns, to_ns, sink)
        else:
            raise exception("missing_stream", f"{stream}: Binance keeps no history of it", "bars and trades have one")

    def make_decoder(self, sink: MarketSink) -> BinanceDecoder:
        """Build the decoder that fills the sink's inbox."""
        return BinanceDecoder(sink.inbox, [], self.words["stream"]["continuity"])

    def topic(self, stream: StreamName) -> str:
        """What Binance calls a stream."""
        if stream.kind not in _SUFFIXES:
            raise exception(
                "missing_stream", f"{stream}: Binance Spot has no such stream", f"one of {', '.join(_SUFFIXES)}"
            )
        if stream.interval and stream.interval not in _INTERVALS:
            raise exception("bad_setting", f"{stream}: Binance has no such bars", f"one of {', '.join(_INTERVALS)}")
        return f"{stream.symbol.lower()}@{_SUFFIXES[stream.kind]}{_interval(stream)}"

    def render(self, is_wanted: bool, topics: list[str], number: int) -> bytes:
        """Render the message that subscribes to topics, or leaves them."""
        method = "SUBSCRIBE" if is_wanted else "UNSUBSCRIBE"
        return msgspec.json.encode({"method": method, "params": topics, "id": number})

    def control(self, link: Link, subscriptions: Subscriptions, message: bytes) -> None:
        """Answers to subscriptions, and the notice that the server goes down."""
        answer = msgspec.json.decode(message)
        number = answer.get("id")
        if isinstance(number, int):
            problem = answer.get("error", answer if "code" in answer else None)
            subscriptions.answered(number, str(problem.get("msg", problem)) if isinstance(problem, dict) else "")
        elif "serverShutdown" in (answer.get("e"), (answer.get("data") or {}).get("e")):
            link.replace()

    async def latest(self, stream: StreamName) -> list[int]:
        """Ask how far a stream should have come."""
        parameters: dict[str, Any] = {"symbol": stream.symbol}
        if stream.kind == "trades":
            return await self.rest.read("/api/v3/aggTrades", _last_trade, parameters | {"limit": 1})
        if stream.kind == "book":
            return await self.rest.read("/api/v3/depth", _last_update, parameters | {"limit": 1})
        if stream.kind == "quotes":
            return await self.rest.read(
                "/api/v3/ticker/bookTicker", lambda quote: self._fixed(stream, quote), parameters
            )
        bars = parameters | {"interval": _interval(stream), "limit": 2}
        return await self.rest.read("/api/v3/klines", _last_closed_bar, bars)

    async def resync(self, symbol: str) -> bool:
        """Ask for a snapshot, from which the changes that wait are followed."""
        limit = self.words["stream"].get("snapshot_levels", 5_000)
        body = await self.rest.get_bytes("/api/v3/depth", {"symbol": symbol, "limit": limit})
        arrival_ns = self.clock()
        fate = self.decoder.snapshot(symbol, body, arrival_ns)
        if fate == "taken":
            self.sink.on_rows()
            if self.sink.tap is not None:
                self.sink.tap.snapshot(symbol, arrival_ns, body)
        return fate != "too_old"

    async def ask_clock(self) -> None:
        """Ask Binance for its time."""
        await self.rest.observe_clock("/api/v3/time", server_time_ns)

    def _fixed(self, stream: StreamName, quote: dict[str, str]) -> list[int]:
        one = self.sink.inbox.instrument(stream.instrument)
        decimals = {"Price": one.price_decimals, "Qty": one.quantity_decimals}
        return [
            int(Decimal(quote[f"{side}{part}"]).scaleb(decimals[part]))
            for side in ("bid", "ask")
            for part in ("Price", "Qty")
        ]

    async def _bars(self, stream: StreamName, from_ns: int, to_ns: int, sink: MarketSink) -> None:
        length_ns = duration_ns(stream.interval)
        start, end = -(-from_ns // _MILLISECOND_NS), (to_ns - length_ns) // _MILLISECOND_NS
        while start <= end:
            parameters = {"symbol": stream.symbol, "interval": _interval(stream), "limit": _PAGE}
            rows = await self.rest.read("/api/v3/klines", _bars, parameters | {"startTime": start, "endTime": end})
            for opened, first, high, low, close, volume in rows:
                sink.bar(
                    stream.instrument, interval=stream.interval, open_time_ns=opened * _MILLISECOND_NS,
                    open=first, high=high, low=low, close=close, volume=volume,
                )  # fmt: skip
            if len(rows) < _PAGE:
                return
            start = rows[-1][0] + 1

    async def _trades(self, stream: StreamName, from_ns: int, to_ns: int, sink: MarketSink) -> None:
        symbol: dict[str, Any] = {"symbol": stream.symbol}
        # Single trades are found by their number only, and the number by the time of an aggregate.
        times = {"startTime": -(-from_ns // _MILLISECOND_NS), "endTime": to_ns // _MILLISECOND_NS, "limit": 1}
        number = await self.rest.read("/api/v3/aggTrades", _first_trade, symbol | times)
        while number is not None:
            page = symbol | {"fromId": number, "limit": _PAGE}
            rows = await self.rest.read("/api/v3/historicalTrades", _trades, page)
            for row in rows:
                venue_ns = row.time_ms * _MILLISECOND_NS
                if venue_ns >= to_ns:
                    return
                if venue_ns < from_ns:
                    continue  # the aggregate began earlier
                sink.trade(
                    stream.instrument, venue_time_ns=venue_ns, price=row.price, quantity=row.quantity,
                    aggressor="sell" if row.is_buyer_maker else "buy", id=row.id,
                )  # fmt: skip
            number = rows[-1].id + 1 if len(rows) == _PAGE else None


def make_rest(url: str, clock: VenueClock, **more: Any) -> Rest:
    """Build a client of Binance Spot's REST interface."""
    words = constants(_VENUE)
    limits = words["rest"]
    return Rest(
        url or words["urls"]["rest"],
        clock,
        weights=limits["weights"],
        patient=limits["patient"],
        weight_per_minute=limits["weight_per_minute"],
        weight_header=limits["weight_header"],
        **more,
    )


def _interval(stream: StreamName) -> str:
    """What Binance calls the length of a stream's bars."""
    return "1w" if stream.interval == "7d" else stream.interval


def server_time_ns(answer: Any) -> int:
    """The middle of the millisecond that the venue told."""
    return int(answer["serverTime"]) * _MILLISECOND_NS + _MILLISECOND_NS // 2


def _specifications(answer: dict[str, Any]) -> list[InstrumentFields]:
    return [_fields(one) for one in answer["symbols"] if one.get("isSpotTradingAllowed", True)]


def _last_trade(trades: list[dict[str, Any]]) -> list[int]:
    return [int(trades[-1]["l"])] if trades else []


def _last_update(book: dict[str, Any]) -> list[int]:
    return [int(book["lastUpdateId"])]


def _last_closed_bar(bars: list[list[Any]]) -> list[int]:
    return [int(bars[0][0]) * _MILLISECOND_NS] if len(bars) == 2 else []


def _bars(rows: list[list[Any]]) -> list[tuple[int, str, str, str, str, str]]:
    """The opening and the five numbers of each bar."""
    return msgspec.convert([row[:6] for row in rows], list[tuple[int, str, str, str, str, str]])


def _first_trade(aggregates: list[dict[str, Any]]) -> int | None:
    return int(aggregates[0]["f"]) if aggregates else None


def _trades(rows: Any) -> list[_Trade]:
    return msgspec.convert(rows, list[_Trade])


def _fields(symbol: dict[str, Any]) -> InstrumentFields:
    filters = {one["filterType"]: one for one in symbol["filters"]}
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    regular = load("binance_spot:BTCUSDT")
    return InstrumentFields(
        venue=_VENUE,
        symbol=symbol["symbol"],
        kind="spot",
        base=symbol["baseAsset"],
        quote=symbol["quoteAsset"],
        settlement=symbol["quoteAsset"],
        price_decimals=symbol["quotePrecision"],
        quantity_decimals=symbol["baseAssetPrecision"],
        tick=Decimal(filters["PRICE_FILTER"]["tickSize"]),
        lot=Decimal(filters["LOT_SIZE"]["stepSize"]),
        minimum_quantity=Decimal(filters["LOT_SIZE"]["minQty"]),
        minimum_notional=Decimal(notional["minNotional"]),
        maker_fee=regular.maker_fee,
        taker_fee=regular.taker_fee,
        source="GET /api/v3/exchangeInfo; fees of a regular user as packaged",
    )
