"""The parity line: a session beside a backtest over the market data that it recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl

from tradewind import _core
from tradewind.errors import exception
from tradewind.journal import Block, Journal
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import feed_all, kernel_of, made_anew_until
from tradewind.journal.latency import latencies
from tradewind.journal.manifest import Manifest
from tradewind.journal.tables import Decoder
from tradewind.result import frame
from tradewind.table import plain_table, table_text
from tradewind.times import from_ns

CAUSES = tuple(_core.Record.causes())
"""What a difference can come from, in the order in which it is removed from the backtest."""
UNEXPLAINED = "unexplained"
_KEYS = ("strategy", "count")
_ASPECTS = {
    "decision": ("side", "quantity", "instrument", "order_type", "price", "time_in_force"),
    "decided": ("decided",),
    "closed": ("closed",),
    "filled": ("filled",),
    "average price": ("average_price",),
    "fee": ("fee",),
    "status": ("status", "reason"),
}
"""What of an order is compared, by what it is called; orders are matched by strategy and count."""
_FRAME = ("strategy", "count", "aspect", "session", "backtest", "cause")
_SHOWN = 20
_DIGITS = 14


@dataclass(frozen=True)
class Parity:
    """A session beside its backtest.

    Parameters
    ----------
    mode
        ``paper`` or ``live``.
    decisions_agree
        Whether the strategy, fed the recorded reports of the account too, decides the same.
    orders
        How many orders the session sent.
    compared
        How many orders either side sent.
    differences
        A row for each order and aspect that differs: ``strategy`` and ``count``, which name the order, ``aspect``
        (decision, decided, closed, filled, average price, fee, status), what it is in the ``session`` and in the
        ``backtest``, and the ``cause``. Empty where the backtest is the session.
    notes
        What a reader should know: which files were changed since, and what failed.

    """

    mode: str
    decisions_agree: bool
    orders: int
    compared: int
    differences: pl.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether there is no difference at all."""
        return self.decisions_agree and self.differences.is_empty()

    @property
    def is_explained(self) -> bool:
        """Whether decisions agree and every difference has a cause; a paper session must not have any (F6)."""
        return self.is_equal or (self.mode != "paper" and self.decisions_agree and not self.causes[UNEXPLAINED])

    @property
    def differing(self) -> int:
        """How many orders differ."""
        return self.differences.select(_KEYS).unique().height

    @property
    def causes(self) -> dict[str, int]:
        """How many differences have which cause."""
        counted = dict(self.differences.group_by("cause").len().rows())
        return {cause: counted.get(cause, 0) for cause in (*CAUSES, UNEXPLAINED)}

    @property
    def line(self) -> str:
        """The comparison in a line."""
        decisions = "decisions agree" if self.decisions_agree else "DECISIONS DIFFER"
        if self.differences.is_empty():
            rest = f"its backtest has the same {self.orders} orders and fills"
        else:
            counts = ", ".join(f"{cause} {count}" for cause, count in self.causes.items() if count)
            rest = f"{self.differing} of {self.compared} orders differ from its backtest by {counts}"
            if not self.causes[UNEXPLAINED]:
                rest += "; nothing unexplained"
        return f"parity of a {self.mode} session: {decisions}; {rest}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "mode": self.mode,
            "decisions_agree": self.decisions_agree,
            "orders": self.orders,
            "compared": self.compared,
            "differing": self.differing,
            "causes": self.causes,
            "explained": self.is_explained,
            "differences": self.differences.to_dicts(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [self.line] if self.differences.is_empty() else [f"{self.line}\n", self._counts, self._rows]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    @property
    def _counts(self) -> str:
        """How many differences there are of each aspect, by cause."""
        causes = [cause for cause, count in self.causes.items() if count]
        table = plain_table([""], causes)
        counted = {
            (aspect, cause): count for aspect, cause, count in self.differences.group_by("aspect", "cause").len().rows()
        }
        for aspect in _ASPECTS:
            counts = [counted.get((aspect, cause), 0) for cause in causes]
            if any(counts):
                table.add_row(aspect, *(str(count) for count in counts))
        return table_text(table)

    @property
    def _rows(self) -> str:
        """The first differences; what nobody can explain is what a reader looks for."""
        rows = self.differences.sort(pl.col("cause") != UNEXPLAINED, maintain_order=True).head(_SHOWN)
        with pl.Config(
            tbl_rows=-1,
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
            tbl_width_chars=120,
            fmt_str_lengths=80,
        ):
            text = str(rows)
        left = self.differences.height - rows.height
        return f"{text}\nand {left} more differences" if left else text


def parity(run: str | Path) -> Parity:
    """Set a session beside a backtest of the same period over the data that it recorded.

    Of a live session the backtest is run again and again, each time with one cause of differences less: the latencies
    that were measured, order by order, take the place of those that were stated; rows reach the venue at its own time;
    the venue rejects what the real one rejected; resting orders fill when they did; takers find what they found. A
    difference comes from the cause without which it is gone for good. What still differs in the last run is
    unexplained.

    Parameters
    ----------
    run
        The journal of a session, or the folder of its run.

    """
    with Journal(run, checked=False) as recorded:
        recorded.need_beginning()
        manifest = recorded.manifest
        if "mode" not in manifest.settings:
            raise exception("bad_journal", f"{recorded.place} is the journal of a backtest", "name that of a session")
        mode = str(manifest.settings["mode"])
        blocks = list(recorded.batches())
        session, agrees, notes = _session(manifest, blocks, is_finished=recorded.ending.finished)
        if session.failure:
            blocks = _through(manifest, blocks, session.inputs)
        until_ns = made_anew_until(manifest, blocks)
        backtests = [_backtest(manifest, blocks, until_ns)]
        if mode == "paper":
            agrees = agrees and session.hashes == backtests[0].hashes
        elif not _differences(session.orders, backtests[0].orders).is_empty():
            record = _record(recorded, blocks)
            backtests += [_backtest(manifest, blocks, until_ns, record, cause) for cause in CAUSES]
    sent = [one.orders.select(_KEYS) for one in (session, backtests[0])]
    differences = _with_causes([_differences(session.orders, one.orders) for one in backtests])
    notes += _failures(session, blocks, backtests)
    return Parity(mode, agrees, sent[0].height, pl.concat(sent).unique().height, differences, notes)


class _Run(NamedTuple):
    """What became of the orders of a run, how far it came, and what it failed by, if it did."""

    orders: pl.DataFrame
    hashes: tuple[str, str]
    inputs: int
    end_ns: int
    failure: str


_Found = TypeVar("_Found")


def _lived(kernel: _core.Session, live: Callable[[], _Found]) -> tuple[_Found | None, Exception | None]:
    """What is found by letting a kernel live, or what it failed by: it has lived up to there."""
    try:
        return live(), None
    except Exception as error:
        if not kernel.is_failed:
            raise
        return None, error


def _run_of(kernel: _core.Session, failure: Exception | None) -> _Run:
    words = "" if failure is None else f"{type(failure).__name__}: {failure}".partition("\n")[0]
    return _Run(_orders(kernel), kernel.hashes, kernel.inputs, kernel.now_ns, words)


def _session(manifest: Manifest, blocks: Sequence[Block], *, is_finished: bool) -> tuple[_Run, bool, tuple[str, ...]]:
    """The session as it was, whether it decides the same, and notes: its own reports are fed, and the strategy decides.

    One that did not come to its end fails by what happened, as it did then.
    """
    with rebuilt(manifest.code, None, None) as code:
        kernel = kernel_of(manifest, code)
        differs, failure = _lived(kernel, lambda: feed_all(kernel, blocks))
        if failure is not None and is_finished:
            raise failure
        return _run_of(kernel, failure), differs is None, code.notes


def _through(manifest: Manifest, blocks: Sequence[Block], count: int) -> list[Block]:
    """The entries up to an input and with it, by its number counted from one."""
    decoder = Decoder(manifest, {"inputs": ["sequence"]})
    kept: list[Block] = []
    for block in blocks:
        sequences = decoder.decode(block)["inputs"]["sequence"]
        if count <= len(sequences):
            last = int(sequences[count - 1])
            return [*kept, block._replace(last=last, data=_core.first_entries(block.data, last - block.first + 1))]
        count -= len(sequences)
        kept.append(block)
    return kept


def _backtest(
    manifest: Manifest, blocks: Sequence[Block], until_ns: int, record: _core.Record | None = None, removed: str = ""
) -> _Run:
    """The backtest over what a session recorded: rows, commands and conditions reach the strategy as they did.

    Simulated venues answer in the place of all others. Where a cause is removed, they do as the record says in all that
    differs by it and by those before it. A strategy may fail by what the session never met.
    """
    with rebuilt(manifest.code, None, None) as code:
        kernel = kernel_of(manifest, code, is_simulated=True)
        if record is not None:
            kernel.follow(record, removed)
            if CAUSES.index(removed) >= CAUSES.index("data arrival"):
                # From here on rows reach the venue at its own time, before they arrive.
                for block in blocks:
                    kernel.show_ahead(block.data)

        def live() -> None:
            for block in blocks:
                kernel.live_again(block.data)
            kernel.advance(until_ns)

        return _run_of(kernel, _lived(kernel, live)[1])


def _failures(session: _Run, blocks: Sequence[Block], backtests: Sequence[_Run]) -> tuple[str, ...]:
    """What failed, and when; what others failed by before is told once."""
    failed = {}
    if session.failure:
        failed[session.failure] = f"at entry {blocks[-1].last:,} the strategy failed, and fails again"
    for removed, one in enumerate(backtests):
        run = f"the backtest without {', '.join(CAUSES[:removed])}" if removed else "the backtest"
        failed.setdefault(one.failure, f"{run} failed at {from_ns(one.end_ns):%H:%M:%S.%f} and sends nothing more")
    return tuple(f"{where}: {words}" for words, where in failed.items() if words)


def _record(recorded: Journal, blocks: Sequence[Block]) -> _core.Record:
    """What really happened to the orders."""
    ways = latencies(recorded).select("order_id", pl.col("kind") == "cancel", "venue_time_ns")
    record = _core.Record(ways.rows())
    for block in blocks:
        record.observe(block.data)
    for block in blocks:
        record.confirm(block.data)
    return record


def _orders(kernel: _core.Session) -> pl.DataFrame:
    """The closed orders of a run, each with its fees."""
    orders, fills = frame(kernel.orders()), frame(kernel.fills())
    amount = pl.col("fee").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    fees = (
        fills.group_by(*_KEYS, "fee_asset", maintain_order=True)
        .agg(pl.col("fee").sum())
        .sort("fee_asset")
        .group_by(_KEYS, maintain_order=True)
        .agg(fee=pl.format("{} {}", amount, "fee_asset").str.join(" + "))
    )
    return orders.join(fees, on=list(_KEYS), how="left")


def _differences(session: pl.DataFrame, backtest: pl.DataFrame) -> pl.DataFrame:
    """A row for each order and aspect that differs; an order that only one side has is a difference in decision."""
    sides = [_aspects(one) for one in (session, backtest)]
    both = sides[0].join(sides[1], on=[*_KEYS, "aspect"], how="full", suffix="_backtest", coalesce=True)
    differs = pl.col("value").ne_missing(pl.col("value_backtest"))
    # Where one side does not have the order, that is all that there is to say.
    is_alone = pl.col("value").is_null().all().over(_KEYS) | pl.col("value_backtest").is_null().all().over(_KEYS)
    return both.filter(differs & (~is_alone | (pl.col("aspect") == "decision"))).rename(
        {"value": "session", "value_backtest": "backtest"}
    )


def _aspects(orders: pl.DataFrame) -> pl.DataFrame:
    """A row for each order and aspect, with its value as text."""
    each = [
        orders.select(
            *_KEYS,
            aspect=pl.lit(name),
            value=pl.concat_str([_text(orders, column) for column in columns], separator=" ", ignore_nulls=True),
        )
        for name, columns in _ASPECTS.items()
    ]
    return pl.concat(each)


def _text(orders: pl.DataFrame, column: str) -> pl.Expr:
    named, kind = pl.col(column), orders.schema[column]
    if kind.is_temporal():
        return named.dt.to_string("%H:%M:%S%.9f")
    # An average is a quotient: its last digit is not exact.
    return (named.round_sig_figs(_DIGITS) if kind.is_float() else named).cast(pl.String)


def _with_causes(runs: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The differences of the first run and of the last, each with its cause.

    A difference comes from what was removed in the run from which on it is gone; one that is there in the last run is
    unexplained, and one that only runs between show is none of the backtest's. With one run nothing was removed.
    """
    keys = [*_KEYS, "aspect"]
    marked = [one.with_columns(run=pl.lit(place, pl.Int32)) for place, one in enumerate(runs)]
    last_seen = pl.concat(marked).group_by(keys).agg(pl.col("run").max())
    left = runs[-1].join(runs[0], on=keys, how="anti")
    found = pl.concat([runs[0], left]).join(last_seen, on=keys)
    causes = dict(enumerate((*CAUSES[: len(runs) - 1], UNEXPLAINED)))
    place = pl.col("aspect").replace_strict({name: at for at, name in enumerate(_ASPECTS)}, return_dtype=pl.Int32)
    return (
        found.with_columns(cause=pl.col("run").replace_strict(causes, return_dtype=pl.String))
        .sort(*_KEYS, place)
        .select(_FRAME)
    )
