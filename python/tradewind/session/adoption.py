"""Holdings that are there at the first start and that strategies take over, with their cost (M3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tradewind.config.account import Adoption
from tradewind.config.adoptions import adopted_assets
from tradewind.errors import TradewindError, exception

if TYPE_CHECKING:
    from tradewind.session.session import Session


class Adoptions:
    """What strategies take over of one account or another; each at most once in a run.

    Parameters
    ----------
    session
        Whose engine it is.
    wanted
        What the system file says.

    """

    def __init__(self, session: Session, wanted: Sequence[Adoption]) -> None:
        self._session = session
        self._wanted = wanted

    def missing(self, venue: str, held: Mapping[str, Decimal]) -> TradewindError | None:
        """What is wrong where an account does not hold what is to be adopted of it.

        Parameters
        ----------
        venue
            The account's venue.
        held
            What it holds, by asset, with what open orders hold back.

        """
        index = self._session.index
        for asset, wanted in adopted_assets(self._at(venue), {one.name: one.base for one in index.instruments}).items():
            there = held.get(asset, Decimal(0))
            if wanted > there:
                return exception(
                    "bad_setting",
                    f"accounts.adopt: strategies adopt {wanted:f} {asset}, and the account at {venue} holds {there:f}",
                    "adopt what is there, or less",
                )
        return None

    def take(self, venue: str) -> None:
        """Make them positions of their strategies, at their cost."""
        for one in self._at(venue):
            self._session.adopt(one.strategy, one.instrument, one.quantity, one.cost)

    def _at(self, venue: str) -> list[Adoption]:
        return [one for one in self._wanted if one.instrument.startswith(f"{venue}:")]
