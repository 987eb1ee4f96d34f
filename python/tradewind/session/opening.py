"""Whether a run has booked what an account held at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.session.session import Session


def is_opened(session: Session, venue: str) -> bool:
    """Whether anything was ever booked on the account at a venue; what happens at other venues does not count.

    The ledger and the positions tell, so that it is known after a restart, too. An account that was emptied is not a
    new one.

    Parameters
    ----------
    session
        The run, before the venue has said anything to this process.
    venue
        The account's venue.

    """
    booked = {one["account"] for one in session.kernel.outcome()["assets"]}
    holding = {name.partition(":")[0] for _, name, _ in session.kernel.positions()}
    return venue in booked | holding
