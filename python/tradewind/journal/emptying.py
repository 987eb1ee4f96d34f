"""The log of a SQLite file is emptied beside its writer, so that the writer does not wait for the disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

log = logging.getLogger(__name__)
BYTES = 4 * 2**20
MOST_PAGES = 64 * 2**20 // 4096


class Emptying:
    """A thread that moves what was written from the log into the file, some megabytes at a time.

    Parameters
    ----------
    path
        The SQLite file; its writer has left the log to this thread.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0
        self._is_over = False
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal log", daemon=True)
        self._thread.start()

    def wrote(self, count: int) -> None:
        """So many bytes were written."""
        self._bytes += count
        if self._bytes > BYTES:
            self._bytes = 0
            self._due.set()

    def close(self) -> None:
        """Wait until it has ended."""
        self._is_over = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        # It waits for nobody: a reader that takes its time must not hold up the writer through it.
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            while self._due.wait() and not self._is_over:
                self._due.clear()
                try:
                    # Passive: it never keeps the writer waiting. One that never rests would let the log grow for ever.
                    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if pages > MOST_PAGES:
                        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                except sqlite3.Error as error:
                    log.warning("%s: what was written stays in its log: %s", self._path, error)
        finally:
            connection.close()
