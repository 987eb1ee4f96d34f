"""The state of a recorded run at any of its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from tradewind import _core, memory
from tradewind.errors import exception
from tradewind.journal import Journal, Storage
from tradewind.journal.block import Block
from tradewind.journal.code import AnyStrategy, Rebuilt, rebuilt
from tradewind.journal.kernel import feed, kernel_of
from tradewind.journal.manifest import Manifest
from tradewind.journal.reader import snapshots
from tradewind.journal.tables import TABLES, Decoder
from tradewind.strategy import Strategy
from tradewind.times import from_ns

_WIDEST = 200
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S%.9f"
_TOLD = ("sequence", "time", "kind", "what", "command", "instrument", "strategy")
"""What the beginning of a sentence says already."""


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that is not closed; numbers as exact text."""

    number: int
    """The run's, which `query`, the view and `ctl` name."""
    strategy: str
    count: int
    """The strategy's own."""
    instrument: str
    side: str
    quantity: str
    filled: str
    price: str | None
    status: str

    def __str__(self) -> str:
        price = "at market" if self.price is None else f"at {self.price}"
        done = f"{self.filled} filled, {self.status}"
        named = f"order #{self.number} of {self.strategy} (count {self.count})"
        return f"{named}: {self.side} {self.quantity} {self.instrument} {price}, {done}"


class State(msgspec.Struct, frozen=True):
    """What engine and strategies knew once an entry had been handled."""

    journal: str
    sequence: int
    """The number of the entry, as in the tables of `query`."""
    entry: str
    """The entry in words."""
    time_ns: int
    is_trading: bool
    equity: float | None
    """In the currency of the totals; none where a price is missing."""
    positions: list[tuple[str, str, str]]
    """Strategy, instrument and quantity of each that is not flat."""
    balances: dict[str, dict[str, str]]
    """What each venue's account holds, by asset, where it is not nothing."""
    orders: list[OpenOrder]
    values: dict[str, dict[str, str]]
    """Parameters and attributes of each strategy."""
    state_hash: str
    decisions_hash: str
    notes: list[str]

    @property
    def time(self) -> datetime:
        """When its input arrived, to the microsecond."""
        return from_ns(self.time_ns)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        trading = "on" if self.is_trading else "off: only what reduces a position passes"
        equity = "unknown, a price is missing" if self.equity is None else f"{self.equity:,.2f}"
        lines = [
            (f"entry {self.sequence:,}", [self.entry]),
            ("time", [f"{self.time:%Y-%m-%d %H:%M:%S}.{self.time_ns % 10**9:09} UTC"]),
            ("trading", [trading]),
            ("equity", [equity]),
            ("positions", [f"{strategy}: {held} {name}" for strategy, name, held in self.positions]),
            ("balances", [f"{venue}: {_listed(held, ' ')}" for venue, held in self.balances.items()]),
            ("orders", [str(one) for one in self.orders]),
            ("strategy", [f"{name}: {_listed(values, '=')}" for name, values in self.values.items()]),
            ("hashes", [f"state {self.state_hash[:16]}, decisions {self.decisions_hash[:16]}"]),
            ("note", self.notes),
        ]
        width = max(len(label) for label, _ in lines) + 2
        written = [
            f"{label if place == 0 else '':<{width}}{part}"
            for label, parts in lines
            for place, part in enumerate(parts or ([] if label == "note" else ["none"]))
        ]
        return "\n".join(written)


