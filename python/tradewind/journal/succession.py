"""A journal that takes the place of another: that of the next run, or of one that goes on with changed code (D5)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tradewind import _core
from tradewind.journal.block import Joint, Snapshot, seal_joint, seal_snapshot
from tradewind.journal.manifest import Manifest
from tradewind.journal.reader import Journal
from tradewind.journal.segments import segment_path, segments
from tradewind.journal.storage import SqliteStorage, to_disk, writing


def aside(journal: Path) -> Path:
    """Where the journal of an earlier run is kept: beside the new one."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(journal.stat().st_mtime))
    kept = journal.with_name(f"{journal.name}-{stamp}")
    count = 1
    while kept.exists():
        count += 1
        kept = journal.with_name(f"{journal.name}-{stamp}-{count}")
    return kept


def succeed(journal: Path, before: Journal, kept: Path, manifest: Manifest, state: bytes, now_ns: int) -> bytes:
    """Begin the journal that follows a whole one, with a state; that one is kept elsewhere. Both happen or neither.

    Parameters
    ----------
    journal
        The folder of the journal.
    before
        The journal that is there, open to its end.
    kept
        Where that one is kept.
    manifest, state
        What the next one begins with.
    now_ns
        From when on it holds entries.

    Returns
    -------
    bytes
        The checksum of its beginning, in the chain of the one before.

    """
    text = msgspec.json.encode(manifest)
    joint = Joint(segments(journal)[-1].number + 1, before.last + 1, before.checksum)
    start = seal_joint(joint, text)
    version = _core.__version__
    snapshot = Snapshot(before.last, version, "", state, seal_snapshot(start, before.last, version, "", state))

    def put(storage: SqliteStorage) -> None:
        storage.put_joint(joint)
        storage.put_snapshot(snapshot)
        storage.put_manifest(text, start)

    take_place(journal, joint.number, now_ns, put, kept)
    return start


def take_place(
    journal: Path, number: int, now_ns: int, put: Callable[[SqliteStorage], None], kept: Path | None = None
) -> None:
    """Begin a journal where another may be, which is kept elsewhere. Both happen or neither, however the process ends.

    Parameters
    ----------
    journal
        The folder of the journal.
    number, now_ns, put
        The number of its first segment, from when on that holds entries, and what puts in what it begins with.
    kept
        Where the other one is kept; by default beside it.

    """
    pending = _pending(journal)
    with writing(journal, "run_interrupted"):
        shutil.rmtree(pending, ignore_errors=True)
        pending.mkdir(parents=True)
        path = segment_path(pending, number, now_ns)
        SqliteStorage.begin(path, put).close()
        to_disk(path)
        if journal.exists():
            journal.rename(kept or aside(journal))
        pending.rename(journal)
        to_disk(journal.parent)


def finish_succession(journal: Path) -> None:
    """Finish what a process has left half done that ended while one journal took the place of another."""
    pending = _pending(journal)
    if not pending.exists():
        return
    with writing(journal, "run_interrupted"):
        # A first journal may be half made; where there was one before, it went when the next one was whole.
        if journal.exists() or not segments(pending):
            shutil.rmtree(pending)
        else:
            pending.rename(journal)


def _pending(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.next")
