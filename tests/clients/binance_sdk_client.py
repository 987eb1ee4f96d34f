"""Binance's own binance-sdk-spot over REST: every answer has passed its typed models."""

from __future__ import annotations

from typing import Any

from answering import serve
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import Error
from binance_sdk_spot.spot import Spot

SYMBOL = "BTCUSDT"


class Client:
    """The calls of the course."""

    def __init__(self, setting: dict[str, Any]) -> None:
        keys = {"api_key": setting["key"], "private_key": setting["secret"]}
        self.rest = Spot(ConfigurationRestAPI(**keys, base_path=setting["rest_url"])).rest_api

    def _ask(self, method: str, *values: Any, **named: Any) -> Any:
        return plain(getattr(self.rest, method)(*values, **named).data())

    def time(self) -> Any:
        return self._ask("time")

    def rules(self) -> Any:
        return self._ask("exchange_info", SYMBOL)

    def book(self, limit: int) -> Any:
        return self._ask("depth", SYMBOL, limit=limit)

    def trades(self, limit: int) -> Any:
        return self._ask("get_trades", SYMBOL, limit=limit)

    def aggregate_trades(self, limit: int) -> Any:
        return self._ask("agg_trades", SYMBOL, limit=limit)

    def klines(self, limit: int) -> Any:
        return self._ask("klines", SYMBOL, "1m", limit=limit)

    def average(self) -> Any:
        return self._ask("avg_price", SYMBOL)

    def day(self) -> Any:
        return self._ask("ticker24hr", SYMBOL)

    def price(self) -> Any:
        return self._ask("ticker_price", SYMBOL)

    def best(self) -> Any:
        return self._ask("ticker_book_ticker", SYMBOL)

    def balances(self) -> Any:
        return self._ask("get_account")

    def commission(self) -> Any:
        return self._ask("account_commission", SYMBOL)

    def test_order(self, side: str, quantity: str, price: str) -> Any:
        return self._ask("order_test", SYMBOL, side, "LIMIT", **sizes(quantity, price))

    def limit_order(self, side: str, quantity: str, price: str, client_id: str) -> Any:
        more = {**sizes(quantity, price), "new_client_order_id": client_id}
        return self._ask("new_order", SYMBOL, side, "LIMIT", **more)

    def market_order(self, side: str, quantity: str) -> Any:
        return self._ask("new_order", SYMBOL, side, "MARKET", quantity=float(quantity))

    def query(self, order: int) -> Any:
        return self._ask("get_order", SYMBOL, order_id=order)

    def open_orders(self) -> Any:
        return self._ask("get_open_orders", SYMBOL)

    def replace(self, order: int, side: str, quantity: str, price: str) -> Any:
        new = {**sizes(quantity, price), "cancel_order_id": order}
        return self._ask("order_cancel_replace", SYMBOL, side, "LIMIT", "STOP_ON_FAILURE", **new)

    def cancel(self, order: int) -> Any:
        return self._ask("delete_order", SYMBOL, order_id=order)

    def cancel_all(self) -> Any:
        return self._ask("delete_open_orders", SYMBOL)

    def all_orders(self) -> Any:
        return self._ask("all_orders", SYMBOL)

    def fills(self, order: int) -> Any:
        return self._ask("my_trades", SYMBOL, order_id=order)


def sizes(quantity: str, price: str) -> dict[str, Any]:
    return {"time_in_force": "GTC", "quantity": float(quantity), "price": float(price)}


def plain(found: Any) -> Any:
    """What a typed model read, under Binance's own names."""
    if isinstance(found, list):
        return [plain(one) for one in found]
    return found.to_dict() if hasattr(found, "to_dict") else found


def refusal(error: Exception) -> tuple[str, int] | None:
    code = getattr(error, "status_code", None)
    return (type(error).__name__, code) if isinstance(error, Error) and isinstance(code, int) else None


if __name__ == "__main__":
    serve(Client, refusal)
