"""SQL over a journal: its entries as tables that are read while the query goes on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread

import polars as pl
from polars.io.plugins import register_io_source

from tradewind.errors import TradewindError, exception
from tradewind.journal.block import Block
from tradewind.journal.manifest import Manifest
from tradewind.journal.orders import NEEDED, orders_of
from tradewind.journal.reader import Journal
from tradewind.journal.storage import Storage
from tradewind.journal.tables import TABLES, Decoder

_AHEAD = 4
"""How many blocks are read before they are asked for."""
_BLOCK_BYTES = 2**20
_LOOK_SECONDS = 0.05
_READING = ("select", "with", "show", "explain", "from", "values")

Place = str | Path | Storage
_Frames = Callable[["list[str] | None"], Iterator[pl.DataFrame]]


def query(journal: Place, sql: str) -> pl.LazyFrame:
    """Ask a recorded run in SQL.

    The journal is read while the answer is made, block by block, and only the columns that the query names are
    decoded: an answer that is small needs little memory, however large the journal is. Each table's columns are
    listed in ``docs/replay.md``; prices, quantities and amounts are exact decimals, times have nanoseconds.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run.
    sql
        A ``select`` in polars' SQL.

    Returns
    -------
    polars.LazyFrame
        The answer, which is made when it is collected.

    Examples
    --------
    >>> import tempfile, tradewind as tw
    >>> folder = tempfile.TemporaryDirectory()
    >>> result = tw.backtest(
    ...     tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05),
    ...     data={"synthetic:BTCUSDT": tw.synthetic(events=20_000)},
    ...     balances={"USDT": 100_000},
    ...     journal=folder.name,
    ... )
    >>> answer = query(folder.name, "select side, count(*) as fills, sum(fee) as fees from fills group by side")
    >>> answer.collect()["fills"].sum() == result.metrics["fills"]
    True
    >>> folder.cleanup()

    """
    word = re.match(r"[\s(]*(\w*)", re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL))
    if word is None or word[1].lower() not in _READING:
        raise exception(
            "bad_query", f"{sql.strip()!r} is not a select", 'a journal is only read: "select ... from ..."'
        )
    found = tables(journal)
    with explained(sql, found):
        answer: pl.LazyFrame = pl.SQLContext(frames=found).execute(sql)
        answer.collect_schema()
    return answer


def tables(journal: Place) -> dict[str, pl.LazyFrame]:
    """The entries of a journal as lazy tables by name: those of `TABLES`, and ``orders``.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run.

    """
    with Journal(journal) as opened:
        manifest = opened.manifest
    empty = Decoder(manifest).empty()
    found = {name: _scanned(empty[name].schema, _table(journal, manifest, name)) for name in TABLES}
    orders = orders_of({name: empty[name] for name in NEEDED})
    return {"orders": _scanned(orders.schema, _orders(journal, manifest)), **found}


@contextmanager
def explained(sql: str, found: Mapping[str, pl.LazyFrame]) -> Iterator[None]:
    """What polars says of a query, as an error that says what to do."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        message, hint = _words(str(error), found)
        raise exception("bad_query", f"{sql.strip()!r}: {message}", hint) from error


def _words(text: str, found: Mapping[str, pl.LazyFrame]) -> tuple[str, str]:
    """A message and a hint, of what polars says."""
    message = text.partition("\n")[0].partition("; valid columns:")[0].rstrip(":")
    if missing := re.search(r"relation '(.*?)' was not found", text):
        near = difflib.get_close_matches(missing[1], found, n=1)
        named = f"did you mean {near[0]}? " if near else ""
        return f"there is no table {missing[1]!r}", f"{named}there are {', '.join(sorted(found))}"
    if columns := re.search(r"valid columns: \[(.*?)\]", text):
        return message, f"there are {columns[1].replace(chr(34), '')}"
    return message, "the tables and their columns are in docs/replay.md; polars' SQL is in docs.pola.rs"


def _scanned(schema: pl.Schema, frames: _Frames) -> pl.LazyFrame:
    """A lazy table of what frames are made of, once it is known which columns are wanted."""

    def scan(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        for whole in frames(columns):
            frame = whole if columns is None else whole.select(columns)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    return register_io_source(scan, schema=schema)


def _table(journal: Place, manifest: Manifest, name: str) -> _Frames:
    def frames(columns: list[str] | None) -> Iterator[pl.DataFrame]:
        decoder = Decoder(manifest, {name: columns})
        for block in _blocks(journal):
            yield decoder.decode(block)[name]

    return frames


def _orders(journal: Place, manifest: Manifest) -> _Frames:
    def frames(_columns: list[str] | None) -> Iterator[pl.DataFrame]:
        decoder = Decoder(manifest, NEEDED)
        parts = {name: [frame] for name, frame in decoder.empty().items()}
        for block in _blocks(journal):
            for name, frame in decoder.decode(block).items():
                parts[name].append(frame)
        yield orders_of({name: pl.concat(frames) for name, frames in parts.items()})

    return frames


def _blocks(journal: Place) -> Iterator[Block]:
    """Blocks that a thread of its own reads: a connection of SQLite belongs to one thread, and polars has many."""
    waiting: Queue[Block | TradewindError | None] = Queue(_AHEAD)
    stopped = Event()

    def put(item: Block | TradewindError | None) -> None:
        is_put = False
        while not (is_put or stopped.is_set()):
            with suppress(Full):
                waiting.put(item, timeout=_LOOK_SECONDS)
                is_put = True

    def read() -> None:
        try:
            with Journal(journal) as opened:
                for block in opened.batches(_BLOCK_BYTES):
                    put(block)
                    if stopped.is_set():
                        return
            put(None)
        except TradewindError as error:
            put(error)

    reader = Thread(target=read, name="tradewind journal", daemon=True)
    reader.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, TradewindError):
                raise item
            yield item
    finally:
        stopped.set()
        _empty(waiting)
        reader.join()


def _empty(waiting: Queue[Block | TradewindError | None]) -> None:
    while True:
        try:
            waiting.get_nowait()
        except Empty:
            return
