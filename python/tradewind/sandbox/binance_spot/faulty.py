"""Requests that go wrong: orders of unknown fate, late reads, cancels that come too late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tradewind.sandbox.account import Account
from tradewind.sandbox.binance_spot.call import Call, Method
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.binance_spot.trade_methods import replace_by
from tradewind.sandbox.order import Order, OrderRequest
from tradewind.sandbox.refusal import Reason, Refusal

if TYPE_CHECKING:
    from tradewind.sandbox.faults import Faults

_UNKNOWN = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_DEFAULT_LAG_SECONDS = 1.0
_LOGONS = frozenset({"session.logon", "userDataStream.subscribe", "userDataStream.subscribe.signature"})
_ORDERS = frozenset({"order.place", "order.cancel", "openOrders.cancelAll", "order.cancelReplace"})
_EMPTY = frozenset({"account.status", "openOrders.status", "allOrders", "myTrades"})


class SilenceError(Exception):
    """A request that is never answered."""


def seconds_before(faults: Faults, name: str) -> float:
    """How long a request waits before it is carried out."""
    switch = faults.fires("slow_order") if name == "order.place" else None
    return 0.0 if switch is None else float(switch.parameters.get("delay_seconds", 0.5))


def seconds_after(faults: Faults, name: str) -> float:
    """How long an answer waits before it is given."""
    fault, usual = ("late_logon", 1.0) if name in _LOGONS else ("push_before_answer", 0.2)
    switch = faults.fires(fault) if name in _LOGONS or name in _ORDERS else None
    return 0.0 if switch is None else float(switch.parameters.get("delay_seconds", usual))


def run_with_faults(method: Method, call: Call) -> Any:
    """Carry out a request as the faults that are on want it."""
    faults = call.venue.faults
    if method.name == "order.place":
        return _place(method, call)
    if method.name == "order.cancelReplace" and faults.fires("partial_replace"):
        return replace_by(call, _refuse)
    if method.name in _EMPTY and faults.fires("empty_answers"):
        return _emptied(method.run(call))
    if method.name == "order.cancel" and faults.fires("cancel_races_fill"):
        _fill_before(call)
    result = method.run(call)
    lag = faults.active.get("read_lag")
    if lag is None or method.security != "USER_DATA":
        return result
    return _late(result, call, float(lag.parameters.get("lag_seconds", _DEFAULT_LAG_SECONDS)))


def _place(method: Method, call: Call) -> Any:
    faults = call.venue.faults
    if faults.fires("order_rate"):
        raise Failure(-1015, "Too many new orders; current limit is 0 orders per 10 SECOND.", 429)
    if switch := faults.fires("refused_orders"):
        given = switch.parameters
        message = str(given.get("message", "Account has insufficient balance for requested action."))
        raise Failure(int(given.get("code", -2010)), message, int(given.get("status", 400)))
    if faults.fires("altered_client_id"):
        call.parameters.replace("newClientOrderId", str.upper)
    if switch := faults.fires("timeout_not_accepted"):
        raise _unknown(switch.parameters)
    if switch := faults.fires("late_order"):
        delay_seconds = float(switch.parameters.get("seconds_later", _DEFAULT_LAG_SECONDS))
        asyncio.get_running_loop().call_later(delay_seconds, _place_late, method, call)
        raise _unknown(switch.parameters)
    result = method.run(call)
    if switch := faults.fires("timeout_accepted"):
        raise _unknown(switch.parameters)
    return result


def _refuse(account: Account, request: OrderRequest, now_ns: int) -> Order:
    """What `Exchange.submit` does when an account has too little."""
    raise Refusal(Reason.INSUFFICIENT_BALANCE)


def _emptied(result: Any) -> Any:
    """An answer of an account that has nothing."""
    return [] if isinstance(result, list) else result | {"balances": []}


def _place_late(method: Method, call: Call) -> None:
    call.now_ns = call.venue.clock.now_ns()
    try:
        method.run(call)
    except (Failure, Refusal):
        # Nobody waits for the answer any more.
        return


def _unknown(parameters: dict[str, Any]) -> Exception:
    return SilenceError() if parameters.get("silent") else Failure(-1007, _UNKNOWN, 504)


def _fill_before(call: Call) -> None:
    """Let the crowd fill an order whose cancel is on its way, if the book gives that."""
    sent = call.parameters
    order_id, client_id = sent.integer("orderId"), sent.client_id("origClientOrderId")
    order = call.venue.exchange.find(call.account, sent.symbol(), order_id, client_id)
    if order is not None and order.is_open:
        call.venue.exchange.fill_by_crowd(order, call.now_ns)


def _late(result: Any, call: Call, lag_seconds: float) -> Any:
    """An answer without the orders that are too young."""
    youngest = (call.now_ns - int(lag_seconds * 1e9)) // call.scale
    if isinstance(result, list):
        return [row for row in result if not (isinstance(row, dict) and row.get("time", 0) > youngest)]
    if isinstance(result, dict) and result.get("time", 0) > youngest:
        raise Refusal(Reason.NO_SUCH_ORDER)
    return result
