"""Orders of a run that its journal does not hold: the end of it was lost, or it is an older copy (law 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.errors import TradewindError, exception

if TYPE_CHECKING:
    from tradewind.session.session import Session
    from tradewind.venues import Execution, OrderState

_BEFORE_NS = 60 * 10**9
"""So much earlier than the journal's last entry the venue may say that an order came."""
_MOST_CLOSED = 1 << 20
_MOST_NAMED = 3


@dataclass(frozen=True)
class Held:
    """What the journal of a run that goes on held.

    Parameters
    ----------
    time_ns
        The time of its last entry.
    names
        The client ids of the orders that it knows, as far as they are kept.

    """

    time_ns: int
    names: frozenset[str]

    @classmethod
    def of(cls, session: Session) -> Held:
        """What a session holds now."""
        orders = [*session.kernel.open_orders(), *session.kernel.closed_orders(_MOST_CLOSED)]
        return cls(session.kernel.now_ns, frozenset(session.name_of(one) for one in orders))


async def lost_orders(session: Session, venue: str, execution: Execution, held: Held) -> TradewindError | None:
    """What is wrong where the venue has orders of the run that its journal does not hold.

    What they have bought belongs to a strategy that does not know it, and the next order would have the client id of
    one of them: the run does not go on.

    Parameters
    ----------
    session
        The run, which goes on.
    venue, execution
        Who is asked.
    held
        What its journal held.

    """
    lost = list["OrderState"]()
    for name in (one.name for one in session.index.instruments if one.venue == venue):
        orders = await execution.orders_since(name, held.time_ns - _BEFORE_NS)
        lost += [one for one in orders if session.is_own(one.client_id) and one.client_id.lower() not in held.names]
    if not lost:
        return None
    named = "; ".join(_said(one) for one in lost[:_MOST_NAMED])
    more = f"; and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    return exception(
        "divergence",
        f"{venue}: it has orders of this run that the journal does not hold ({named}{more}): the end of the journal was"
        " lost, as in a power cut, or it is an older copy",
        "open ones are cancelled now; move the journal away to begin a new run, which can adopt what they have bought",
    )


def _said(order: OrderState) -> str:
    price = "at the market" if order.price is None else f"at {order.price}"
    return (
        f"{order.client_id}: {order.side} {order.quantity} {order.instrument} {price}, {order.filled} filled,"
        f" {order.status.replace('_', ' ')}"
    )
