"""Replay in fresh processes under several seeds of text hashes (D2)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tradewind.journal.reader import Journal
from tradewind.journal.report import ReplayReport, VerifiedRun, VerifyReport

HASH_SEEDS = (0, 1, 20_240_808)
"""The seeds of text hashes that runs are verified under, besides the recorded one."""


def verify(journal: str | Path, *, hash_seeds: Sequence[int] = HASH_SEEDS) -> VerifyReport:
    """Replay a recorded run in fresh processes, each under another seed of text hashes.

    What depends on a clock, on chance of its own, or on the order of a set, is found so.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run.
    hash_seeds
        Values of ``PYTHONHASHSEED``; the recorded one is added.

    """
    with Journal(journal, checked=False) as recorded:
        place = recorded.place
        own = recorded.manifest.environment.hash_seed
    seeds = list(dict.fromkeys([*([] if own is None else [own]), *hash_seeds]))
    with ThreadPoolExecutor(min(len(seeds), os.cpu_count() or 1)) as pool:
        runs = tuple(pool.map(lambda seed: _run(place, seed), seeds))
    if any(run.report is None for run in runs):
        # Every replay has read all of it: where one failed because of damage, that is an error of its own.
        Journal(journal).close()
    return VerifyReport(place, runs)


def _run(journal: str, hash_seed: int) -> VerifiedRun:
    done = subprocess.run(
        [sys.executable, "-m", "tradewind.journal.worker", journal],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        return VerifiedRun(hash_seed, None, done.stderr.strip() or f"the process ended with {done.returncode}")
    return VerifiedRun(hash_seed, msgspec.json.decode(done.stdout, type=ReplayReport))
