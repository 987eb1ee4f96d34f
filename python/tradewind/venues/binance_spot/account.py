"""Events of an account, as Binance sends them, into reports."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct, field

from tradewind.venues.binance_spot.errors import code_of
from tradewind.venues.interface import (
    Accepted,
    Balance,
    Cancelled,
    Expired,
    Filled,
    Foreign,
    OrderState,
    Rejected,
    Report,
    Side,
    Transferred,
    Unknown,
)

_MILLISECOND_NS = 1_000_000
_KEPT = 4_096
_SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}
_STATUSES = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PARTIALLY_FILLED": "partly_filled",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "PENDING_CANCEL": "open",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
_OPEN = ("open", "partly_filled")


class ExecutionReport(Struct):
    """What happened to an order; the letters are Binance's."""

    s: str
    c: str
    S: str
    o: str
    f: str
    q: str
    p: str
    x: str
    X: str
    i: int
    l: str  # noqa: E741
    z: str
    L: str
    T: int
    C: str = ""
    O: int = 0  # noqa: E741
    r: str = "NONE"
    n: str | None = None
    N: str | None = None
    t: int = -1
    I: int = -1  # noqa: E741
    m: bool = False


class _Held(Struct):
    a: str
    f: str
    l: str  # noqa: E741


class AccountPosition(Struct):
    """What the account holds of the assets that changed."""

    E: int
    held: list[_Held] = field(name="B")
    u: int = 0


class BalanceUpdate(Struct):
    """Money came or went: a deposit, a withdrawal, a transfer from another account of the same person."""

    a: str
    d: str
    E: int
    T: int


class Memory:
    """The last things of which each may be told once."""

    def __init__(self) -> None:
        self._kept: dict[object, None] = {}

    def is_known(self, thing: object) -> bool:
        """Whether it was told."""
        return thing in self._kept

    def is_new(self, thing: object) -> bool:
        """Whether it was not told yet; from now on it was."""
        if thing in self._kept:
            return False
        self._kept[thing] = None
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return True


