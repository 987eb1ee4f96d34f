"""The exchange without a protocol: nothing appears or vanishes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from tradewind._core import MatchingBook
from tradewind.sandbox.account import Account
from tradewind.sandbox.crowd import crowded_market
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.market import Level, Market
from tradewind.sandbox.order import Order, OrderRequest
from tradewind.sandbox.refusal import Refusal
from tradewind.sandbox.settings import Settings
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import UNIT

NOW_NS = 1_790_000_000_000_000_000


class Nobody:
    """Listens to nothing but the book."""

    def __init__(self) -> None:
        self.book: dict[tuple[bool, int], int] = {}
        self.next_id = 0

    def on_book(self, market: Market, levels: Sequence[Level], first_id: int, best_changed: bool, now_ns: int) -> None:
        assert first_id == self.next_id or not self.next_id
        self.next_id = market.update_id + 1
        for buy, price, quantity in levels:
            self.book[buy, price] = quantity

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def given_by(order: Order) -> str:
    return "USDT" if order.buy else "BTC"


def check(exchange: Exchange) -> None:
    for asset, paid in exchange.paid_in.items():
        assert exchange.total(asset) == paid
    for account in exchange.accounts.values():
        for asset, balance in account.balances.items():
            assert balance.free >= 0
            given = [order for order in exchange.open_orders[account.number].values() if given_by(order) == asset]
            assert balance.locked == sum(order.locked for order in given)
            for order in given:
                assert order.locked == (order.price * order.remaining // UNIT if order.buy else order.remaining)


def request(chance: random.Random, market: Market) -> OrderRequest:
    symbol, kind = market.symbol, chance.choice(["LIMIT", "LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET"])
    tick = symbol.tick
    by_value = kind == "MARKET" and chance.random() < 0.3
    return OrderRequest(
        symbol=symbol.name,
        buy=chance.random() < 0.5,
        kind=kind,  # type: ignore[arg-type]
        client_id=f"c{chance.randrange(10_000)}",
        time_in_force=chance.choice(["GTC", "GTC", "IOC", "FOK"]) if kind == "LIMIT" else "GTC",  # type: ignore[arg-type]
        price=0 if kind == "MARKET" else (market.last_price // tick + chance.randrange(-300, 300)) * tick,
        quantity=0 if by_value else chance.randrange(1, 3_000) * symbol.lot,
        quote_quantity=chance.randrange(1, 2_000) * UNIT if by_value else 0,
        self_trade=chance.choice(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("crowded", [False, True])
def test_accounts_fees_and_crowd_together_hold_what_was_paid_in_after_every_request(crowded: bool) -> None:
    chance, observer = random.Random(7), Nobody()
    symbol = Symbol.packaged("BTCUSDT")
    settings = Settings(symbols=("BTCUSDT",), history_seconds=0)
    market = crowded_market(symbol, settings, NOW_NS, symbol.start_price) if crowded else Market(symbol, MatchingBook())
    for side in (True, False):
        observer.book.update({(side, price): quantity for price, quantity in market.book.levels(side)})
    exchange = Exchange([market], observer)
    accounts: list[Account] = []
    for number in range(5):
        account = exchange.add_account(f"{number}", NOW_NS)
        exchange.transfer(account, "USDT", 50_000 * UNIT, NOW_NS)
        exchange.transfer(account, "BTC", UNIT // 2, NOW_NS)
        account.maker_rate = chance.randrange(0, 200_001)
        accounts.append(account)
    refused = 0
    for step in range(12_000):
        now_ns = NOW_NS + step * 10_000_000
        account = chance.choice(accounts)
        try:
            open_orders = list(exchange.open_orders[account.number].values())
            if open_orders and chance.random() < 0.3:
                exchange.cancel(chance.choice(open_orders), now_ns)
            else:
                exchange.submit(account, request(chance, market), now_ns)
        except Refusal:
            refused += 1
        if crowded:
            exchange.advance(market, now_ns, now_ns)
        check(exchange)
    assert refused < 9_000
    assert sum(map(len, exchange.fills.values())) > 1_000
    for side in (True, False):
        seen = {price: quantity for (buy, price), quantity in observer.book.items() if buy == side and quantity}
        assert seen == dict(market.book.levels(side))


def test_the_same_seed_gives_the_same_market() -> None:
    symbol = Symbol.packaged("ETHUSDT")
    settings = Settings(seed=5, history_seconds=60)
    first, second = (crowded_market(symbol, settings, NOW_NS, symbol.start_price) for _ in range(2))
    assert list(first.trades) == list(second.trades)
    assert len(first.trades) > 100
    assert first.book.levels(True) == second.book.levels(True)


def of_two() -> tuple[Exchange, Market, Account, Account]:
    """An exchange where two hold much, and nobody else trades."""
    market = Market(Symbol.packaged("BTCUSDT"), MatchingBook())
    exchange = Exchange([market], Nobody())
    mine, other = (exchange.add_account(name, NOW_NS) for name in ("mine", "other"))
    for account in (mine, other):
        exchange.transfer(account, "USDT", 1_000_000 * UNIT, NOW_NS)
        exchange.transfer(account, "BTC", 10 * UNIT, NOW_NS)
    return exchange, market, mine, other


@pytest.mark.parametrize("self_trade", ["EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "NONE"])
def test_a_purchase_by_value_never_spends_more_even_where_own_offers_were_in_its_way(self_trade: Any) -> None:
    exchange, market, mine, other = of_two()
    first = market.last_price
    for place, account in enumerate((other, mine, other, mine, other)):
        price, quantity = first + place * 100 * UNIT, UNIT // 10
        offer = OrderRequest(
            symbol="BTCUSDT", buy=False, kind="LIMIT", client_id=f"{place}", price=price, quantity=quantity
        )
        exchange.submit(account, offer, NOW_NS)
    spent = first // 4
    bought = exchange.submit(
        mine,
        OrderRequest(
            symbol="BTCUSDT", buy=True, kind="MARKET", client_id="all", quote_quantity=spent, self_trade=self_trade
        ),
        NOW_NS,
    )
    assert 0 < bought.value <= spent
    if self_trade in ("EXPIRE_MAKER", "NONE"):
        assert spent - bought.value < market.symbol.lot * (first + 500 * UNIT) // UNIT
    check(exchange)


@pytest.mark.parametrize("buy", [True, False])
@pytest.mark.parametrize(("more", "status"), [(-1, "FILLED"), (0, "FILLED"), (89_899, "FILLED"), (90_100, "EXPIRED")])
def test_an_order_by_value_for_which_the_book_has_too_little_is_not_filled(buy: bool, more: int, status: str) -> None:
    exchange, _, mine, other = of_two()
    given: dict[str, Any] = {"symbol": "BTCUSDT", "client_id": "c"}
    for place, price in enumerate((90_000, 90_000 + (100 if buy else -100))):
        offer = {**given, "client_id": f"{place}", "kind": "LIMIT", "buy": not buy, "quantity": UNIT // 10}
        exchange.submit(other, OrderRequest(**offer, price=price * UNIT), NOW_NS)
    # One lot is worth about 0.9: less than that is none.
    value = (18_010 if buy else 17_990) * UNIT + more * UNIT // 100_000
    order = exchange.submit(mine, OrderRequest(**given, kind="MARKET", buy=buy, quote_quantity=value), NOW_NS)
    assert order.status == status
    assert (order.executed == UNIT // 5) == (more >= 0)
    assert order.expiry_reason == ("INSUFFICIENT_LIQUIDITY" if status == "EXPIRED" else "")
    assert not order.locked and not exchange.open_orders[mine.number]
    check(exchange)
