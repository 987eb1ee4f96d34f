"""What every client is asked to do, and what must come of it at the exchange."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from types import ModuleType
from typing import Any

import binance_words
from agreement import WrongError, demand, differences
from driver import Driver, RefusedError
from exchange import SYMBOL, Exchange

TICK, UNIT = Decimal("0.01"), Decimal("1e-8")
FEE_RATE = Decimal("0.001")
_NUMBERS = itertools.count(1)


class Course:
    """One client's way through all calls.

    Parameters
    ----------
    exchange
        Where it trades.
    driver
        The client.
    words
        How its words are read.
    maker
        The number of an order that rested, and was filled.

    """

    def __init__(self, exchange: Exchange, driver: Driver, words: ModuleType, maker: int) -> None:
        self.exchange, self.driver, self.maker = exchange, driver, maker
        self._read: dict[str, Callable[[Any], Any]] = words.CALLS

    def said(self, call: str, **arguments: Any) -> Any:
        """Let the client make a call, and read its answer."""
        answer = self.driver.ask(call, **arguments)
        return self._read.get(call, lambda same: same)(answer)

    def agrees(self, call: str, look: Callable[[], Any], **arguments: Any) -> None:
        """What the client says is what there was just before or just after: a minute may end in between."""
        before = look()
        said = self.said(call, **arguments)
        if any(differences(said, before)):
            demand(said, look())

    def resting_price(self, steps: int = 0) -> Decimal:
        """A price at which nobody sells."""
        return (self.exchange.bids()[0][0] * Decimal("0.97")).quantize(TICK) + steps * TICK

    def rest(self, steps: int = 0) -> dict[str, Any]:
        """An order that waits, placed without the client."""
        return self.exchange.buy("0.01", self.resting_price(steps))

    def tidy(self) -> None:
        """Leave no order to the next call."""
        if self.exchange.ask("GET", "openOrders", symbol=SYMBOL):
            self.exchange.ask("DELETE", "openOrders", symbol=SYMBOL)


held_order = binance_words.CALLS["query"]


def held(call: str, answer: Any) -> Any:
    """An answer of the exchange, in the words of the course."""
    return binance_words.CALLS[call](answer)


# Market data


def _time(course: Course) -> None:
    first, said, last = (look() for look in (_clock(course), lambda: course.said("time"), _clock(course)))
    if not first <= int(said) <= last:
        raise WrongError(f"{said} instead of a time from {first} to {last}")


def _clock(course: Course) -> Callable[[], int]:
    return lambda: int(course.exchange.get("time")["serverTime"])


def _public(call: str, path: str, **values: Any) -> Callable[[Course], None]:
    arguments = {name: value for name, value in values.items() if name == "limit"}

    def row(course: Course) -> None:
        course.agrees(call, lambda: held(call, course.exchange.get(path, symbol=SYMBOL, **values)), **arguments)

    return row


# The account


def _balances(course: Course) -> None:
    locked = course.rest()
    said = {asset: parts for asset, parts in course.said("balances").items() if any(map(Decimal, map(str, parts)))}
    demand(said, course.exchange.balances())
    if not Decimal(str(said["USDT"][1])) == Decimal(locked["price"]) * Decimal(locked["origQty"]):
        raise WrongError("what an open order locks is not what the client calls locked")


def _commission(course: Course) -> None:
    demand(course.said("commission"), {"maker": FEE_RATE, "taker": FEE_RATE})


# Orders


def _all_orders(course: Course) -> list[Any]:
    return list(held("all_orders", course.exchange.ask("GET", "allOrders", symbol=SYMBOL)))


def _test_order(course: Course) -> None:
    before = _all_orders(course)
    course.said("test_order", side="BUY", quantity="0.01", price=str(course.resting_price()))
    demand(_all_orders(course), before)


def _limit_order(course: Course) -> None:
    price, client_id = course.resting_price(), f"course-{next(_NUMBERS)}"
    before = course.exchange.balances()
    said = course.said("limit_order", side="BUY", quantity="0.01", price=str(price), client_id=client_id)
    found = held_order(course.exchange.order(said["id"]))
    demand(said, found)
    wanted = {"client_id": client_id, "status": "NEW", "side": "BUY", "price": price, "quantity": "0.01"}
    demand({name: found[name] for name in wanted}, wanted)
    value = price * Decimal("0.01")
    free, locked = before["USDT"]
    demand(course.exchange.balances(), before | {"USDT": [free - value, locked + value]})


def _market_order(course: Course) -> None:
    """Both sides; what comes of them is computed from the book that was there before.

    Fees alone are by fill, not by level: a level can hold several orders, and each fill's fee is rounded.
    """
    for side, look in (("BUY", course.exchange.asks), ("SELL", course.exchange.bids)):
        levels = list(_taken(look(), Decimal("0.02")))
        quantity, value = sum(size for _, size in levels), sum(price * size for price, size in levels)
        before = course.exchange.balances()
        said = course.said("market_order", side=side, quantity=str(quantity))
        demand(said, held_order(course.exchange.order(said["id"])))
        demand([said["status"], said["executed"], said["value"]], ["FILLED", quantity, value])
        fills = [(Decimal(fill["price"]), Decimal(fill["qty"])) for fill in course.exchange.fills(said["id"])]
        received = [size if side == "BUY" else price * size for price, size in fills]
        fees = sum((part * FEE_RATE).quantize(UNIT, ROUND_HALF_EVEN) for part in received)
        net = (quantity if side == "BUY" else value) - fees
        usdt, btc = (-value, net) if side == "BUY" else (net, -quantity)
        moved = {"USDT": usdt, "BTC": btc}
        after = {asset: [before[asset][0] + change, before[asset][1]] for asset, change in moved.items()}
        demand(course.exchange.balances(), before | after)


def _taken(levels: list[tuple[Decimal, Decimal]], least: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
    """What an order takes that needs two levels at least: the last of them in half."""
    total = Decimal(0)
    for number, (price, size) in enumerate(levels):
        if number and total + size > least:
            yield price, (size / 2).quantize(Decimal("0.00001"))
            return
        total += size
        yield price, size


def _query(course: Course) -> None:
    order = course.rest()
    demand(course.said("query", order=order["orderId"]), held_order(course.exchange.order(order["orderId"])))


def _open_orders(course: Course) -> None:
    orders = [course.rest(), course.rest(steps=1)]
    wanted = [held_order(course.exchange.order(order["orderId"])) for order in orders]
    demand(sorted(course.said("open_orders"), key=lambda order: int(order["id"])), wanted)


def _replace(course: Course) -> None:
    old, price = course.rest(), course.resting_price(steps=5)
    said = course.said("replace", order=old["orderId"], side="BUY", quantity="0.02", price=str(price))
    found = held_order(course.exchange.order(said["id"]))
    demand(said, found)
    states = [course.exchange.order(old["orderId"])["status"], found["status"], found["price"], found["quantity"]]
    demand(states, ["CANCELED", "NEW", price, "0.02"])


def _cancel(course: Course) -> None:
    order = course.rest()
    said = course.said("cancel", order=order["orderId"])
    found = course.exchange.order(order["orderId"])
    demand({**said, "client_id": None}, {**held_order(found), "client_id": None})
    demand(found["status"], "CANCELED")


def _cancel_all(course: Course) -> None:
    orders = [course.rest(), course.rest(steps=1)]
    numbers = [order["orderId"] for order in orders]
    demand(sorted(course.said("cancel_all")), numbers)
    demand([course.exchange.order(number)["status"] for number in numbers], ["CANCELED", "CANCELED"])


def _history(course: Course) -> None:
    course.agrees("all_orders", lambda: _all_orders(course))


def _fills(course: Course) -> None:
    """A resting order that the participants filled, and a market order of our own."""
    values = {"side": "SELL", "type": "MARKET", "quantity": "0.05"}
    taker = course.exchange.ask("POST", "order", symbol=SYMBOL, **values)["orderId"]
    for order, is_maker in ((course.maker, True), (taker, False)):
        found = held("fills", course.exchange.fills(order))
        demand(course.said("fills", order=order), found)
        demand([fill["maker"] for fill in found], [is_maker] * len(found))
        state = held_order(course.exchange.order(order))
        parts = [(Decimal(fill["quantity"]), Decimal(fill["price"])) for fill in found]
        sums = [sum(quantity for quantity, _ in parts), sum(quantity * price for quantity, price in parts)]
        demand(sums, [state["executed"], state["value"]])


def _refused(course: Course) -> None:
    before = _all_orders(course)
    arguments = {"side": "BUY", "quantity": "50", "price": str(course.resting_price()), "client_id": "too-much"}
    try:
        course.said("limit_order", **arguments)
    except RefusedError as error:
        demand(error.code, -2010)
    else:
        raise WrongError("an order that nobody can pay was not refused")
    demand(_all_orders(course), before)


ROWS: dict[str, Callable[[Course], None]] = {
    "server time": _time,
    "markets and their rules": _public("rules", "exchangeInfo"),
    "order book": _public("book", "depth", limit=20),
    "trades": _public("trades", "trades", limit=20),
    "aggregate trades": _public("aggregate_trades", "aggTrades", limit=20),
    "klines": _public("klines", "klines", interval="1m", limit=20),
    "average price": _public("average", "avgPrice"),
    "24-hour ticker": _public("day", "ticker/24hr"),
    "price ticker": _public("price", "ticker/price"),
    "best bid and ask": _public("best", "ticker/bookTicker"),
    "balances": _balances,
    "commission": _commission,
    "test order": _test_order,
    "limit order": _limit_order,
    "market order": _market_order,
    "an order's state": _query,
    "open orders": _open_orders,
    "cancel-replace": _replace,
    "cancel": _cancel,
    "cancel all": _cancel_all,
    "all orders": _history,
    "fills": _fills,
    "a refusal": _refused,
}
"""The calls of the table."""
