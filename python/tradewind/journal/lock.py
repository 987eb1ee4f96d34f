"""A run goes on in one process at a time, and others can tell in which."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tradewind.errors import exception
from tradewind.journal.segments import FOLDER_NAME, journal_folder

_FILE_NAME = "run.lock"
_GLANCE_SECONDS = 0.1
"""Whoever only looks lets the lock go at once."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; the system lets it go when the process ends, however it does.

    Two processes would send the same client ids, and each would take the other's orders for its own.
    """
    file = os.open(folder / _FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not (_is_taken(file) or _is_taken(file, after_seconds=_GLANCE_SECONDS)):
            message = f"{folder}: the run goes on in another process ({_holder(file) or '?'})"
            raise exception("duplicate_name", message, "end that one first, or give this run another name")
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def running_process(place: str | Path) -> int | None:
    """The process in which the run of a journal goes on; none where it does not.

    The lock tells and not the file, which outlives a process that was killed.

    Parameters
    ----------
    place
        The journal, or the folder of its run.

    """
    folder = journal_folder(Path(place))
    if folder is None or folder.name != FOLDER_NAME:
        return None  # a single file, or a journal that was set aside, which nobody writes
    # Whose file it is who looks may not know; then it is not known whether the run goes on.
    with suppress(FileNotFoundError, PermissionError):
        file = os.open(folder.parent / _FILE_NAME, os.O_RDONLY)
        try:
            return None if _is_taken(file, fcntl.LOCK_SH) else _holder(file)
        finally:
            os.close(file)
    return None


def _is_taken(file: int, kind: int = fcntl.LOCK_EX, *, after_seconds: float = 0.0) -> bool:
    """Take the lock, where nobody else has it."""
    time.sleep(after_seconds)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> int | None:
    """The process that holds the lock; none while it is about to say so."""
    written = os.pread(file, 20, 0).strip()
    return int(written) if written.isdigit() else None
