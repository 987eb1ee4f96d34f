"""What ccxt says, in the words of the course."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import binance_words

_STATUS = {"open": "NEW", "closed": "FILLED", "canceled": "CANCELED"}


def _rules(found: Any) -> dict[str, Any]:
    return {
        "base": found["base"],
        "quote": found["quote"],
        "tick": found["precision"]["price"],
        "lot": found["precision"]["amount"],
        "minimum_notional": found["limits"]["cost"]["min"],
    }


def _book(found: Any) -> dict[str, Any]:
    return {"id": found["nonce"], **{side: [row[:2] for row in found[side]] for side in ("bids", "asks")}}


def _trade(found: Any) -> dict[str, Any]:
    return {
        "id": int(found["id"]),
        "price": found["price"],
        "quantity": found["amount"],
        "time": found["timestamp"],
        "taker": found["side"].upper(),
    }


def _day(found: Any) -> dict[str, Any]:
    return {"last": found["last"], "high": found["high"], "low": found["low"], "volume": found["baseVolume"]}


def _best(found: Any) -> dict[str, Any]:
    return {
        "bid": found["bid"],
        "bid_quantity": found["bidVolume"],
        "ask": found["ask"],
        "ask_quantity": found["askVolume"],
    }


def _balances(found: Any) -> dict[str, Any]:
    return {asset: [found["free"][asset], found["used"][asset]] for asset in found["free"]}


def _order(found: Any) -> dict[str, Any]:
    """An order; the price that it gives a market order is the average."""
    return {
        "id": int(found["id"]),
        "client_id": found["clientOrderId"],
        "status": _STATUS[found["status"]],
        "side": found["side"].upper(),
        "price": None if found["type"] == "market" else found["price"],
        "quantity": found["amount"],
        "executed": found["filled"],
        "value": found["cost"],
    }


def _fill(found: Any) -> dict[str, Any]:
    return {
        "id": int(found["id"]),
        "order": int(found["order"]),
        "price": found["price"],
        "quantity": found["amount"],
        "fee": found["fee"]["cost"],
        "fee_asset": found["fee"]["currency"],
        "maker": found["takerOrMaker"] == "maker",
    }


def _each(one: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda rows: [one(row) for row in rows]


CALLS: dict[str, Callable[[Any], Any]] = {
    "rules": _rules,
    "book": _book,
    "trades": _each(_trade),
    "aggregate_trades": _each(_trade),
    "average": binance_words.CALLS["average"],
    "day": _day,
    "best": _best,
    "balances": _balances,
    "commission": binance_words.CALLS["commission"],
    "limit_order": _order,
    "market_order": _order,
    "query": _order,
    "open_orders": _each(_order),
    "replace": _order,
    "cancel": _order,
    "cancel_all": lambda rows: [int(row["id"]) for row in rows],
    "all_orders": _each(_order),
    "fills": _each(_fill),
}

_PUSHES: dict[str, Callable[[Any], Any]] = {
    "trades": _trade,
    "aggregate_trades": _trade,
    "rebuilt_book": _book,
    "best": _best,
    "day": _day,
    "mini": _day,
    "reports": _order,
    "own_fills": _fill,
    "balances": _balances,
}


def pushed(name: str, found: Any) -> Iterator[tuple[str, Any]]:
    """A push under its name."""
    yield name, _PUSHES.get(name, lambda same: same)(found)
