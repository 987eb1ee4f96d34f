"""Markets that are a recording, played in real time."""

from __future__ import annotations

import asyncio
import heapq
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tradewind._core import MatchingBook
from tradewind.data import Stream, binance_raw
from tradewind.data.form import BOOK, BUY, FIRST, LAST, QUOTE, SELL, TRADE
from tradewind.data.lines import blocks_of
from tradewind.data.source import existing
from tradewind.errors import exception
from tradewind.instruments import load
from tradewind.sandbox.anonymous import Anonymous
from tradewind.sandbox.clock import MarketTime
from tradewind.sandbox.market import Level, Market
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import DECIMALS

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server
    from tradewind.sandbox.settings import Settings

_log = logging.getLogger("tradewind.sandbox")
_ROWS = 10_000
_STEPS = 2_000
_HEAD_LINES = 10_000
_DISORDER_NS = 2_000_000_000
_LONGEST_SLEEP_SECONDS = 0.1
_STREAM = re.compile(rb'"stream": *"([^"@]+)@')
_KINDS = {"trade": TRADE, "quote": QUOTE, "book": BOOK}

Streams = Mapping[str, Sequence[Stream]]
_Row = tuple[int, int, int, int, int, int, int, int]


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What happened at a time of the recording: a trade, a quote, or changes of the book."""

    time_ns: int
    symbol: str
    kind: int
    values: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Price, quantity and who took (as in flags) of a trade; both prices and quantities of a quote."""
    levels: tuple[Level, ...] = ()
    is_whole: bool = False
    """Whether the levels are the whole book."""


def recorded_market(symbol: Symbol, above: int) -> Market:
    """A market in which nothing is yet."""
    return Market(symbol, MatchingBook(), above)


def recorded_streams(settings: Settings) -> Streams:
    """The recordings that are to be played, by symbol: of the symbols that are named, or else all of them."""
    given = settings.recording
    found: Streams = given if isinstance(given, dict) else _raw_streams(given)
    if not found or "symbols" not in settings.model_fields_set:
        return found
    if missing := [name for name in settings.symbols if name not in found]:
        message = f"sandbox: there is no recording of {', '.join(missing)}"
        raise exception("bad_setting", message, f"there is one of {', '.join(found)}")
    return {name: found[name] for name in settings.symbols}


def _raw_streams(paths: Iterable[Path]) -> dict[str, list[Stream]]:
    """The streams of raw files by symbol; several files of a symbol continue each other.

    They are read with their depth where it was recorded from a snapshot on, else with their best prices.
    """
    found: dict[str, list[Path]] = {}
    with_depth: set[str] = set()
    for path in paths:
        symbols, has_snapshot = _look_into(existing(path))
        if not symbols:
            message = f"{path} names no stream in its first {_HEAD_LINES:,} lines"
            raise exception("empty_data", message, "a recording has lines of a time, a space and a frame")
        for symbol in symbols:
            found.setdefault(symbol, []).append(path)
            if has_snapshot:
                with_depth.add(symbol)
    return {symbol: [_raw(files, symbol in with_depth)] for symbol, files in found.items()}


def _raw(files: list[Path], has_depth: bool) -> Stream:
    return binance_raw(files, streams=("trade", "book" if has_depth else "quote"), align=True, quote_latency_ns=0)


def _look_into(path: Path) -> tuple[list[str], bool]:
    """The symbols that a recording names, and whether it has the snapshot of a book."""
    symbols: dict[str, None] = {}
    has_snapshot = False
    # Where it ends within a frame, that is told when it is read.
    for line in next(blocks_of(path, _HEAD_LINES, lambda _: None), []):
        if named := _STREAM.search(line, 0, 200):
            symbols[named[1].decode("utf-8", "replace").upper()] = None
        elif b'"lastUpdateId"' in line:
            has_snapshot = True
    return list(symbols), has_snapshot


def steps(streams: Streams) -> Iterator[Step]:
    """What happened in all of them, in the order in which it happened at the venue."""
    one_by_one = [_in_order(_arriving(symbol, stream)) for symbol, several in streams.items() for stream in several]
    return heapq.merge(*one_by_one, key=_time)


def _in_order(arriving: Iterable[tuple[int, Step]]) -> Iterator[Step]:
    """Steps by their times, as far as they are out of order by less than `_DISORDER_NS`.

    Trades go before the depth of the same time, which tells of them.
    """
    waiting: list[tuple[int, bool, int, Step]] = []
    for number, (arrival_ns, step) in enumerate(arriving):
        heapq.heappush(waiting, (step.time_ns, step.kind != TRADE, number, step))
        while waiting[0][0] < arrival_ns - _DISORDER_NS:
            yield heapq.heappop(waiting)[-1]
            if not waiting:
                break
    while waiting:
        yield heapq.heappop(waiting)[-1]


