"""What the venue says of its limits and symbols."""

from __future__ import annotations

from typing import Any

from tradewind.sandbox.binance_spot.call import Call
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.binance_spot.limits import Interface
from tradewind.sandbox.market import Market
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import UNIT, show

_MODES = ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]
_PERMISSION = "SPOT"


def rest_info(call: Call) -> dict[str, Any]:
    """Limits of REST, symbols and their filters."""
    return _info(call, "REST")


def api_info(call: Call) -> dict[str, Any]:
    """Limits of the WebSocket API, symbols and their filters."""
    return _info(call, "API")


def _info(call: Call, interface: Interface) -> dict[str, Any]:
    sent = call.parameters
    one, several = sent.optional_symbol(), sent.symbols()
    permissions, status = sent.permissions(), sent.symbol_status()
    shows_sets = sent.flag("showPermissionSets") is not False
    named = [names for names in (several, one and [one]) if names is not None]
    if len(named) + (permissions is not None) > 1 or (named and status is not None):
        raise Failure(-1128, "Combination of optional parameters invalid.")
    markets = [call.market(name) for name in named[0]] if named else call.markets_in(status)
    if permissions is not None and _PERMISSION not in permissions:
        markets = []
    return {
        "timezone": "UTC",
        "serverTime": call.now_ns // call.scale,
        "rateLimits": call.venue.meter.announced(interface),
        "exchangeFilters": [],
        "symbols": [_symbol(market, shows_sets) for market in markets],
    }


def _symbol(market: Market, shows_sets: bool) -> dict[str, Any]:
    symbol = market.symbol
    return {
        "symbol": symbol.name,
        "status": market.status,
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
        "permissionSets": [[_PERMISSION]] if shows_sets else [],
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
