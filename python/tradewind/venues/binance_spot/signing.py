"""How Binance wants requests to be rendered and signed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

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


class Parameters(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the requests of orders and cancels have in common; the times are put in when they are sent."""

    symbol: str
    recvWindow: int = 0  # noqa: N815 - Binance's names
    timestamp: int = 0


class OrderParameters(Parameters, omit_defaults=True, kw_only=True):
    """The parameters of an order."""

    side: str
    type: str
    quantity: str
    price: str | None = None
    timeInForce: str | None = None  # noqa: N815
    newClientOrderId: str  # noqa: N815
    newOrderRespType: str  # noqa: N815


class CancelParameters(Parameters, omit_defaults=True, kw_only=True):
    """The parameters of a cancel."""

    origClientOrderId: str | None = None  # noqa: N815
    orderId: int | None = None  # noqa: N815


def order_parameters(order: OrderRequest) -> OrderParameters:
    """Render an order; what becomes of it comes with the user data, so the answer is short.

    Examples
    --------
    >>> order_parameters(OrderRequest("a1", "binance_spot:BTCUSDT", "buy", "0.5", "61800.2", "post_only")).type
    'LIMIT_MAKER'

    """
    price, kind, time_in_force = order.price, "MARKET", None
    if price is not None:
        price, kind = text(price), "LIMIT_MAKER"
        if order.time_in_force != "post_only":
            kind, time_in_force = "LIMIT", "IOC" if order.time_in_force == "ioc" else "GTC"
    return OrderParameters(
        symbol=order.symbol,
        side="BUY" if order.side == "buy" else "SELL",
        type=kind,
        quantity=text(order.quantity),
        price=price,
        timeInForce=time_in_force,
        newClientOrderId=order.client_id,
        newOrderRespType="ACK",
    )


def cancel_parameters(cancel: CancelRequest, number: int | None = None) -> CancelParameters:
    """Render a cancel, by the venue's number of the order where it is known."""
    name = cancel.client_id if number is None else None
    return CancelParameters(symbol=cancel.symbol, origClientOrderId=name, orderId=number)


def text(number: Exact) -> str:
    """A number as Binance reads it: no exponent."""
    return format(number, "f") if isinstance(number, Decimal) else number
