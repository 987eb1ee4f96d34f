"""The books of both sides: what the journal says that the session holds, and what the venue says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from reliability.venue import Venue
from tradewind._core import client_id, read_client_id
from tradewind.journal import Ending, Journal
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import feed_all, kernel_of
from tradewind.result import frame

LARGEST_POSITION = Decimal("0.012")
"""What the trader asks for at most: its target, and a resting order that was filled beside it."""
_STEP = Decimal("1e-8")
_ENDED = {
    "filled": ("FILLED",),
    "cancelled": ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", None),
    "expired": ("EXPIRED", "EXPIRED_IN_MATCH"),
    "rejected": (None,),
}
"""What a closed order of ours is called at the venue, which may never have seen it."""


class Asked(NamedTuple):
    """What of an order has to be the same on both sides."""

    side: str
    quantity: Decimal
    price: Decimal | None


class OneFill(NamedTuple):
    """What of a fill has to be the same on both sides."""

    order: str
    trade_id: int
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str


@dataclass
class Side:
    """The books of one side; orders by their client ids."""

    asked: dict[str, Asked] = field(default_factory=dict)
    filled: dict[str, Decimal] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    fills: Counter[OneFill] = field(default_factory=Counter)
    balances: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class Ours(Side):
    """The session's side, made from its journal alone."""

    run: str = ""
    agrees: bool = True
    """Whether the strategy decides again what the journal says that it decided."""
    position: Decimal = Decimal(0)
    unexplained: list[str] = field(default_factory=list)
    hashes: tuple[str, str] = ("", "")
    ending: Ending | None = None


@dataclass
class Theirs(Side):
    """The venue's side."""

    doubled: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    largest: Decimal = Decimal(0)
    """The largest position that its fills of this run ever made."""


def decimal(number: Any) -> Decimal:
    """A number on the grid of amounts."""
    return Decimal(repr(number) if isinstance(number, float) else str(number)).quantize(_STEP)


def ours(journal: Path) -> Ours:
    """What the journal says, up to where it is written, also while its session runs."""
    with Journal(journal) as recorded, rebuilt(recorded.manifest.code, None, None) as code:
        manifest = recorded.manifest
        run = str(manifest.settings["run"])
        kernel = kernel_of(manifest, code, is_simulated=False)
        held = Ours(run=run, ending=recorded.ending)
        held.agrees = feed_all(kernel, recorded.blocks()) is None
    for row in frame(kernel.orders()).iter_rows(named=True):
        name = client_id(run, 0, row["count"])
        price = None if row["order_type"] == "market" else decimal(row["price"])
        held.asked[name] = Asked(row["side"], decimal(row["quantity"]), price)
        held.filled[name], held.status[name] = decimal(row["filled"]), row["status"]
    for one in kernel.open_orders():
        name = client_id(run, 0, one["count"])
        price = None if one["price"] is None else decimal(one["price"])
        held.asked[name] = Asked(one["side"], decimal(one["quantity"]), price)
        held.filled[name], held.status[name] = decimal(one["filled"]), one["status"]
        held.open.add(name)
    for row in frame(kernel.fills()).iter_rows(named=True):
        values = [row["side"], decimal(row["price"]), decimal(row["quantity"]), decimal(row["fee"]), row["fee_asset"]]
        held.fills[OneFill(client_id(run, 0, row["count"]), row["trade_id"], *values)] += 1
    for row in frame(kernel.ledger()).iter_rows(named=True):
        if "unexplained" in (row["from"], row["to"]):
            held.unexplained.append(
                f"{'' if row['from'] == 'unexplained' else '-'}{row['amount'].normalize():f} {row['asset']}"
            )
    held.balances = {asset: Decimal(amount) for asset, amount in kernel.balances("binance_spot")}
    held.position = sum((Decimal(quantity) for _, _, quantity in kernel.positions()), Decimal(0))
    held.hashes = kernel.hashes
    return held


