"""Orders: placing, cancelling, replacing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container
from typing import Any, cast

from tradewind.sandbox.account import Account
from tradewind.sandbox.binance_spot import answer
from tradewind.sandbox.binance_spot.call import Call, Method
from tradewind.sandbox.binance_spot.failure import BEFORE_THE_ENGINE, Failure, mandatory, of_refusal
from tradewind.sandbox.order import Kind, Order, OrderRequest, SelfTrade, TimeInForce
from tradewind.sandbox.refusal import Reason, Refusal
from tradewind.sandbox.units import show

_KINDS = ("LIMIT", "MARKET", "LIMIT_MAKER")
_UNSUPPORTED = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
_RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
_RATE_LIMIT_MODES = ("orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY"), "DO_NOTHING")

Submit = Callable[[Account, OrderRequest, int], Order]
"""Sends an order of an account to the exchange at a time."""


def place(call: Call) -> dict[str, Any]:
    """Place an order."""
    request, form = _request(call)
    call.parameters.finish()
    _count(call)
    return _placed(call, call.venue.exchange.submit(call.account, request, call.now_ns), form)


def _placed(call: Call, order: Order, form: str) -> dict[str, Any]:
    """The answer to an order that came just now."""
    exchange = call.venue.exchange
    fills, prevented = exchange.fills_by_order.get(order.key, ()), exchange.history.prevented_by(order)
    return answer.placed(order, form, fills, prevented, call.scale)


def _count(call: Call) -> None:
    """Count an order, within the limit of orders."""
    meter, now_ms = call.venue.meter, call.now_ns // 1_000_000
    meter.check_orders(call.account.number, now_ms)
    meter.count_order(call.account.number, 1, now_ms)


def test(call: Call) -> dict[str, Any]:
    """Check an order without placing it: its form and the filters, not what the matching engine looks at."""
    wants_rates = call.parameters.flag("computeCommissionRates")
    request, _ = _request(call)
    call.parameters.finish()
    _check_filters(call, request, BEFORE_THE_ENGINE)
    if not wants_rates:
        return {}
    rates = {"maker": show(call.account.maker_rate), "taker": show(call.account.taker_rate)}
    nothing = {"maker": answer.ZERO, "taker": answer.ZERO}
    return {
        "standardCommissionForOrder": rates,
        "specialCommissionForOrder": nothing,
        "taxCommissionForOrder": nothing,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": answer.ZERO,
        },
    }


def _request(call: Call) -> tuple[OrderRequest, str]:
    """The order that was asked for, and the form of its answer."""
    sent = call.parameters
    symbol = call.market().symbol.name
    side, word = sent.needed("side"), sent.needed("type")
    if side not in ("BUY", "SELL"):
        raise Failure(-1117, "Invalid side.")
    if word not in _KINDS:
        raise Failure(-1013, _UNSUPPORTED[word]) if word in _UNSUPPORTED else Failure(-1116, "Invalid orderType.")
    for name in ("stopPrice", "trailingDelta"):
        if sent.text(name) is not None:
            raise Failure(-1106, f"Parameter '{name}' sent when not required.")
    for name in ("pegPriceType", "pegOffsetValue", "pegOffsetType"):
        if sent.text(name) is not None:
            raise Failure(-1013, "Pegged orders are not supported for this symbol.")
    if sent.amount("icebergQty"):
        raise Failure(-1013, "Iceberg orders are not supported for this symbol.")
    kind = cast(Kind, word)
    self_trade = sent.text("selfTradePreventionMode") or "EXPIRE_MAKER"
    if self_trade not in _MODES:
        raise Failure(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    form = sent.choice("newOrderRespType", ("ACK", "RESULT", "FULL"), "ACK" if kind == "LIMIT_MAKER" else "FULL")
    strategy_type = sent.integer("strategyType")
    if strategy_type is not None and strategy_type < 1_000_000:
        raise Failure(-1134, "`strategyType` was less than 1000000.")
    price, quantity, quote_quantity = _sizes(call, kind)
    request = OrderRequest(
        symbol=symbol,
        buy=side == "BUY",
        kind=kind,
        client_id=sent.client_id("newClientOrderId") or _client_id(),
        time_in_force=_time_in_force(call, kind),
        price=price,
        quantity=quantity,
        quote_quantity=quote_quantity,
        self_trade=cast(SelfTrade, self_trade),
        strategy_id=sent.integer("strategyId"),
        strategy_type=strategy_type,
    )
    return request, form


def _sizes(call: Call, kind: Kind) -> tuple[int, int, int]:
    """Price, quantity and quote quantity."""
    sent = call.parameters
    if kind != "MARKET":
        if sent.text("quoteOrderQty") is not None:
            raise Failure(-1106, "Parameter 'quoteOrderQty' sent when not required.")
        needed = sent.needed_amount("quantity")
        return sent.needed_amount("price"), needed, 0
    if sent.text("price") is not None:
        raise Failure(-1106, "Parameter 'price' sent when not required.")
    quantity, quote_quantity = sent.positive_amount("quantity"), sent.positive_amount("quoteOrderQty")
    if quantity and quote_quantity:
        raise Failure(-1128, "Combination of optional parameters invalid.")
    if not quantity and not quote_quantity:
        raise Failure(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    return 0, quantity or 0, quote_quantity or 0


def _time_in_force(call: Call, kind: Kind) -> TimeInForce:
    word = call.parameters.text("timeInForce")
    if kind != "LIMIT":
        if word is not None:
            raise Failure(-1106, "Parameter 'timeInForce' sent when not required.")
        return "GTC"
    if word is None:
        raise mandatory("timeInForce")
    if word not in ("GTC", "IOC", "FOK"):
        raise Failure(-1115, "Invalid timeInForce.")
    return cast(TimeInForce, word)


def _client_id() -> str:
    return secrets.token_urlsafe(16)[:22]


def _named_order(call: Call, id_name: str, client_name: str, reason: Reason) -> Order:
    """The order that a request names."""
    market = call.market()
    order_id, client_id = call.parameters.integer(id_name), call.parameters.client_id(client_name)
    if order_id is None and client_id is None:
        raise Failure(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    order = call.venue.exchange.find(call.account, market.symbol.name, order_id, client_id)
    if order is None:
        raise Refusal(reason)
    return order


def cancel(call: Call) -> dict[str, Any]:
    """Cancel an order."""
    new_id = call.parameters.client_id("newClientOrderId") or _client_id()
    restriction = _restriction(call)
    order = _named_order(call, "orderId", "origClientOrderId", Reason.UNKNOWN_ORDER)
    call.parameters.finish()
    return cancel_order(call, order, new_id, restriction)


def _restriction(call: Call) -> str | None:
    word = call.parameters.text("cancelRestrictions")
    if word is not None and word not in _RESTRICTIONS:
        raise Failure(-1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.")
    return word


def cancel_order(call: Call, order: Order, new_id: str, restriction: str | None) -> dict[str, Any]:
    """Cancel an order if the restriction allows it."""
    if restriction is not None and order.is_open and order.status != _RESTRICTIONS[restriction]:
        raise Refusal(Reason.RESTRICTED_CANCEL)
    call.venue.exchange.cancel(order, call.now_ns, new_id)
    return answer.cancelled(order, new_id, call.scale)


def cancel_all(call: Call) -> list[dict[str, Any]]:
    """Cancel all open orders of a symbol."""
    name = call.market().symbol.name
    call.parameters.finish()
    mine = call.venue.exchange.open_orders[call.account.number].values()
    orders = [order for order in mine if order.symbol == name]
    if not orders:
        raise Refusal(Reason.UNKNOWN_ORDER)
    return [cancel_order(call, order, _client_id(), None) for order in orders]


def replace(call: Call) -> dict[str, Any]:
    """Cancel an order and place another; either may fail alone."""
    return replace_by(call, call.venue.exchange.submit)


def replace_by(call: Call, submit: Submit) -> dict[str, Any]:
    """Cancel an order and place another by a function; filters and the limit of orders are looked at before both."""
    sent = call.parameters
    mode = sent.choice("cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"), "")
    if not mode:
        raise mandatory("cancelReplaceMode")
    new_id, restriction = sent.client_id("cancelNewClientOrderId") or _client_id(), _restriction(call)
    cancels_anyway = sent.choice(*_RATE_LIMIT_MODES) == "CANCEL_ONLY"
    request, form = _request(call)
    order_id, client_id = sent.integer("cancelOrderId"), sent.client_id("cancelOrigClientOrderId")
    if order_id is None and client_id is None:
        message = "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"
        raise Failure(-1102, message)
    sent.finish()
    _check_filters(call, request, (*BEFORE_THE_ENGINE, Reason.TOO_MANY_ORDERS, Reason.TOO_LARGE_POSITION))
    too_many = _excess(call, cancels_anyway)
    cancelled, cancel_failed = _attempt_cancel(call, request.symbol, order_id, client_id, new_id, restriction)
    placed: dict[str, Any] | None = None
    place_failed = False
    if not (cancel_failed and mode == "STOP_ON_FAILURE"):
        placed, place_failed = _attempt_place(call, request, form, submit, too_many, tells=not cancel_failed)
    body = {
        "cancelResult": "FAILURE" if cancel_failed else "SUCCESS",
        "newOrderResult": "NOT_ATTEMPTED" if placed is None else "FAILURE" if place_failed else "SUCCESS",
        "cancelResponse": cancelled,
        "newOrderResponse": placed,
    }
    if not cancel_failed and not place_failed:
        return body
    if cancel_failed and (placed is None or place_failed):
        raise Failure(-2022, "Order cancel-replace failed.", 400, body)
    raise Failure(-2021, "Order cancel-replace partially failed.", 409, body)


def _check_filters(call: Call, request: OrderRequest, reasons: Container[Reason]) -> None:
    """Refuse an order for some reasons; whatever else stands against it shows when it is placed."""
    try:
        call.venue.exchange.check(call.account, request, call.now_ns)
    except Refusal as refusal:
        if refusal.reason in reasons:
            raise


def _excess(call: Call, cancels_anyway: bool) -> Failure | None:
    """Count the new order, attempted or not; the failure where it is one too many and there is a cancel anyway."""
    try:
        _count(call)
    except Failure as failure:
        if not cancels_anyway:
            raise
        return Failure(failure.code, failure.message)
    return None


def _attempt_cancel(
    call: Call, symbol: str, order_id: int | None, client_id: str | None, new_id: str, restriction: str | None
) -> tuple[dict[str, Any], bool]:
    """The cancel's answer, and whether it failed."""
    order = call.venue.exchange.find(call.account, symbol, order_id, client_id)
    try:
        if order is None:
            raise Refusal(Reason.UNKNOWN_ORDER)
        return cancel_order(call, order, new_id, restriction), False
    except Refusal as refusal:
        return of_refusal(refusal).body(), True


