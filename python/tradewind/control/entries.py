"""The entries of an audit as objects: one type a kind, the columns of `tradewind journal query` as its fields."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from tradewind._core import entry_tables
from tradewind.journal.block import Block
from tradewind.journal.manifest import Manifest
from tradewind.journal.tables import scales

Side = Literal["buy", "sell"]
_Column: TypeAlias = tuple[str, Any, Any]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What all entries have: their number in the stream, and the time of the input that they are or follow."""

    sequence: int
    time_ns: int


class Market(Entry, frozen=True, kw_only=True):
    """What all market data have: the venue's time, and whether they are of the warm-up."""

    venue_time_ns: int
    instrument: str
    is_warm_up: bool


class Trade(Market, frozen=True, kw_only=True):
    """Somebody traded."""

    price: Decimal
    quantity: Decimal
    aggressor: Side | None
    trade_id: int


class Quote(Market, frozen=True, kw_only=True):
    """The best bid and offer."""

    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal


class BookChange(Market, frozen=True, kw_only=True):
    """A level of a book changed; a change of several levels has a first and a last one."""

    side: Side
    price: Decimal
    quantity: Decimal
    is_first: bool
    is_last: bool


class Bar(Market, frozen=True, kw_only=True):
    """A recorded bar."""

    interval_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Mark(Market, frozen=True, kw_only=True):
    """The venue's mark price."""

    price: Decimal


class Funding(Market, frozen=True, kw_only=True):
    """A rate of funding."""

    rate: Decimal


class Decision(Entry, frozen=True, kw_only=True):
    """What a strategy decided and risk passed: an order to place or to cancel, or a timer."""

    kind: Literal["place", "cancel", "timer"]
    order_id: int | None
    strategy: str | None
    count: int | None
    instrument: str | None
    account: str | None
    side: Side | None
    quantity: Decimal | None
    order_type: str | None
    price: Decimal | None
    time_in_force: str | None
    reduce_only: bool | None
    due_ns: int | None


class Report(Entry, frozen=True, kw_only=True):
    """What a venue said of an order or of the account; a fill is a `Fill`."""

    venue_time_ns: int
    account: str
    kind: str
    order_id: int | None
    code: str | None
    instrument: str | None
    asset: str | None
    amount: Decimal | None


class Fill(Entry, frozen=True, kw_only=True):
    """A fill of one of our orders."""

    venue_time_ns: int
    order_id: int
    trade_id: int
    instrument: str
    side: Side
    price: Decimal
    quantity: Decimal
    liquidity: Literal["maker", "taker"]
    fee: Decimal
    fee_asset: str
    fee_kind: str


class Command(Entry, frozen=True, kw_only=True):
    """What was commanded from outside."""

    command: str
    strategy: str | None
    instrument: str | None
    order_id: int | None
    side: Side | None
    quantity: Decimal | None
    price: Decimal | None


class Timer(Entry, frozen=True, kw_only=True):
    """A timer fired: a strategy's, or the end of a bar."""

    purpose: Literal["strategy", "bar"]
    strategy: str | None
    number: int | None
    due_ns: int


class Value(Entry, frozen=True, kw_only=True):
    """A value from outside (V2)."""

    source_time_ns: int
    stream: str
    kind: Literal["number", "text", "json"]
    number: float | None
    text: str | None


class Parameter(Entry, frozen=True, kw_only=True):
    """A strategy's parameter was set."""

    strategy: str
    parameter: str
    kind: Literal["number", "text", "json"]
    number: float | None
    text: str | None


class Condition(Entry, frozen=True, kw_only=True):
    """A connection, a stream or a market changed its condition."""

    kind: str
    venue: str | None
    part: str | None
    instrument: str | None
    stream: str | None
    gap_from_ns: int | None
    gap_length_ns: int | None


TYPES: dict[str, type[Entry]] = {
    "trades": Trade,
    "quotes": Quote,
    "book": BookChange,
    "bars": Bar,
    "marks": Mark,
    "funding": Funding,
    "decisions": Decision,
    "account": Report,
    "fills": Fill,
    "commands": Command,
    "timers": Timer,
    "values": Value,
    "parameters": Parameter,
    "status": Condition,
}
"""The types by the names of their tables."""


class EntryDecoder:
    """Makes objects of the entries of blocks, one block after another.

    It does so beside the events of a session, on columns as they are: data frames would cost ten times as much.

    Parameters
    ----------
    manifest
        That of the run.
    tables
        The names of the tables whose entries are wanted; all where none are named.

    """

    def __init__(self, manifest: Manifest, tables: Sequence[str] = ()) -> None:
        self._index = manifest.index()
        self._strategies = sorted(one.name for one in manifest.code.strategies)
        self._tables: dict[str, None] = dict.fromkeys(tables or TYPES)
        self._scales = scales(self._index)
        self._time_ns = 0

    def decode(self, block: Block) -> list[Entry]:
        """The entries of a block, in the order of the stream; a fill is one object, whichever tables hold it."""
        tables, self._time_ns = entry_tables(
            self._index, self._strategies, block.data, block.first, self._time_ns, self._tables
        )
        found = [entry for name, columns in tables.items() for entry in self._objects(TYPES[name], columns)]
        found.sort(key=lambda entry: entry.sequence)
        return found

    def _objects(self, kind: type[Entry], columns: Mapping[str, _Column]) -> Iterator[Entry]:
        names = [f"{name}_ns" if column[0] == "time" else name for name, column in columns.items()]
        cells = [_cells(column, self._scales.get(name, 0)) for name, column in columns.items()]
        for row in zip(*cells, strict=True):
            entry = kind(**dict(zip(names, row, strict=True)))
            if not (isinstance(entry, Report) and entry.kind == "fill"):
                yield entry


def _cells(column: _Column, scale: int) -> list[Any]:
    kind, values, present = column
    match kind:
        case "word":
            return [present[code] for code in array("I", values)]
        case "decimal_text":
            return [None if text is None else Decimal(text) for text in values]
        case "decimal":
            cells: list[Any] = [Decimal(number).scaleb(-scale) for number in array("q", values)]
        case "flag":
            cells = [flag != 0 for flag in values]
        case _:
            cells = array("d" if kind == "float" else "q", values).tolist()
    return cells if present is None else [cell if there else None for cell, there in zip(cells, present, strict=True)]
