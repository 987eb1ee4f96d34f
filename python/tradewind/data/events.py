"""Rows with named fields become events, checked by what their kind must hold."""

from __future__ import annotations

import polars as pl

from tradewind.data.form import BAR, BOOK, BUY, FUNDING, MARK, QUOTE, SELL, TRADE, placed
from tradewind.data.ids import TradeIds
from tradewind.data.numbers import Converter
from tradewind.data.problems import Problems

_SIDES = {
    "buy": BUY, "b": BUY, "bid": BUY, "buyer": BUY,
    "sell": SELL, "s": SELL, "ask": SELL, "seller": SELL,
    "": 0, "unknown": 0, "none": 0, "no_aggressor": 0,
}  # fmt: skip
_BUYER_MAKER = {"true": SELL, "1": SELL, "false": BUY, "0": BUY}


def trade_events(frame: pl.DataFrame, convert: Converter, ids: TradeIds) -> pl.DataFrame:
    """Trades from ``price``, ``quantity``, ``flags`` (the aggressor) and, where there is one, ``id``."""
    price, quantity = _price(frame, "price", convert), _quantity(frame, "quantity", convert)
    identity = ids.read(frame, convert) if "id" in frame.columns else pl.zeros(frame.height, dtype=pl.Int64, eager=True)
    return placed(frame, TRADE, frame["flags"], {"a": price, "b": quantity, "c": identity})


def quote_events(frame: pl.DataFrame, convert: Converter) -> pl.DataFrame:
    """Quotes from ``bid``, ``bid_quantity``, ``ask`` and ``ask_quantity``; locked ones are counted."""
    bid, ask = _price(frame, "bid", convert), _price(frame, "ask", convert)
    crossed = (bid > ask).fill_null(value=False)
    what, values = "bid is above ask", frame.filter(crossed)
    convert.problems.add("crossed_quote", what, values, _together(values, "bid", "ask"))
    convert.report.locked_quotes += int((bid == ask).sum())
    bid_quantity, ask_quantity = _quantity(frame, "bid_quantity", convert), _quantity(frame, "ask_quantity", convert)
    return placed(frame, QUOTE, 0, {"a": bid, "b": bid_quantity, "c": ask, "d": ask_quantity})


def bar_events(frame: pl.DataFrame, convert: Converter, interval_ns: int) -> pl.DataFrame:
    """Bars from ``open``, ``high``, ``low``, ``close`` and ``volume``."""
    prices = {name: _price(frame, name, convert) for name in ("open", "high", "low", "close")}
    wrong = pl.DataFrame(prices).select(
        (pl.col("high") < pl.max_horizontal("open", "low", "close"))
        | (pl.col("low") > pl.min_horizontal("open", "close"))
    )
    bad = frame.filter(wrong.to_series().fill_null(value=False))
    what = "high and low do not contain open and close"
    convert.problems.add("inconsistent_bar", what, bad, _together(bad, *prices))
    volume = _quantity(frame, "volume", convert)
    return placed(frame, BAR, 0, dict(zip("abcde", [*prices.values(), volume], strict=True)), interval_ns)


def book_events(frame: pl.DataFrame, convert: Converter) -> pl.DataFrame:
    """Changes of the book from ``price``, ``quantity`` and ``flags`` (side, first, last)."""
    price, quantity = _price(frame, "price", convert), _quantity(frame, "quantity", convert)
    return placed(frame, BOOK, frame["flags"], {"a": price, "b": quantity})


def mark_events(frame: pl.DataFrame, convert: Converter) -> pl.DataFrame:
    """Mark prices from ``price``, in whole units of the last price decimal."""
    price = convert.convert(_spelt(frame, "price"), "price", "mark")
    bad = (price <= 0).fill_null(value=False)
    what = f"price is not above zero with {convert.grids['mark'].decimals} decimals"
    convert.problems.add("negative_value", what, frame.filter(bad), frame["price"].filter(bad))
    return placed(frame, MARK, 0, {"a": price})


def funding_events(frame: pl.DataFrame, convert: Converter) -> pl.DataFrame:
    """Funding payments from ``rate``, a fraction, in units of 1e-9."""
    rate = convert.convert(_spelt(frame, "rate"), "rate", "rate")
    bad = (rate.abs() > 10 ** convert.grids["rate"].decimals).fill_null(value=False)
    what, hint = "rate is more than the whole value of a position", "rates are fractions: 0.0001 for 0.01 %"
    convert.problems.add("out_of_range", what, frame.filter(bad), frame["rate"].filter(bad), hint)
    return placed(frame, FUNDING, 0, {"a": rate})


def aggressor(frame: pl.DataFrame, problems: Problems) -> pl.Series:
    """The flags of the column ``side`` or ``buyer_maker``; zero where the data do not say."""
    field = next((name for name in ("side", "buyer_maker") if name in frame.columns), None)
    if field is None:
        return pl.zeros(frame.height, dtype=pl.UInt8, eager=True)
    words = _SIDES if field == "side" else _BUYER_MAKER
    column = frame[field]
    text = column.cast(pl.String)
    # Few different words occur in many rows: each is looked up once.
    spellings = text.unique().drop_nulls()
    meaning = pl.Series([words.get(word.strip().lower()) for word in spellings], dtype=pl.UInt8)
    flags = meaning.gather(text.cast(pl.Enum(spellings)).to_physical())
    bad = flags.is_null() & column.is_not_null()
    what = f"{field} is none of {', '.join(filter(None, words))}"
    problems.add("wrong_type", what, frame.filter(bad), column.filter(bad))
    return flags.fill_null(0)


def _price(frame: pl.DataFrame, field: str, convert: Converter) -> pl.Series:
    price = convert.convert(frame, field, "price")
    bad = (price <= 0).fill_null(value=False)
    convert.problems.add("negative_value", f"{field} is not above zero", frame.filter(bad), frame[field].filter(bad))
    return price


def _quantity(frame: pl.DataFrame, field: str, convert: Converter) -> pl.Series:
    quantity = convert.convert(frame, field, "quantity")
    bad = (quantity < 0).fill_null(value=False)
    convert.problems.add("negative_value", f"{field} is negative", frame.filter(bad), frame[field].filter(bad))
    return quantity


def _spelt(frame: pl.DataFrame, field: str) -> pl.DataFrame:
    """Floats as their shortest decimals, so that what is rounded is rounded as the same text would be (N2)."""
    return frame.with_columns(pl.col(field).cast(pl.String)) if frame[field].dtype.is_float() else frame


def _together(frame: pl.DataFrame, *fields: str) -> pl.Series:
    parts = [pl.format(f"{field} {{}}", pl.col(field).cast(pl.String)) for field in fields]
    return frame.select(pl.concat_str(parts, separator=", ")).to_series()