def _attempt_place(
    call: Call, request: OrderRequest, form: str, submit: Submit, too_many: Failure | None, *, tells: bool
) -> tuple[dict[str, Any], bool]:
    """The new order's answer, and whether it failed; a rejection is told where another order was cancelled for it."""
    if too_many is not None:
        return too_many.body(), True
    try:
        order = submit(call.account, request, call.now_ns)
    except Refusal as refusal:
        if tells and refusal.reason in answer.REJECTIONS:
            call.venue.exchange.reject(call.account, request, refusal.reason, call.now_ns)
        return of_refusal(refusal).body(), True
    return _placed(call, order, form), False


def status(call: Call) -> dict[str, Any]:
    """An order as it is."""
    is_named_twice = call.parameters.has("orderId") and call.parameters.has("origClientOrderId")
    reason = Reason.OTHER_NAME if is_named_twice else Reason.NO_SUCH_ORDER
    order = _named_order(call, "orderId", "origClientOrderId", reason)
    return answer.queried(order, call.scale)


def _unsupported(what: str) -> Callable[[Call], Any]:
    """What this exchange does not have: it answers as an order of an unsupported type does."""

    def run(call: Call) -> Any:
        raise Failure(-1013, f"{what} not supported for this symbol.")

    return run


def _test_weight(values: dict[str, str]) -> int:
    return 20 if values.get("computeCommissionRates", "").lower() == "true" else 1


