"""Orders, fills and events in Binance's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tradewind.sandbox.account import Account
from tradewind.sandbox.candles import Candle
from tradewind.sandbox.market import Market
from tradewind.sandbox.observer import Cause
from tradewind.sandbox.order import AggregateTrade, Execution, Fill, Order, PreventedMatch, Trade
from tradewind.sandbox.refusal import Reason
from tradewind.sandbox.units import UNIT, show, worth

ZERO = show(0)
REJECTIONS = {Reason.INSUFFICIENT_BALANCE: "INSUFFICIENT_BALANCES", Reason.WOULD_TAKE: "WOULD_MATCH_IMMEDIATELY"}
"""What reports call that for which an order was rejected."""


def side(order: Order) -> str:
    """Which side an order is on."""
    return "BUY" if order.buy else "SELL"


def _common(order: Order) -> dict[str, Any]:
    return {
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "origQuoteOrderQty": show(order.quote_quantity),
        "cummulativeQuoteQty": show(order.value),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "side": side(order),
    }


def _more(order: Order) -> dict[str, Any]:
    """Fields that only some orders have."""
    more: dict[str, Any] = {}
    if order.prevented:
        more |= {"preventedMatchId": order.prevented_match, "preventedQuantity": show(order.prevented)}
    if order.strategy_id is not None:
        more["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        more["strategyType"] = order.strategy_type
    if order.expiry_reason:
        more["expiryReason"] = order.expiry_reason
    return more


def placed(
    order: Order, form: str, fills: Sequence[Fill], prevented: Sequence[PreventedMatch], scale: int
) -> dict[str, Any]:
    """The answer to a new order, in the form that was asked for."""
    time = order.created_ns // scale
    found: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ns // scale,
    }
    if form == "ACK":
        return found
    found |= _common(order)
    found |= {"workingTime": time}
    if form == "FULL":
        found["fills"] = [
            {
                "price": show(fill.price),
                "qty": show(fill.quantity),
                "commission": show(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in fills
        ]
    if prevented:
        found["preventedMatches"] = [_prevented(match) for match in prevented]
    return found | {"selfTradePreventionMode": order.self_trade} | _more(order)


def _prevented(match: PreventedMatch) -> dict[str, Any]:
    """A prevented match, for who placed its taker."""
    return {
        "preventedMatchId": match.id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker,
        "price": show(match.price),
        **_prevented_quantities(match),
    }


def _prevented_quantities(match: PreventedMatch) -> dict[str, str]:
    """What was cancelled of the orders that the mode ends."""
    sizes = {"takerPreventedQuantity": match.taker_prevented, "makerPreventedQuantity": match.maker_prevented}
    return {name: show(size) for name, size in sizes.items() if size}


def prevented_match(match: PreventedMatch, scale: int) -> dict[str, Any]:
    """A prevented match, for who asks for it; no account here is in a trade group."""
    return {
        "symbol": match.symbol,
        "preventedMatchId": match.id,
        "takerOrderId": match.taker,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker,
        "tradeGroupId": -1,
        "selfTradePreventionMode": match.mode,
        "price": show(match.price),
        **_prevented_quantities(match),
        "transactTime": match.time_ns // scale,
    }


def cancelled(order: Order, client_id: str, scale: int) -> dict[str, Any]:
    """The answer to a cancel; it has a client id of its own."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": client_id,
        "transactTime": order.updated_ns // scale,
        **_common(order),
        "selfTradePreventionMode": order.self_trade,
        **_more(order),
    }


