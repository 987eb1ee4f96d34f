"""Binance's own answers, which the other clients hand on, in the words of the course."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

_SYMBOL = "BTCUSDT"


def _rules(found: Any) -> dict[str, Any]:
    one = next(row for row in found["symbols"] if row["symbol"] == _SYMBOL)
    filters = {row["filterType"]: row for row in one["filters"]}
    return {
        "base": one["baseAsset"],
        "quote": one["quoteAsset"],
        "tick": filters["PRICE_FILTER"]["tickSize"],
        "lot": filters["LOT_SIZE"]["stepSize"],
        "minimum_notional": filters["NOTIONAL"]["minNotional"],
    }


def _book(found: Any) -> dict[str, Any]:
    return {"id": found["lastUpdateId"], "bids": found["bids"], "asks": found["asks"]}


def _trade(found: Any) -> dict[str, Any]:
    taker = "SELL" if found["isBuyerMaker"] else "BUY"
    return {
        "id": found["id"],
        "price": found["price"],
        "quantity": found["qty"],
        "time": found["time"],
        "taker": taker,
    }


def _aggregate_trade(found: Any) -> dict[str, Any]:
    taker = "SELL" if found["m"] else "BUY"
    return {"id": found["a"], "price": found["p"], "quantity": found["q"], "time": found["T"], "taker": taker}


_DAY = ("last", "high", "low", "volume")
_BEST = ("bid", "bid_quantity", "ask", "ask_quantity")


def _named(names: Iterable[str], fields: Iterable[str]) -> Callable[[Any], dict[str, Any]]:
    """Some fields, under the names of the course."""
    pairs = tuple(zip(names, fields, strict=True))
    return lambda found: {name: found[field] for name, field in pairs}


_day, _pushed_day = _named(_DAY, ("lastPrice", "highPrice", "lowPrice", "volume")), _named(_DAY, "chlv")
_best, _pushed_best = _named(_BEST, ("bidPrice", "bidQty", "askPrice", "askQty")), _named(_BEST, "bBaA")


def _balances(found: Any) -> dict[str, Any]:
    return {row["asset"]: [row["free"], row["locked"]] for row in found["balances"]}


def _commission(found: Any) -> dict[str, Any]:
    return {side: found["standardCommission"][side] for side in ("maker", "taker")}


def _order(found: Any) -> dict[str, Any]:
    """An order; a market order has no price."""
    return {
        "id": found["orderId"],
        "client_id": found["clientOrderId"],
        "status": found["status"],
        "side": found["side"],
        "price": None if found["type"] == "MARKET" else found["price"],
        "quantity": found["origQty"],
        "executed": found["executedQty"],
        "value": found["cummulativeQuoteQty"],
    }


def _report(found: Any) -> dict[str, Any]:
    return {
        "id": found["i"],
        "client_id": found["C"] or found["c"],
        "status": found["X"],
        "side": found["S"],
        "price": None if found["o"] == "MARKET" else found["p"],
        "quantity": found["q"],
        "executed": found["z"],
        "value": found["Z"],
    }


def _fill(found: Any) -> dict[str, Any]:
    return {
        "id": found["id"],
        "order": found["orderId"],
        "price": found["price"],
        "quantity": found["qty"],
        "fee": found["commission"],
        "fee_asset": found["commissionAsset"],
        "maker": found["isMaker"],
    }


def _pushed_fill(found: Any) -> dict[str, Any]:
    return {
        "id": found["t"],
        "order": found["i"],
        "price": found["L"],
        "quantity": found["l"],
        "fee": found["n"],
        "fee_asset": found["N"],
        "maker": found["m"],
    }


def _each(one: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda rows: [one(row) for row in rows]


CALLS: dict[str, Callable[[Any], Any]] = {
    "time": lambda found: found["serverTime"],
    "rules": _rules,
    "book": _book,
    "trades": _each(_trade),
    "aggregate_trades": _each(_aggregate_trade),
    "klines": lambda rows: [row[:6] for row in rows],
    "average": lambda found: found["price"],
    "day": _day,
    "price": lambda found: found["price"],
    "best": _best,
    "balances": _balances,
    "commission": _commission,
    "limit_order": _order,
    "market_order": _order,
    "query": _order,
    "open_orders": _each(_order),
    "replace": lambda found: _order(found["newOrderResponse"]),
    "cancel": _order,
    "cancel_all": lambda rows: [row["orderId"] for row in rows],
    "all_orders": _each(_order),
    "fills": _each(_fill),
}

_PUSHES: dict[str, Callable[[Any], Any]] = {
    "trades": lambda found: _aggregate_trade({**found, "a": found["t"]}),
    "aggregate_trades": _aggregate_trade,
    "differences": lambda found: {"first": found["U"], "last": found["u"], "bids": found["b"], "asks": found["a"]},
    "partial_book": _book,
    "rebuilt_book": _book,
    "best": _pushed_best,
    "klines": lambda found: [found["k"][name] for name in "tohlcv"],
    "day": _pushed_day,
    "mini": _pushed_day,
}


def pushed(name: str, found: Any) -> Iterator[tuple[str, Any]]:
    """A push under its name; one of an account under the names of what it says."""
    if name != "account":
        yield name, _PUSHES.get(name, lambda same: same)(found)
    elif "B" in found:
        yield "balances", {row["a"]: [row["f"], row["l"]] for row in found["B"]}
    elif "x" in found:
        yield "reports", _report(found)
        if found["x"] == "TRADE":
            yield "own_fills", _pushed_fill(found)
