"""One request on its way through the venue, and the table of what can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tradewind.sandbox.account import Account
from tradewind.sandbox.binance_spot.failure import Failure
from tradewind.sandbox.binance_spot.parameters import Parameters
from tradewind.sandbox.market import Market

if TYPE_CHECKING:
    from tradewind.sandbox.binance_spot.venue import Venue

Security = Literal["NONE", "USER_DATA", "TRADE"]


@dataclass(slots=True)
class Call:
    """A request: what was asked, by whom, and when.

    Parameters
    ----------
    venue
        What carries it out.
    parameters
        What was sent.
    now_ns
        The venue's time.
    scale
        How many nanoseconds a unit of the answer's times has: those of milliseconds, or of microseconds.
    signer
        The account that signed it.

    """

    venue: Venue
    parameters: Parameters
    now_ns: int
    scale: int = 1_000_000
    signer: Account | None = None

    @property
    def account(self) -> Account:
        """The account that signed."""
        if self.signer is None:
            raise Failure(-2014, "API-key format invalid.", 401)
        return self.signer

    def market(self, name: str | None = None) -> Market:
        """The market of a symbol, by default of the one that was sent."""
        found = self.venue.exchange.markets.get(name if name is not None else self.parameters.symbol())
        if found is None:
            raise Failure(-1121, "Invalid symbol.")
        return found

    def market_in(self, status: str | None, name: str | None = None) -> Market:
        """The market of a symbol, which must be in this state if one is named."""
        found = self.market(name)
        if status not in (None, found.status):
            raise Failure(-1220, "The symbol's status does not match the requested symbolStatus.")
        return found

    def markets_in(self, status: str | None, names: Iterable[str] | None = None) -> list[Market]:
        """The markets of symbols, by default of all, as far as they are in this state if one is named."""
        found = map(self.market, names) if names is not None else self.venue.exchange.markets.values()
        return [market for market in found if status in (None, market.status)]


@dataclass(frozen=True, slots=True)
class Method:
    """Something that can be asked for, over REST and over the WebSocket API.

    Parameters
    ----------
    name
        On the WebSocket API; empty where it does not have it.
    route
        Verb and path of REST; empty where it does not have it.
    run
        What it does.
    weight
        What it costs; by the parameters where it depends on them.
    security
        Who may ask.
    is_order
        Whether it places or cancels orders, and so weighs nothing when it is successful.
    is_placement
        Whether it counts as an order.

    """

    name: str
    route: str
    run: Callable[[Call], Any]
    weight: int | Callable[[dict[str, str]], int] = 1
    security: Security = "NONE"
    is_order: bool = False
    is_placement: bool = False

    def weight_of(self, values: dict[str, str]) -> int:
        """What a request with these parameters costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(values)
