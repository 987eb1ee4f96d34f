"""binance-sdk-spot: orders over the WebSocket API, and everything that is pushed, all through its typed models."""

from __future__ import annotations

from typing import Any

from answering import AbsentError, push, serve
from binance_common.configuration import ConfigurationWebSocketAPI, ConfigurationWebSocketStreams
from binance_sdk_client import SYMBOL, plain, sizes
from binance_sdk_spot.spot import Spot

_STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "trades": ("trade", {}),
    "aggregate_trades": ("agg_trade", {}),
    "differences": ("diff_book_depth", {"update_speed": "100ms"}),
    "partial_book": ("partial_book_depth", {"levels": "5", "update_speed": "100ms"}),
    "best": ("book_ticker", {}),
    "klines": ("kline", {"interval": "1m"}),
    "day": ("ticker", {}),
    "mini": ("mini_ticker", {}),
}


class RefusalError(Exception):
    """The client does not raise a refusal: it is an answer of another form."""


class Client:
    """The calls and the pushes of the course."""

    def __init__(self, setting: dict[str, Any]) -> None:
        keys = {"api_key": setting["key"], "private_key": setting["secret"]}
        self.spot = Spot(
            config_ws_api=ConfigurationWebSocketAPI(**keys, stream_url=setting["api_url"]),
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=setting["stream_url"] + "/stream"),
        )
        self._api: Any = None
        self._streams: Any = None

    async def close(self) -> None:
        for one in (self._api, self._streams):
            if one is not None:
                await one.close_connection(close_session=True)

    async def _connected(self) -> Any:
        if self._api is None:
            self._api = await self.spot.websocket_api.create_connection()
            await self._api.session_logon()
        return self._api

    async def _ask(self, method: str, *values: Any, **named: Any) -> Any:
        found = (await getattr(await self._connected(), method)(*values, **named)).data()
        if isinstance(found, dict) and "error" in found:
            raise RefusalError(found["error"])
        # Where a request has several forms of answer, the model only says which one came.
        return plain(found.result) if hasattr(found, "result") else plain(found)["result"]

    async def time(self) -> Any:
        return await self._ask("time")

    async def rules(self) -> Any:
        return await self._ask("exchange_info", symbol=SYMBOL)

    async def book(self, limit: int) -> Any:
        return await self._ask("depth", SYMBOL, limit=limit)

    async def trades(self, limit: int) -> Any:
        return await self._ask("trades_recent", SYMBOL, limit=limit)

    async def aggregate_trades(self, limit: int) -> Any:
        return await self._ask("trades_aggregate", SYMBOL, limit=limit)

    async def klines(self, limit: int) -> Any:
        return await self._ask("klines", SYMBOL, "1m", limit=limit)

    async def average(self) -> Any:
        return await self._ask("avg_price", SYMBOL)

    async def day(self) -> Any:
        return await self._ask("ticker24hr", symbol=SYMBOL)

    async def price(self) -> Any:
        return await self._ask("ticker_price", symbol=SYMBOL)

    async def best(self) -> Any:
        return await self._ask("ticker_book", symbol=SYMBOL)

    async def balances(self) -> Any:
        return await self._ask("account_status")

    async def commission(self) -> Any:
        return await self._ask("account_commission", SYMBOL)

    async def test_order(self, side: str, quantity: str, price: str) -> Any:
        return await self._ask("order_test", SYMBOL, side, "LIMIT", **sizes(quantity, price))

    async def limit_order(self, side: str, quantity: str, price: str, client_id: str) -> Any:
        more = {**sizes(quantity, price), "new_client_order_id": client_id}
        return await self._ask("order_place", SYMBOL, side, "LIMIT", **more)

    async def market_order(self, side: str, quantity: str) -> Any:
        return await self._ask("order_place", SYMBOL, side, "MARKET", quantity=float(quantity))

    async def query(self, order: int) -> Any:
        return await self._ask("order_status", SYMBOL, order_id=order)

    async def open_orders(self) -> Any:
        return await self._ask("open_orders_status", symbol=SYMBOL)

    async def replace(self, order: int, side: str, quantity: str, price: str) -> Any:
        new = {**sizes(quantity, price), "cancel_order_id": order}
        return await self._ask("order_cancel_replace", SYMBOL, "STOP_ON_FAILURE", side, "LIMIT", **new)

    async def cancel(self, order: int) -> Any:
        return await self._ask("order_cancel", SYMBOL, order_id=order)

    async def cancel_all(self) -> Any:
        return await self._ask("open_orders_cancel_all", SYMBOL)

    async def all_orders(self) -> Any:
        return await self._ask("all_orders", SYMBOL)

    async def fills(self, order: int) -> Any:
        return await self._ask("my_trades", SYMBOL, order_id=order)

    # Pushes

    async def watch(self, stream: str) -> None:
        if stream == "account":
            subscribed = await (await self._connected()).user_data_stream_subscribe()
            subscribed.stream.on("message", lambda found: push("account", plain(found.actual_instance)))
            return
        if stream not in _STREAMS:
            raise AbsentError("")
        if self._streams is None:
            self._streams = await self.spot.websocket_streams.create_connection()
        method, more = _STREAMS[stream]
        handle = await getattr(self._streams, method)(symbol=SYMBOL.lower(), **more)
        handle.on("message", lambda found: push(stream, plain(found)))


def refusal(error: Exception) -> tuple[str, int] | None:
    return (type(error).__name__, error.args[0]["code"]) if isinstance(error, RefusalError) else None


if __name__ == "__main__":
    serve(Client, refusal)
