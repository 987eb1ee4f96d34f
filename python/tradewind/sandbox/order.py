"""Orders and fills of a local exchange."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["LIMIT", "MARKET", "LIMIT_MAKER"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"]
SelfTrade = Literal["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]
Execution = Literal["NEW", "CANCELED", "REPLACED", "REJECTED", "TRADE", "EXPIRED", "TRADE_PREVENTION"]


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for; amounts in units of 1e-8."""

    symbol: str
    buy: bool
    kind: Kind
    client_id: str
    time_in_force: TimeInForce = "GTC"
    price: int = 0
    quantity: int = 0
    quote_quantity: int = 0
    """Instead of a quantity: how much of the quote asset a market order spends or brings in."""
    self_trade: SelfTrade = "EXPIRE_MAKER"
    strategy_id: int | None = None
    strategy_type: int | None = None


class Order(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order and what became of it."""

    id: int
    account: int
    symbol: str
    buy: bool
    kind: Kind
    client_id: str
    time_in_force: TimeInForce
    price: int
    quantity: int
    quote_quantity: int
    self_trade: SelfTrade
    created_ns: int
    updated_ns: int
    status: Status = "NEW"
    executed: int = 0
    value: int = 0
    """What was paid or received for it, in the quote asset."""
    locked: int = 0
    """What is set aside for it: of the quote asset for a purchase, of the base for a sale."""
    prevented: int = 0
    """How much was cancelled because it would have traded with the account itself."""
    prevented_match: int = 0
    """Which prevented match ended it."""
    is_short: bool = False
    """Whether the book had less than a market order by value asks for: then all that it trades does not fill it."""
    expiry_reason: str = ""
    replaced_id: str = ""
    """The client id that it had before a cancel gave it another."""
    strategy_id: int | None = None
    strategy_type: int | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all others: orders are counted per symbol."""
        return self.symbol, self.id

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in ("NEW", "PARTIALLY_FILLED")

    @property
    def is_filled(self) -> bool:
        """Whether it got all that it asked for."""
        return not self.remaining and not self.is_short

    @property
    def remaining(self) -> int:
        """What is not filled."""
        return self.quantity - self.executed


class Fill(msgspec.Struct, kw_only=True):
    """One side of a trade."""

    trade_id: int
    order_id: int
    account: int
    symbol: str
    price: int
    quantity: int
    value: int
    fee: int
    fee_asset: str
    time_ns: int
    buyer: bool
    maker: bool

    @property
    def order_key(self) -> tuple[str, int]:
        """The key of its order."""
        return self.symbol, self.order_id


class PreventedMatch(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A trade of an account with itself that did not come, and what of its orders was cancelled instead."""

    id: int
    account: int
    symbol: str
    taker: int
    maker: int
    mode: SelfTrade
    price: int
    quantity: int
    """How much would have been traded."""
    taker_prevented: int = 0
    maker_prevented: int = 0
    time_ns: int

    def counterpart(self, order: Order) -> int:
        """The other order than this one."""
        return self.maker if order.id == self.taker else self.taker


class Trade(msgspec.Struct, frozen=True):
    """A trade as everybody sees it."""

    id: int
    price: int
    quantity: int
    time_ns: int
    buyer_is_maker: bool
    buy_order: int
    sell_order: int


class AggregateTrade(msgspec.Struct, frozen=True):
    """What one order traded at one price."""

    id: int
    price: int
    quantity: int
    first_id: int
    last_id: int
    time_ns: int
    buyer_is_maker: bool
