"""What we ask of venues, and what we read from them, is what ccxt asks and reads.

ccxt is none of our dependencies: the tests need an interpreter that has it, named by TRADEWIND_CCXT_PYTHON.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from ccxt_python import ask

from tradewind.venues import CancelRequest, OrderRequest
from tradewind.venues.binance_spot.signing import cancel_parameters, order_parameters

BTC = "binance_spot:BTCUSDT"
ORDERS = [
    OrderRequest("a1", BTC, "buy", "0.01"),
    OrderRequest("a2", BTC, "sell", "0.5"),
    OrderRequest("a3", BTC, "buy", "0.01", "61800.2"),
    OrderRequest("a4", BTC, "sell", "1.5", "70000", "ioc"),
    OrderRequest("a5", BTC, "buy", "0.00123", "50000.01", "post_only"),
]

_SCRIPT = """
import asyncio, json, sys
import ccxt.async_support as ccxt

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True, "avgPriceMins": 5},
]
SYMBOL = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
    "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
    "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"],
    "permissionSets": [["SPOT"]], "filters": FILTERS,
}

async def main():
    orders = json.loads(sys.argv[1])
    exchange = ccxt.binance({"apiKey": "k", "secret": "s", "enableRateLimit": False,
                             "options": {"fetchMarkets": ["spot"], "fetchCurrencies": False,
                                         "fetchMargins": False, "defaultType": "spot"}})
    seen = []
    async def fetch(url, method="GET", headers=None, body=None):
        if "exchangeInfo" in url:
            return {"symbols": [SYMBOL]}
        seen.append([method, url, body])
        return {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "x", "status": "NEW"}
    exchange.fetch = fetch
    await exchange.load_markets()
    for client_id, side, quantity, price, time_in_force in orders:
        more = {"newClientOrderId": client_id}
        if time_in_force == "ioc":
            more["timeInForce"] = "IOC"
        if time_in_force == "post_only":
            more["postOnly"] = True
        await exchange.create_order("BTC/USDT", "market" if price is None else "limit", side, quantity, price, more)
    await exchange.cancel_order(None, "BTC/USDT", {"origClientOrderId": "a3"})
    await exchange.close()
    print(json.dumps(seen))

asyncio.run(main())
"""


_UNLIKE = {"timestamp", "signature", "recvWindow", "newOrderRespType"}


def plain(parameters: Any) -> dict[str, str]:
    return {name: str(value) for name, value in msgspec.to_builtins(parameters).items() if name not in _UNLIKE}


def test_orders_are_those_of_ccxt() -> None:
    rows = [[one.client_id, one.side, one.quantity, one.price, one.time_in_force] for one in ORDERS]
    asked = ask(_SCRIPT, json.dumps(rows))
    assert len(asked) == len(ORDERS) + 1
    for order, (method, url, body) in zip(ORDERS, asked, strict=False):
        assert (method, urlsplit(url).path) == ("POST", "/api/v3/order")
        assert plain(order_parameters(order)) == plain(dict(parse_qsl(body)))
    method, url, _ = asked[-1]
    theirs = dict(parse_qsl(urlsplit(url).query))
    assert (method, plain(cancel_parameters(CancelRequest("a3", BTC)))) == ("DELETE", plain(theirs))
