"""Raw Binance recordings: a local receive time and a frame a line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import msgspec
import polars as pl
from msgspec import Struct

from tradewind.data.depth import Depth, DepthSequence, Snapshot
from tradewind.data.events import book_events, quote_events, trade_events
from tradewind.data.form import BUY, SELL
from tradewind.data.ids import TradeIds
from tradewind.data.lines import blocks_of
from tradewind.data.notes import Breaks, notes_of
from tradewind.data.repeats import QuoteRepeats, TradeRepeats
from tradewind.data.source import existing
from tradewind.data.stream import Loading, Stream, empty
from tradewind.errors import DataError, TradewindWarning
from tradewind.instruments import InstrumentFields

RawStreamKind = Literal["trade", "quote", "book"]
"""What can be read from a recording."""

_KINDS: dict[str, RawStreamKind] = {"trade": "trade", "bookTicker": "quote", "depth": "book"}
_LINES = 100_000
_MICROSECONDS_FROM = 10**14
_OF_FUTURES = {"trade": "X", "quote": "e", "book": "pu"}
"""What only futures' frames hold, by their kind."""
_Frame = TypeVar("_Frame")


class _Envelope(Struct, gc=False):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    lastUpdateId: int | None = None


class _Trade(Struct, gc=False):
    T: int
    t: int
    p: str
    q: str
    m: bool


class _Quote(Struct, gc=False):
    b: str
    B: str
    a: str
    A: str
    u: int | None = None
    T: int | None = None


class _Marks(Struct, gc=False):
    X: Any = None
    e: Any = None
    pu: Any = None


