"""A journal that begins behind another: the run goes on with changed code (D5)."""

from __future__ import annotations

import shutil
import time
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

    pending = _pending(journal)
    with writing(journal, "run_interrupted"):
        shutil.rmtree(pending, ignore_errors=True)
        pending.mkdir()
        path = segment_path(pending, joint.number, now_ns)
        SqliteStorage.begin(path, put).close()
        to_disk(path)
        journal.rename(kept)
        pending.rename(journal)
        to_disk(journal.parent)
    return start


def finish_succession(journal: Path) -> None:
    """Finish what a process has left half done that ended while one journal took the place of another."""
    pending = _pending(journal)
    if not pending.exists():
        return
    with writing(journal, "run_interrupted"):
        if journal.exists():
            shutil.rmtree(pending)
        else:
            pending.rename(journal)


def _pending(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.next")
