"""What a venue is for a session: market data that come in, orders that go out.

Implement both for a venue of your own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

Part = Literal["market_data", "orders"]
Side = Literal["buy", "sell"]
OrderKind = Literal["accepted", "rejected", "cancelled", "cancel_rejected", "expired", "lost"]


@dataclass(frozen=True)
class Subscription:
    """A stream of one instrument: `trades`, `quotes`, `book`, `marks`, `funding` or `bars(1m)`."""

    symbol: str
    kind: str


class MarketSink(Protocol):
    """Takes what market data say. Numbers come as text, as they came over the wire (N1).

    It stamps the time of arrival itself, when it is called: call it at once. A row without a time of the venue has
    ``venue_time_ns`` of None. Symbols are the venue's own.
    """

    def trade(
        self, symbol: str, venue_time_ns: int | None, price: str, quantity: str, side: Side | None, id: int
    ) -> None:
        """Somebody traded; `side` is that of the order that took."""

    def quote(
        self, symbol: str, venue_time_ns: int | None, bid: str, bid_quantity: str, ask: str, ask_quantity: str
    ) -> None:
        """The best bid and offer changed."""

    def book(
        self, symbol: str, venue_time_ns: int | None, levels: Sequence[tuple[Side, str, str]], *, snapshot: bool
    ) -> None:
        """Levels of the book changed to these quantities; a snapshot replaces the book."""

    def connected(self, *, is_connected: bool) -> None:
        """The connection stands, with all subscriptions, or is gone."""

    def stale(self, symbol: str, kind: str, *, is_stale: bool) -> None:
        """What is known of a stream is old or has a hole, or is whole again."""

    def misread(self, what: str) -> None:
        """A message could not be read; nothing of it was taken."""


class MarketData(Protocol):
    """The market data of a venue."""

    async def run(self, subscriptions: Iterable[Subscription], sink: MarketSink) -> None:
        """Feed the sink until cancelled, through every disconnect."""

    async def server_offset_ns(self) -> int:
        """How far the venue's clock is ahead of `time.time_ns`, from the quickest of some requests."""


@dataclass(frozen=True)
class NewOrder:
    """An order to be placed. A market order has no price."""

    client_id: str
    symbol: str
    side: Side
    quantity: str
    price: str | None
    time_in_force: str


@dataclass(frozen=True)
class OrderReport:
    """What the venue, or the connection, says of an order. The reason is a code of the one table."""

    client_id: str
    kind: OrderKind
    reason: str = "requested"
    venue_time_ns: int | None = None
    message: str = ""


@dataclass(frozen=True)
class FillReport:
    """A fill of an order; its identity is that of the trade at the venue (O5)."""

    client_id: str
    trade_id: int
    symbol: str
    side: Side
    price: str
    quantity: str
    is_maker: bool
    fee: str
    fee_asset: str
    venue_time_ns: int | None


@dataclass(frozen=True)
class OrderState:
    """What the venue knows of an order when it is asked, with its fills."""

    client_id: str
    status: Literal["open", "filled", "cancelled", "expired", "rejected"]
    fills: tuple[FillReport, ...] = field(default=())


class AccountSink(Protocol):
    """Takes what a venue says about the account."""

    def order(self, report: OrderReport) -> None:
        """An order of ours changed."""

    def fill(self, report: FillReport) -> None:
        """An order of ours was filled."""

    def balances(self, balances: dict[str, Decimal]) -> None:
        """What the account holds now, of the assets that are named."""

    def account_connected(self, *, is_connected: bool) -> None:
        """Orders reach the venue and reports reach us, or they do not."""

    def credentials_lost(self, why: str) -> None:
        """The venue does not accept the key any more."""


class Execution(Protocol):
    """The orders and the account at a venue."""

    async def run(self, sink: AccountSink) -> None:
        """Keep the connection and feed the sink until cancelled."""

    def place(self, order: NewOrder) -> None:
        """Send an order at once, without waiting; what becomes of it comes to the sink.

        It is never sent again: where no answer comes, the sink is told that it is lost (law 7).
        """

    def cancel(self, client_id: str, symbol: str) -> None:
        """Ask to cancel an order at once, without waiting."""

    async def order(self, client_id: str, symbol: str) -> OrderState | None:
        """What the venue knows of an order of ours; None where it does not know it."""

    async def open_orders(self) -> list[tuple[str, str]]:
        """The client ids and symbols of the account's open orders, ours and others."""

    async def balances(self) -> dict[str, Decimal]:
        """What the account holds, by asset."""
