"""An account that holds less, when a run goes on, than its strategies hold of it (M3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from tradewind.errors import TradewindError, exception

if TYPE_CHECKING:
    from tradewind.session.session import Session


def shortfall(session: Session, venue: str, held: Mapping[str, Decimal]) -> TradewindError | None:
    """What is wrong where what strategies hold is not there: what they would sell is not theirs.

    What goes out of the account never changes a position (M3), so nothing can be put right here.

    Parameters
    ----------
    session
        The run.
    venue
        The account's venue.
    held
        What it holds, by asset, of those whose balance has changed while the run was down.

    """
    for asset, position in _positions(session, venue).items():
        if asset in held and held[asset] < position:
            return exception(
                "divergence",
                f"the run was cut off, and its account at {venue} changed since: it holds {held[asset]:f} {asset}, of"
                f" which strategies hold {position:f} as positions",
                "put back what is missing, or move the journal away to begin a new run, which can adopt what is there",
            )
    return None


def _positions(session: Session, venue: str) -> dict[str, Decimal]:
    """What strategies hold on spot, by asset."""
    instruments = {one.name: one for one in session.index.instruments if one.venue == venue and one.kind == "spot"}
    found: dict[str, Decimal] = {}
    for _, name, quantity in session.kernel.positions():
        if name in instruments:
            asset = instruments[name].base
            found[asset] = found.get(asset, Decimal(0)) + Decimal(quantity)
    return found
