"""What an account can ask about itself."""

from __future__ import annotations

from typing import Any

from tradewind.sandbox.binance_spot import answer
from tradewind.sandbox.binance_spot.call import Call, Method
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.units import show

_DAY_MS = 86_400_000


def account(call: Call) -> dict[str, Any]:
    """Balances and rates."""
    omit = call.parameters.flag("omitZeroBalances")
    mine = call.account
    rates = {
        "maker": show(mine.maker_rate),
        "taker": show(mine.taker_rate),
        "buyer": answer.ZERO,
        "seller": answer.ZERO,
    }
    return {
        "makerCommission": mine.maker_rate // 10_000,
        "takerCommission": mine.taker_rate // 10_000,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": mine.updated_ns // call.scale,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": show(balance.free), "locked": show(balance.locked)}
            for asset, balance in _balances(call).items()
            if balance.free or balance.locked or not omit
        ],
        "permissions": ["SPOT"],
        "uid": mine.number,
    }


def _balances(call: Call) -> dict[str, Any]:
    symbols = [market.symbol for market in call.venue.exchange.markets.values()]
    assets = {asset: None for symbol in symbols for asset in (symbol.base, symbol.quote)}
    return {asset: call.account.balance(asset) for asset in assets | dict.fromkeys(call.account.balances)}


def commission(call: Call) -> dict[str, Any]:
    """The rates of a symbol."""
    name, mine = call.market().symbol.name, call.account
    nothing = {"maker": answer.ZERO, "taker": answer.ZERO, "buyer": answer.ZERO, "seller": answer.ZERO}
    return {
        "symbol": name,
        "standardCommission": {**nothing, "maker": show(mine.maker_rate), "taker": show(mine.taker_rate)},
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": answer.ZERO,
        },
    }


def open_orders(call: Call) -> list[dict[str, Any]]:
    """Open orders, of one symbol or of all."""
    name = call.parameters.optional_symbol()
    if name is not None:
        call.market(name)
    mine = call.venue.exchange.open_orders[call.account.number].values()
    return [answer.queried(order, call.scale) for order in mine if name in (None, order.symbol)]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """Orders of a symbol, open and closed."""
    name, limit = call.market().symbol.name, call.parameters.limit(500, 1_000)
    first = call.parameters.integer("orderId")
    low_ms, high_ms, has_start = _range(call)
    if _is_by_time(call):
        # The id is ignored then.
        first = None
    orders = call.venue.exchange.history.of(call.account.number, name)
    rows = [
        order
        for order in orders
        if (first is None or order.id >= first) and low_ms <= order.created_ns // 1_000_000 <= high_ms
    ]
    from_start = first is not None or has_start
    return [answer.queried(order, call.scale) for order in (rows[:limit] if from_start else rows[-limit:])]


def my_trades(call: Call) -> list[dict[str, Any]]:
    """Fills of a symbol."""
    name, limit = call.market().symbol.name, call.parameters.limit(500, 1_000)
    order_id, first = call.parameters.integer("orderId"), call.parameters.integer("fromId")
    if _is_by_time(call) and (order_id is not None or first is not None):
        raise Failure(-1128, "Combination of optional parameters invalid.")
    low_ms, high_ms, has_start = _range(call)
    fills = call.venue.exchange.fills[call.account.number, name]
    rows = [
        fill
        for fill in fills
        if order_id in (None, fill.order_id)
        and (first is None or fill.trade_id >= first)
        and low_ms <= fill.time_ns // 1_000_000 <= high_ms
    ]
    from_start = first is not None or has_start
    return [answer.own_trade(fill, call.scale) for fill in (rows[:limit] if from_start else rows[-limit:])]


def _is_by_time(call: Call) -> bool:
    return call.parameters.has("startTime") or call.parameters.has("endTime")


def _range(call: Call) -> tuple[int, int, bool]:
    """The first and the last millisecond that are asked for, and whether a first one was sent."""
    start_ms, end_ms = call.parameters.time_ms("startTime"), call.parameters.time_ms("endTime")
    if start_ms is not None and end_ms is not None:
        if start_ms > end_ms:
            raise Failure(-1100, "Start time is greater than end time.")
        if end_ms - start_ms > _DAY_MS:
            raise Failure(-1127, "More than 24 hours between startTime and endTime.")
    return start_ms or 0, 1 << 60 if end_ms is None else end_ms, start_ms is not None


def order_limits(call: Call) -> list[dict[str, Any]]:
    """How many orders were sent."""
    return call.venue.meter.order_rows(call.account.number, call.now_ns // 1_000_000)


def prevented_matches(call: Call) -> list[dict[str, Any]]:
    """Trades of the account with itself that did not come, by their id or by an order."""
    sent, limit = call.parameters, call.parameters.limit(500, 1_000)
    name, match_id, order_id = call.market().symbol.name, sent.integer("preventedMatchId"), sent.integer("orderId")
    first = sent.integer("fromPreventedMatchId")
    if (match_id is None) == (order_id is None) or (match_id is not None and first is not None):
        raise Failure(-1128, "Combination of optional parameters invalid.")
    rows = [
        match
        for match in call.venue.exchange.history.prevented[call.account.number, name]
        if match_id == match.id or (order_id in (match.taker, match.maker) and (first is None or match.id >= first))
    ]
    return [answer.prevented_match(match, call.scale) for match in rows[:limit]]


def nothing(call: Call) -> list[Any]:
    """A list that is always empty here."""
    call.parameters.ignore("symbol", "orderId", "limit", "startTime", "endTime", "fromAllocationId", "fromId")
    return []


def gone(call: Call) -> Any:
    """Listen keys, which Binance took away on 2026-02-20."""
    raise Failure(-1016, "This service is no longer available.", 410)


def _open_weight(values: dict[str, str]) -> int:
    return 6 if "symbol" in values else 80


def _prevented_weight(values: dict[str, str]) -> int:
    return 2 if "preventedMatchId" in values else 20


def _trades_weight(values: dict[str, str]) -> int:
    return 5 if "orderId" in values else 20


METHODS = (
    Method("account.status", "GET /api/v3/account", account, 20, "USER_DATA"),
    Method("account.commission", "GET /api/v3/account/commission", commission, 20, "USER_DATA"),
    Method("account.rateLimits.orders", "GET /api/v3/rateLimit/order", order_limits, 40, "USER_DATA"),
    Method("openOrders.status", "GET /api/v3/openOrders", open_orders, _open_weight, "USER_DATA"),
    Method("allOrders", "GET /api/v3/allOrders", all_orders, 20, "USER_DATA"),
    Method("myTrades", "GET /api/v3/myTrades", my_trades, _trades_weight, "USER_DATA"),
    Method("openOrderLists.status", "GET /api/v3/openOrderList", nothing, 6, "USER_DATA"),
    Method("allOrderLists", "GET /api/v3/allOrderList", nothing, 20, "USER_DATA"),
    Method("myPreventedMatches", "GET /api/v3/myPreventedMatches", prevented_matches, _prevented_weight, "USER_DATA"),
    Method("myAllocations", "GET /api/v3/myAllocations", nothing, 20, "USER_DATA"),
    Method("userDataStream.start", "POST /api/v3/userDataStream", gone),
    Method("userDataStream.ping", "PUT /api/v3/userDataStream", gone),
    Method("userDataStream.stop", "DELETE /api/v3/userDataStream", gone),
)
