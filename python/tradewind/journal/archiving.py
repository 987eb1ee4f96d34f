"""Old segments are archived or dropped: a process of its own, so that a session does not wait for it."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from itertools import chain, pairwise, zip_longest
from pathlib import Path
from typing import Literal

from tradewind.errors import TradewindError
from tradewind.journal.archive import ArchivedSegment, write_archive
from tradewind.journal.reader import snapshot_behind
from tradewind.journal.segments import Segment, segments
from tradewind.journal.storage import UNDONE, Kept, damaged, remove

Archive = Literal["keep", "parquet", "drop"]

log = logging.getLogger(__name__)


def archive(folder: Path, what: Archive, keep_days: int) -> list[Path]:
    """Archive or drop the segments that ended so many days before the last one began; gives what became of them.

    The last segment and the one before it stay as they are. Dropped is only what comes before a segment whose
    snapshot can be used, so that the run can go on from there.

    Parameters
    ----------
    folder
        The folder of the journal.
    what
        What becomes of old segments.
    keep_days
        How many days they stay as they are.

    """
    for undone in folder.glob(f"*[0-9]{UNDONE}"):
        shutil.rmtree(undone)
    held = segments(folder)
    done = []
    for old, next_one in pairwise(held[:-1]):
        if what == "keep" or held[-1].begun - next_one.begun < timedelta(days=keep_days):
            break
        if what == "drop":
            if not _can_begin(next_one):
                log.warning("%s is kept: the segment behind it cannot be gone on from without it", old.path)
                break
            _remove(old.path)
            done.append(old.path)
        elif not old.is_archived:
            done.append(_archived(old))
    return done


def start_archiving(folder: Path, what: Archive, keep_days: int) -> subprocess.Popen[bytes] | None:
    """Start to archive in another process, of a low priority, if there is anything to be done."""
    if what == "keep" or len(segments(folder)) < 3:
        return None
    command = [sys.executable, "-m", "tradewind.journal.archiving", str(folder), what, str(keep_days)]
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    except OSError as error:
        log.warning("%s: old segments stay as they are: %s", folder, error)
        return None


def _can_begin(segment: Segment) -> bool:
    """Whether a segment holds the whole state that it begins with."""
    storage = segment.open()
    try:
        joint = storage.joint()
        found = None if joint is None else snapshot_behind(storage, joint.first - 1)
        return found is not None and not found.lost
    except TradewindError:
        return False
    finally:
        storage.close()


def _archived(old: Segment) -> Path:
    made = old.path.with_suffix(".parquet")
    part = made.with_suffix(UNDONE)
    storage = old.open()
    try:
        write_archive(storage, part)
        _compare(storage, ArchivedSegment(part))
    finally:
        storage.close()
    if made.exists():
        # Made before by a process that ended before it had removed the file.
        shutil.rmtree(made)
    part.rename(made)
    _remove(old.path)
    return made


def _compare(one: Kept, other: Kept) -> None:
    """See that nothing was lost on the way."""
    ends = (one.joint(), one.manifest(), one.ending()), (other.joint(), other.manifest(), other.ending())
    rows = (chain.from_iterable(kept.rows()) for kept in (one, other))
    if ends[0] != ends[1] or any(mine != its for mine, its in zip_longest(*rows)):
        raise damaged(other.place, f"it does not read as {one.place}, from which it was made")


def _remove(path: Path) -> None:
    if path.is_dir():
        # Renamed first: half of an archive must not be taken for one.
        gone = path.with_suffix(UNDONE)
        path.rename(gone)
        shutil.rmtree(gone)
    else:
        remove(path)


def main(folder: str, what: Archive, keep_days: str) -> None:
    """Archive, beside a session that trades; one process at a time."""
    os.nice(10)
    held = os.open(folder, os.O_RDONLY)
    with suppress(BlockingIOError):
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        archive(Path(folder), what, int(keep_days))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
