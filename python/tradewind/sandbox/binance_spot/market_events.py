"""What market streams say, in Binance's words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tradewind.sandbox.binance_spot import answer
from tradewind.sandbox.candles import MINUTE_MS, Candle, following
from tradewind.sandbox.market import Market
from tradewind.sandbox.order import AggregateTrade, Trade
from tradewind.sandbox.units import show

Event = dict[str, Any]
_HOUR_MS = 3_600_000


def trade(market: Market, one: Trade, now_ns: int, scale: int) -> Event:
    """A trade."""
    return {
        "e": "trade",
        "E": now_ns // scale,
        "s": market.symbol.name,
        "t": one.id,
        "p": show(one.price),
        "q": show(one.quantity),
        "T": one.time_ns // scale,
        "m": one.buyer_is_maker,
        "M": True,
    }


def aggregate(market: Market, one: AggregateTrade, now_ns: int, scale: int) -> Event:
    """What one order traded at one price."""
    body = answer.aggregate_trade(one, scale)
    return {"e": "aggTrade", "E": now_ns // scale, "s": market.symbol.name, **body}


def book_ticker(market: Market) -> Event:
    """The best prices."""
    (bid, bid_quantity), (ask, ask_quantity) = (best or (0, 0) for best in market.best)
    return {
        "u": market.update_id,
        "s": market.symbol.name,
        "b": show(bid),
        "B": show(bid_quantity),
        "a": show(ask),
        "A": show(ask_quantity),
    }


def partial_depth(market: Market, count: int) -> Event:
    """The best levels."""
    bids, asks = (answer.levels(market.book.levels(side, count)) for side in (True, False))
    return {"lastUpdateId": market.update_id, "bids": bids, "asks": asks}


def kline(market: Market, candle: Candle, interval: str, zone_ms: int, now_ns: int, closed: bool, scale: int) -> Event:
    """A candle."""
    row = answer.kline(candle, following(interval, candle.start_ms, zone_ms), scale)
    name = market.symbol.name
    body = {
        "t": row[0],
        "T": row[6],
        "s": name,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": row[1],
        "c": row[4],
        "h": row[2],
        "l": row[3],
        "v": row[5],
        "n": candle.count,
        "x": closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": "0",
    }
    return {"e": "kline", "E": now_ns // scale, "s": name, "k": body}


def _average(market: Market, now_ns: int, scale: int) -> Event:
    event_time = now_ns // scale
    return {
        "e": "avgPrice",
        "E": event_time,
        "s": market.symbol.name,
        "i": f"{market.symbol.average_minutes}m",
        "w": show(market.average_price(now_ns)),
        "T": market.trades[-1].time_ns // scale if market.trades else event_time,
    }


def _mini(market: Market, now_ns: int, scale: int) -> Event:
    full = answer.day_ticker(market, now_ns, scale)
    return {
        "e": "24hrMiniTicker",
        "E": now_ns // scale,
        "s": market.symbol.name,
        "c": full["lastPrice"],
        "o": full["openPrice"],
        "h": full["highPrice"],
        "l": full["lowPrice"],
        "v": full["volume"],
        "q": full["quoteVolume"],
    }


def _window(length: str, hours: int, market: Market, now_ns: int, scale: int) -> Event:
    start_ms = now_ns // 1_000_000 - hours * _HOUR_MS
    # It begins with a whole minute, and so is up to that much longer.
    candle = answer.window(market, start_ms - start_ms % MINUTE_MS)
    difference, percent = answer.change(candle)
    return {
        "e": f"{length}Ticker",
        "E": now_ns // scale,
        "s": market.symbol.name,
        "p": difference,
        "P": percent,
        "o": show(candle.open),
        "h": show(candle.high),
        "l": show(candle.low),
        "c": show(candle.close),
        "w": answer.average(candle),
        "v": show(candle.volume),
        "q": show(candle.value),
        "O": candle.start_ms * 1_000_000 // scale,
        "C": now_ns // scale,
        "F": candle.first_id,
        "L": candle.last_id,
        "n": candle.count,
    }


def _day(market: Market, now_ns: int, scale: int) -> Event:
    full = answer.day_ticker(market, now_ns, scale)
    return {
        "e": "24hrTicker",
        "E": now_ns // scale,
        "s": market.symbol.name,
        "p": full["priceChange"],
        "P": full["priceChangePercent"],
        "w": full["weightedAvgPrice"],
        "x": full["prevClosePrice"],
        "c": full["lastPrice"],
        "Q": full["lastQty"],
        "b": full["bidPrice"],
        "B": full["bidQty"],
        "a": full["askPrice"],
        "A": full["askQty"],
        "o": full["openPrice"],
        "h": full["highPrice"],
        "l": full["lowPrice"],
        "v": full["volume"],
        "q": full["quoteVolume"],
        "O": full["openTime"],
        "C": full["closeTime"],
        "F": full["firstId"],
        "L": full["lastId"],
        "n": full["count"],
    }


STATISTICS: dict[str, Callable[[Market, int, int], Event]] = {
    "avgPrice": _average,
    "miniTicker": _mini,
    "ticker": _day,
    "ticker_1h": partial(_window, "1h", 1),
    "ticker_4h": partial(_window, "4h", 4),
    "ticker_1d": partial(_window, "1d", 24),
}
"""What is sent once a second, by the name of its stream: of a market, at a time, in a unit of time."""
