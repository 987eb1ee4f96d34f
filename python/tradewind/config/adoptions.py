"""What strategies take over of an account, and whether it can be so (M3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tradewind._core import Index, Instrument
from tradewind.config.account import Account, Adoption
from tradewind.config.problem import Place, Problem
from tradewind.dataset import definition
from tradewind.errors import TradewindError

if TYPE_CHECKING:
    from tradewind.config.system import Mode, System


def adopted_assets(adoptions: Sequence[Adoption], bases: Mapping[str, str]) -> dict[str, Decimal]:
    """How much is adopted of each asset: instruments and strategies share what is there of it.

    Examples
    --------
    >>> one = Adoption(strategy="a", instrument="binance_spot:BTCUSDT", quantity="0.5", cost="30000")
    >>> adopted_assets([one, one], {"binance_spot:BTCUSDT": "BTC"})
    {'BTC': Decimal('1.0')}

    """
    found: dict[str, Decimal] = {}
    for one in adoptions:
        asset = bases[one.instrument]
        found[asset] = found.get(asset, Decimal(0)) + one.quantity
    return found


def adoption_problems(system: System, mode: Mode) -> Iterator[Problem]:
    """What is adopted is spot, at the account's venue, and exact; in paper the balances hold it."""
    for name, account in system.accounts.items():
        bases, taken = {}, []
        for at, one in enumerate(account.adopt):
            place = ("accounts", name, "adopt", at)
            if one.instrument.partition(":")[0] != account.venue:
                message = f' = "{one.instrument}": the account is at {account.venue}'
                yield Problem("bad_setting", (*place, "instrument"), message, "name it under the account at its venue")
                continue
            try:
                (instrument,) = Index([definition(system.specification(one.instrument))]).instruments
            except TradewindError:
                continue  # it is among the problems already
            if instrument.kind != "spot":
                hint = "take it out: the position stays untouched, and belongs to no strategy"
                yield Problem("bad_setting", (*place, "instrument"), " is not spot: only spot is adopted so far", hint)
                continue
            bases[one.instrument] = instrument.base
            taken.append(one)
            yield from _inexact(place, one, instrument)
        if mode == "paper":
            yield from _not_there(("accounts", name, "adopt"), account, adopted_assets(taken, bases))


def _inexact(place: Place, one: Adoption, instrument: Instrument) -> Iterator[Problem]:
    most = instrument.quantity_decimals
    for key, decimals in (("quantity", most), ("cost", instrument.price_decimals + most)):
        number: Decimal = getattr(one, key)
        if number != round(number, decimals):
            message = f" = {number:f} has more than {decimals} decimals"
            yield Problem("off_grid", (*place, key), message, f'write "{round(number, decimals):f}"')


def _not_there(place: Place, account: Account, wanted: Mapping[str, Decimal]) -> Iterator[Problem]:
    for asset, amount in wanted.items():
        held = account.balances.get(asset, Decimal(0))
        if amount > held:
            message = f": {amount:f} {asset} are adopted, and the balances hold {held:f}"
            yield Problem("bad_setting", place, message, f"add {asset} to balances: paper starts with them")
