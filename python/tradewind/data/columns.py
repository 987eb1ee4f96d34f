"""Which column of a table is which of our fields."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tradewind.errors import DataError

Columns = Mapping[str, str | int]
"""Our names to theirs, or to their position counted from zero."""


@dataclass(frozen=True)
class Field:
    """One of our fields.

    Parameters
    ----------
    name
        Our name for it.
    known_as
        Names by which it is recognised without a map, whatever their case.
    wins
        Whether a column of our own name is taken even where others are recognised.

    """

    name: str
    known_as: tuple[str, ...] = ()
    wins: bool = True


TIME = Field(
    "time",
    (
        "timestamp", "ts", "datetime", "date", "t", "transact_time", "venue_time", "venue_time_ns", "time_exchange",
        "exchange_time", "exchange_timestamp", "event_time", "ts_event", "trade_time", "open_time", "",
    ),
)  # fmt: skip
ARRIVAL = Field(
    "arrival",
    (
        "arrival_time", "arrival_time_ns", "local_timestamp", "local_time", "local_ts", "time_received",
        "received_time", "receive_time", "receipt_timestamp", "ts_init", "ts_recv",
    ),
)  # fmt: skip
PRICE = Field("price", ("p", "px", "trade_price", "last_price"))
QUANTITY = Field("quantity", ("qty", "amount", "size", "volume", "q", "sz", "trade_quantity", "base_quantity"))
ID = Field("id", ("trade_id", "tradeid", "tid", "trade_no"))
SIDE = Field("side", ("aggressor", "aggressor_side", "taker_side", "direction"))
BUYER_MAKER = Field("buyer_maker", ("is_buyer_maker", "isbuyermaker", "buyer_is_maker", "m"))
BID = Field("bid", ("bid_price", "best_bid", "best_bid_price", "bidprice", "bid_px"))
BID_QUANTITY = Field(
    "bid_quantity", ("bid_qty", "bid_size", "bid_amount", "best_bid_qty", "best_bid_size", "bid_volume", "bidsize")
)
ASK = Field("ask", ("ask_price", "best_ask", "best_ask_price", "askprice", "ask_px", "offer"))
ASK_QUANTITY = Field(
    "ask_quantity", ("ask_qty", "ask_size", "ask_amount", "best_ask_qty", "best_ask_size", "ask_volume", "asksize")
)
OPEN = Field("open", ("o", "open_price"))
HIGH = Field("high", ("h", "high_price"))
LOW = Field("low", ("l", "low_price"))
CLOSE = Field("close", ("c", "close_price"))
VOLUME = Field("volume", ("v", "vol", "base_volume"))
# Beside a mark price, a column "price" is likely that of trades: which one is meant must be said.
MARK_PRICE = Field("price", ("mark_price", "markprice", "mark", "mark_px", "markpx", "p"), wins=False)
PAYMENT_TIME = Field("time", ("funding_time", "fundingtime", "calc_time", *TIME.known_as))
RATE = Field("rate", ("funding_rate", "fundingrate", "last_funding_rate", "lastfundingrate", "funding"))


def resolve(
    place: str, names: Sequence[str], fields: Sequence[Field], required: Sequence[Field], stated: Columns
) -> dict[str, str]:
    """Find the columns of a table, with all mistakes at once.

    Examples
    --------
    >>> resolve("btc.csv", ["Timestamp", "price", "amount"], [TIME, PRICE, QUANTITY, ID], [PRICE], {})
    {'time': 'Timestamp', 'price': 'price', 'quantity': 'amount'}

    """
    unknown = [name for name in stated if name not in {field.name for field in fields}]
    if unknown:
        known = ", ".join(field.name for field in fields)
        raise DataError("bad_setting", f"columns: unknown {', '.join(map(repr, unknown))}", f"our names are {known}")
    found: dict[str, str] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    nearest: list[str] = []
    for field in fields:
        candidates = _stated(stated[field.name], names) if field.name in stated else _recognised(field, names, stated)
        if len(candidates) == 1:
            found[field.name] = candidates[0]
        elif len(candidates) > 1:
            ambiguous.append(f"{field.name!r} could be {' or '.join(map(repr, candidates))}")
            nearest.append(f'columns={{"{field.name}": "{candidates[0]}"}}')
        elif field in required or field.name in stated:
            wanted = stated.get(field.name, field.name)
            missing.append(f"{wanted!r}" if wanted == field.name else f"{wanted!r} for {field.name!r}")
            nearest.append(_nearest(field, str(wanted), names, found))
    if ambiguous:
        raise DataError("missing_setting", f"{place}: column {'; '.join(ambiguous)}", f"state {', '.join(nearest)}")
    if missing:
        table = ", ".join(map(repr, names)) or "none"
        hint = "; ".join(filter(None, nearest))
        raise DataError("missing_column", f"{place} has no column {', '.join(missing)} (it has {table})", hint)
    return found


def _stated(wanted: str | int, names: Sequence[str]) -> list[str]:
    if isinstance(wanted, int):
        return [names[wanted]] if 0 <= wanted < len(names) else []
    return [wanted] if wanted in names else []


def _recognised(field: Field, names: Sequence[str], stated: Columns) -> list[str]:
    taken = {name for wanted in stated.values() for name in _stated(wanted, names)}
    simple = {name: name.strip().lower().replace(" ", "_").replace("-", "_") for name in names if name not in taken}
    own = [name for name, text in simple.items() if text == field.name]
    others = [name for name, text in simple.items() if text in field.known_as]
    return own if own and field.wins else own + others


def _nearest(field: Field, wanted: str, names: Sequence[str], found: Mapping[str, str]) -> str:
    free = {name.lower(): name for name in names if name not in found.values()}
    for word in (wanted, field.name, *field.known_as):
        if close := difflib.get_close_matches(word.lower(), free, n=1, cutoff=0.7):
            return f'did you mean columns={{"{field.name}": "{free[close[0]]}"}}?'
    return f'state columns={{"{field.name}": ...}}'
