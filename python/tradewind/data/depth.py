"""Depth differences of Binance put in sequence behind their REST snapshot, by the venue's rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from tradewind.data.form import BUY, FIRST, LAST, SELL
from tradewind.errors import DataError

Level = tuple[str, str]
_Levels = tuple[list[Level], list[Level]]


class Depth(Struct, gc=False):
    """A ``depthUpdate`` frame; futures have ``T`` and ``pu``."""

    E: int
    U: int
    u: int
    b: list[Level]
    a: list[Level]
    T: int | None = None
    pu: int | None = None


class Snapshot(Struct, gc=False):
    """An answer of the REST ``depth`` endpoint; futures have ``T``."""

    lastUpdateId: int
    bids: list[Level]
    asks: list[Level]
    T: int | None = None


@dataclass
class DepthRows:
    """Changes of the book, as columns; venue times as the venue sent them."""

    row: list[int] = field(default_factory=list)
    venue_time: list[int | None] = field(default_factory=list)
    arrival_time_ns: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    price: list[str] = field(default_factory=list)
    quantity: list[str] = field(default_factory=list)


class DepthSequence:
    """Decides which updates apply, and refuses a gap.

    Parameters
    ----------
    place
        The recording's name, for messages.

    Notes
    -----
    Updates that came before the snapshot wait for it, and are emitted with it: only then is there a book. So do those
    behind a gap, where a later snapshot follows. A snapshot of a book that is followed and newer says nothing.
    Of those, and of later ones, spot drops ``u <= lastUpdateId``, then wants ``U <= last + 1``; futures drop
    ``u < lastUpdateId``, then want the first update to reach back to the snapshot and ``pu == last`` after it.

    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.stale = 0
        self.gaps = 0
        self.unneeded_snapshots = 0
        self.has_begun = False
        self.rows = DepthRows()
        self._waiting: list[Depth] = []
        self._last: int | None = None
        self._is_first = True
        self._hole: DataError | None = None

    def raise_if_open(self, is_known: bool) -> None:
        """Refuse a recording at whose end updates wait; behind a gap they may where its recorder knew of it."""
        if not self._waiting or self._last is not None:
            return
        if not self.has_begun:
            message = f"{self.place}: no depth snapshot, so no book"
            raise DataError("book_gap", message, "record one, or leave out book")
        if self._hole is not None and not is_known:
            raise self._hole

    def take(self) -> DepthRows:
        """The changes since the last call."""
        rows, self.rows = self.rows, DepthRows()
        return rows

    def begin_anew(self) -> None:
        """What comes next continues nothing: its connection is a new one."""
        self.gaps += self._last is not None
        self._last, self._waiting, self._hole = None, [], None

    def snapshot(self, row: int, arrival_ns: int, snapshot: Snapshot) -> None:
        """Start the book anew, and apply what waited for it."""
        if self._last is not None and snapshot.lastUpdateId <= self._last:
            self.unneeded_snapshots += 1
            return
        self._last, self._is_first, self.has_begun = snapshot.lastUpdateId, True, True
        waiting, self._waiting, self._hole = self._waiting, [], None
        self._emit(row, arrival_ns, self._time_of(snapshot, waiting), (snapshot.bids, snapshot.asks), FIRST)
        for update in waiting:
            self.update(row, arrival_ns, update)

    def update(self, row: int, arrival_ns: int, update: Depth) -> None:
        """Apply one update, keep it for the snapshot to come, or drop it as stale."""
        if self._last is None:
            self._waiting.append(update)
            return
        if self._is_old(update, self._last):
            self.stale += 1
            return
        if not self._continues(update, self._last):
            begins = f"U = {update.U}" if update.pu is None else f"pu = {update.pu}"
            self._hole = DataError(
                "book_gap",
                f"{self.place} row {row}: a depth update with {begins} does not follow {self._last}",
                'the recording lacks frames; without "book" in streams its trades and quotes can still be used',
            )
            self.gaps += 1
            self._last, self._waiting = None, [update]
            return
        self._last, self._is_first = update.u, False
        self._emit(row, arrival_ns, update.T or update.E, (update.b, update.a), 0)

    def _time_of(self, snapshot: Snapshot, waiting: list[Depth]) -> int | None:
        """When a snapshot was: spot does not say, so with the last update that it holds, or with the next."""
        if snapshot.T is not None or not waiting:
            return snapshot.T
        old = [update for update in waiting if self._is_old(update, snapshot.lastUpdateId)]
        known = (old or waiting[:1])[-1]
        return known.T or known.E

    def _is_old(self, update: Depth, last: int) -> bool:
        return update.u < last or (update.pu is None and update.u == last)

    def _continues(self, update: Depth, last: int) -> bool:
        if update.pu is None:
            return last + 1 >= update.U
        return update.pu == last or (self._is_first and min(update.U, update.pu) <= last)

    def _emit(self, row: int, arrival_ns: int, venue_time: int | None, levels: _Levels, first: int) -> None:
        bids, asks = levels
        count = len(bids) + len(asks)
        if count == 0:
            return
        rows = self.rows
        rows.row.extend([row] * count)
        rows.venue_time.extend([venue_time] * count)
        rows.arrival_time_ns.extend([arrival_ns] * count)
        start = len(rows.flags)
        rows.flags.extend([BUY] * len(bids))
        rows.flags.extend([SELL] * len(asks))
        rows.flags[start] |= first
        rows.flags[-1] |= LAST
        for side in levels:
            rows.price.extend([price for price, _ in side])
            rows.quantity.extend([quantity for _, quantity in side])
