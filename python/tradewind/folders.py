"""Folders that are written to."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tradewind.errors import exception


def made(folder: Path, what: str) -> Path:
    """Make a folder, where it is not there, before anything is done whose result would have no place.

    Parameters
    ----------
    folder
        Which.
    what
        What is kept there, or who names it: the error begins with it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made(Path(folder) / "runs" / "mine", "--out").is_dir()
    True

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    except OSError as error:
        is_file = folder.exists() and not folder.is_dir()
        why = "there is a file of this name" if is_file else error.strerror
        message = f"{what} = {folder}: the folder cannot be written to: {why}"
        raise exception("bad_setting", message, "name another folder") from error
    return folder
