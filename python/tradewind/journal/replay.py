"""Replay in this process: the journal fed to engine and strategies, every decision compared (D3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tradewind import _core
from tradewind.journal.block import Snapshot
from tradewind.journal.code import AnyStrategy, Rebuilt, rebuilt
from tradewind.journal.kernel import engine_of, feed, kernel_of
from tradewind.journal.manifest import Manifest, need_state_hash
from tradewind.journal.reader import Journal
from tradewind.journal.report import Divergence, ReplayReport
from tradewind.journal.storage import Storage
from tradewind.journal.tables import Decoder


def replay(
    journal: str | Path | Storage,
    strategies: Sequence[AnyStrategy] | None = None,
    checks: Sequence[Callable[..., Any]] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> ReplayReport:
    """Run a recorded run again from its journal alone, and compare every request and the final hashes.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run.
    strategies
        Strategies in the place of the recorded ones. Where none are given, they are made again from the files that
        they came from, as these are now; where a file is gone, from its recorded source.
    checks
        Risk checks in the place of the recorded ones.
    progress
        Called with the number of entries that were compared so far.

    Returns
    -------
    ReplayReport
        The verdict, and the first divergence if there is one.

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
    >>> replay(folder.name).identical
    True
    >>> folder.cleanup()

    """
    started = time.perf_counter()
    with Journal(journal, checked=False) as recorded, rebuilt(recorded.manifest.code, strategies, checks) as code:
        manifest = recorded.manifest
        need_state_hash(recorded.place, manifest)
        kernel = _kernel(manifest, code, recorded.snapshot)
        divergence, failure = _compare(kernel, recorded, progress)
        return _report(kernel, recorded, code, divergence, failure, time.perf_counter() - started)


def _kernel(manifest: Manifest, code: Rebuilt, snapshot: Snapshot | None) -> _core.Replay | _core.Session:
    if snapshot is None:
        return engine_of(manifest, code)
    # The first segments were dropped. Only the kernel of a session goes on from a snapshot.
    kernel = kernel_of(manifest, code)
    kernel.restore(snapshot.state)
    return kernel


def _compare(
    kernel: _core.Replay | _core.Session, recorded: Journal, progress: Callable[[int], None] | None
) -> tuple[Divergence | None, str]:
    """The first decision that differs, and what the recorded code fails by, as it did then."""
    blocks = recorded.batches()
    try:
        found = feed(kernel, blocks, progress)
    except Exception as error:
        if recorded.ending.finished or kernel.inputs != _inputs(recorded):
            raise
        return None, f"{type(error).__name__}: {error}".partition("\n")[0]
    # Behind a divergence the rest is still read: where it is damaged, that is what there is to say.
    for block in blocks:
        if progress is not None:
            progress(block.last)
    if found is None and recorded.ending.finished:
        found = kernel.recovered()
    return None if found is None else Divergence(**found), ""


def _inputs(recorded: Journal) -> int:
    """How many inputs were recorded: a run that fails takes no more."""
    decoder = Decoder(recorded.manifest, {"inputs": ["sequence"]})
    return sum(decoder.decode(block)["inputs"].height for block in recorded.batches())


def _report(
    kernel: _core.Replay | _core.Session,
    recorded: Journal,
    code: Rebuilt,
    divergence: Divergence | None,
    failure: str,
    seconds: float,
) -> ReplayReport:
    ending = recorded.ending
    state_hash, decisions_hash = kernel.hashes
    notes = [*map(str, recorded.manifest.accepted), *code.notes]
    problem = ""
    if divergence is not None:
        verdict, problem = "diverged", f"first divergence {divergence}"
    elif failure:
        verdict = "unfinished"
        problem = f"the recorded run failed, and fails again, at its last event: {failure}; all before it agrees"
    elif not ending.finished and recorded.process is not None:
        verdict, problem = "running", f"the run goes on (process {recorded.process}); what there is of it so far agrees"
    elif not ending.finished:
        verdict, problem = (
            "unfinished",
            f"the recorded run did not come to its end ({ending.reason}); what there is of it agrees",
        )
    elif decisions_hash != ending.decisions_hash or kernel.inputs != ending.inputs:
        verdict, problem = "diverged", "every request agrees, but the fills do not"
    elif state_hash != ending.state_hash and not code.changed:
        verdict, problem = "diverged", "every request agrees, but the final state does not"
    else:
        verdict = "identical"
        if state_hash != ending.state_hash:
            notes.append("every order agrees; the final state differs, as the changed code keeps other things")
    return ReplayReport(
        journal=recorded.place,
        verdict=verdict,
        inputs=kernel.inputs,
        decisions=kernel.decisions,
        seconds=seconds,
        divergence=divergence,
        problem=problem,
        notes=tuple(notes),
        expected_state_hash=ending.state_hash,
        actual_state_hash=state_hash,
        expected_decisions_hash=ending.decisions_hash,
        actual_decisions_hash=decisions_hash,
    )
