"""Bybit v5: public market data."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec

from tradewind._core import BybitDecoder
from tradewind.errors import exception
from tradewind.instruments import InstrumentFields
from tradewind.times import duration_ns
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.connection.rest import Rest
from tradewind.venues.connection.subscriptions import Subscriptions
from tradewind.venues.connection.websocket import Link
from tradewind.venues.constants import constants
from tradewind.venues.interface import StreamName
from tradewind.venues.sink import MarketSink
from tradewind.venues.streaming import Gap, StreamingMarketData

_Answer = TypeVar("_Answer")
_MILLISECOND_NS = 1_000_000
_MINUTE_NS = 60_000_000_000
_MINUTES = (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)
_DAYS = {"1d": "D", "7d": "W"}
_PAGE = 1_000
_REGULAR_FEES = {"spot": ("0.001", "0.001"), "linear": ("0.0002", "0.00055")}


class BybitMarketData(StreamingMarketData):
    """Trades, quotes, books, bars, and of linear contracts marks and funding, of Bybit v5.

    Parameters
    ----------
    category
        ``"spot"`` or ``"linear"``: the venue is called ``bybit_spot`` or ``bybit_linear``.
    stream_url, rest_url
        Where it is; Bybit itself where they are not stated.
    clock
        The venue's clock.

    Examples
    --------
    >>> BybitMarketData("linear").venue
    'bybit_linear'

    """

    decoder: BybitDecoder

    def __init__(
        self,
        category: Literal["spot", "linear"],
        *,
        stream_url: str = "",
        rest_url: str = "",
        clock: VenueClock | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        words = constants("bybit")
        clock = clock or VenueClock()
        limits = words["rest"]
        rest = Rest(
            rest_url or words["urls"]["rest"],
            clock,
            weights=limits["weights"],
            weight_per_minute=limits["weight_per_minute"],
            ssl_context=ssl_context,
        )
        url = f"{(stream_url or words['urls']['stream']).rstrip('/')}/{category}"
        super().__init__(f"bybit_{category}", words, url, rest, clock)
        self.ssl_context = ssl_context
        self._category = category
        if category == "linear":
            self.offers = (*self.offers, "marks", "funding")

    async def start(self, sink: MarketSink) -> None:
        """Connect, and ping as Bybit wants it."""
        await super().start(sink)
        self.in_background(self._ping())

    async def instruments(self, symbols: Sequence[str] = ()) -> list[InstrumentFields]:
        """Read grid and limits of these symbols, or of all; fees are the regular user's of 2026-07."""
        found: list[InstrumentFields] = []
        wanted: dict[str, Any] = {"category": self._category, "limit": _PAGE}
        if len(symbols) == 1:
            wanted["symbol"] = symbols[0]
        while True:
            page, cursor = await self._ask("/v5/market/instruments-info", self._specifications, wanted)
            found += [one for one in page if not symbols or one.symbol in symbols]
            if not cursor:
                return found
            wanted["cursor"] = cursor

    async def history(self, stream: StreamName, from_ns: int, to_ns: int, sink: MarketSink) -> None:
        """Push closed bars between two times."""
        if stream.kind != "bars":
            raise exception("missing_stream", f"{stream}: Bybit keeps no history of it", "bars have one")
        length_ns = duration_ns(stream.interval)
        start, end = -(-from_ns // _MILLISECOND_NS), (to_ns - length_ns) // _MILLISECOND_NS
        step = length_ns // _MILLISECOND_NS * _PAGE
        while start <= end:
            parameters = {
                "category": self._category,
                "symbol": stream.symbol,
                "interval": _interval(stream),
                "limit": _PAGE,
            }
            last = min(start + step - 1, end)
            rows = await self._ask("/v5/market/kline", _bars, parameters | {"start": start, "end": last})
            for opened, first, high, low, close, volume in reversed(rows):
                sink.bar(
                    stream.instrument, interval=stream.interval, open_time_ns=int(opened) * _MILLISECOND_NS,
                    open=first, high=high, low=low, close=close, volume=volume,
                )  # fmt: skip
            start = last + 1

    def make_decoder(self, sink: MarketSink) -> BybitDecoder:
        """Build the decoder that fills the sink's inbox."""
        return BybitDecoder(sink.inbox, [])

    def topic(self, stream: StreamName) -> str:
        """What Bybit calls a stream; marks and funding come by one topic."""
        names = {
            "trades": "publicTrade",
            "quotes": "orderbook.1",
            "book": f"orderbook.{self.words['stream']['depth']}",
            "bars": f"kline.{_interval(stream)}" if stream.kind == "bars" else "",
            "marks": "tickers",
            "funding": "tickers",
        }
        if stream.kind in ("marks", "funding") and self._category == "spot":
            raise exception("missing_stream", f"{stream}: a spot market has none")
        return f"{names[stream.kind]}.{stream.symbol}"

    def render(self, is_wanted: bool, topics: list[str], number: int) -> bytes:
        """Render the message that subscribes to topics, or leaves them."""
        return msgspec.json.encode(
            {"req_id": str(number), "op": "subscribe" if is_wanted else "unsubscribe", "args": topics}
        )

    def control(self, link: Link, subscriptions: Subscriptions, message: bytes) -> None:
        """Answers to subscriptions; those to pings need none."""
        answer = msgspec.json.decode(message)
        number = str(answer.get("req_id") or "")
        if answer.get("op") in ("subscribe", "unsubscribe") and number.isdecimal():
            subscriptions.answered(int(number), "" if answer.get("success") else str(answer.get("ret_msg")))

    def broken(self) -> Sequence[Gap]:
        """Gaps of trades and books: their numbers do not follow each other."""
        return self.decoder.take_broken()

    async def latest(self, stream: StreamName) -> list[int]:
        """Ask how far a stream should have come; nothing comparable is told of books, marks and funding."""
        wanted = {"category": self._category, "symbol": stream.symbol}
        if stream.kind == "quotes":
            return await self._ask(
                "/v5/market/orderbook", lambda book: self._fixed(stream, book), wanted | {"limit": 1}
            )
        if stream.kind == "bars":
            bars = wanted | {"interval": _interval(stream), "limit": 2}
            return await self._ask("/v5/market/kline", _last_closed_bar, bars)
        if stream.kind == "trades":
            return await self._ask("/v5/market/recent-trade", _last_trade, wanted | {"limit": 1})
        return []

    async def ask_clock(self) -> None:
        """Ask Bybit for its time."""
        await self.rest.observe_clock("/v5/market/time", lambda answer: int(answer["result"]["timeNano"]))

    async def _ask(self, path: str, reader: Callable[[Any], _Answer], parameters: dict[str, Any]) -> _Answer:
        """Bybit refuses in bodies that came well."""

        def read(answer: dict[str, Any]) -> _Answer:
            if answer["retCode"] != 0:
                raise exception("venue_refused", f"{path}: {answer['retCode']} {answer.get('retMsg')}")
            return reader(answer["result"])

        return await self.rest.read(path, read, parameters)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self.words["stream"]["ping_seconds"])
            for channel in list(self._channels):
                channel.send(b'{"op":"ping"}')

    def _fixed(self, stream: StreamName, book: dict[str, Any]) -> list[int]:
        one = self.sink.inbox.instrument(stream.instrument)
        levels = [level for side in ("b", "a") for level in book[side][:1]]
        return [
            int(Decimal(text).scaleb(decimals))
            for level in levels
            for text, decimals in zip(level, (one.price_decimals, one.quantity_decimals), strict=False)
        ]

    def _specifications(self, page: dict[str, Any]) -> tuple[list[InstrumentFields], str]:
        """The specifications of a page of spot pairs or perpetuals, and what leads to the next."""
        is_ours = [one for one in page["list"] if one.get("contractType", "LinearPerpetual") == "LinearPerpetual"]
        return [self._fields(one) for one in is_ours], str(page.get("nextPageCursor") or "")

    def _fields(self, one: dict[str, Any]) -> InstrumentFields:
        sizes, maker_taker = one["lotSizeFilter"], _REGULAR_FEES[self._category]
        common: dict[str, Any] = {
            "venue": self.venue,
            "symbol": one["symbol"],
            "base": one["baseCoin"],
            "quote": one["quoteCoin"],
            "tick": one["priceFilter"]["tickSize"],
            "minimum_quantity": sizes["minOrderQty"],
            "maker_fee": maker_taker[0],
            "taker_fee": maker_taker[1],
            "source": "GET /v5/market/instruments-info; fees of a regular user of 2026-07",
        }
        if self._category == "spot":
            lot = sizes["basePrecision"]
            return InstrumentFields(**common, kind="spot", lot=lot, minimum_notional=sizes["minOrderAmt"])
        leverage = Decimal(one["leverageFilter"]["maxLeverage"])
        initial = (1 / leverage).quantize(Decimal("1e-9"))
        return InstrumentFields(
            **common,
            kind="linear_perpetual",
            settlement=one["settleCoin"],
            lot=sizes["qtyStep"],
            minimum_notional=sizes.get("minNotionalValue", "0"),
            initial_margin=initial,
            maintenance_margin=initial / 2,
        )


def _bars(page: dict[str, Any]) -> list[tuple[str, str, str, str, str, str]]:
    """The opening and the five numbers of each bar, the newest first."""
    return msgspec.convert([row[:6] for row in page["list"]], list[tuple[str, str, str, str, str, str]])


def _last_closed_bar(page: dict[str, Any]) -> list[int]:
    rows = page["list"]
    return [int(rows[-1][0]) * _MILLISECOND_NS] if len(rows) == 2 else []


def _last_trade(page: dict[str, Any]) -> list[int]:
    rows = page["list"]
    return [int(rows[0]["time"]) * _MILLISECOND_NS] if rows else []


def _interval(stream: StreamName) -> str:
    """Bybit counts minutes."""
    if stream.interval in _DAYS:
        return _DAYS[stream.interval]
    minutes, rest = divmod(duration_ns(stream.interval), _MINUTE_NS)
    if rest or minutes not in _MINUTES:
        raise exception(
            "bad_setting", f"{stream}: Bybit has no such bars", "1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d, 7d"
        )
    return str(minutes)
