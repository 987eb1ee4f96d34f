"""A run that was cut off goes on with changed code: its state is that of the recorded decisions (D5)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import polars as pl

from tradewind import _core, memory
from tradewind.backtest import AnyStrategy
from tradewind.errors import TradewindWarning
from tradewind.journal import Journal
from tradewind.journal.code import Rebuilt, rebuilt
from tradewind.journal.kernel import feed_all, kernel_of
from tradewind.journal.manifest import Accepted, Manifest
from tradewind.journal.reader import last_entry
from tradewind.journal.succession import aside, succeed
from tradewind.journal.tables import Decoder
from tradewind.session.resuming import resumed
from tradewind.strategy import Strategy


def accept(
    kernel: _core.Session,
    journal: Path,
    now: Manifest,
    changes: Sequence[str],
    strategies: Sequence[AnyStrategy],
    now_ns: int,
) -> tuple[Manifest, int, bytes, tuple[str, ...]]:
    """Rebuild a run from its recorded decisions, and begin the journal of what follows with other code.

    Parameters
    ----------
    kernel
        The kernel with the changed code, which goes on from there once it is started.
    journal
        The folder of the journal.
    now
        What decides the run from now on.
    changes
        What was changed.
    strategies
        The changed strategies.
    now_ns
        The time.

    Returns
    -------
    tuple
        The manifest of the journal that has begun, the last entry before it, the checksum of what is there, and what a
        person should know, line by line.

    """
    with Journal(journal, after=last_entry(journal)) as tip:
        then = tip.manifest
        remembered, why = _remembered(journal, then)
        declared, told = _inherited(strategies, remembered)
        state, gone = _rebuilt(journal, then, strategies, declared)
        kernel.restore(state)
        kept = aside(journal)
        accepted = Accepted(tip.last, now_ns, list(changes), kept.name)
        manifest = msgspec.structs.replace(
            then,
            tradewind=now.tradewind,
            codec=now.codec,
            state_hash=now.state_hash,
            limits=now.limits,
            system_limits=now.system_limits,
            code=now.code,
            environment=now.environment,
            settings={**then.settings, "reached": now.settings["reached"]},
            accepted=[*then.accepted, accepted],
        )
        checksum = succeed(journal, tip, kept, manifest, state, now_ns)
        return manifest, tip.last, checksum, (str(accepted), *([why] if why else []), *told, *gone)


def _rebuilt(
    journal: Path, then: Manifest, strategies: Sequence[AnyStrategy], declared: dict[str, bytes]
) -> tuple[bytes, list[str]]:
    """The state behind the journal, by the recorded decisions alone, and the timers that are gone; no code is run."""
    silent = Rebuilt([(one.name, one) for one in strategies], [], (), changed=True)
    kernel = kernel_of(then, silent, keep="metrics", journal=True)
    kernel.follow_recorded()
    with resumed(kernel, journal, needs_strategies=False) as kept:
        # Nobody's code names streams at the start.
        kernel.set_streams(_received(kept))
        for block in kept.batches():
            kernel.rebuild(block.data)
    gone = list(_timers_gone(kernel.strategy_timers()))
    return kernel.hand_over(declared), gone


def _timers_gone(timers: Sequence[tuple[str, int]]) -> Iterator[str]:
    for name in dict.fromkeys(name for name, _ in timers):
        numbers = ", ".join(str(number) for owner, number in timers if owner == name)
        yield f"{name} waited for timers that are gone (number {numbers}): its on_start sets what it needs"


def _received(kept: Journal) -> list[tuple[int, str]]:
    """The streams that a run received, as it was told of each whether it is fresh; simulated venues fill from them."""
    decoder = Decoder(kept.manifest, {"status": ["instrument", "stream"]})
    found: dict[tuple[str, str], None] = {}
    for block in kept.batches():
        rows = decoder.decode(block)["status"].filter(pl.col("stream").is_not_null()).unique(maintain_order=True)
        found |= dict.fromkeys(rows.rows())
    return kept.manifest.placed(found)


def _remembered(journal: Path, then: Manifest) -> tuple[dict[str, bytes], str]:
    """What the recorded code had declared as its state in the end, by strategy, and what is to be said of it.

    The recorded code is run once more. It is no news if it fails, as it may have failed then: what it declared up to
    there is what there is.
    """
    try:
        with rebuilt(then.code, None, None, as_recorded=True) as code, warnings.catch_warnings():
            warnings.simplefilter("ignore", TradewindWarning)
            kernel = kernel_of(then, code)
            why = _run_again(kernel, journal)
            return kernel.declared(), why
    except Exception as error:
        return {}, f"what the strategies remembered is lost: the recorded code cannot be run: {error}"


def _run_again(kernel: _core.Session, journal: Path) -> str:
    """Feed the recorded code what it was fed; gives where it did otherwise."""
    try:
        with resumed(kernel, journal) as kept:
            found = feed_all(kernel, kept.batches())
    except Exception as error:
        return f"the recorded code ends with {type(error).__name__}: {error}; what it remembered then is taken over"
    if found is None:
        return ""
    return (
        f"the recorded code decides otherwise after input {found['sequence']:,} ({found['actual'] or 'nothing'} in the"
        f" place of {found['expected'] or 'nothing'}); the recorded decisions count, and what it remembered there is"
        " taken over"
    )


def _inherited(strategies: Sequence[AnyStrategy], remembered: dict[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """What each strategy takes over, and that in words."""
    declared, told = {}, []
    for one in strategies:
        saved = remembered.get(one.name, b"")
        if not saved or not isinstance(one, Strategy):
            told.append(f"{one.name} remembers nothing of before")
            continue
        declared[one.name], names = memory.inherited(one, saved)
        told.append(f"{one.name} {'; '.join(_in_words(one, names, list(json.loads(saved)['state'])))}")
    return declared, told


def _in_words(strategy: Strategy, names: list[str], before: list[str]) -> Iterator[str]:
    yield f"takes over {', '.join(names)}" if names else "takes over no declared state"
    if new := [name for name in strategy.remembered if name not in names]:
        yield f"begins with {', '.join(new)} as declared"
    if gone := [name for name in before if name not in names]:
        yield f"has no {', '.join(gone)} any more"
