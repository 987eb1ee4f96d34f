"""The rules that an order must fit, in the order in which the venue looks at them."""

from __future__ import annotations

from collections.abc import Collection

from tradewind.sandbox.account import Account
from tradewind.sandbox.market import Market
from tradewind.sandbox.order import Order, OrderRequest
from tradewind.sandbox.refusal import Reason, Refusal
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import UNIT, worth


def check(market: Market, request: OrderRequest, quantity: int, now_ns: int) -> None:
    """Refuse an order that does not fit the symbol."""
    symbol = market.symbol
    if request.kind == "MARKET":
        average = market.average_price(now_ns)
        _check_quantity("LOT_SIZE", symbol, quantity, symbol.maximum_quantity)
        _check_quantity("MARKET_LOT_SIZE", symbol, quantity, symbol.maximum_market_quantity)
        _check_notional(symbol, request.quote_quantity or worth(average, quantity))
        return
    price = request.price
    if not symbol.tick <= price <= symbol.maximum_price or price % symbol.tick:
        raise Refusal(Reason.FILTER, "PRICE_FILTER")
    average = market.average_price(now_ns)
    highest, lowest = (average * factor // UNIT for factor in symbol.price_factors)
    if not lowest <= price <= highest:
        raise Refusal(Reason.FILTER, "PERCENT_PRICE_BY_SIDE")
    _check_quantity("LOT_SIZE", symbol, quantity, symbol.maximum_quantity)
    _check_notional(symbol, worth(price, quantity))


def check_account(
    market: Market, request: OrderRequest, quantity: int, account: Account, open_orders: Collection[Order]
) -> None:
    """Refuse an order that would be too much for its account on this symbol."""
    symbol = market.symbol
    if request.kind == "MARKET" and not symbol.maximum_position:
        return
    here = [order for order in open_orders if order.symbol == symbol.name]
    if request.kind != "MARKET" and len(here) >= symbol.maximum_orders:
        raise Refusal(Reason.TOO_MANY_ORDERS)
    if symbol.maximum_position and request.buy:
        balance = account.balance(symbol.base)
        buying = sum(order.remaining for order in here if order.buy)
        if balance.free + balance.locked + buying + quantity > symbol.maximum_position:
            raise Refusal(Reason.TOO_LARGE_POSITION)


def _check_quantity(name: str, symbol: Symbol, quantity: int, maximum: int) -> None:
    if not symbol.minimum_quantity <= quantity <= maximum or quantity % symbol.lot:
        raise Refusal(Reason.FILTER, name)


def _check_notional(symbol: Symbol, value: int) -> None:
    if not symbol.minimum_notional <= value <= symbol.maximum_notional:
        raise Refusal(Reason.FILTER, "NOTIONAL")
