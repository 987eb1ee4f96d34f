"""Orders and fills of a local exchange, as far back as they are kept."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import takewhile

from tradewind.sandbox.order import Fill, Order, PreventedMatch


class History:
    """Open orders, and the latest closed orders, fills and prevented matches: memory does not grow with time.

    Parameters
    ----------
    kept
        How many closed orders of an account, and how many fills and prevented matches of an account and symbol, are
        kept.

    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self.orders: dict[tuple[str, int], Order] = {}
        self.open_orders: dict[int, dict[tuple[str, int], Order]] = defaultdict(dict)
        self.fills: dict[tuple[int, str], deque[Fill]] = defaultdict(partial(deque, maxlen=kept))
        self.prevented: dict[tuple[int, str], deque[PreventedMatch]] = defaultdict(partial(deque, maxlen=kept))
        self.fills_by_order: dict[tuple[str, int], list[Fill]] = {}
        self._by_account: dict[tuple[int, str], dict[int, Order]] = defaultdict(dict)
        self._closed: dict[int, deque[Order]] = defaultdict(deque)
        self._named: dict[tuple[int, str, str], Order] = {}

    def add(self, order: Order) -> None:
        """Keep an order, open or closed; the latest has its client id."""
        self.orders[order.key] = order
        self._by_account[order.account, order.symbol][order.id] = order
        self._named[order.account, order.symbol, order.client_id] = order
        if order.is_open:
            self.open_orders[order.account][order.key] = order
        else:
            self._retire(order)

    def close(self, order: Order) -> None:
        """Note that an order is closed."""
        self.open_orders[order.account].pop(order.key, None)
        self._retire(order)

    def file(self, fill: Fill) -> None:
        """Keep a fill."""
        self.fills[fill.account, fill.symbol].append(fill)
        if fill.order_key in self.orders:
            self.fills_by_order.setdefault(fill.order_key, []).append(fill)

    def file_prevented(self, match: PreventedMatch) -> None:
        """Keep a match that was prevented."""
        self.prevented[match.account, match.symbol].append(match)

    def prevented_by(self, taker: Order) -> list[PreventedMatch]:
        """What was prevented when an order came just now."""
        latest = reversed(self.prevented.get((taker.account, taker.symbol), ()))
        return list(takewhile(lambda match: match.taker == taker.id, latest))[::-1]

    def restore(self, orders: Iterable[Order], fills: Iterable[Fill], prevented: Iterable[PreventedMatch]) -> None:
        """Take over what was kept elsewhere, orders as they were placed."""
        for order in orders:
            self.add(order)
        for fill in fills:
            self.file(fill)
        for match in prevented:
            self.file_prevented(match)

    def named(self, account: int, symbol: str, client_id: str) -> Order | None:
        """The latest order of a client id."""
        return self._named.get((account, symbol, client_id))

    def of(self, account: int, symbol: str) -> Iterator[Order]:
        """The orders of an account in a symbol, the oldest first."""
        return iter(self._by_account[account, symbol].values())

    def forget(self, order: Order) -> None:
        """Keep an order and its fills no longer."""
        del self.orders[order.key]
        del self._by_account[order.account, order.symbol][order.id]
        self.fills_by_order.pop(order.key, None)
        name = (order.account, order.symbol, order.client_id)
        if self._named.get(name) is order:
            del self._named[name]

    def _retire(self, order: Order) -> None:
        closed = self._closed[order.account]
        closed.append(order)
        if len(closed) > self._kept:
            self.forget(closed.popleft())
