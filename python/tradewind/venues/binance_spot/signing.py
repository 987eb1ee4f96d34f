"""How Binance wants requests to be rendered and signed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from tradewind.venues.credentials import Credentials
from tradewind.venues.interface import CancelRequest, Exact, OrderRequest


def query(parameters: Mapping[str, Any]) -> str:
    """Percent-encode a REST query, which is signed in this form.

    Examples
    --------
    >>> query({"symbol": "这", "side": "BUY"})
    'symbol=%E8%BF%99&side=BUY'

    """
    return urlencode(parameters, quote_via=quote)


def payload(parameters: Mapping[str, Any]) -> str:
    """Build what is signed of a WebSocket request: sorted, and not encoded.

    Examples
    --------
    >>> payload({"symbol": "这", "side": "BUY"})
    'side=BUY&symbol=这'

    """
    return "&".join([f"{name}={parameters[name]}" for name in sorted(parameters)])


def signed_query(credentials: Credentials, parameters: Mapping[str, Any]) -> str:
    """Sign a REST query."""
    text = query(parameters)
    return f"{text}&signature={quote(credentials.sign(text.encode()), safe='')}"


def signed(credentials: Credentials, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Add key and signature to the parameters of a WebSocket request."""
    named = {**parameters, "apiKey": credentials.api_key}
    return {**named, "signature": credentials.sign(payload(named).encode())}


def order_parameters(order: OrderRequest) -> dict[str, Any]:
    """Render an order; what becomes of it comes with the user data, so the answer is short.

    Examples
    --------
    >>> order_parameters(OrderRequest("a1", "binance_spot:BTCUSDT", "buy", "0.5", "61800.2", "post_only"))["type"]
    'LIMIT_MAKER'

    """
    rendered: dict[str, Any] = {
        "symbol": order.symbol,
        "side": "BUY" if order.side == "buy" else "SELL",
        "quantity": text(order.quantity),
        "newClientOrderId": order.client_id,
        "newOrderRespType": "ACK",
    }
    if order.price is None:
        rendered["type"] = "MARKET"
        return rendered
    rendered["price"] = text(order.price)
    if order.time_in_force == "post_only":
        rendered["type"] = "LIMIT_MAKER"
    else:
        rendered["type"] = "LIMIT"
        rendered["timeInForce"] = "IOC" if order.time_in_force == "ioc" else "GTC"
    return rendered


def cancel_parameters(cancel: CancelRequest, number: int | None = None) -> dict[str, Any]:
    """Render a cancel, by the venue's number of the order where it is known."""
    named: dict[str, Any] = {"origClientOrderId": cancel.client_id} if number is None else {"orderId": number}
    return {"symbol": cancel.symbol} | named


def text(number: Exact) -> str:
    """A number as Binance reads it: no exponent."""
    return format(number, "f") if isinstance(number, Decimal) else number
