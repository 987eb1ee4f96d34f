"""Seeded markets, as rows for the model and as streams for the kernel."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

import polars as pl
from helpers import START

import tradewind as tw
from tradewind.data.form import BOOK, BUY, FIRST, FORM, LAST, SELL
from tradewind.data.report import LoadReport
from tradewind.data.stream import Loading, Stream
from tradewind.data.timing import TimeSettings
from tradewind.instruments import InstrumentFields

START_NS = int(START.timestamp()) * 10**9
MILLISECOND_NS = 10**6
RANKS = {"funding": 0, "mark": 1, "book": 2, "quote": 3, "trade": 4, "bar": 5}
STEP_PRICE = Decimal("0.1")
NOTHING = Decimal(0)
RATES = [Decimal(text) for text in ("0", "0.0001", "-0.0001", "0.000123457", "-0.01", "0.02")]


@dataclass(frozen=True)
class Row:
    """A quote, or what has one price: then both sides are that (the rate of a payment, the close of a bar)."""

    time_ns: int
    arrival_ns: int
    instrument: str
    kind: str
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    # Open, high, low and close.
    bar: tuple[Decimal, Decimal, Decimal, Decimal] | None = None
    interval_ns: int = 0
    # Of a level of a book: its side, and whether it begins a snapshot and ends a message.
    level: tuple[int, bool, bool] | None = None

    @property
    def stream(self) -> str:
        """The name of its stream, as an instrument has it."""
        return self.kind if self.kind in ("funding", "book") else f"{self.kind}s"

    @property
    def price(self) -> Decimal:
        return self.bid

    @property
    def size(self) -> Decimal:
        return self.bid_size

    @property
    def key(self) -> tuple[int, int, str]:
        """Rows of one time: by kind, then by instrument (T3)."""
        return self.time_ns, RANKS[self.kind], self.instrument


@dataclass(frozen=True)
class Walk:
    """How a random market goes."""

    kinds: tuple[str, ...] = ("quote",)
    count: int = 60
    every_ms: int = 250
    step: int = 3
    delay_ms: int = 0
    # By how many steps the quote's sides differ.
    spreads: tuple[int, ...] = (1, 1, 1, 3)
    # How long a bar lasts, in seconds.
    interval_s: int = 3


def rows(walk: Walk, instrument: str, chance: random.Random) -> list[Row]:
    """A random walk around 100, with quotes that now and then stay as they are, and pauses."""
    sizes = [Decimal(text) for text in ("0.05", "0.4", "1", "1", "2.5", "20")]
    if "bar" in walk.kinds:
        others = replace(walk, kinds=tuple(kind for kind in walk.kinds if kind != "bar"))
        return _bars(walk, instrument, chance) + (rows(others, instrument, chance) if others.kinds else [])
    bid, time_ns, made = Decimal(100), START_NS, list[Row]()
    depth: Levels = {}
    last = (bid, sizes[2], bid + STEP_PRICE, sizes[2])
    for _ in range(walk.count):
        bid = max(bid + chance.randint(-walk.step, walk.step) * STEP_PRICE, Decimal(20))
        time_ns += walk.every_ms * MILLISECOND_NS * chance.choice([1, 1, 1, 2, 8])
        kind = chance.choice(walk.kinds)
        arrival_ns = time_ns + chance.randint(0, walk.delay_ms) * MILLISECOND_NS
        if kind == "trade":
            price, size = bid + chance.choice([0, 0, 1]) * STEP_PRICE, chance.choice(sizes)
            made.append(Row(time_ns, arrival_ns, instrument, kind, price, size, price, size))
            continue
        if kind in ("mark", "funding"):
            value = bid + chance.randint(-5, 5) * STEP_PRICE if kind == "mark" else chance.choice(RATES)
            made.append(Row(time_ns, arrival_ns, instrument, kind, value, NOTHING, value, NOTHING))
            continue
        if kind == "book":
            message, depth = _message(depth, bid, walk, chance)
            made += [
                Row(time_ns, arrival_ns, instrument, kind, price, size, price, size, level=level)
                for price, size, level in message
            ]
            continue
        if chance.random() < 0.8:
            last = (bid, chance.choice(sizes), bid + STEP_PRICE * chance.choice(walk.spreads), chance.choice(sizes))
        made.append(Row(time_ns, arrival_ns, instrument, kind, *last))
    return made


# Sizes by side and price.
Levels = dict[tuple[int, Decimal], Decimal]
Message = list[tuple[Decimal, Decimal, tuple[int, bool, bool]]]


def _message(before: Levels, bid: Decimal, walk: Walk, chance: random.Random) -> tuple[Message, Levels]:
    """What a book says when it has changed: the levels that are others, now and then some that are not, or all."""
    sizes = [Decimal(text) for text in ("0.05", "0.4", "1", "2.5", "20")]
    ask, after = bid + STEP_PRICE * chance.choice(walk.spreads), Levels()
    for side, best in ((1, bid), (-1, ask)):
        for place in range(chance.choice([0, 1, 2, 3, 5, 5, 5]) if before else 3):
            key = (side, best - side * place * STEP_PRICE * chance.choice([1, 1, 2]))
            after[key] = before[key] if key in before and chance.random() < 0.6 else chance.choice(sizes)
    is_whole = bool(after) and (not before or chance.random() < 0.15)
    told = list(after) if is_whole else [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if not is_whole:
        told += [key for key in after if key not in told and chance.random() < 0.2]
    chance.shuffle(told)
    message = [
        (key[1], after.get(key, NOTHING), (key[0], is_whole and not place, place + 1 == len(told)))
        for place, key in enumerate(told)
    ]
    return message, after


def _bars(walk: Walk, instrument: str, chance: random.Random) -> list[Row]:
    """Bars that follow each other with holes in time and in price. Some say nothing of what was traded."""
    close, opens_ns, made = Decimal(100), START_NS, list[Row]()
    interval_ns = walk.interval_s * 10**9
    for _ in range(walk.count):
        opening = max(close + chance.choice([0, 0, 0, -2, 2]) * STEP_PRICE, Decimal(20))
        close = max(opening + chance.randint(-walk.step, walk.step) * STEP_PRICE, Decimal(20))
        high = max(opening, close) + chance.choice([0, 0, 1, walk.step]) * STEP_PRICE
        low = min(opening, close) - chance.choice([0, 0, 1, walk.step]) * STEP_PRICE
        size = Decimal(chance.choice(["0", "0.05", "0.4", "1", "2.5", "20"]))
        arrival_ns = opens_ns + interval_ns + chance.randint(0, walk.delay_ms) * MILLISECOND_NS
        figures = (opening, high, low, close)
        made.append(Row(opens_ns, arrival_ns, instrument, "bar", close, size, close, size, figures, interval_ns))
        opens_ns += interval_ns * chance.choice([1, 1, 1, 1, 3])
    return made


def by_arrival(made: Iterable[Row]) -> deque[Row]:
    """As strategies see them: at one time by kind, then by instrument (T3)."""
    in_streams = sorted(made, key=lambda row: row.time_ns)
    return deque(sorted(in_streams, key=lambda row: (row.arrival_ns, RANKS[row.kind], row.instrument)))


def streams(made: Iterable[Row]) -> list[tw.data.Stream]:
    """The rows of one instrument, a stream for each kind, in the order in which they arrived."""
    by_kind: dict[str, list[Row]] = {}
    for row in sorted(made, key=lambda row: row.arrival_ns):
        by_kind.setdefault(row.kind, []).append(row)
    return [_stream(kind, held) for kind, held in by_kind.items()]


@dataclass(kw_only=True)
class BookStream(Stream):
    """Books that were made, and not read."""

    rows: list[Row]

    def load(self, instrument: InstrumentFields) -> pl.DataFrame:
        self.report = LoadReport(sources=("a model",), rows=len(self.rows))
        bits = [
            (BUY if side > 0 else SELL) | FIRST * is_first | LAST * is_last
            for side, is_first, is_last in (row.level for row in self.rows if row.level is not None)
        ]
        columns: dict[str, list[int]] = {
            "venue_time_ns": [row.time_ns for row in self.rows],
            "arrival_time_ns": [row.arrival_ns for row in self.rows],
            "flags": bits,
            "a": [int(row.price.scaleb(instrument.price_decimals)) for row in self.rows],
            "b": [int(row.size.scaleb(instrument.quantity_decimals)) for row in self.rows],
        }
        zeros = dict.fromkeys(("c", "d", "e", "interval_ns"), 0)
        frame = pl.DataFrame(columns).with_columns(kind=BOOK, **zeros)
        return frame.select(pl.col(name).cast(dtype) for name, dtype in FORM.items())

    def _start(self, instrument: InstrumentFields) -> Loading:
        raise NotImplementedError


def _stream(kind: str, held: list[Row]) -> tw.data.Stream:
    if kind == "book":
        return BookStream(rows=held, times=TimeSettings())
    times = {"time": [row.time_ns for row in held], "arrival": [row.arrival_ns for row in held]}
    if kind == "bar":
        names = ("open", "high", "low", "close")
        table = {name: [float(row.bar[place]) for row in held if row.bar] for place, name in enumerate(names)}
        frame = pl.DataFrame({**times, **table, "volume": [float(row.size) for row in held]})
        return tw.bars(frame, f"{held[0].interval_ns // 10**9}s", "start", time_unit="ns")
    if kind in ("mark", "funding"):
        reader, name = (tw.marks, "mark_price") if kind == "mark" else (tw.funding, "rate")
        return reader(pl.DataFrame({**times, name: [str(row.price) for row in held]}), time_unit="ns")
    if kind == "trade":
        table = {"price": [float(row.price) for row in held], "quantity": [float(row.size) for row in held]}
        return tw.trades(pl.DataFrame({**times, **table}), time_unit="ns")
    table = {
        "bid": [float(row.bid) for row in held],
        "bid_quantity": [float(row.bid_size) for row in held],
        "ask": [float(row.ask) for row in held],
        "ask_quantity": [float(row.ask_size) for row in held],
    }
    return tw.quotes(pl.DataFrame({**times, **table}), time_unit="ns")