@dataclass(kw_only=True)
class RawStream(Stream):
    """A raw recording; see ``tradewind.data.binance_raw``."""

    paths: list[Path]
    kinds: tuple[RawStreamKind, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [kind for kind in self.kinds if kind not in get_args(RawStreamKind)]
        if unknown or not self.kinds:
            hint = f"some of {', '.join(map(repr, get_args(RawStreamKind)))}"
            raise DataError("bad_setting", f"streams = {self.kinds!r}", hint)
        if not self.paths:
            raise DataError("empty_data", "no file is named")

    def _start(self, instrument: InstrumentFields) -> Loading:
        return _RawLoading(self, instrument, [existing(path) for path in self.paths])


class _RawLoading(Loading):
    """One loading of a raw recording."""

    def __init__(self, stream: RawStream, instrument: InstrumentFields, paths: list[Path]) -> None:
        super().__init__(stream, instrument, [str(path) for path in paths], latency_name="quote_latency_ns")
        self._paths = paths
        self._kinds = stream.kinds
        self._instrument = instrument
        self._symbol = instrument.symbol.lower()
        self._envelopes = msgspec.json.Decoder(_Envelope)
        self._trades = msgspec.json.Decoder(_Trade)
        self._quotes = msgspec.json.Decoder(_Quote)
        self._depths = msgspec.json.Decoder(Depth)
        self._snapshots = msgspec.json.Decoder(Snapshot)
        self._ids = TradeIds()
        self._repeated_trades = TradeRepeats()
        self._notes = notes_of(paths)
        self.timing.is_on_venue_clock = bool(self._notes)
        self.timing.unsorted_hint = "a recording is read as it was written: give its files in the order of their times"
        self._repeated_quotes = QuoteRepeats(Breaks(self._notes, instrument.symbol, "quotes"))
        self._book_breaks = Breaks(self._notes, instrument.symbol, "book")
        self._sequence = DepthSequence(str(paths[0]))
        self._streams: dict[str, RawStreamKind | None] = {}

    def pieces(self, rows: int | None) -> Iterator[pl.DataFrame]:
        found = False
        for file, path in enumerate(self._paths):
            self._sequence.place = str(path)
            self._streams.clear()
            first = 1
            for lines in blocks_of(path, min(rows or _LINES, _LINES), partial(self._cut, path)):
                piece = self._block(file, first, lines)
                first += len(lines)
                if not piece.is_empty():
                    found = True
                    yield piece
            if first == 1 and str(path) not in self.report.cut_off:
                raise DataError("empty_data", f"{path} holds no frames")
        self._sequence.raise_if_open(is_known=bool(self._notes))
        if not found:
            seen = ", ".join(self.report.symbols) or "none"
            text = f"{', '.join(map(str, self._paths))}: no {' or '.join(self._kinds)} of {self._symbol.upper()}"
            raise DataError("empty_data", text, f"symbols in it: {seen}")

    def _block(self, file: int, first: int, lines: list[bytes]) -> pl.DataFrame:
        """The events of some lines of a file."""
        place = str(self._paths[file])
        arrivals, bodies = _split(place, first, lines)
        frames = _decode(place, first, self._envelopes, bodies)
        places: dict[RawStreamKind, list[int]] = {"trade": [], "quote": [], "book": []}
        skipped: dict[str, int] = {}
        streams = self._streams
        for at, frame in enumerate(frames):
            name = frame.stream
            if name not in streams:
                streams[name] = self._kind(name)
                self._refuse_futures(streams[name], frame, f"{place} row {first + at}")
            kind = streams[name]
            if kind is not None:
                places[kind].append(at)
            elif frame.lastUpdateId is not None and "book" in self._kinds:
                places["book"].append(at)
            else:
                name = name or ("snapshot" if frame.lastUpdateId is not None else "other")
                skipped[name] = skipped.get(name, 0) + 1
        for name, count in skipped.items():
            self.report.skipped_frames[name] = self.report.skipped_frames.get(name, 0) + count
        block = _Block(place, file, first, arrivals, bodies, frames)
        parts = [
            self._trade_events(block, places["trade"]),
            self._quote_events(block, places["quote"]),
            self._book_events(block, places["book"]),
        ]
        # Rows of one recording keep its order, whatever their kind (T3).
        return pl.concat(parts).sort("row", maintain_order=True)

    def _cut(self, path: Path, left: int) -> None:
        """A file that ends within a frame."""
        if str(path) in self.report.cut_off:
            return
        self.report.cut_off += (str(path),)
        text = f"{path} ends within a frame, as if its recorder had been killed: its last {left} bytes are left out"
        warnings.warn(text, TradewindWarning, stacklevel=2)

    def _kind(self, stream: str) -> RawStreamKind | None:
        symbol, _, name = stream.partition("@")
        if not name:
            return None
        self.report.symbols = tuple(sorted({*self.report.symbols, symbol.upper()}))
        kind = _KINDS.get(name.partition("@")[0])
        return kind if symbol.lower() == self._symbol and kind in self._kinds else None

    def _refuse_futures(self, kind: RawStreamKind | None, frame: _Envelope, place: str) -> None:
        """Refuse to take futures for spot; the first frame of a stream in a file tells."""
        if kind is None or self._instrument.kind != "spot":
            return
        try:
            marks = msgspec.json.decode(frame.data, type=_Marks)
        except msgspec.DecodeError:
            # Decoded again, it is told with its row.
            return
        if getattr(marks, _OF_FUTURES[kind]) is not None:
            text = f"{place}: {frame.stream} is of futures, and {self._instrument.name} is spot"
            hint = "read it as the perpetual, such as binance_usdm:BTCUSDT, or take a recording of spot"
            raise DataError("bad_setting", text, hint)

    def _trade_events(self, block: _Block, places: list[int]) -> pl.DataFrame:
        if not places:
            return empty()
        places, trades = self._repeated_trades.left_out(places, block.decode(self._trades, places), self.report)
        frame = block.times(places, [trade.T for trade in trades]).with_columns(
            pl.Series("price", [trade.p for trade in trades]),
            pl.Series("quantity", [trade.q for trade in trades]),
            pl.Series("id", [trade.t for trade in trades]),
            pl.Series("flags", [SELL if trade.m else BUY for trade in trades], dtype=pl.UInt8),
        )
        return trade_events(frame, self.convert, self._ids)

    def _quote_events(self, block: _Block, places: list[int]) -> pl.DataFrame:
        if not places:
            return empty()
        quotes = block.decode(self._quotes, places)
        places, quotes = self._repeated_quotes.left_out(places, quotes, block.arrivals, self.report)
        frame = block.times(places, [quote.T for quote in quotes]).with_columns(
            pl.Series("bid", [quote.b for quote in quotes]),
            pl.Series("bid_quantity", [quote.B for quote in quotes]),
            pl.Series("ask", [quote.a for quote in quotes]),
            pl.Series("ask_quantity", [quote.A for quote in quotes]),
        )
        return quote_events(frame, self.convert)

    def _book_events(self, block: _Block, places: list[int]) -> pl.DataFrame:
        sequence = self._sequence
        updates = iter(block.decode(self._depths, [at for at in places if block.frames[at].stream]))
        for at in places:
            row, arrival_ns = block.first + at, block.arrivals[at]
            if self._book_breaks.come_before(arrival_ns):
                sequence.begin_anew()
            if block.frames[at].stream:
                sequence.update(row, arrival_ns, next(updates))
            else:
                self._refuse_several_symbols(block.place, row)
                (snapshot,) = _decode(block.place, row, self._snapshots, [block.bodies[at]])
                sequence.snapshot(row, arrival_ns, snapshot)
        self.report.stale_updates, self.report.book_gaps = sequence.stale, sequence.gaps
        if sequence.unneeded_snapshots:
            self.report.skipped_frames["snapshot"] = sequence.unneeded_snapshots
        rows = sequence.take()
        if not rows.row:
            return empty()
        frame = pl.DataFrame(vars(rows), schema_overrides=_DEPTH)
        frame = frame.with_columns(_venue_time_ns(frame["venue_time"]), file=block.file)
        return book_events(frame, self.convert)

    def _refuse_several_symbols(self, place: str, row: int) -> None:
        if len(self.report.symbols) > 1:
            text = f"{place} row {row}: a depth snapshot names no symbol, and the recording has {self.report.symbols}"
            raise DataError("bad_setting", text, 'record each symbol by itself, or leave "book" out of streams')


_DEPTH = {"venue_time": pl.Int64, "arrival_time_ns": pl.Int64, "flags": pl.UInt8}


@dataclass(frozen=True)
class _Block:
    """Some lines of a file, taken apart."""

    place: str
    file: int
    first: int
    arrivals: list[int]
    bodies: list[bytes]
    frames: list[_Envelope]

    def decode(self, decoder: msgspec.json.Decoder[_Frame], places: list[int]) -> list[_Frame]:
        """The payloads of some frames."""
        raw = [bytes(self.frames[at].data) for at in places]
        return _decode(self.place, self.first, decoder, raw, places)

    def times(self, places: list[int], venue_times: Sequence[int | None]) -> pl.DataFrame:
        """Where some frames are, and their two times."""
        return pl.DataFrame(
            {
                "row": places,
                "venue_time_ns": _venue_time_ns(pl.Series(venue_times, dtype=pl.Int64)),
                "arrival_time_ns": [self.arrivals[at] for at in places],
            }
        ).with_columns(pl.col("row") + self.first, file=pl.lit(self.file))


def _venue_time_ns(times: pl.Series) -> pl.Series:
    """Nanoseconds of the venue's milliseconds, or microseconds where it was asked for these.

    As milliseconds, the smallest number taken for microseconds would be in the year 5138.
    """
    time = pl.col("venue_time_ns")
    factor = pl.when(time < _MICROSECONDS_FROM).then(1_000_000).otherwise(1_000)
    return pl.DataFrame({"venue_time_ns": times}).select(time * factor).to_series()


def _split(place: str, first: int, lines: list[bytes]) -> tuple[list[int], list[bytes]]:
    parts = [line.partition(b" ") for line in lines]
    try:
        return [int(head) for head, _, _ in parts], [body for _, _, body in parts]
    except ValueError:
        for at, (head, _, _) in enumerate(parts):
            if not head.strip().isdigit():
                text = f"{place} row {first + at}: {head[:40]!r} is not a receive time in nanoseconds"
                raise DataError("unreadable_file", text, "each line is a receive time, a space and a frame") from None
        raise


def _decode(
    place: str, first: int, decoder: msgspec.json.Decoder[_Frame], bodies: list[bytes], places: list[int] | None = None
) -> list[_Frame]:
    try:
        frames = decoder.decode_lines(b"\n".join(bodies))
    except msgspec.DecodeError:
        frames = []
    if len(frames) == len(bodies):
        return frames
    for at, body in enumerate(bodies):
        try:
            decoder.decode(body)
        except msgspec.DecodeError as error:
            row = first + (places[at] if places is not None else at)
            text = f"{place} row {row}: {error}: {body[:60]!r}"
            raise DataError("unreadable_file", text, "was the recording cut off?") from error
    raise DataError("unreadable_file", f"{place}: lines {first} and following hold more than a frame each")
