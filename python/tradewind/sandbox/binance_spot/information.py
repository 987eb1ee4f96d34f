"""What the venue says of its limits and symbols."""

from __future__ import annotations

from typing import Any

from tradewind.sandbox.binance_spot.call import Call
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.market import Market
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import UNIT, show

_MODES = ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]


def exchange_info(call: Call) -> dict[str, Any]:
    """Limits, symbols and their filters."""
    one, several = call.parameters.optional_symbol(), call.parameters.symbols()
    call.parameters.ignore("permissions", "showPermissionSets", "symbolStatus")
    if one is not None and several is not None:
        raise Failure(-1128, "Combination of optional parameters invalid.")
    names = several if several is not None else [one] if one is not None else list(call.venue.exchange.markets)
    return {
        "timezone": "UTC",
        "serverTime": call.now_ns // call.scale,
        "rateLimits": call.venue.meter.announced(),
        "exchangeFilters": [],
        "symbols": [_symbol(call.market(name)) for name in names],
    }


def _symbol(market: Market) -> dict[str, Any]:
    symbol = market.symbol
    return {
        "symbol": symbol.name,
        "status": "BREAK" if not market.is_listed else "TRADING" if market.is_open else "HALT",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": _MODES,
    }


def _filters(symbol: Symbol) -> list[dict[str, Any]]:
    high, low = (str(factor / UNIT).removesuffix(".0") for factor in symbol.price_factors)
    found: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": show(symbol.tick),
            "maxPrice": show(symbol.maximum_price),
            "tickSize": show(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": show(symbol.minimum_quantity),
            "maxQty": show(symbol.maximum_quantity),
            "stepSize": show(symbol.lot),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": show(0),
            "maxQty": show(symbol.maximum_market_quantity),
            "stepSize": show(0),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": high,
            "bidMultiplierDown": low,
            "askMultiplierUp": high,
            "askMultiplierDown": low,
            "avgPriceMins": symbol.average_minutes,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": show(symbol.minimum_notional),
            "applyMinToMarket": True,
            "maxNotional": show(symbol.maximum_notional),
            "applyMaxToMarket": True,
            "avgPriceMins": symbol.average_minutes,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": symbol.maximum_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 0},
    ]
    if symbol.maximum_position:
        found.append({"filterType": "MAX_POSITION", "maxPosition": show(symbol.maximum_position)})
    return found
