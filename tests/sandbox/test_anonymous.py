"""The participant who stands for everybody in a recording, in a book that users share."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tradewind._core import MatchingBook
from tradewind.errors import TradewindError
from tradewind.sandbox.account import Account
from tradewind.sandbox.anonymous import Anonymous
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.market import Market
from tradewind.sandbox.order import Order, OrderRequest, Trade
from tradewind.sandbox.refusal import Refusal
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import UNIT

NOW_NS = 1_790_000_000_000_000_000
LOT = UNIT // 10


class Tape:
    """Keeps the trades and the changes of the book that are shown."""

    def __init__(self) -> None:
        self.trades: list[tuple[int, int, bool]] = []
        self.book: dict[tuple[bool, int], int] = {}

    def on_trades(self, market: Market, trades: list[Trade], aggregates: Any) -> None:
        self.trades += [(one.price // UNIT, one.quantity // LOT, not one.buyer_is_maker) for one in trades]

    def on_book(self, market: Market, levels: Any, *_: Any) -> None:
        self.book.update({(buy, price): quantity for buy, price, quantity in levels})

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Place:
    """A market, somebody in it, and the recording; prices in whole units, quantities in lots."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.market = Market(Symbol.packaged("BTCUSDT"), MatchingBook())
        self.market.last_price = 100 * UNIT
        self.exchange = Exchange([self.market], self.tape)  # type: ignore[arg-type]
        self.everybody = Anonymous(self.exchange, self.market)
        self.account = self.user()

    def user(self) -> Account:
        account = self.exchange.add_account("user", NOW_NS)
        self.exchange.transfer(account, "USDT", 1_000_000 * UNIT, NOW_NS)
        self.exchange.transfer(account, "BTC", 1_000 * UNIT, NOW_NS)
        return account

    def depth(self, *levels: tuple[str, int, int], whole: bool = False) -> None:
        rows = [(side == "bid", price * UNIT, quantity * LOT) for side, price, quantity in levels]
        self.everybody.depth(rows, whole, NOW_NS)

    def trade(self, price: int, quantity: int, buyer_took: bool) -> None:
        self.everybody.trade(price * UNIT, quantity * LOT, buyer_took, NOW_NS)

    def order(self, buy: bool, quantity: int, price: int = 0) -> Order:
        kind = "LIMIT" if price else "MARKET"
        request = OrderRequest(
            symbol="BTCUSDT", buy=buy, kind=kind, client_id=f"c{len(self.exchange.orders)}",  # type: ignore[arg-type]
            quantity=quantity * LOT, price=price * UNIT, self_trade="NONE",
        )  # fmt: skip
        return self.exchange.submit(self.account, request, NOW_NS)

    def book(self) -> dict[str, list[tuple[int, int]]]:
        found = {}
        for name, buy in (("bid", True), ("ask", False)):
            rows = self.market.book.levels(buy)
            assert rows == sorted(((p, q) for (b, p), q in self.tape.book.items() if b == buy and q), reverse=buy)
            found[name] = [(price // UNIT, quantity // LOT) for price, quantity in rows]
        return found

    def check(self) -> None:
        for asset, paid in self.exchange.paid_in.items():
            assert self.exchange.total(asset) == paid


BOOK = (("bid", 98, 60), ("bid", 99, 50), ("ask", 101, 50), ("ask", 102, 60))


@pytest.fixture
def place() -> Place:
    found = Place()
    found.depth(*BOOK, whole=True)
    return found


def test_the_book_is_the_recorded_one(place: Place) -> None:
    assert place.book() == {"bid": [(99, 50), (98, 60)], "ask": [(101, 50), (102, 60)]}
    place.depth(("bid", 99, 0), ("bid", 97, 10), ("ask", 101, 20), ("ask", 102, 80))
    assert place.book() == {"bid": [(98, 60), (97, 10)], "ask": [(101, 20), (102, 80)]}
    place.depth(("bid", 90, 1), ("ask", 110, 2), whole=True)
    assert place.book() == {"bid": [(90, 1)], "ask": [(110, 2)]}
    place.everybody.quote(99 * UNIT, 3 * LOT, 101 * UNIT, 4 * LOT, NOW_NS)
    assert place.book() == {"bid": [(99, 3)], "ask": [(101, 4)]}
    place.everybody.leave(NOW_NS)
    assert place.book() == {"bid": [], "ask": []}
    assert not place.tape.trades


def test_what_a_user_took_returns_with_the_next_update_of_its_price(place: Place) -> None:
    order = place.order(True, 70)
    assert (order.status, order.executed) == ("FILLED", 70 * LOT)
    assert place.book()["ask"] == [(102, 40)]
    place.depth(("bid", 99, 55))
    assert place.book()["ask"] == [(102, 40)]
    place.depth(("ask", 101, 50))
    assert place.book()["ask"] == [(101, 50), (102, 40)]
    place.depth(("ask", 102, 60))
    assert place.book()["ask"] == [(101, 50), (102, 60)]
    place.check()


def test_what_recorded_trades_took_returns_with_the_next_update_of_the_book(place: Place) -> None:
    place.trade(101, 30, True)
    assert place.tape.trades == [(101, 30, True)]
    assert place.book()["ask"] == [(101, 20), (102, 60)]
    place.depth(("bid", 99, 55))
    assert place.book()["ask"] == [(101, 50), (102, 60)]
    place.trade(101, 50, True)
    place.depth(("ask", 101, 0))
    assert place.book()["ask"] == [(102, 60)]
    assert place.tape.trades == [(101, 30, True), (101, 50, True)]


def test_trades_are_at_the_recorded_prices_even_where_the_recorded_book_lags(place: Place) -> None:
    place.trade(103, 7, True)
    assert place.tape.trades == [(103, 7, True)]
    assert place.book() == {"bid": [(99, 50), (98, 60)], "ask": []}
    place.trade(95, 9, False)
    assert place.tape.trades[1:] == [(95, 9, False)]
    place.depth(("ask", 101, 0), ("ask", 103, 3))
    assert place.book() == {"bid": [(99, 50), (98, 60)], "ask": [(102, 60), (103, 3)]}
    place.trade(98, 5, True)
    assert place.tape.trades[2:] == [(98, 5, True)]
    assert place.book() == {"bid": [], "ask": [(102, 60), (103, 3)]}


def test_a_resting_order_fills_when_recorded_trades_go_through_it(place: Place) -> None:
    order = place.order(True, 10, 100)
    assert place.book()["bid"] == [(100, 10), (99, 50), (98, 60)]
    place.trade(99, 4, False)
    assert (order.executed, place.tape.trades) == (4 * LOT, [(100, 4, False)])
    place.trade(99, 8, False)
    assert order.status == "FILLED"
    assert place.tape.trades[1:] == [(100, 6, False), (99, 2, False)]
    assert place.book()["bid"] == [(99, 48), (98, 60)]
    place.check()


def test_a_resting_order_fills_when_the_recorded_book_crosses_it(place: Place) -> None:
    order = place.order(True, 10, 100)
    place.depth(("ask", 100, 4))
    assert (order.executed, place.tape.trades) == (4 * LOT, [(100, 4, False)])
    place.depth(("bid", 99, 0), ("bid", 98, 0), ("ask", 99, 20))
    assert order.status == "FILLED"
    assert place.book() == {"bid": [], "ask": [(99, 14), (101, 50), (102, 60)]}
    place.check()


def test_an_order_waits_behind_what_was_there_and_before_what_came_later(place: Place) -> None:
    order = place.order(True, 10, 99)
    place.depth(("bid", 99, 80))
    place.depth(("bid", 99, 90))
    assert place.book()["bid"][0] == (99, 100)
    place.trade(99, 50, False)
    assert order.executed == 0
    place.trade(99, 6, False)
    assert order.executed == 6 * LOT
    place.depth(("bid", 99, 20))
    place.trade(99, 20, False)
    assert order.status == "FILLED"
    place.check()


def test_what_leaves_a_price_is_what_came_last(place: Place) -> None:
    order = place.order(True, 10, 99)
    place.depth(("bid", 99, 80))
    place.depth(("bid", 99, 40))
    place.trade(99, 40, False)
    assert order.executed == 0
    place.trade(99, 10, False)
    assert order.status == "FILLED"


def test_a_size_that_no_book_can_hold_is_an_error(place: Place) -> None:
    with pytest.raises(TradewindError, match="a recorded order does not fit the book"):
        place.everybody.depth([(True, UNIT, (1 << 63) - 1)], False, NOW_NS)


def test_nothing_appears_or_vanishes_and_an_unused_book_is_the_recorded_one() -> None:
    chance, place = random.Random(11), Place()
    other = place.user()
    recorded: dict[tuple[bool, int], int] = {}
    filled = 0
    for step in range(6_000):
        with_users = step % 2_000 > 200
        middle = 100 + chance.randrange(-5, 6)
        rows = [
            (buy, (middle + (-1 if buy else 1) * chance.randrange(1, 8)) * UNIT, chance.choice([0, 5, 20]) * LOT)
            for buy in (True, False)
            for _ in range(chance.randrange(3))
        ]
        is_whole = step % 50 == 0
        recorded = {} if is_whole else recorded
        recorded.update({(buy, price): quantity for buy, price, quantity in rows})
        crossing = [key for key in recorded if (key[1] >= middle * UNIT if key[0] else key[1] <= middle * UNIT)]
        rows += [(*key, 0) for key in crossing if not is_whole or key in {(b, p) for b, p, _ in rows}]
        for key in crossing:
            recorded[key] = 0
        if with_users:
            for account in (place.account, other):
                place.account = account
                try:
                    price = chance.choice([0, middle + chance.randrange(-4, 5)])
                    filled += place.order(chance.random() < 0.5, chance.randrange(6, 30), price).executed > 0
                except Refusal:
                    orders = list(place.exchange.open_orders[account.number].values())
                    for order in orders[:3]:
                        place.exchange.cancel(order, NOW_NS)
        elif step % 2_000 == 0:
            for orders in list(place.exchange.open_orders.values()):
                for order in list(orders.values()):
                    place.exchange.cancel(order, NOW_NS)
        place.trade(middle + chance.randrange(-3, 4), chance.randrange(0, 20), chance.random() < 0.5)
        place.everybody.depth({(b, p): (b, p, q) for b, p, q in rows}.values(), is_whole, NOW_NS)
        place.check()
        place.book()
        if not with_users and step % 2_000 > 50:
            for buy in (True, False):
                levels = {price: quantity for (b, price), quantity in recorded.items() if b == buy and quantity}
                assert dict(place.market.book.levels(buy)) == levels, step
    assert filled > 1_000
