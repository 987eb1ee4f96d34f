"""ccxt over REST, pointed at the exchange by the snippet that the sandbox prints."""

from __future__ import annotations

from typing import Any

from answering import serve

SYMBOL, NAME = "BTC/USDT", "BTCUSDT"
"""What it calls the market, and what its methods do that hand on requests as they are."""


class Client:
    """The calls of the course."""

    def __init__(self, setting: dict[str, Any]) -> None:
        names: dict[str, Any] = {}
        exec(setting["snippets"]["ccxt"], names)
        self.ccxt = names["exchange"]

    def time(self) -> Any:
        return self.ccxt.fetch_time()

    def rules(self) -> Any:
        return self.ccxt.load_markets()[SYMBOL]

    def book(self, limit: int) -> Any:
        return self.ccxt.fetch_order_book(SYMBOL, limit)

    def trades(self, limit: int) -> Any:
        return self.ccxt.fetch_trades(SYMBOL, limit=limit, params={"fetchTradesMethod": "publicGetTrades"})

    def aggregate_trades(self, limit: int) -> Any:
        return self.ccxt.fetch_trades(SYMBOL, limit=limit, params={"fetchTradesMethod": "publicGetAggTrades"})

    def klines(self, limit: int) -> Any:
        return self.ccxt.fetch_ohlcv(SYMBOL, "1m", limit=limit)

    def average(self) -> Any:
        return self.ccxt.public_get_avgprice({"symbol": NAME})

    def day(self) -> Any:
        return self.ccxt.fetch_ticker(SYMBOL)

    def price(self) -> Any:
        return self.ccxt.fetch_last_prices([SYMBOL])[SYMBOL]["price"]

    def best(self) -> Any:
        return self.ccxt.fetch_bids_asks([SYMBOL])[SYMBOL]

    def balances(self) -> Any:
        return self.ccxt.fetch_balance()

    def commission(self) -> Any:
        return self.ccxt.private_get_account_commission({"symbol": NAME})

    def test_order(self, side: str, quantity: str, price: str) -> Any:
        return self.ccxt.create_order(SYMBOL, "limit", side.lower(), float(quantity), float(price), {"test": True})

    def limit_order(self, side: str, quantity: str, price: str, client_id: str) -> Any:
        more = {"newClientOrderId": client_id}
        return self.ccxt.create_order(SYMBOL, "limit", side.lower(), float(quantity), float(price), more)

    def market_order(self, side: str, quantity: str) -> Any:
        return self.ccxt.create_order(SYMBOL, "market", side.lower(), float(quantity))

    def query(self, order: int) -> Any:
        return self.ccxt.fetch_order(str(order), SYMBOL)

    def open_orders(self) -> Any:
        return self.ccxt.fetch_open_orders(SYMBOL)

    def replace(self, order: int, side: str, quantity: str, price: str) -> Any:
        return self.ccxt.edit_order(str(order), SYMBOL, "limit", side.lower(), float(quantity), float(price))

    def cancel(self, order: int) -> Any:
        return self.ccxt.cancel_order(str(order), SYMBOL)

    def cancel_all(self) -> Any:
        return self.ccxt.cancel_all_orders(SYMBOL)

    def all_orders(self) -> Any:
        return self.ccxt.fetch_orders(SYMBOL)

    def fills(self, order: int) -> Any:
        return self.ccxt.fetch_my_trades(SYMBOL, params={"orderId": order})


def refusal(error: Exception) -> tuple[str, int] | None:
    """What ccxt's exceptions mean; the code itself is not always in them."""
    return ("InsufficientFunds", -2010) if type(error).__name__ == "InsufficientFunds" else None


if __name__ == "__main__":
    serve(Client, refusal)