def queried(order: Order, scale: int) -> dict[str, Any]:
    """An order as it is."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.replaced_id or order.client_id,
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "cummulativeQuoteQty": show(order.value),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "side": side(order),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": order.created_ns // scale,
        "updateTime": order.updated_ns // scale,
        "isWorking": True,
        "workingTime": order.created_ns // scale,
        "origQuoteOrderQty": show(order.quote_quantity),
        "selfTradePreventionMode": order.self_trade,
        **_more(order),
    }


def own_trade(fill: Fill, scale: int) -> dict[str, Any]:
    """One side of a trade, for its owner."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": show(fill.price),
        "qty": show(fill.quantity),
        "quoteQty": show(fill.value),
        "commission": show(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ns // scale,
        "isBuyer": fill.buyer,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def public_trade(trade: Trade, scale: int) -> dict[str, Any]:
    """A trade, for everybody."""
    return {
        "id": trade.id,
        "price": show(trade.price),
        "qty": show(trade.quantity),
        "quoteQty": show(trade.price * trade.quantity // UNIT),
        "time": trade.time_ns // scale,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_trade(trade: AggregateTrade, scale: int) -> dict[str, Any]:
    """What one order traded at one price."""
    return {
        "a": trade.id,
        "p": show(trade.price),
        "q": show(trade.quantity),
        "f": trade.first_id,
        "l": trade.last_id,
        "T": trade.time_ns // scale,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def levels(rows: Iterable[tuple[int, int]]) -> list[tuple[str, str]]:
    """Levels of a book."""
    return [(show(price), show(quantity)) for price, quantity in rows]


def kline(candle: Candle, end_ms: int, scale: int) -> list[Any]:
    """A candle as a row."""
    factor = 1_000_000 // scale
    last = (end_ms * factor) - 1
    return [
        candle.start_ms * factor,
        show(candle.open),
        show(candle.high),
        show(candle.low),
        show(candle.close),
        show(candle.volume),
        last,
        show(candle.value),
        candle.count,
        show(candle.taken_volume),
        show(candle.taken_value),
        "0",
    ]


def average(candle: Candle) -> str:
    """The average price, weighted by quantity."""
    return show(candle.value * UNIT // candle.volume) if candle.volume else show(candle.close)


def change(candle: Candle) -> tuple[str, str]:
    """How much the price changed, and that in per cent with three decimals, rounded to the nearest.

    Examples
    --------
    >>> change(Candle(0, open=99_00000000, high=0, low=0, close=4_00000200))
    ('-94.99999800', '-95.960')
    >>> change(Candle(0, open=90_000_00000000, high=0, low=0, close=89_999_99000000))
    ('-0.01000000', '0.000')

    """
    difference = candle.close - candle.open
    thousandths = (2 * 100_000 * abs(difference) + candle.open) // (2 * candle.open)
    sign = "-" if difference < 0 and thousandths else ""
    whole, rest = divmod(thousandths, 1_000)
    return show(difference), f"{sign}{whole}.{rest:03d}"


def report(order: Order, execution: Execution, cause: Cause, now_ns: int, execution_id: int) -> dict[str, Any]:
    """An executionReport; times in nanoseconds, to be scaled by `scaled`."""
    fill = cause if isinstance(cause, Fill) else None
    is_cancel = execution == "CANCELED"
    event: dict[str, Any] = {
        "e": "executionReport",
        "E": now_ns,
        "s": order.symbol,
        "c": order.replaced_id if is_cancel and order.replaced_id else order.client_id,
        "S": side(order),
        "o": order.kind,
        "f": order.time_in_force,
        "q": show(order.quantity),
        "p": show(order.price),
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": order.client_id if is_cancel else "",
        "x": execution,
        "X": order.status,
        "r": REJECTIONS[cause] if isinstance(cause, Reason) else "NONE",
        "i": order.id,
        "l": show(fill.quantity) if fill else ZERO,
        "z": show(order.executed),
        "L": show(fill.price) if fill else ZERO,
        "n": show(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": order.updated_ns,
        "t": fill.trade_id if fill else -1,
        "I": execution_id,
        "w": order.is_open and order.kind != "MARKET",
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "O": order.created_ns,
        "Z": show(order.value),
        "Y": show(fill.value) if fill else ZERO,
        "Q": show(order.quote_quantity),
        "W": order.created_ns,
        "V": order.self_trade,
    }
    if isinstance(cause, PreventedMatch):
        event |= {
            "v": cause.id,
            "A": show(order.prevented),
            "B": show(order.prevented),
            "U": cause.counterpart(order),
            "Cs": cause.symbol,
            "pl": show(cause.quantity),
            "pL": show(cause.price),
            "pY": show(worth(cause.price, cause.quantity)),
        }
    if order.strategy_id is not None:
        event["j"] = order.strategy_id
    if order.strategy_type is not None:
        event["J"] = order.strategy_type
    if order.expiry_reason:
        event["eR"] = order.expiry_reason
    return event


def position(account: Account, assets: Iterable[str], now_ns: int) -> dict[str, Any]:
    """An outboundAccountPosition; times in nanoseconds."""
    rows = [
        {"a": asset, "f": show(account.balance(asset).free), "l": show(account.balance(asset).locked)}
        for asset in assets
    ]
    return {"e": "outboundAccountPosition", "E": now_ns, "u": account.updated_ns, "B": rows}


_TIMES = ("E", "T", "O", "W", "u")


def scaled(event: dict[str, Any], scale: int) -> dict[str, Any]:
    """A user's event with its times in another unit than nanoseconds."""
    is_report = event["e"] == "executionReport"
    names = _TIMES[:4] if is_report else _TIMES
    return event | {name: event[name] // scale for name in names if name in event}


def day_ticker(market: Market, now_ns: int, scale: int) -> dict[str, Any]:
    """The statistics of the last 24 hours."""
    now_ms = now_ns // 1_000_000
    candle = window(market, now_ms - 86_400_000)
    factor = 1_000_000 // scale
    (bid, bid_quantity), (ask, ask_quantity) = (best or (0, 0) for best in market.best)
    difference, percent = change(candle)
    return {
        "symbol": market.symbol.name,
        "priceChange": difference,
        "priceChangePercent": percent,
        "weightedAvgPrice": average(candle),
        "prevClosePrice": show(candle.open),
        "lastPrice": show(candle.close),
        "lastQty": show(market.last_quantity),
        "bidPrice": show(bid),
        "bidQty": show(bid_quantity),
        "askPrice": show(ask),
        "askQty": show(ask_quantity),
        "openPrice": show(candle.open),
        "highPrice": show(candle.high),
        "lowPrice": show(candle.low),
        "volume": show(candle.volume),
        "quoteVolume": show(candle.value),
        "openTime": (now_ms - 86_400_000) * factor,
        "closeTime": now_ms * factor,
        "firstId": candle.first_id,
        "lastId": candle.last_id,
        "count": candle.count,
    }


def window(market: Market, start_ms: int) -> Candle:
    """Everything since then, as one candle; flat where there was no trade."""
    price = market.last_price
    return market.candles.window(start_ms) or Candle(start_ms, price, price, price, price)
