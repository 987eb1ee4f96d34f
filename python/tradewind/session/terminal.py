"""The terminal, or the pipe, that a session tells what goes on, and that may be gone before the session is over."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any, cast

_GONE = (errno.EIO, errno.EPIPE)


class _Outlived:
    """A stream on which writing does not fail because nobody is there any more to read."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            _give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            _give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def outlived_outputs() -> Iterator[None]:
    """Let what is printed, by a strategy, too, not fail by a terminal that was closed or a pipe that nobody reads."""
    with redirect_stdout(_outlived(sys.stdout)), redirect_stderr(_outlived(sys.stderr)):
        try:
            yield
        finally:
            # What is said of the end, and what the interpreter writes at its own, must not fail either.
            _give_up_dead_outputs()


def _give_up_dead_outputs() -> None:
    """Let what is written to nobody go nowhere from now on."""
    poll = select.poll()
    for stream in (sys.__stdout__, sys.__stderr__):
        # Where a process was started without one, its number may be that of a socket.
        if stream is not None and not stream.closed:
            poll.register(stream, 0)
    for output, events in poll.poll(0):
        if events & (select.POLLERR | select.POLLHUP):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, output)
            os.close(nowhere)


def _outlived(stream: IO[str] | None) -> IO[str]:
    return cast("IO[str]", stream if stream is None else _Outlived(stream))


def _give_up(error: OSError) -> None:
    if error.errno not in _GONE:
        raise error
    _give_up_dead_outputs()