def state_at(
    journal: str | Path | Storage,
    sequence: int,
    strategies: Sequence[AnyStrategy] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> State:
    """Go through a recorded run up to an entry, and say what was known then.

    The strategies are made from their recorded source, whatever became of their files.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run; of a backtest, a paper or a live session.
    sequence
        The number of an entry, counted from one: inputs and decisions have one sequence, as in the tables of `query`.
    strategies
        Strategies in the place of the recorded ones, where these were not defined in a file.
    progress
        Called with the number of entries that were met so far.

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
    >>> state = state_at(folder.name, 1)
    >>> state.entry
    'deposit: venue_time 2026-01-01 00:00:00.000000000, account synthetic, asset USDT, amount 100000.00000000'
    >>> state.balances
    {'synthetic': {'USDT': '100000'}}
    >>> folder.cleanup()

    """
    with (
        Journal(journal, after=_from_where(journal, sequence)) as recorded,
        rebuilt(recorded.manifest.code, strategies, None, as_recorded=True) as code,
    ):
        _need(journal, recorded, sequence)
        kernel, notes = _beginning(recorded, code)
        entry = _go_to(kernel, recorded, sequence, progress)
        index = recorded.manifest.index()
        return State(
            journal=recorded.place,
            sequence=sequence,
            entry=entry,
            time_ns=kernel.now_ns,
            is_trading=kernel.is_trading,
            equity=kernel.equity_now,
            positions=kernel.positions(),
            balances={
                venue: {name: held for name, held in kernel.balances(venue) if float(held)} for venue in index.venues
            },
            orders=[_order(one) for one in kernel.open_orders()],
            values={name: _values(strategy) for name, strategy in code.strategies},
            state_hash=kernel.hashes[0],
            decisions_hash=kernel.hashes[1],
            notes=[*code.notes, *notes],
        )


def _from_where(journal: str | Path | Storage, sequence: int) -> int:
    """The entry of the last snapshot before one, if it holds everything; else the beginning."""
    if not isinstance(journal, str | Path):
        return 0
    usable = (one for one in snapshots(Path(journal)) if one.version == _core.__version__ and not one.lost)
    return next((one.sequence for one in usable if one.sequence < sequence), 0)


def _need(journal: str | Path | Storage, recorded: Journal, sequence: int) -> None:
    if not recorded.first <= sequence <= recorded.last:
        with Journal(journal, checked=False) as whole:
            first = whole.first
        there = f"its entries are {first:,} to {recorded.last:,}" if recorded.last else "it has no entries"
        raise exception("bad_setting", f"{recorded.place} has no entry {sequence:,}", there)


def _beginning(recorded: Journal, code: Rebuilt) -> tuple[_core.Session, list[str]]:
    """The kernel before the first entry that is read, and what it does not know."""
    snapshot = recorded.snapshot
    if snapshot is None:
        # Every report is in the journal, so that no venue is needed, simulated or real.
        return kernel_of(recorded.manifest, code, is_simulated=False), []
    kernel = kernel_of(recorded.manifest, code)
    kernel.restore(snapshot.state)
    return kernel, [f"entries 1 to {snapshot.sequence:,} were dropped; {snapshot.lost}"] if snapshot.lost else []


def _go_to(kernel: _core.Session, recorded: Journal, sequence: int, progress: Callable[[int], None] | None) -> str:
    """Feed a kernel the entries up to one; that one in words."""
    for block in _up_to(recorded.batches(), sequence):
        found = feed(kernel, [block], progress)
        if found is not None:
            message = f"{recorded.place}: the recorded code does not decide as it did after input {found['sequence']:,}"
            raise exception("divergence", message, "tradewind replay RUN --verify says more")
    return _in_words(recorded.manifest, block, sequence)


def _up_to(blocks: Iterator[Block], sequence: int) -> Iterator[Block]:
    """The blocks up to an entry, with which the last of them ends."""
    for block in blocks:
        if sequence <= block.last:
            data = _core.first_entries(block.data, sequence - block.first + 1)
            yield block._replace(last=sequence, data=data)
            return
        yield block


def _in_words(manifest: Manifest, block: Block, sequence: int) -> str:
    """An entry in words: what it is, and every value that it has."""
    rows = {
        name: frame.with_columns(pl.selectors.datetime().dt.strftime(_TIME_FORMAT)).row(0, named=True)
        for name, whole in Decoder(manifest).decode(block).items()
        if (frame := whole.filter(pl.col("sequence") == sequence)).height
    }
    head = rows.get("inputs") or rows["decisions"]
    # A fill is an account's report, too; its own table says more.
    named = [name for name in TABLES if name in rows and name != "inputs"]
    row = rows[named[-1]] if named else {}
    what = f"{head['strategy']} decides: {head['kind']}" if "what" not in head else _input(head)
    instrument = f" of {row['instrument']}" if row.get("instrument") else ""
    told = {name: value for name, value in row.items() if name not in _TOLD and value not in (None, False)}
    return f"{what}{instrument}: {_listed(told, ' ')}" if told else f"{what}{instrument}"


def _input(head: dict[str, Any]) -> str:
    match head["kind"]:
        case "market" | "account":
            return str(head["what"])
        case kind:
            return f"{kind.replace('_', ' ')} {head['what']}"


def _order(one: dict[str, Any]) -> OpenOrder:
    kept = {name: one[name] for name in ("strategy", "count", "side", "quantity", "filled", "price", "status")}
    return OpenOrder(number=one["order_id"], instrument=one["instrument"].name, **kept)


def _values(strategy: AnyStrategy) -> dict[str, str]:
    """Parameters, declared state, and what else was set; handles from ``ctx`` say nothing outside of a callback."""
    if not isinstance(strategy, Strategy):
        return {name: str(value) for name, value in strategy.parameters.items()}
    names: Iterable[str] = [*strategy.declared, *strategy.remembered, *memory.undeclared(strategy)]
    return {name: _cut(repr(getattr(strategy, name))) for name in names}


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _listed(values: dict[str, Any], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items()) or "nothing"