_LISTS = _unsupported("Order lists are")
_AMENDING = _unsupported("Order amend is")
_ROUTING = _unsupported("Orders with smart routing are")
_LIST_KINDS = ("oco", "oto", "otoco", "opo", "opoco")

METHODS = (
    Method("order.place", "POST /api/v3/order", place, 1, "TRADE", is_order=True, is_placement=True),
    Method("order.test", "POST /api/v3/order/test", test, _test_weight, "TRADE"),
    Method("order.cancel", "DELETE /api/v3/order", cancel, 1, "TRADE", is_order=True),
    Method("openOrders.cancelAll", "DELETE /api/v3/openOrders", cancel_all, 1, "TRADE", is_order=True),
    Method(
        "order.cancelReplace", "POST /api/v3/order/cancelReplace", replace, 1, "TRADE", is_order=True, is_placement=True
    ),
    Method("order.status", "GET /api/v3/order", status, 4, "USER_DATA"),
    Method("orderList.place", "POST /api/v3/order/oco", _LISTS, 1, "TRADE"),
    *(Method(f"orderList.place.{kind}", f"POST /api/v3/orderList/{kind}", _LISTS, 1, "TRADE") for kind in _LIST_KINDS),
    Method("orderList.cancel", "DELETE /api/v3/orderList", _LISTS, 1, "TRADE"),
    Method("orderList.status", "GET /api/v3/orderList", _LISTS, 4, "USER_DATA"),
    Method("sor.order.place", "POST /api/v3/sor/order", _ROUTING, 1, "TRADE"),
    Method("sor.order.test", "POST /api/v3/sor/order/test", _ROUTING, 1, "TRADE"),
    Method("order.amend.keepPriority", "PUT /api/v3/order/amend/keepPriority", _AMENDING, 4, "TRADE"),
)