def _arriving(symbol: str, stream: Stream) -> Iterator[tuple[int, Step]]:
    """Steps with the times of their arrival, in that order; the book's never overtake each other."""
    levels: list[Level] = []
    is_whole = False
    book_ns = 0
    for arrival_ns, time_ns, kind, flags, *values in _rows(symbol, stream):
        if kind != BOOK:
            third = flags & (BUY | SELL) if kind == TRADE else values[2]
            yield arrival_ns, Step(time_ns, symbol, kind, (values[0], values[1], third, values[3]))
            continue
        if flags & FIRST:
            levels, is_whole = [], True
        levels.append((bool(flags & BUY), values[0], values[1]))
        if flags & LAST:
            book_ns = max(book_ns, time_ns)
            yield arrival_ns, Step(book_ns, symbol, kind, levels=tuple(levels), is_whole=is_whole)
            levels, is_whole = [], False


def _rows(symbol: str, stream: Stream) -> Iterator[_Row]:
    """The rows of a stream; amounts in the exchange's units."""
    units = {"price_decimals": DECIMALS, "quantity_decimals": DECIMALS}
    instrument = load(f"binance_spot:{symbol}").model_copy(update=units)
    for chunk in stream.chunks(instrument, _ROWS):
        if not set(chunk["kind"].unique()) <= set(_KINDS.values()):
            message = f"sandbox: the recording of {symbol} has rows that are no {', '.join(_KINDS)}"
            raise exception("bad_setting", message, "leave out bars, marks and funding")
        yield from chunk.select("arrival_time_ns", "venue_time_ns", "kind", "flags", "a", "b", "c", "d").iter_rows()


def _time(step: Step) -> int:
    return step.time_ns


class Playback:
    """Plays recordings into their markets.

    Parameters
    ----------
    server
        Whose markets they are.
    streams
        The recordings by symbol.

    """

    def __init__(self, server: Server, streams: Streams) -> None:
        self._server = server
        self._streams = streams
        self._markets = [server.exchange.markets[name] for name in streams]
        self._everybody = {one.symbol.name: Anonymous(server.exchange, one) for one in self._markets}
        self._begin()

    def _begin(self) -> None:
        """Play at once what comes until every market has a book, or a little: nobody meets an empty one."""
        self._steps = steps(self._streams)
        self._begin_ns = 0
        for step in islice(self._steps, _STEPS):
            self._begin_ns = step.time_ns
            self._play(step)
            if all(one.has_depth for one in self._everybody.values()):
                break
        for market in self._markets:
            bid, ask = market.best
            if not market.trades and bid is not None and ask is not None:
                middle = (bid[0] + ask[0]) // 2
                market.last_price = middle - middle % market.symbol.tick

    async def run(self) -> None:
        """Play to the end, or over and over."""
        await self._run()
        while self._server.settings.repeat:
            for one in self._everybody.values():
                one.leave(self._server.clock.now_ns())
            self._begin()
            await self._run()
        _log.warning("the recording is at its end")

    async def _run(self) -> None:
        """Play what is left; time stands still while one of the markets is closed."""
        time, may_move = MarketTime(self._begin_ns, self._server.settings.speed), self._server.may_move
        while soon := await asyncio.to_thread(_take, self._steps):
            for step in soon:
                while time.advance(is_running=all(map(may_move, self._markets))) < step.time_ns:
                    await asyncio.sleep(min(time.seconds_until(step.time_ns), _LONGEST_SLEEP_SECONDS))
                self._play(step)

    def _play(self, step: Step) -> None:
        one, now_ns = self._everybody[step.symbol], self._server.clock.now_ns()
        first, second, third, fourth = step.values
        if step.kind == TRADE:
            last_price = self._server.exchange.markets[step.symbol].last_price
            # Where the recording does not say who took, the price does.
            one.trade(first, second, third == BUY or (third != SELL and first >= last_price), now_ns)
        elif step.kind == QUOTE:
            one.quote(first, second, third, fourth, now_ns)
        else:
            one.depth(step.levels, step.is_whole, now_ns)


def _take(some: Iterator[Step]) -> list[Step]:
    return list(islice(some, _STEPS))
