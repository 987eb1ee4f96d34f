"""What can be asked about the market."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from itertools import islice
from typing import Any

from tradewind.sandbox.binance_spot import answer, information
from tradewind.sandbox.binance_spot.call import Call, Method
from tradewind.sandbox.binance_spot.failure import Failure, mandatory
from tradewind.sandbox.candles import LENGTHS_MS, MINUTE_MS, bucket_start, following
from tradewind.sandbox.market import Market
from tradewind.sandbox.units import show

_ZONE = re.compile(r"([+-]?)(\d{1,2})(?::([0-5]\d))?\Z", re.ASCII)
_WINDOW = re.compile(r"(\d{1,2})([mhd])\Z", re.ASCII)
_UNITS_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": 1_440 * MINUTE_MS}
_LARGEST = {"m": 59, "h": 23, "d": 7}


def ping(call: Call) -> dict[str, Any]:
    """Nothing."""
    return {}


def time(call: Call) -> dict[str, Any]:
    """The venue's time."""
    return {"serverTime": call.now_ns // call.scale}


def depth(call: Call) -> dict[str, Any]:
    """A snapshot of the book."""
    limit = call.parameters.limit(100, 5_000)
    market = call.market_in(call.parameters.symbol_status())
    return call.venue.snapshot(market, limit)


def trades(call: Call) -> list[dict[str, Any]]:
    """The latest trades."""
    market, limit = call.market(), call.parameters.limit(500, 1_000)
    return [answer.public_trade(trade, call.scale) for trade in _last(market.trades, limit)]


def historical_trades(call: Call) -> list[dict[str, Any]]:
    """Trades from an id on."""
    market, limit, first = call.market(), call.parameters.limit(500, 1_000), call.parameters.integer("fromId")
    if first is None:
        return [answer.public_trade(trade, call.scale) for trade in _last(market.trades, limit)]
    start = max(first - market.trades[0].id, 0) if market.trades else 0
    return [answer.public_trade(trade, call.scale) for trade in islice(market.trades, start, start + limit)]


def aggregate_trades(call: Call) -> list[dict[str, Any]]:
    """Aggregate trades from an id or a time on."""
    market, limit = call.market(), call.parameters.limit(500, 1_000)
    first = call.parameters.integer("fromId")
    start_ms, end_ms = call.parameters.time_ms("startTime"), call.parameters.time_ms("endTime")
    found = market.aggregates
    if first is not None:
        if start_ms is not None or end_ms is not None:
            raise Failure(-1128, "Combination of optional parameters invalid.")
        start = max(first - found[0].id, 0) if found else 0
        rows = list(islice(found, start, start + limit))
    elif start_ms is None and end_ms is None:
        rows = list(_last(found, limit))
    else:
        low, high = (start_ms or 0) * 1_000_000, ((end_ms or 1 << 42) + 1) * 1_000_000
        within = [trade for trade in found if low <= trade.time_ns < high]
        rows = within[:limit] if start_ms is not None else within[-limit:]
    return [answer.aggregate_trade(trade, call.scale) for trade in rows]


def _last(rows: Any, count: int) -> Any:
    return islice(rows, max(len(rows) - count, 0), None)


def klines(call: Call) -> list[list[Any]]:
    """Candles."""
    market, interval = call.market(), call.parameters.needed("interval")
    if interval not in LENGTHS_MS:
        raise Failure(-1120, "Invalid interval.")
    start_ms, end_ms = call.parameters.time_ms("startTime"), call.parameters.time_ms("endTime")
    limit, zone_ms = call.parameters.limit(500, 1_000), _zone_ms(call.parameters.text("timeZone"))
    last_ms = min(end_ms if end_ms is not None else 1 << 62, call.now_ns // 1_000_000)
    length_ms = LENGTHS_MS[interval]
    first_ms = start_ms if start_ms is not None else last_ms - (limit + 1) * length_ms
    if first_ms > last_ms:
        # Far in the future there are no months to count in.
        return []
    candles = market.candles.between(interval, first_ms, last_ms, zone_ms)
    rows = list(islice(candles, limit)) if start_ms is not None else list(candles)[-limit:]
    return [answer.kline(candle, following(interval, candle.start_ms, zone_ms), call.scale) for candle in rows]


def _zone_ms(text: str | None) -> int:
    if text is None:
        return 0
    found = _ZONE.match(text)
    if found is None:
        raise mandatory("timeZone")
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    minutes = -minutes if found[1] == "-" else minutes
    if not -720 <= minutes <= 840:
        raise mandatory("timeZone")
    return minutes * MINUTE_MS


def average_price(call: Call) -> dict[str, Any]:
    """The average price of the last minutes."""
    market = call.market()
    price = show(market.average_price(call.now_ns))
    closed = market.trades[-1].time_ns if market.trades else call.now_ns
    return {"mins": market.symbol.average_minutes, "price": price, "closeTime": closed // call.scale}


_SHORT = (
    "symbol",
    "openPrice",
    "highPrice",
    "lowPrice",
    "lastPrice",
    "volume",
    "quoteVolume",
    "openTime",
    "closeTime",
    "firstId",
    "lastId",
    "count",
)


def day_ticker(call: Call) -> Any:
    """The statistics of 24 hours."""
    short = _is_short(call)

    def row(market: Market) -> dict[str, Any]:
        full = answer.day_ticker(market, call.now_ns, call.scale)
        return {name: full[name] for name in _SHORT} if short else full

    return _each(call, row)


def window_ticker(call: Call) -> Any:
    """The statistics of a window of another length."""
    size, short = call.parameters.text("windowSize") or "1d", _is_short(call)
    found = _WINDOW.match(size)
    if found is None or not 1 <= int(found[1]) <= _LARGEST[found[2]]:
        raise mandatory("windowSize")
    length_ms = int(found[1]) * _UNITS_MS[found[2]]
    end_ms = call.now_ns // 1_000_000
    start_ms = end_ms - length_ms
    window = (start_ms - start_ms % MINUTE_MS, end_ms)
    return _each(call, lambda market: _window_row(call, market, window, short), needed=True)


def trading_day_ticker(call: Call) -> Any:
    """The statistics of the day, which begins at midnight of a zone."""
    zone_ms, short = _zone_ms(call.parameters.text("timeZone")), _is_short(call)
    start_ms = bucket_start("1d", call.now_ns // 1_000_000, zone_ms)
    window = (start_ms, start_ms + LENGTHS_MS["1d"] - 1)
    return _each(call, lambda market: _window_row(call, market, window, short), needed=True)


def _is_short(call: Call) -> bool:
    word = call.parameters.text("type") or "FULL"
    if word not in ("FULL", "MINI"):
        raise Failure(-1139, "Invalid ticker type.")
    return word == "MINI"


def _window_row(call: Call, market: Market, window_ms: tuple[int, int], short: bool) -> dict[str, Any]:
    start_ms, end_ms = window_ms
    candle = answer.window(market, start_ms)
    difference, percent = answer.change(candle)
    changes = {"priceChange": difference, "priceChangePercent": percent, "weightedAvgPrice": answer.average(candle)}
    return {
        "symbol": market.symbol.name,
        **({} if short else changes),
        "openPrice": show(candle.open),
        "highPrice": show(candle.high),
        "lowPrice": show(candle.low),
        "lastPrice": show(candle.close),
        "volume": show(candle.volume),
        "quoteVolume": show(candle.value),
        "openTime": start_ms * 1_000_000 // call.scale,
        "closeTime": end_ms * 1_000_000 // call.scale,
        "firstId": candle.first_id,
        "lastId": candle.last_id,
        "count": candle.count,
    }


def price_ticker(call: Call) -> Any:
    """The last prices."""
    return _each(call, lambda market: {"symbol": market.symbol.name, "price": show(market.last_price)})


def book_ticker(call: Call) -> Any:
    """The best prices."""

    def row(market: Market) -> dict[str, Any]:
        (bid, bid_quantity), (ask, ask_quantity) = (best or (0, 0) for best in market.best)
        return {
            "symbol": market.symbol.name,
            "bidPrice": show(bid),
            "bidQty": show(bid_quantity),
            "askPrice": show(ask),
            "askQty": show(ask_quantity),
        }

    return _each(call, row)


def _each(call: Call, row: Callable[[Market], dict[str, Any]], *, needed: bool = False) -> Any:
    """One row for a symbol, a list for several or for all."""
    one, several = call.parameters.optional_symbol(), call.parameters.symbols()
    status = call.parameters.symbol_status()
    if one is not None and several is not None:
        raise Failure(-1128, "Combination of optional parameters invalid.")
    if one is not None:
        return row(call.market_in(status, one))
    if several is None and needed:
        raise Failure(-1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!")
    return [row(market) for market in call.markets_in(status, several)]


def _depth_weight(values: dict[str, str]) -> int:
    text = values.get("limit", "")
    limits = (100, 500, 1_000)
    return (5, 25, 50, 250)[bisect_left(limits, int(text))] if text.isdecimal() and len(text) < 10 else 5


def _by_symbols(one: int, every: int) -> Callable[[dict[str, str]], int]:
    return lambda values: one if "symbol" in values else every


def _day_weight(values: dict[str, str]) -> int:
    if "symbol" in values:
        return 2
    count = values["symbols"].count(",") + 1 if "symbols" in values else 1_000
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _window_weight(values: dict[str, str]) -> int:
    return min(4 * (values.get("symbols", "").count(",") + 1), 200)


METHODS = (
    Method("ping", "GET /api/v3/ping", ping),
    Method("time", "GET /api/v3/time", time),
    Method("", "GET /api/v3/exchangeInfo", information.rest_info, 20),
    Method("exchangeInfo", "", information.api_info, 20),
    Method("depth", "GET /api/v3/depth", depth, _depth_weight),
    Method("trades.recent", "GET /api/v3/trades", trades, 25),
    Method("trades.historical", "GET /api/v3/historicalTrades", historical_trades, 25),
    Method("trades.aggregate", "GET /api/v3/aggTrades", aggregate_trades, 4),
    Method("klines", "GET /api/v3/klines", klines, 2),
    Method("uiKlines", "GET /api/v3/uiKlines", klines, 2),
    Method("avgPrice", "GET /api/v3/avgPrice", average_price, 2),
    Method("ticker.24hr", "GET /api/v3/ticker/24hr", day_ticker, _day_weight),
    Method("ticker.price", "GET /api/v3/ticker/price", price_ticker, _by_symbols(2, 4)),
    Method("ticker.book", "GET /api/v3/ticker/bookTicker", book_ticker, _by_symbols(2, 4)),
    Method("ticker", "GET /api/v3/ticker", window_ticker, _window_weight),
    Method("ticker.tradingDay", "GET /api/v3/ticker/tradingDay", trading_day_ticker, _window_weight),
)