async def theirs(venue: Venue, us: Ours) -> Theirs:
    """What the venue says, asked over REST by another key of the account."""
    held = Theirs(balances={asset: Decimal(amount) for asset, amount in (await venue.balances()).items()})
    rows = await venue.orders()
    # Ours are in small letters, whatever the venue makes of them (F36).
    given = {row["orderId"]: row["clientOrderId"].lower() for row in rows}
    names = {number: name for number, name in given.items() if read_client_id(name, us.run) is not None}
    # A cancel gives an order its own id: by the id that we gave it, it is asked for alone.
    for name in us.asked.keys() - set(names.values()):
        if us.status[name] != "rejected" and (number := await venue.number_of(name)) is not None:
            names[number] = name
    for row in rows:
        known = names.get(row["orderId"])
        if known is None:
            held.foreign.append(row["clientOrderId"])
        else:
            _take_order(held, known, row)
    position = Decimal(0)
    for row in await venue.trades():
        known = names.get(row["orderId"])
        if known is None:
            continue
        side, quantity, fee = "buy" if row["isBuyer"] else "sell", decimal(row["qty"]), decimal(row["commission"])
        fill = OneFill(known, row["id"], side, decimal(row["price"]), quantity, fee, row["commissionAsset"])
        held.fills[fill] += 1
        position += _signed(fill)
        held.largest = max(held.largest, position)
    return held


def _take_order(held: Theirs, name: str, row: dict[str, Any]) -> None:
    if name in held.asked:
        held.doubled.append(name)
    price = None if row["type"] == "MARKET" else decimal(row["price"])
    held.asked[name] = Asked(row["side"].lower(), decimal(row["origQty"]), price)
    held.filled[name], held.status[name] = decimal(row["executedQty"]), row["status"]
    if row["status"] in ("NEW", "PARTIALLY_FILLED"):
        held.open.add(name)


def differences(us: Ours, them: Theirs, *, may_differ: bool = False) -> list[str]:
    """What breaks an invariant, each beginning with its number; nothing where all hold.

    Parameters
    ----------
    us, them
        Both sides.
    may_differ
        Whether the fault moves money itself, so that a difference is rightly posted to `unexplained` (M5).

    """
    return [*_state(us, them, may_differ=may_differ), *_fills(us, them), *_orders(us, them)]


def _state(us: Ours, them: Theirs, *, may_differ: bool) -> list[str]:
    found = []
    for asset, amount in us.balances.items():
        if amount != them.balances.get(asset, Decimal(0)):
            found.append(f"I1 we hold {amount} {asset}, the venue says {them.balances.get(asset)}")
    if us.open != them.open:
        found.append(f"I1 open here {_few(us.open - them.open)}, open there {_few(them.open - us.open)}")
    for name, status in us.status.items():
        if name not in us.open and them.status.get(name) not in (
            *_ENDED.get(status, ()),
            *([None] * (status == "rejected")),
        ):
            found.append(f"I1 {name} is {status} here and {them.status.get(name)} there")
    net = sum((_signed(fill) * count for fill, count in them.fills.items()), Decimal(0))
    if us.position != net:
        found.append(f"I1 our position is {us.position}, the venue's fills make {net}")
    if us.unexplained and not may_differ:
        found.append(f"I1 posted as unexplained: {', '.join(us.unexplained)}")
    return found


def _signed(fill: OneFill) -> Decimal:
    """What a fill does to the position: a fee in the base asset reduces it (M2)."""
    return fill.quantity - fill.fee if fill.side == "buy" else -fill.quantity


def _fills(us: Ours, them: Theirs) -> list[str]:
    found = []
    if lost := them.fills - us.fills:
        found.append(
            f"I2 {lost.total()} of {them.fills.total()} fills are missing here, such as {_shown(next(iter(lost)))}"
        )
    if extra := us.fills - them.fills:
        found.append(f"I2 {extra.total()} fills are not the venue's, such as {_shown(next(iter(extra)))}")
    return found


def _orders(us: Ours, them: Theirs) -> list[str]:
    found = [f"I3 {name} is at the venue twice" for name in them.doubled]
    for name, asked in them.asked.items():
        if us.asked.get(name) != asked:
            found.append(f"I3 the venue has {name} {asked}, asked for was {us.asked.get(name)}")
    if them.largest > LARGEST_POSITION:
        found.append(f"I3 the position was {them.largest}, never asked for was more than {LARGEST_POSITION}")
    if not us.agrees:
        found.append("I1 the strategy decides otherwise than the journal says")
    return found


def _few(names: set[str]) -> str:
    return ", ".join(sorted(names)[:3]) or "none"


def _shown(fill: OneFill) -> str:
    return (
        f"{fill.side} {fill.quantity.normalize()} at {fill.price.normalize()} of {fill.order} (trade {fill.trade_id})"
    )
