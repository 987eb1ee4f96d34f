"""W9 with ccxt.pro: the same decision, by `watch_trades` and `create_order_ws`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ccxt
import ccxt.pro
from exchange import SKIPPED, TICKS, Exchange, exchange, line, price_of, quantity_of


def client(one: Exchange) -> Any:
    """ccxt.pro's Binance, at our exchange."""
    found = ccxt.pro.binance({"apiKey": one.key, "secret": one.secret, "newUpdates": True})
    api = found.urls["api"]
    for name in ("public", "private", "v1"):
        api[name] = f"{one.rest_url}/api/v3"
    api["ws"]["spot"] = f"{one.stream_url}/ws"
    api["ws"]["ws-api"]["spot"] = f"{one.api_url}"
    found.options["fetchCurrencies"] = False
    found.options["defaultType"] = "spot"
    found.options["fetchMarkets"] = {"types": ["spot"]}
    return found


async def trade(one: Exchange) -> list[float]:
    venue = client(one)
    average, found = None, []
    orders: set[asyncio.Task[Any]] = set()
    try:
        await venue.load_markets()
        while len(found) < SKIPPED + TICKS:
            for _ in range(100):
                for tick in await venue.watch_trades("BTC/USDT"):
                    price = tick["price"]
                    average = price if average is None else average + (price - average) * 2 / 21
                    if average != price or not orders:
                        quantity = float(quantity_of(int(tick["id"])))
                        params = {"timeInForce": "IOC"}
                        order = venue.create_order_ws("BTC/USDT", "limit", "buy", quantity, price_of(price), params)
                        task = asyncio.ensure_future(order)
                        orders.add(task)
                        task.add_done_callback(orders.discard)
            found = one.latencies_us()
    finally:
        await asyncio.gather(*orders, return_exceptions=True)
        await venue.close()
    return found


def main() -> None:
    with exchange("HMAC") as one:
        found = asyncio.run(trade(one))
    print(json.dumps(line(found, ccxt.__version__)))


if __name__ == "__main__":
    main()
