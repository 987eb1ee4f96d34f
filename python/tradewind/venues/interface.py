"""What a venue implements: market data, execution, and what both report.

A venue has two sides, and either may be missing. `MarketData` pushes rows into a `MarketSink`; `Execution` carries out
orders and tells what became of them. Prices and quantities are exact: text as it came from the wire, or ``Decimal``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from tradewind.errors import exception

if TYPE_CHECKING:
    from tradewind.instruments import InstrumentFields
    from tradewind.venues.sink import MarketSink

Exact = str | Decimal
Side = Literal["buy", "sell"]
StreamKind = Literal["trades", "quotes", "book", "bars", "marks", "funding"]


class StreamName(msgspec.Struct, frozen=True, order=True):
    """One kind of data of one instrument; bars have an interval.

    Examples
    --------
    >>> str(StreamName("binance_spot:BTCUSDT", "bars", "1m"))
    'binance_spot:BTCUSDT.bars(1m)'

    """

    instrument: str
    kind: StreamKind
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.instrument}.{self.kind}" + (f"({self.interval})" if self.interval else "")

    @property
    def symbol(self) -> str:
        """What the venue calls the instrument."""
        return self.instrument.partition(":")[2]


class StreamStatus(msgspec.Struct, frozen=True):
    """A stream's state changed.

    ``connected`` delivers, or is subscribed and quiet; ``disconnected`` and ``stale`` must not be traded on;
    ``gap`` names the venue times between which rows are missing; ``resynced`` ends a gap of a book, whose snapshot is
    in the inbox already; ``error`` is something that could not be read: it was left out, and the stream goes on
    (no stream is named where it cannot be told which one it was for).
    """

    stream: StreamName | None
    state: Literal["connected", "disconnected", "stale", "gap", "resynced", "error"]
    reason: str = ""
    from_ns: int = 0
    to_ns: int = 0


class ClockStatus(msgspec.Struct, frozen=True):
    """The venue's clock was compared with ours: what is added to ours, and how far that may be off (T2).

    Where the venue's clock went back, what was stamped last is ``ahead_ns`` ahead of it: time stands still for so long.
    """

    venue: str
    offset_ns: int
    uncertainty_ns: int
    ahead_ns: int = 0


class MarketData(ABC):
    """The market data of a venue."""

    venue: str
    numbers_trades: bool = False
    """Whether an instrument's trades have numbers that follow each other, so that missing ones show."""
    offers: Collection[StreamKind] = ("trades", "quotes", "book")
    """The streams that strategies may name of its instruments; bars are built from trades."""

    @abstractmethod
    async def instruments(self, symbols: Sequence[str] = ()) -> list[InstrumentFields]:
        """The specifications of these symbols, or of all."""

    @abstractmethod
    async def start(self, sink: MarketSink) -> None:
        """Connect, without waiting for the venue; what is subscribed to goes into the sink from now on.

        A connection that cannot be had yet is tried again in the background: what is raised here ends the session.
        """

    @abstractmethod
    def subscribe(self, streams: Sequence[StreamName]) -> None:
        """Deliver these too, from now on or as soon as there is a connection."""

    @abstractmethod
    def unsubscribe(self, streams: Sequence[StreamName]) -> None:
        """Deliver these no more."""

    async def observe_clock(self) -> None:  # noqa: B027  a venue need not tell the time
        """Put the venue's clock right before anything is stamped, where the venue tells the time."""

    @abstractmethod
    async def history(self, stream: StreamName, from_ns: int, to_ns: int, sink: MarketSink) -> None:
        """Push the closed bars or the trades between two venue times, oldest first, into a sink of their own."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect; nothing is pushed after it returns. It may be called before `start`, too."""


class OrderRequest(msgspec.Struct, frozen=True):
    """An order to place. The client id has at most 32 small letters and digits and is the session's own."""

    client_id: str
    instrument: str
    side: Side
    quantity: Exact
    price: Exact | None = None
    time_in_force: Literal["gtc", "ioc", "post_only"] = "gtc"

    @property
    def symbol(self) -> str:
        """What the venue calls the instrument."""
        return self.instrument.partition(":")[2]


class CancelRequest(msgspec.Struct, frozen=True):
    """An order to cancel."""

    client_id: str
    instrument: str

    @property
    def symbol(self) -> str:
        """What the venue calls the instrument."""
        return self.instrument.partition(":")[2]


class Accepted(msgspec.Struct, frozen=True):
    """The venue has the order. Reported once for each order, whichever of its messages came first."""

    client_id: str
    venue_order_id: str
    venue_time_ns: int


class Rejected(msgspec.Struct, frozen=True):
    """The venue does not take the order: one of our codes, and what the venue said."""

    client_id: str
    code: str
    message: str
    venue_time_ns: int


class Filled(msgspec.Struct, frozen=True):
    """A fill. Reported once for each instrument, order and trade id (O5)."""

    client_id: str
    venue_order_id: str
    trade_id: int
    instrument: str
    side: Side
    price: Exact
    quantity: Exact
    fee: Exact
    fee_asset: str
    is_maker: bool
    venue_time_ns: int


class Cancelled(msgspec.Struct, frozen=True):
    """The order was cancelled: one of our codes, and how much of it was filled in all, where the venue says so.

    An order of which less is known to be filled ends once the missing fills were reported, or asked for and found.
    """

    client_id: str
    reason: str
    venue_time_ns: int
    filled: Exact | None = None


class CancelRejected(msgspec.Struct, frozen=True):
    """The order was not cancelled: one of our codes, and what the venue said."""

    client_id: str
    code: str
    message: str
    venue_time_ns: int


