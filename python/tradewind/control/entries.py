"""The entries of an audit as objects: one type a kind, the columns of `tradewind journal query` as its fields."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec
import polars as pl

Side = Literal["buy", "sell"]


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


def typed(tables: Mapping[str, pl.DataFrame]) -> list[Entry]:
    """Tables of entries as objects, in the order of the stream; a fill is one object, whichever tables hold it."""
    found: list[Entry] = []
    for name, table in tables.items():
        rows = table.filter(pl.col("kind") != "fill") if name == "account" else table
        times = [column for column, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
        plain = rows.with_columns(pl.col(times).to_physical()).rename({column: f"{column}_ns" for column in times})
        found += [TYPES[name](**row) for row in plain.iter_rows(named=True)]
    found.sort(key=lambda entry: entry.sequence)
    return found
