"""python-binance over REST, pointed at the exchange by the snippet that the sandbox prints."""

from __future__ import annotations

from typing import Any

from answering import serve

SYMBOL = "BTCUSDT"


class Client:
    """The calls of the course."""

    def __init__(self, setting: dict[str, Any]) -> None:
        names: dict[str, Any] = {}
        exec(setting["snippets"]["python-binance"], names)
        self.client = names["client"]

    async def close(self) -> None:
        self.client.close_connection()

    def time(self) -> Any:
        return self.client.get_server_time()

    def rules(self) -> Any:
        return self.client.get_exchange_info()

    def book(self, limit: int) -> Any:
        return self.client.get_order_book(symbol=SYMBOL, limit=limit)

    def trades(self, limit: int) -> Any:
        return self.client.get_recent_trades(symbol=SYMBOL, limit=limit)

    def aggregate_trades(self, limit: int) -> Any:
        return self.client.get_aggregate_trades(symbol=SYMBOL, limit=limit)

    def klines(self, limit: int) -> Any:
        return self.client.get_klines(symbol=SYMBOL, interval="1m", limit=limit)

    def average(self) -> Any:
        return self.client.get_avg_price(symbol=SYMBOL)

    def day(self) -> Any:
        return self.client.get_ticker(symbol=SYMBOL)

    def price(self) -> Any:
        return self.client.get_symbol_ticker(symbol=SYMBOL)

    def best(self) -> Any:
        return self.client.get_orderbook_ticker(symbol=SYMBOL)

    def balances(self) -> Any:
        return self.client.get_account()

    def commission(self) -> Any:
        return self.client.v3_get_account_commission(symbol=SYMBOL)

    def test_order(self, side: str, quantity: str, price: str) -> Any:
        order = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price}
        return self.client.create_test_order(symbol=SYMBOL, **order)

    def limit_order(self, side: str, quantity: str, price: str, client_id: str) -> Any:
        order = {"side": side, "quantity": quantity, "price": price, "newClientOrderId": client_id}
        return self.client.order_limit(symbol=SYMBOL, **order)

    def market_order(self, side: str, quantity: str) -> Any:
        return self.client.order_market(symbol=SYMBOL, side=side, quantity=quantity)

    def query(self, order: int) -> Any:
        return self.client.get_order(symbol=SYMBOL, orderId=order)

    def open_orders(self) -> Any:
        return self.client.get_open_orders(symbol=SYMBOL)

    def replace(self, order: int, side: str, quantity: str, price: str) -> Any:
        new = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price}
        old = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order}
        return self.client.cancel_replace_order(symbol=SYMBOL, **old, **new)

    def cancel(self, order: int) -> Any:
        return self.client.cancel_order(symbol=SYMBOL, orderId=order)

    def cancel_all(self) -> Any:
        return self.client.cancel_all_open_orders(symbol=SYMBOL)

    def all_orders(self) -> Any:
        return self.client.get_all_orders(symbol=SYMBOL)

    def fills(self, order: int) -> Any:
        return self.client.get_my_trades(symbol=SYMBOL, orderId=order)


def refusal(error: Exception) -> tuple[str, int] | None:
    code = getattr(error, "code", None)
    return (type(error).__name__, code) if isinstance(code, int) else None


if __name__ == "__main__":
    serve(Client, refusal)
