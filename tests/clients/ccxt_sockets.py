"""ccxt.pro: orders over the WebSocket API, and everything that is pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from answering import AbsentError, push, serve
from ccxt_client import SYMBOL, refusal


class Client:
    """The calls and the pushes of the course."""

    def __init__(self, setting: dict[str, Any]) -> None:
        self.ccxt = _exchange(setting)
        # It mixes the trades of both streams, and those of both tickers, where one object watches both.
        self.other = _exchange(setting)
        self._watching: list[asyncio.Task[None]] = []

    async def close(self) -> None:
        for one in self._watching:
            one.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self.ccxt.close()
        await self.other.close()

    async def rules(self) -> Any:
        return (await self.ccxt.load_markets())[SYMBOL]

    def book(self, limit: int) -> Any:
        raise AbsentError("its fetch_order_book_ws is for swaps only")

    def best(self) -> Any:
        raise AbsentError("its fetch_ticker_ws is for swaps only")

    async def trades(self, limit: int) -> Any:
        return await self.ccxt.fetch_trades_ws(SYMBOL, limit=limit)

    async def klines(self, limit: int) -> Any:
        return await self.ccxt.fetch_ohlcv_ws(SYMBOL, "1m", limit=limit)

    async def balances(self) -> Any:
        found = await self.ccxt.fetch_balance_ws()
        if not found["free"] and found["info"]["balances"]:
            raise AbsentError("its fetch_balance_ws does not read the balances of a spot account")
        return found

    async def test_order(self, side: str, quantity: str, price: str) -> Any:
        return await self._create("limit", side, quantity, price, {"test": True})

    async def limit_order(self, side: str, quantity: str, price: str, client_id: str) -> Any:
        return await self._create("limit", side, quantity, price, {"newClientOrderId": client_id})

    async def market_order(self, side: str, quantity: str) -> Any:
        return await self._create("market", side, quantity, None, {})

    async def _create(self, kind: str, side: str, quantity: str, price: str | None, more: dict[str, Any]) -> Any:
        limit = None if price is None else float(price)
        return await self.ccxt.create_order_ws(SYMBOL, kind, side.lower(), float(quantity), limit, more)

    async def query(self, order: int) -> Any:
        return await self.ccxt.fetch_order_ws(str(order), SYMBOL)

    async def open_orders(self) -> Any:
        return await self.ccxt.fetch_open_orders_ws(SYMBOL)

    async def replace(self, order: int, side: str, quantity: str, price: str) -> Any:
        new = {"amount": float(quantity), "price": float(price)}
        return await self.ccxt.edit_order_ws(str(order), SYMBOL, "limit", side.lower(), **new)

    async def cancel(self, order: int) -> Any:
        return await self.ccxt.cancel_order_ws(str(order), SYMBOL)

    async def cancel_all(self) -> Any:
        return await self.ccxt.cancel_all_orders_ws(SYMBOL)

    async def all_orders(self) -> Any:
        return await self.ccxt.fetch_orders_ws(SYMBOL)

    async def fills(self, order: int) -> Any:
        return await self.ccxt.fetch_my_trades_ws(SYMBOL, params={"orderId": order})

    # Pushes

    async def watch(self, stream: str) -> None:
        ccxt = self.ccxt
        match stream:
            case "trades":
                self._each(stream, lambda: ccxt.watch_trades(SYMBOL), list)
            case "aggregate_trades":
                self._each(stream, lambda: self.other.watch_trades(SYMBOL, params={"name": "aggTrade"}), list)
            case "rebuilt_book":
                self._each(stream, lambda: ccxt.watch_order_book(SYMBOL, 1_000), lambda found: [found])
            case "best":
                self._each(stream, lambda: ccxt.watch_bids_asks([SYMBOL]), lambda found: [found[SYMBOL]])
            case "klines":
                self._each(stream, lambda: ccxt.watch_ohlcv(SYMBOL, "1m"), list)
            case "day":
                self._each(stream, lambda: ccxt.watch_ticker(SYMBOL), lambda found: [found])
            case "mini":
                mini = {"name": "miniTicker"}
                self._each(stream, lambda: self.other.watch_ticker(SYMBOL, mini), lambda found: [found])
            case "account":
                self._each("reports", lambda: ccxt.watch_orders(SYMBOL), list)
                self._each("own_fills", lambda: ccxt.watch_my_trades(SYMBOL), list)
                self._each("balances", ccxt.watch_balance, lambda found: [found])
            case _:
                raise AbsentError("it keeps these to itself, as its own book" if stream == "differences" else "")

    def _each(self, name: str, watch: Callable[[], Any], rows: Callable[[Any], list[Any]]) -> None:
        async def run() -> None:
            while True:
                for row in rows(await watch()):
                    push(name, row)

        self._watching.append(asyncio.create_task(run()))


def _exchange(setting: dict[str, Any]) -> Any:
    names: dict[str, Any] = {}
    exec(setting["snippets"]["ccxt"].replace("import ccxt", "import ccxt.pro as ccxt"), names)
    exchange = names["exchange"]
    exchange.apiKey, exchange.secret = setting["key"], setting["secret"]
    return exchange


if __name__ == "__main__":
    serve(Client, refusal)
