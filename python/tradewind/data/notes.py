"""What a recorder noted beside its files: when it began, and where streams were interrupted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from tradewind.errors import DataError

NOTES_NAME = "recording.jsonl"
"""The file of the notes, beside the recorded ones."""

What = Literal["begin", "file", "anew", "disconnected", "stale", "gap", "resynced", "connected", "end"]


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the notes.

    Parameters
    ----------
    time_ns
        When it was noted, on the clock that stamps the frames: between those that came before and after.
    what
        ``begin``: a process begins to record, and knows of nothing before. ``file``: a file was begun. ``anew``: what
        comes next of a stream continues nothing, a book waits for its snapshot. ``gap``: rows are missing.
        ``disconnected``, ``stale``, ``connected``, ``resynced``: the state of a stream. ``end``: it ended in
        order; of a process that was killed there is none.
    symbol, stream
        Whose stream, such as ``BTCUSDT`` and ``trades``.
    reason
        Why.
    from_ns, to_ns
        The venue times between which rows are missing.
    path
        The name of a file.
    streams
        What is recorded.
    frames, bytes
        How much was recorded, before compression.
    version
        The version of Tradewind that records.

    """

    time_ns: int
    what: What
    symbol: str = ""
    stream: str = ""
    reason: str = ""
    from_ns: int = 0
    to_ns: int = 0
    path: str = ""
    streams: tuple[str, ...] = ()
    frames: int = 0
    bytes: int = 0
    version: str = ""


def notes_of(paths: Iterable[Path]) -> list[Note]:
    """The notes beside these files, where there are any."""
    files = dict.fromkeys(path.parent / NOTES_NAME for path in paths)
    return [note for file in files if file.is_file() for note in _read(file)]


def _read(file: Path) -> list[Note]:
    *lines, _cut = file.read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(Note)
    found = []
    for row, line in enumerate(lines, 1):
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            hint = "put back the file as it was recorded, or move it away: then nothing is known of interruptions"
            raise DataError("unreadable_file", f"{file} row {row}: {error}: {line[:60]!r}", hint) from error
    return found


class Breaks:
    """Where a stream was begun anew, met in the order of time.

    Parameters
    ----------
    notes
        All notes.
    symbol, stream
        Whose breaks.

    """

    def __init__(self, notes: Iterable[Note], symbol: str, stream: str) -> None:
        ours = [
            note.time_ns
            for note in notes
            if note.what == "begin" or (note.what == "anew" and (note.symbol, note.stream) == (symbol, stream))
        ]
        self._times = sorted(ours, reverse=True)

    def come_before(self, arrival_ns: int) -> bool:
        """Whether there was a break since the last frame that was asked about."""
        found = False
        while self._times and self._times[-1] < arrival_ns:
            self._times.pop()
            found = True
        return found
