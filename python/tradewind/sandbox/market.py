"""One symbol of a local exchange: its book, trades and candles."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tradewind._core import MatchingBook
from tradewind.sandbox.candles import Candles
from tradewind.sandbox.order import AggregateTrade, Trade
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import worth

RawTrade = tuple[int, int, bool, int, int, int, int, int, int]
"""Price, quantity, whether a buyer took; then key, participant and rest of the maker, and of the taker."""
Level = tuple[bool, int, int]
"""Whether it is a bid, its price, and how much is there now."""
Outcome = tuple[str | None, list[RawTrade], list[Level], int]
"""Why an order was refused, its trades, the levels that changed, and what was cancelled of it at once."""
Best = tuple[int, int] | None

_KEPT_TRADES = 100_000
_FIRST_ID = 1_000_000
"""So that ids have the length of real ones."""


class Market:
    """What everybody sees of a symbol.

    Parameters
    ----------
    symbol
        What is traded.
    book
        Where it is matched.
    above
        How far above the usual first ones its ids begin, so that those of another process never come again.

    """

    def __init__(self, symbol: Symbol, book: MatchingBook, above: int = 0) -> None:
        self.symbol = symbol
        self.book = book
        self.is_open = True
        self.is_listed = True
        self.order_id = _FIRST_ID + above
        self.prevented_id = above
        self.update_id = _FIRST_ID + above
        self.trade_id = _FIRST_ID + above
        self.aggregate_id = _FIRST_ID + above
        self.last_price = symbol.start_price
        self.last_quantity = 0
        self.trades: deque[Trade] = deque(maxlen=_KEPT_TRADES)
        self.aggregates: deque[AggregateTrade] = deque(maxlen=_KEPT_TRADES)
        self.candles = Candles()
        self.best: tuple[Best, Best] = (book.best(True), book.best(False))

    @property
    def status(self) -> str:
        """Whether it is traded, in the venue's word."""
        return "BREAK" if not self.is_listed else "TRADING" if self.is_open else "HALT"

    def remember(self, time_ns: int, price: int, quantity: int, buyer_took: bool, orders: tuple[int, int]) -> Trade:
        """Write down a trade of a (buying, selling) order."""
        self.trade_id += 1
        self.last_price, self.last_quantity = price, quantity
        trade = Trade(self.trade_id, price, quantity, time_ns, not buyer_took, *orders)
        self.trades.append(trade)
        value = worth(price, quantity)
        self.candles.add(time_ns // 1_000_000, price, quantity, value, buyer_took, trade.id)
        return trade

    def aggregate(self, trades: Sequence[Trade]) -> list[AggregateTrade]:
        """Put together what one action traded at each price."""
        found: list[AggregateTrade] = []
        first = 0
        for place, trade in enumerate(trades):
            following = trades[place + 1] if place + 1 < len(trades) else None
            if following is not None and _together(trade, following):
                continue
            part = trades[first : place + 1]
            first = place + 1
            self.aggregate_id += 1
            quantity = sum(one.quantity for one in part)
            ids = (part[0].id, trade.id)
            found.append(
                AggregateTrade(self.aggregate_id, trade.price, quantity, *ids, trade.time_ns, trade.buyer_is_maker)
            )
        self.aggregates.extend(found)
        return found

    def step(self, levels: Sequence[Level]) -> bool:
        """Count the changes of levels; whether the best prices or quantities are others now."""
        self.update_id += len(levels)
        best = (self.book.best(True), self.book.best(False))
        changed = best != self.best
        self.best = best
        return changed

    def average_price(self, now_ns: int) -> int:
        """The average price of the last minutes, weighted by quantity; the last price where nothing was traded."""
        since_ms = now_ns // 1_000_000 - self.symbol.average_minutes * 60_000
        window = self.candles.window(since_ms - since_ms % 60_000)
        if window is None or not window.volume:
            return self.last_price
        return window.value * 100_000_000 // window.volume


def _together(trade: Trade, following: Trade) -> bool:
    """Whether the same order took both at the same price."""
    takers = [one.sell_order if one.buyer_is_maker else one.buy_order for one in (trade, following)]
    return trade.price == following.price and takers[0] == takers[1]
