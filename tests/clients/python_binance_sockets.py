"""python-binance: orders over the WebSocket API, and everything that is pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from answering import AbsentError, push, serve
from binance import AsyncClient, BinanceSocketManager, DepthCacheManager
from python_binance_client import SYMBOL, refusal


class Client:
    """The calls and the pushes of the course."""

    def __init__(self, setting: dict[str, Any]) -> None:
        # The last line of the snippet makes a client for REST: here an asynchronous one is made instead.
        exec(setting["snippets"]["python-binance"].rpartition("client =")[0], {})
        secret = "api_secret" if setting["kind"] == "hmac" else "private_key"
        self.client = AsyncClient(setting["key"], **{secret: setting["secret"]})
        self.client.https_proxy = None
        self.sockets = BinanceSocketManager(self.client)
        self._watching: list[asyncio.Task[None]] = []

    async def close(self) -> None:
        for one in self._watching:
            one.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self.client.close_connection()

    def time(self) -> Any:
        return self.client.ws_get_time()

    def rules(self) -> Any:
        return self.client.ws_get_exchange_info(symbol=SYMBOL)

    def book(self, limit: int) -> Any:
        return self.client.ws_get_order_book(symbol=SYMBOL, limit=limit)

    def trades(self, limit: int) -> Any:
        return self.client.ws_get_recent_trades(symbol=SYMBOL, limit=limit)

    def aggregate_trades(self, limit: int) -> Any:
        return self.client.ws_get_aggregate_trades(symbol=SYMBOL, limit=limit)

    def klines(self, limit: int) -> Any:
        return self.client.ws_get_klines(symbol=SYMBOL, interval="1m", limit=limit)

    def average(self) -> Any:
        return self.client.ws_get_avg_price(symbol=SYMBOL)

    def day(self) -> Any:
        return self.client.ws_get_ticker(symbol=SYMBOL)

    def price(self) -> Any:
        return self.client.ws_get_symbol_ticker(symbol=SYMBOL)

    def best(self) -> Any:
        return self.client.ws_get_orderbook_ticker(symbol=SYMBOL)

    def balances(self) -> Any:
        return self.client.ws_get_account()

    def commission(self) -> Any:
        return self.client.ws_get_commission_rates(symbol=SYMBOL)

    def test_order(self, side: str, quantity: str, price: str) -> Any:
        order = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price}
        return self.client.ws_create_test_order(symbol=SYMBOL, **order)

    def limit_order(self, side: str, quantity: str, price: str, client_id: str) -> Any:
        order = {"side": side, "quantity": quantity, "price": price, "newClientOrderId": client_id}
        return self.client.ws_order_limit(symbol=SYMBOL, **order)

    def market_order(self, side: str, quantity: str) -> Any:
        return self.client.ws_order_market(symbol=SYMBOL, side=side, quantity=quantity)

    def query(self, order: int) -> Any:
        return self.client.ws_get_order(symbol=SYMBOL, orderId=order)

    def open_orders(self) -> Any:
        return self.client.ws_get_open_orders(symbol=SYMBOL)

    def replace(self, order: int, side: str, quantity: str, price: str) -> Any:
        new = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price}
        old = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order}
        return self.client.ws_cancel_and_replace_order(symbol=SYMBOL, **old, **new)

    def cancel(self, order: int) -> Any:
        return self.client.ws_cancel_order(symbol=SYMBOL, orderId=order)

    def cancel_all(self) -> Any:
        return self.client.ws_cancel_all_open_orders(symbol=SYMBOL)

    def all_orders(self) -> Any:
        return self.client.ws_get_all_orders(symbol=SYMBOL)

    def fills(self, order: int) -> Any:
        return self.client.ws_get_my_trades(symbol=SYMBOL, orderId=order)

    # Pushes

    async def watch(self, stream: str) -> None:
        sockets = self.sockets
        match stream:
            case "trades":
                await self._listen(stream, sockets.trade_socket(SYMBOL))
            case "aggregate_trades":
                await self._listen(stream, sockets.aggtrade_socket(SYMBOL))
            case "differences":
                await self._listen(stream, sockets.depth_socket(SYMBOL, interval=100))
            case "partial_book":
                await self._listen(stream, sockets.depth_socket(SYMBOL, depth="5", interval=100))
            case "rebuilt_book":
                # A manager of its own: the differences are another listener's already.
                manager = BinanceSocketManager(self.client)
                book = DepthCacheManager(self.client, SYMBOL, bm=manager, limit=1_000, ws_interval=100)
                await self._listen(stream, book, _rebuilt)
            case "best":
                await self._listen(stream, sockets.symbol_book_ticker_socket(SYMBOL))
            case "klines":
                await self._listen(stream, sockets.kline_socket(SYMBOL))
            case "day":
                await self._listen(stream, sockets.symbol_ticker_socket(SYMBOL))
            case "mini":
                await self._listen(stream, sockets.symbol_miniticker_socket(SYMBOL))
            case "account":
                await self._listen(stream, sockets.user_socket())
            case _:
                raise AbsentError("")

    async def _listen(self, name: str, socket: Any, translate: Callable[[Any], Any] = lambda found: found) -> None:
        opened = asyncio.Event()

        async def run() -> None:
            async with socket as stream:
                opened.set()
                while True:
                    push(name, translate(await stream.recv()))

        task = asyncio.create_task(run())
        self._watching.append(task)
        waits = asyncio.create_task(opened.wait())
        await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waits.cancel()
            task.result()


def _rebuilt(book: Any) -> dict[str, Any]:
    """The client's book has no number."""
    return {"lastUpdateId": None, "bids": book.get_bids(), "asks": book.get_asks()}


if __name__ == "__main__":
    serve(Client, refusal)
