"""The one participant who stands for everybody in a recording."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tradewind.errors import exception
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.market import Level, Market, Outcome, RawTrade


class _Size(msgspec.Struct):
    """What the recording says of a price, and the orders that stand for it.

    They are at most two, so that what was added later queues behind users who came in between.
    """

    quantity: int
    keys: list[int] = msgspec.field(default_factory=list)


class Anonymous:
    """Brings a recording into a book: its depth as resting orders, its trades as market orders.

    Users' orders stand in the same queues. What they took of the recorded size is missing until the recording next says
    how much there is; what recorded trades took, until its next update of the book.

    Parameters
    ----------
    exchange, market
        Where it trades.

    """

    def __init__(self, exchange: Exchange, market: Market) -> None:
        self._exchange = exchange
        self._market = market
        self._book = market.book
        self._sizes: dict[tuple[bool, int], _Size] = {}
        self._disturbed: dict[tuple[bool, int], None] = {}
        """Prices of which less is there than the recording says, by its own trades."""
        self._trades: list[RawTrade] = []
        self._levels: list[Level] = []

    @property
    def has_depth(self) -> bool:
        """Whether there is something of the recording in the book."""
        return bool(self._sizes)

    def trade(self, price: int, quantity: int, buyer_took: bool, now_ns: int) -> None:
        """Take at most to a price, as somebody did in the recording."""
        if not quantity:
            return
        makers_buy = not buyer_took
        # Nobody trades past a better price: the recorded orders there were gone.
        self._withdraw_beyond(makers_buy, price)
        missing = quantity - self._book.available(buyer_took, price, quantity)
        lender = self._rest(makers_buy, price, missing) if missing else None
        self._submit(buyer_took, price, quantity, "ioc")
        if lender is not None and self._book.remaining(lender):
            self._note(self._book.cancel(lender))
        if (makers_buy, price) in self._sizes:
            self._disturbed[makers_buy, price] = None
        self._finish(now_ns)

    def depth(self, levels: Iterable[Level], is_whole: bool, now_ns: int) -> None:
        """Have so much at these prices, and nothing at others if that is the whole book."""
        wanted = {(buy, price): quantity for buy, price, quantity in levels}
        gone = [place for place in self._sizes if place not in wanted] if is_whole else []
        gone += [place for place, quantity in wanted.items() if not quantity]
        for place in gone:
            self._remove(place)
        again = {place: self._sizes[place].quantity for place in self._disturbed if place in self._sizes}
        self._disturbed.clear()
        for place, quantity in (again | wanted).items():
            if quantity:
                self._set(place, quantity)
        self._finish(now_ns)

    def quote(self, bid: int, bid_quantity: int, ask: int, ask_quantity: int, now_ns: int) -> None:
        """Have a best bid and offer, and nothing behind them."""
        self.depth([(True, bid, bid_quantity), (False, ask, ask_quantity)], True, now_ns)

    def leave(self, now_ns: int) -> None:
        """Take everything out of the book."""
        self.depth([], True, now_ns)

    # One price

    def _set(self, place: tuple[bool, int], quantity: int) -> None:
        buy, price = place
        size = self._sizes.setdefault(place, _Size(0))
        size.quantity = quantity
        held = {key: remaining for key in size.keys if (remaining := self._book.remaining(key))}
        size.keys = list(held)
        missing = quantity - sum(held.values())
        if missing > 0 and len(held) == 2:
            last = size.keys[1]
            self._note(self._book.amend(last, price, held[last] + missing))
        elif missing > 0:
            size.keys.append(self._rest(buy, price, missing))
        elif missing < 0:
            self._shrink(price, held, -missing)

    def _shrink(self, price: int, held: dict[int, int], excess: int) -> None:
        """Take so much out, what came last first: who waits in the queue gains nothing by it."""
        for key, remaining in reversed(held.items()):
            less = min(excess, remaining)
            excess -= less
            if less == remaining:
                self._note(self._book.cancel(key))
            elif less:
                self._note(self._book.amend(key, price, remaining - less))

    def _remove(self, place: tuple[bool, int]) -> None:
        size = self._sizes.pop(place, None)
        if size is not None:
            self._withdraw(size)

    def _withdraw(self, size: _Size) -> None:
        for key in size.keys:
            if self._book.remaining(key):
                self._note(self._book.cancel(key))
        size.keys.clear()

    def _withdraw_beyond(self, buy: bool, price: int, *, including: bool = False) -> None:
        """Take out recorded orders of one side that are better than a price: it shows that they are out of date."""
        best = self._book.best(buy)
        if best is None or not _is_beyond(buy, best[0], price, including):
            return
        for level, _ in self._book.levels(buy):
            if not _is_beyond(buy, level, price, including):
                return
            size = self._sizes.get((buy, level))
            if size is not None:
                self._withdraw(size)
                self._disturbed[buy, level] = None

    # The book

    def _rest(self, buy: bool, price: int, quantity: int) -> int:
        """A resting order, which first takes what users offer."""
        self._withdraw_beyond(not buy, price, including=True)
        return self._submit(buy, price, quantity, "gtc")

    def _submit(self, buy: bool, price: int, quantity: int, time_in_force: str) -> int:
        key, outcome = self._exchange.submit_for_crowd(self._market, buy, quantity, price, time_in_force)
        self._note(outcome)
        return key

    def _note(self, outcome: Outcome) -> None:
        refused, trades, levels, _ = outcome
        if refused is not None:
            raise exception(refused, f"{self._market.symbol.name}: a recorded order does not fit the book")
        self._trades += trades
        self._levels += levels

    def _finish(self, now_ns: int) -> None:
        trades, self._trades = _as_recorded(self._trades), []
        levels, self._levels = self._levels, []
        self._exchange.settle(self._market, trades, levels, now_ns)


def _as_recorded(trades: Iterable[RawTrade]) -> list[RawTrade]:
    """Trades with one another's recorded orders as one where they were one, though several orders stand for a size."""
    found: list[RawTrade] = []
    for trade in trades:
        price, quantity, _, _, maker, _, order, taker, _ = trade
        if found and maker == taker and (found[-1][0], found[-1][4], found[-1][6]) == (price, maker, order):
            found[-1] = (price, found[-1][1] + quantity, *trade[2:])
        else:
            found.append(trade)
    return found


def _is_beyond(buy: bool, price: int, limit: int, including: bool) -> bool:
    """Whether a resting price is better for takers than a limit, or as good."""
    if price == limit:
        return including
    return price > limit if buy else price < limit
