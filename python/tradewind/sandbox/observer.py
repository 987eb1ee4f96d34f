"""What a local exchange tells those who show it to the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tradewind.sandbox.market import Level, Market
from tradewind.sandbox.order import AggregateTrade, Execution, Fill, Order, PreventedMatch, Trade
from tradewind.sandbox.refusal import Reason

Cause = Fill | PreventedMatch | Reason | None


@dataclass(slots=True)
class Changes:
    """What an action changed."""

    orders: dict[tuple[str, int], Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    prevented: list[PreventedMatch] = field(default_factory=list)
    accounts: dict[int, None] = field(default_factory=dict)


class Observer(Protocol):
    """Told of everything that happens, as it happens."""

    def on_trades(self, market: Market, trades: Sequence[Trade], aggregates: Sequence[AggregateTrade]) -> None:
        """Trades of one action."""

    def on_book(self, market: Market, levels: Sequence[Level], first_id: int, best_changed: bool, now_ns: int) -> None:
        """Levels that one action changed; the first of them has this update id, the last one the market's."""

    def on_report(self, order: Order, execution: Execution, cause: Cause, now_ns: int) -> None:
        """Something became of a user's order: by a fill, a prevented match, or what it was rejected for."""

    def on_balances(self, account: int, assets: Sequence[str], now_ns: int) -> None:
        """An account's balances of these assets may be others now; after the reports that caused it."""

    def on_transfer(self, account: int, asset: str, amount: int, now_ns: int) -> None:
        """Something was paid into an account, or out of it."""

    def on_changes(self, changes: Changes) -> None:
        """The action is complete: what it changed, to be kept before anybody is answered."""
