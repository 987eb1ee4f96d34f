"""One writer at a time: two processes must not trade the same run."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tradewind.errors import exception

NAME = "lock"


class WriterLock:
    """Held while a run is written; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    folder
        The folder that the run is written to.

    Examples
    --------
    >>> import tempfile
    >>> from tradewind.errors import TradewindError
    >>> with tempfile.TemporaryDirectory() as folder, WriterLock(Path(folder)):
    ...     try:
    ...         WriterLock(Path(folder)).__enter__()
    ...     except TradewindError as error:
    ...         print(error.code, error.hint)
    bad_setting stop that one first, or give this run another name

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        try:
            self._file = os.open(self._folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            message = f"{self._folder} cannot be written: {error.strerror}"
            raise exception("bad_setting", message, "name a folder that can be written") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode(errors="replace") or "unknown"
            os.close(self._file)
            message = f"{self._folder} is already being run by process {holder}"
            raise exception("bad_setting", message, "stop that one first, or give this run another name") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)
