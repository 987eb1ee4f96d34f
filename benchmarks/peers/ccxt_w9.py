"""W9 with ccxt.pro: the same decision on the same exchange, by `watch_trades` and `create_order_ws`.

Run by the interpreter of its own environment; the first argument is the one that has Tradewind, for the exchange. It is
given what makes it fast: the C extensions of its requirements, uvloop, an HMAC key (with others signing takes longer),
and orders that are on their way before the event loop turns (an eager task).
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ccxt
import ccxt.pro
import uvloop
from aiohttp._websocket.writer import WebSocketWriter
from aiohttp.client_proto import ResponseHandler
from ticks import Exchange, Watch, exchange, price_of, quantity_of


def client(one: Exchange) -> Any:
    """ccxt.pro's Binance at our exchange, as the snippet of `tradewind sandbox` points it there."""
    options = {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False}
    # Its own pauses between orders, a quarter of a second by default, are off: the exchange's limits are raised.
    setting = {"apiKey": one.key, "secret": one.secret, "newUpdates": True, "enableRateLimit": False}
    found = ccxt.pro.binance(setting | {"options": options})
    found.has["fetchCurrencies"] = False
    found.urls["api"] |= {
        "public": f"{one.rest_url}/api/v3", "private": f"{one.rest_url}/api/v3", "v1": f"{one.rest_url}/api/v1",
        "ws": {"spot": f"{one.stream_url}/ws", "ws-api": {"spot": one.api_url}},
    }  # fmt: skip
    return found


def watch_inside() -> Watch:
    """Take the time from the bytes of a frame at hand to those of an order's frame written."""
    watch = Watch()
    receive, send = ResponseHandler.data_received, WebSocketWriter.send_frame

    def stamped_receive(self: Any, data: bytes) -> None:
        watch.received(data)
        receive(self, data)

    async def stamped_send(self: Any, message: bytes, opcode: int, compress: int | None = None) -> None:
        await send(self, message, opcode, compress)
        watch.written(bytes(message))

    ResponseHandler.data_received, WebSocketWriter.send_frame = stamped_receive, stamped_send
    return watch


async def trade(one: Exchange, watch: Watch) -> int:
    """Answer every trade until enough were answered; gives how many orders the exchange refused."""
    venue = client(one)
    average, refused = None, 0
    orders: set[asyncio.Task[Any]] = set()

    def ended(order: asyncio.Task[Any]) -> None:
        nonlocal refused
        orders.discard(order)
        refused += not order.cancelled() and order.exception() is not None

    loop = asyncio.get_running_loop()
    try:
        await venue.load_markets()
        while not watch.is_enough:
            for tick in await venue.watch_trades("BTC/USDT"):
                price = tick["price"]
                average = price if average is None else average + (price - average) * 2 / 21
                if average != price:
                    quantity, limit = quantity_of(int(tick["id"])), price_of(price)
                    order = venue.create_order_ws("BTC/USDT", "limit", "buy", quantity, limit, {"timeInForce": "IOC"})
                    task = asyncio.Task(order, loop=loop, eager_start=True)
                    orders.add(task)
                    task.add_done_callback(ended)
        await asyncio.wait(orders, timeout=5)
    finally:
        await venue.close()
    return refused


def main() -> None:
    watch = watch_inside()
    with exchange("HMAC", sys.argv[1]) as one:
        refused = uvloop.run(trade(one, watch))
        print(json.dumps(watch.line(one, ccxt.__version__, refused=refused)))


if __name__ == "__main__":
    main()
