"""Market data of a venue without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from tradewind._core import Bar, Funding, Inbox, Index, Mark, Trade
from tradewind.dataset import definition
from tradewind.errors import exception
from tradewind.venues.binance_spot import BinanceSpotMarketData
from tradewind.venues.bybit import BybitMarketData
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.interface import ClockStatus, MarketData, StreamKind, StreamName, StreamStatus
from tradewind.venues.sink import MarketSink

_VENUES: dict[str, Callable[..., MarketData]] = {
    "binance_spot": BinanceSpotMarketData,
    "bybit_spot": lambda **where: BybitMarketData("spot", **where),
    "bybit_linear": lambda **where: BybitMarketData("linear", **where),
}

_KINDS: dict[type, StreamKind] = {Trade: "trades", Bar: "bars", Mark: "marks", Funding: "funding"}


def market_data(venue: str, **where: Any) -> MarketData:
    """Build the market data of a venue that comes with Tradewind; `where` are its URLs and clock."""
    if venue not in _VENUES:
        raise exception(
            "unknown_venue", f"there is no venue {venue!r}", f"one of {', '.join(_VENUES)}, or one of your own"
        )
    return _VENUES[venue](**where)


async def stream(
    venue: str | MarketData,
    *,
    trades: Sequence[str] = (),
    quotes: Sequence[str] = (),
    book: Sequence[str] = (),
    bars: Sequence[str] = (),
    marks: Sequence[str] = (),
    funding: Sequence[str] = (),
    url: str = "",
    rest_url: str = "",
    statuses: bool = False,
) -> AsyncGenerator[Any, None]:
    """Yield the market events of a venue as they come, for as long as one takes them.

    Parameters
    ----------
    venue
        Such as ``"binance_spot"``, or market data of one's own.
    trades, quotes, book, bars, marks, funding
        Symbols of which these are wanted; bars as ``"BTCUSDT@1m"``.
    url, rest_url
        Where the venue is, if not at its own address. Of a URL alone the REST interface is at the same place.
    statuses
        Whether changes of the streams' states are yielded too (`StreamStatus`): gaps and stale streams show only there.

    Examples
    --------
    >>> async def watch():
    ...     async for trade in stream("binance_spot", trades=["BTCUSDT"]):
    ...         print(trade.price, trade.quantity)

    """
    clock = VenueClock()
    if isinstance(venue, str):
        rest_url = rest_url or url.replace("ws", "http", 1)
        venue = market_data(venue, stream_url=url, rest_url=rest_url, clock=clock)
    wanted: dict[StreamKind, Sequence[str]] = {
        "trades": trades, "quotes": quotes, "book": book, "bars": bars, "marks": marks, "funding": funding,
    }  # fmt: skip
    for kind, symbols in wanted.items():
        if isinstance(symbols, str):
            raise exception("wrong_type", f"{kind} = {symbols!r} is not a list", f'write {kind}=["{symbols}"]')
    names = [_name(venue.venue, kind, symbol) for kind, symbols in wanted.items() for symbol in symbols]
    if not names:
        raise exception("missing_setting", "no stream is named", 'such as trades=["BTCUSDT"]')
    try:
        fields = await venue.instruments(sorted({name.symbol for name in names}))
        index = Index([definition(one) for one in fields])
        for name in names:
            index.instrument(name.instrument)
        inbox = Inbox(index)
        events: list[Any] = []
        fresh = asyncio.Event()

        def take() -> list[Any]:
            return [event for event in inbox.take_events() if _is_wanted(event, names)]

        def on_status(status: StreamStatus | ClockStatus) -> None:
            if statuses:
                rows = take()
                # The row behind a gap is in the inbox when the gap is told.
                behind = rows[-1:] if rows and _is_behind(rows[-1], status) else []
                events.extend([*rows[: len(rows) - len(behind)], status, *behind])
                fresh.set()

        await venue.start(MarketSink(inbox, clock, fresh.set, on_status))
        venue.subscribe(names)
        while True:
            await fresh.wait()
            fresh.clear()
            ready, events[:] = events + take(), []
            for event in ready:
                yield event
    finally:
        await venue.close()


def _is_wanted(event: Any, names: Sequence[StreamName]) -> bool:
    """Marks and funding may come by one topic."""
    kind = _KINDS.get(type(event))
    return kind not in ("marks", "funding") or StreamName(event.instrument.name, kind) in names


def _is_behind(event: Any, status: StreamStatus | ClockStatus) -> bool:
    if not isinstance(status, StreamStatus) or status.state != "gap" or status.stream is None:
        return False
    stream = status.stream
    is_of = _KINDS.get(type(event)) == stream.kind and event.instrument.name == stream.instrument
    return is_of and event.venue_time_ns == status.to_ns


def _name(venue: str, kind: StreamKind, symbol: str) -> StreamName:
    symbol, _, interval = symbol.partition("@")
    if (kind == "bars") != bool(interval):
        raise exception(
            "bad_setting", f"{kind} = {symbol!r}: bars and only bars have an interval", 'such as "BTCUSDT@1m"'
        )
    return StreamName(f"{venue}:{symbol}", kind, interval)
