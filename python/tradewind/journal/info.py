"""What a journal is, at a glance."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from tradewind.journal.manifest import Manifest
from tradewind.journal.reader import Journal
from tradewind.journal.segments import journal_folder, segments
from tradewind.journal.storage import Storage
from tradewind.journal.tables import Decoder
from tradewind.journal.values import from_json
from tradewind.table import counted
from tradewind.times import from_ns

_COLUMNS = {"inputs": ["time", "kind", "what"], "decisions": ["kind"]}


class Info(msgspec.Struct, frozen=True):
    """What a journal is: whose run, of when, how much, and how it ended."""

    journal: str
    mode: str
    """``backtest``, ``paper`` or ``live``."""
    version: str
    """The version of Tradewind that wrote it."""
    python: str
    first_ns: int | None
    last_ns: int | None
    """The times of its first and last input, by arrival; none where there is none."""
    entries: int
    first_entry: int
    """Not 1 where older segments were dropped."""
    blocks: int
    segments: int
    size_bytes: int
    """Of the entries as they are stored; the database around them adds a little."""
    inputs: dict[str, int]
    """How many inputs there are, by what they are."""
    decisions: dict[str, int]
    strategies: dict[str, str]
    """Each strategy's code and parameters, by its name."""
    streams: dict[str, list[str]]
    """The streams that strategies could name, by instrument."""
    finished: bool
    reason: str
    """Why the run did not come to its end; empty for one that did, and for one that goes on."""
    process: int | None = None
    """The process in which the run goes on; none where it does not."""
    accepted: list[str] = []
    """The changes with which the run went on, and where what lies before them is."""

    @property
    def first(self) -> datetime | None:
        """When the first input arrived, to the microsecond."""
        return None if self.first_ns is None else from_ns(self.first_ns)

    @property
    def last(self) -> datetime | None:
        """When the last input arrived, to the microsecond."""
        return None if self.last_ns is None else from_ns(self.last_ns)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        written = f"Tradewind {self.version}, {self.python}"
        older = "" if self.accepted else " (older ones were dropped)"
        kept = f", from {self.first_entry:,} on{older}" if self.first_entry > 1 else ""
        parts = f"{counted(self.blocks, 'block')} of {counted(self.segments, 'segment')}"
        counts = f"{self.entries:,}{kept}, in {parts}, {self.size_bytes / 1e6:,.2f} MB"
        lines = [
            ("journal", self.journal),
            ("run", f"{self.mode}, by {written}"),
            ("time", self._span()),
            ("entries", counts),
            ("inputs", _counted(self.inputs)),
            ("decisions", _counted(self.decisions)),
            *(("strategy", f"{name}: {text}") for name, text in self.strategies.items()),
            *(("streams", f"{name}: {', '.join(kinds)}") for name, kinds in self.streams.items()),
            *(("changes", text) for text in self.accepted),
            ("ending", self._ending()),
        ]
        return "\n".join(f"{label:<11}{text}" for label, text in lines)

    def _ending(self) -> str:
        if self.finished:
            return "finished"
        return f"unfinished: {self.reason}" if self.process is None else f"running (process {self.process})"

    def _span(self) -> str:
        if self.first is None or self.last is None:
            return "nothing has happened"
        lasted = self.last - self.first
        return f"{self.first:%Y-%m-%d %H:%M:%S.%f} to {self.last:%Y-%m-%d %H:%M:%S.%f} UTC ({lasted})"


def info(journal: str | Path | Storage) -> Info:
    """Say what a journal is, after reading all of it.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run.

    Examples
    --------
    >>> import tempfile, tradewind as tw
    >>> folder = tempfile.TemporaryDirectory()
    >>> result = tw.backtest(
    ...     tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05),
    ...     data={"synthetic:BTCUSDT": tw.synthetic(events=1_000)},
    ...     balances={"USDT": 100_000},
    ...     journal=folder.name,
    ... )
    >>> found = info(folder.name)
    >>> found.mode, sum(found.inputs.values()) == result.metrics["inputs"], found.finished
    ('backtest', True, True)
    >>> folder.cleanup()

    """
    with Journal(journal) as opened:
        manifest, ending = opened.manifest, opened.ending
        is_running = opened.process is not None and not ending.finished
        decoder = Decoder(manifest, _COLUMNS)
        inputs, decisions = Counter[str](), Counter[str]()
        times: list[int] = []
        size = 0
        for block in opened.batches():
            size += len(block.data)
            tables = decoder.decode(block)
            _count(inputs, tables["inputs"].select(pl.format("{} {}", "kind", "what")))
            _count(decisions, tables["decisions"].select("kind"))
            at = tables["inputs"]["time"].to_physical()
            times += [at[0], at[-1]] if len(at) else []
        return Info(
            journal=opened.place,
            mode=str(manifest.settings.get("mode", "backtest")),
            version=manifest.tradewind,
            python=f"{manifest.environment.python} on {manifest.environment.platform}",
            first_ns=times[0] if times else None,
            last_ns=times[-1] if times else None,
            entries=opened.last - opened.first + 1,
            first_entry=opened.first,
            blocks=opened.block_count,
            segments=_segments(journal),
            size_bytes=size,
            inputs=_ordered(inputs),
            decisions=_ordered(decisions),
            strategies=_strategies(manifest),
            streams=_streams(manifest),
            finished=ending.finished,
            reason="" if is_running else ending.reason,
            process=opened.process if is_running else None,
            accepted=[str(one) for one in manifest.accepted],
        )


def _segments(journal: str | Path | Storage) -> int:
    folder = journal_folder(Path(journal)) if isinstance(journal, str | Path) else None
    return 1 if folder is None else len(segments(folder))


def _count(counter: Counter[str], words: pl.DataFrame) -> None:
    for word, count in words.to_series().value_counts().rows():
        counter[word] += count


def _ordered(counter: Counter[str]) -> dict[str, int]:
    """The most frequent first, the rest by name."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _counted(counts: dict[str, int]) -> str:
    each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"{sum(counts.values()):,}{f' ({each})' if each else ''}"


def _strategies(manifest: Manifest) -> dict[str, str]:
    found = {}
    for one in manifest.code.strategies:
        code = one.native or (one.origin.qualname if one.origin is not None else "?")
        stated = ", ".join(f"{name}={from_json(value)!r}" for name, value in one.parameters.items())
        found[one.name] = f"{code}({stated})"
    return found


def _streams(manifest: Manifest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for instrument, kind in manifest.streams:
        found.setdefault(instrument, []).append(kind)
    return found
