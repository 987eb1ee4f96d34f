"""In which asset an account pays its fees."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tradewind.errors import TradewindError, exception
from tradewind.venues import Execution


async def untracked_fees(
    venue: str, execution: Execution, instruments: Iterable[str], known: Collection[str]
) -> TradewindError | None:
    """Why profit would be wrong, as fees are paid in an asset that no instrument of the run knows; mostly nothing.

    Parameters
    ----------
    venue
        The venue's name.
    execution
        What asks it.
    instruments
        Which are traded there.
    known
        The assets whose balances are kept.

    """
    held = {one.asset for one in await execution.balances() if one.total}
    for instrument in instruments:
        asset = (await execution.commission(instrument)).discount_asset
        if asset is not None and asset not in known and asset in held:
            return exception(
                "untracked_fees",
                f"{venue}: the account pays the fees of {instrument} in {asset}, which no instrument of the run knows",
                f"add an instrument with {asset} to [instruments], so that its balance and worth are known, or let the"
                " venue take fees otherwise",
            )
    return None
