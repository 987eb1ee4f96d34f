"""What a system says of its instruments, compared with what their venues say."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from tradewind.errors import TradewindError, exception
from tradewind.instruments import InstrumentFields
from tradewind.venues import MarketData

log = logging.getLogger(__name__)
_COMPARED = ("tick", "lot", "minimum_quantity", "minimum_notional")


async def misfits(market_data: MarketData, ours: Iterable[InstrumentFields]) -> list[TradewindError]:
    """What the venue does not have, or has otherwise; nothing where it cannot be asked now.

    Parameters
    ----------
    market_data
        Of the venue.
    ours
        The specifications of a system, those of other venues left out.

    """
    here = [one for one in ours if one.venue == market_data.venue]
    try:
        theirs = await specified(market_data, [one.symbol for one in here])
    except TradewindError as error:
        log.warning("%s: its specifications cannot be compared: %s", market_data.venue, error)
        return []
    finally:
        # What is prepared may never run; it connects anew when it does.
        await market_data.close()
    found = (_misfit(one, theirs.get(one.symbol)) for one in here)
    return [one for one in found if one is not None]


async def specified(market_data: MarketData, symbols: Sequence[str]) -> dict[str, InstrumentFields]:
    """What a venue says of symbols, by symbol; those that it does not have are left out."""
    try:
        return {one.symbol: one for one in await market_data.instruments(symbols)}
    except TradewindError as error:
        if error.code != "venue_refused":
            raise
    if len(symbols) == 1:
        return {}
    # A venue may refuse all because of one that it does not have.
    found: dict[str, InstrumentFields] = {}
    for symbol in symbols:
        found |= await specified(market_data, [symbol])
    return found


def _misfit(ours: InstrumentFields, theirs: InstrumentFields | None) -> TradewindError | None:
    if theirs is None:
        hint = "is the symbol spelt as the venue spells it?"
        return exception("unknown_instrument", f"{ours.venue} has no instrument {ours.symbol}", hint)
    differ = [name for name in _COMPARED if getattr(ours, name) != getattr(theirs, name)]
    if not differ:
        return None
    said = ", ".join(f"{name} {_number(ours, name)} here and {_number(theirs, name)} there" for name in differ)
    lines = ", ".join(f'{name} = "{_number(theirs, name)}"' for name in differ)
    hint = f'state what the venue says, in [instruments."{ours.name}"]: {lines}'
    return exception("bad_specification", f"{ours.name} is another at its venue: {said}", hint)


def _number(fields: InstrumentFields, name: str) -> str:
    text = f"{getattr(fields, name):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
