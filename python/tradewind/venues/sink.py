"""Where market data of venues goes: one buffer of rows in the order of their arrival."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tradewind.venues.interface import ClockStatus, Exact, Side, StreamName, StreamStatus

if TYPE_CHECKING:
    from tradewind._core import Inbox
    from tradewind.venues.tap import Tap


class MarketSink:
    """Takes the rows of a venue, stamps them with their arrival and tells who waits for them.

    Parameters
    ----------
    inbox
        The buffer; the session takes the rows out of it.
    clock
        Now in nanoseconds, on the venue's clock (T2).
    on_rows
        Called after each message that added rows, in the same call: nothing lies between a tick and its decision.
    on_status
        Called with every change of a stream's state.
    tap
        Takes frames as they came, where they are recorded.

    Examples
    --------
    A venue of one's own calls the methods below with what came over the wire:

    >>> from tradewind import Index, instruments
    >>> from tradewind._core import Inbox
    >>> from tradewind.dataset import definition
    >>> inbox = Inbox(Index([definition(instruments.load("binance_spot:BTCUSDT"))]))
    >>> sink = MarketSink(inbox, clock=lambda: 2_000)
    >>> sink.trade("binance_spot:BTCUSDT", venue_time_ns=1_000, price="61800.2", quantity="0.5", aggressor="buy", id=1)
    >>> inbox.take_events()
    [Trade(binance_spot:BTCUSDT, 0.5 at 61800.2)]

    """

    def __init__(
        self,
        inbox: Inbox,
        clock: Callable[[], int],
        on_rows: Callable[[], object] = lambda: None,
        on_status: Callable[[StreamStatus | ClockStatus], object] = lambda status: None,
        tap: Tap | None = None,
    ) -> None:
        self.inbox = inbox
        self.clock = clock
        self.on_rows = on_rows
        self.on_status = on_status
        self.tap = tap

    def trade(
        self,
        instrument: str,
        *,
        venue_time_ns: int,
        price: Exact,
        quantity: Exact,
        aggressor: Side | None = None,
        id: int = 0,
    ) -> None:
        """A trade between others."""
        self.inbox.trade(instrument, venue_time_ns, self.clock(), price, quantity, aggressor, id)
        self.on_rows()

    def quote(
        self,
        instrument: str,
        *,
        bid: Exact,
        bid_quantity: Exact,
        ask: Exact,
        ask_quantity: Exact,
        venue_time_ns: int | None = None,
    ) -> None:
        """The best bid and offer; without a venue time it is the arrival less the inbox's stated latency (T2)."""
        self.inbox.quote(instrument, venue_time_ns, self.clock(), bid, bid_quantity, ask, ask_quantity)
        self.on_rows()

    def book(
        self,
        instrument: str,
        *,
        venue_time_ns: int,
        bids: list[tuple[Exact, Exact]],
        asks: list[tuple[Exact, Exact]],
        is_snapshot: bool,
    ) -> None:
        """Levels of the order book with their new quantities, zero for one that is gone."""
        self.inbox.book(instrument, venue_time_ns, self.clock(), bids, asks, is_snapshot)
        self.on_rows()

    def bar(
        self,
        instrument: str,
        *,
        interval: str,
        open_time_ns: int,
        open: Exact,
        high: Exact,
        low: Exact,
        close: Exact,
        volume: Exact,
    ) -> None:
        """A bar that has closed (V5)."""
        self.inbox.bar(instrument, interval, open_time_ns, self.clock(), open, high, low, close, volume)
        self.on_rows()

    def mark(self, instrument: str, *, venue_time_ns: int, price: Exact) -> None:
        """The venue's mark price."""
        self.inbox.mark(instrument, venue_time_ns, self.clock(), price)
        self.on_rows()

    def funding(self, instrument: str, *, venue_time_ns: int, rate: Exact) -> None:
        """A funding payment falls due."""
        self.inbox.funding(instrument, venue_time_ns, self.clock(), rate)
        self.on_rows()

    def status(self, status: StreamStatus | ClockStatus) -> None:
        """A stream's state changed."""
        self.on_status(status)

    def connected(self, stream: StreamName) -> None:
        """It is subscribed."""
        self.on_status(StreamStatus(stream, "connected"))

    def disconnected(self, stream: StreamName, reason: str) -> None:
        """It delivers no more."""
        self.on_status(StreamStatus(stream, "disconnected", reason))