class AccountReader:
    """Turns events and answers into reports, each told once whatever came first or twice (F30, F31).

    Parameters
    ----------
    venue
        The venue's name.
    is_own
        Tells our client ids from those of others.

    """

    def __init__(self, venue: str, is_own: Callable[[str], bool]) -> None:
        self._venue = venue
        self.is_own = is_own
        self._memory = Memory()
        # The venue counts orders per symbol: two may have one number.
        self._names: dict[tuple[str, int], str] = {}
        self._numbers: dict[str, tuple[str, int]] = {}

    def accepted(self, client_id: str, symbol: str, order_id: int, time_ms: int) -> list[Report]:
        """Take the answer to an order that was accepted; from now on it is known by the venue's number, too (F36)."""
        self.remember(client_id, symbol, order_id)
        # Of what has ended it is no news that it once began.
        if self._memory.is_known(("closed", client_id)) or not self._memory.is_new(("accepted", client_id)):
            return []
        return [Accepted(client_id, str(order_id), time_ms * _MILLISECOND_NS)]

    def name_of(self, symbol: str, order_id: int, text: str) -> str:
        """Name an order as we do, whatever the venue makes of its client id; ours are in small letters (F36)."""
        known = self._names.get((symbol, order_id))
        if known is not None or not self.is_own(text):
            return known or text
        name = text.lower()
        self.remember(name, symbol, order_id)
        return name

    def remember(self, client_id: str, symbol: str, order_id: int) -> None:
        """Know an order by the venue's number from now on."""
        if client_id not in self._numbers:
            self._names[symbol, order_id], self._numbers[client_id] = client_id, (symbol, order_id)
        if len(self._numbers) > _KEPT:
            forgotten = next(iter(self._numbers))
            self._names.pop(self._numbers.pop(forgotten), None)

    def number_of(self, client_id: str) -> int | None:
        """The venue's number of an order that it has named."""
        known = self._numbers.get(client_id)
        return None if known is None else known[1]

    def rejected(self, client_id: str, number: int, message: str, time_ns: int) -> list[Report]:
        """Take the answer to an order that was rejected."""
        if not self._memory.is_new(("closed", client_id)):
            return []
        return [Rejected(client_id, code_of(number, message), message, time_ns)]

    def cancelled(self, client_id: str, time_ms: int, filled: Decimal) -> list[Report]:
        """Take the answer to a cancel."""
        if not self._memory.is_new(("closed", client_id)):
            return []
        return [Cancelled(client_id, "requested", time_ms * _MILLISECOND_NS, filled)]

    def position(self, event: AccountPosition) -> list[Report]:
        """Take new balances."""
        time_ns = (event.u or event.E) * _MILLISECOND_NS
        return [Balance(one.a, exact(one.f) + exact(one.l), exact(one.l), time_ns) for one in event.held]

    def transferred(self, event: BalanceUpdate) -> list[Report]:
        """Take money that came or went."""
        if not self._memory.is_new(("transferred", event.a, event.d, event.E, event.T)):
            return []
        return [Transferred(event.a, exact(event.d), event.T * _MILLISECOND_NS)]

    def execution(self, event: ExecutionReport) -> list[Report]:
        """Take what happened to an order."""
        if event.I >= 0 and not self._memory.is_new((event.s, "execution", event.I)):
            return []
        # A cancel has an id of its own, and names the order's as the original one.
        client_id = self.name_of(event.s, event.i, event.C if event.x == "CANCELED" and event.C else event.c)
        time_ns = event.T * _MILLISECOND_NS
        fill = self._fill(event, client_id, time_ns) if event.x == "TRADE" else None
        # Of a trade between two orders of one account there are two fills with one id (O5).
        if fill is not None and not self._memory.is_new((event.s, "trade", event.t, event.i)):
            return []
        if not self.is_own(client_id):
            return [Foreign(self._state(event, client_id, time_ns), fill)]
        if event.x == "NEW":
            return self.accepted(client_id, event.s, event.i, event.T)
        if fill is not None:
            return [*self.accepted(client_id, event.s, event.i, event.O or event.T), fill]
        if event.x == "REJECTED":
            return self.rejected(client_id, -2010, event.r, time_ns)
        if status_of(event.X) not in _OPEN:
            return self._ended(event, client_id, time_ns)
        # It goes on, and not as it was: trades with orders of the same owner were prevented, or somebody amended it.
        return [
            *self.accepted(client_id, event.s, event.i, event.O or event.T),
            Unknown(client_id, f"{event.x}, after which it is {event.X}"),
        ]

    def _ended(self, event: ExecutionReport, client_id: str, time_ns: int) -> list[Report]:
        before, filled = self.accepted(client_id, event.s, event.i, event.O or event.T), exact(event.z)
        if event.x == "CANCELED":
            return [*before, *self.cancelled(client_id, event.T, filled)]
        if not self._memory.is_new(("closed", client_id)):
            return before
        if event.o == "MARKET":
            return [*before, Cancelled(client_id, "no_liquidity", time_ns, filled)]
        if event.f == "IOC":
            return [*before, Cancelled(client_id, "immediate_or_cancel", time_ns, filled)]
        return [*before, Expired(client_id, "venue_refused", time_ns, filled)]

    def _fill(self, event: ExecutionReport, client_id: str, time_ns: int) -> Filled:
        if event.t < 0:
            raise ValueError(f"a fill of {client_id} has the number {event.t}")
        return Filled(
            client_id,
            str(event.i),
            event.t,
            f"{self._venue}:{event.s}",
            side_of(event.S),
            exact(event.L),
            exact(event.l),
            exact(event.n or "0"),
            event.N or "",
            event.m,
            time_ns,
        )

    def _state(self, event: ExecutionReport, client_id: str, time_ns: int) -> OrderState:
        return OrderState(
            client_id,
            str(event.i),
            f"{self._venue}:{event.s}",
            side_of(event.S),
            exact(event.q),
            exact(event.z),
            None if event.o == "MARKET" else exact(event.p),
            status_of(event.X),  # type: ignore[arg-type]
            time_ns,
            (event.O or event.T) * _MILLISECOND_NS,
        )


def exact(text: str) -> Decimal:
    """Read a number as Binance writes it.

    Examples
    --------
    >>> exact("0.10")
    Decimal('0.10')

    """
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"{text!r} is no number")
    return number


def side_of(word: str) -> Side:
    """Read BUY or SELL."""
    if word not in _SIDES:
        raise ValueError(f"{word!r} is neither BUY nor SELL")
    return _SIDES[word]


def status_of(word: str) -> str:
    """Read an order's status; one that we do not know is open until it is known to be closed."""
    return _STATUSES.get(word, "open")