class Expired(msgspec.Struct, frozen=True):
    """The venue ended the order by its own rules: one of our codes, and how much was filled as in `Cancelled`."""

    client_id: str
    reason: str
    venue_time_ns: int
    filled: Exact | None = None


class Unknown(msgspec.Struct, frozen=True):
    """The venue may or may not have carried out what was asked: ask for the order by its client id (law 7)."""

    client_id: str
    why: str


class Balance(msgspec.Struct, frozen=True):
    """What the account holds of an asset, ``locked`` included."""

    asset: str
    total: Exact
    locked: Exact
    venue_time_ns: int


class OrderState(msgspec.Struct, frozen=True):
    """An order as the venue knows it: it changed last at ``venue_time_ns``, and was taken at ``created_ns``."""

    client_id: str
    venue_order_id: str
    instrument: str
    side: Side
    quantity: Exact
    filled: Exact
    price: Exact | None
    status: Literal["open", "partly_filled", "filled", "cancelled", "rejected", "expired"]
    venue_time_ns: int
    created_ns: int | None = None


class Transferred(msgspec.Struct, frozen=True):
    """Money that came into the account, or left it where the amount is below zero, without an order (M3)."""

    asset: str
    amount: Exact
    venue_time_ns: int


class Foreign(msgspec.Struct, frozen=True):
    """An order, or a fill of one, of another client of the same account: it is left alone (M3)."""

    order: OrderState
    fill: Filled | None = None


class Commission(msgspec.Struct, frozen=True):
    """The fees of an instrument as fractions of the traded value.

    Where there is a ``discount_asset``, fees are paid in it for as long as the account holds some of it.
    """

    instrument: str
    maker: Exact
    taker: Exact
    discount_asset: str | None = None


class AccountStatus(msgspec.Struct, frozen=True):
    """The connection to the account changed.

    ``connected`` takes orders and delivers reports; after ``disconnected`` and ``stream_ended`` reports may have been
    missed, so orders, fills and balances are asked for again after the next ``connected``; after
    ``credentials_lost`` nothing is tried again; ``error`` is a message that could not be read and was left out.
    """

    state: Literal["connected", "disconnected", "stream_ended", "credentials_lost", "error"]
    reason: str = ""


Report = (
    Accepted
    | Rejected
    | Filled
    | Cancelled
    | CancelRejected
    | Expired
    | Unknown
    | Balance
    | Transferred
    | Foreign
    | AccountStatus
    | ClockStatus
)
ReportSink = Callable[[Report], None]


class Execution(ABC):
    """Orders and the account at a venue."""

    venue: str
    fate_seconds: float = 10.0
    """How long after an order was sent the venue may still take it, and be about to name it among its orders.

    What it answers about the account is not older than that, and reports are not later.
    """

    async def account(self) -> str:
        """What the venue calls the account, whichever of its keys is used; asked for before `start`.

        A run that was cut off goes on with the same account only; one that the venue does not name is known by its key.
        """
        return ""

    @abstractmethod
    async def start(self, sink: ReportSink, is_own: Callable[[str], bool]) -> None:
        """Connect and log on, at once: in an emergency nothing was asked of the venue before, and its REST may be slow.

        A connection that cannot be had yet is tried again in the background: what is raised here ends the session.
        `is_own` tells our client ids from those of others (`Foreign`), in whatever letters: one that the venue keeps
        in capitals is reported in small ones, as we wrote it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Disconnect; orders stay as they are."""

    @abstractmethod
    def place(self, order: OrderRequest) -> None:
        """Send an order at once, never twice. What becomes of it comes through the sink, even a failure to send."""

    @abstractmethod
    def cancel(self, order: CancelRequest) -> None:
        """Send a cancel at once. What becomes of it comes through the sink."""

    def rehearse(self, order: OrderRequest) -> None:  # noqa: B027 - to do nothing is enough
        """Do what `place` does with an order, but for sending it: what has just run is quick when it counts.

        A session that waits busily calls it thousands of times a second.
        """

    @abstractmethod
    async def open_orders(self) -> list[OrderState]:
        """All open orders of the account, ours and others'."""

    async def open_orders_quickly(self) -> list[OrderState]:
        """The same for emergencies, asked in the way that is most likely answered, where there is more than one."""
        return await self.open_orders()

    async def cancel_otherwise(self, order: CancelRequest) -> None:
        """Cancel an order in an emergency, while there is no connection for orders; one that is not open is no error.

        Raises
        ------
        TradewindError
            It was not cancelled, or the venue has no other way.

        """
        raise exception("unreachable", f"{self.venue}: there is no connection for orders, and no other way to cancel")

    @abstractmethod
    async def order(self, client_id: str, instrument: str) -> OrderState | None:
        """The order of a client id; none if the venue does not know it (yet)."""

    async def find_order(self, client_id: str, instrument: str, sent_ns: int) -> OrderState | None:
        """Look for an order among those of about a time, before it is given up, where the venue alters client ids."""
        return None

    async def orders_since(self, instrument: str, since_ns: int) -> list[OrderState]:
        """The orders of an instrument that were placed within a day from a time on, as far as the venue tells.

        A run that goes on asks for them once: there may be some that its journal has lost.
        """
        return [one for one in await self.open_orders() if one.instrument == instrument]

    @abstractmethod
    async def fills(
        self, instrument: str, *, order_id: str = "", since_ns: int = 0, from_id: int | None = None
    ) -> list[Filled]:
        """Fills of an order by the venue's id, since a time, or from a trade id on, oldest first.

        Their client ids may be empty.
        """

    @abstractmethod
    async def balances(self) -> list[Balance]:
        """What the account holds: every asset that is traded here, those too of which it holds nothing."""

    @abstractmethod
    async def commission(self, instrument: str) -> Commission:
        """The account's fees."""
