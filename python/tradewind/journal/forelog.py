"""What a session writes before its orders leave, until it is in the SQLite file: a small file that is mapped to memory.

Putting a block there is a copy of some hundred bytes, without a call to the system; a transaction costs some tens of
microseconds, which no order should wait for. What was copied survives the end of the process, however it ends.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from zlib import crc32

from tradewind.journal.block import Block, seal_block

BYTES = 2**17
"""How much has room."""

_WORD = 2**32 - 1
_HEAD = Struct("<QQIII")
"""First and last entry, codec, size, and the checksum of the data, begun with the last entry."""


def forelog_path(segment: Path) -> Path:
    """Where a segment's file is.

    Examples
    --------
    >>> forelog_path(Path("000001-2026-01-01T000000.sqlite")).name
    '000001-2026-01-01T000000.sqlite-forelog'

    """
    return segment.with_name(f"{segment.name}-forelog")


class Forelog:
    """The file, while it is written.

    Parameters
    ----------
    segment
        The SQLite file that its blocks are for.

    """

    def __init__(self, segment: Path) -> None:
        self._path = forelog_path(segment)
        with self._path.open("w+b") as file:
            # Written whole now, so that a full disk shows here and never later.
            file.write(bytes(BYTES))
            file.flush()
            self._map = mmap.mmap(file.fileno(), BYTES)
        self._end = 0

    def put(self, first: int, last: int, codec: int, data: bytes) -> bool:
        """Keep a block, for good; tells whether there was room."""
        begin, size = self._end + _HEAD.size, len(data)
        if begin + size > BYTES:
            return False
        self._map[begin : begin + size] = data
        _HEAD.pack_into(self._map, self._end, first, last, codec, size, crc32(data, last & _WORD))
        self._end = begin + size
        return True

    @property
    def is_empty(self) -> bool:
        """Whether everything is in the SQLite file."""
        return self._end == 0

    def empty(self) -> None:
        """Everything is in the SQLite file; what lies here is known by its numbers as older than that."""
        self._end = 0

    def close(self) -> None:
        """Let go of it; it goes, unless the SQLite file has not all of it."""
        self._map.close()
        if self.is_empty:
            self._path.unlink(missing_ok=True)


def forelog_blocks(segment: Path, last: int, checksum: bytes) -> Iterator[Block]:
    """The blocks that a segment's SQLite file does not hold yet.

    A block that was not copied whole ends them: the order that it was to record has not left.

    Parameters
    ----------
    segment
        The SQLite file.
    last, checksum
        The last entry that it holds, and the checksum of everything up to it.

    """
    for first, through, codec, data in _kept(forelog_path(segment)):
        if through <= last:
            continue
        if first != last + 1:
            return
        last, checksum = through, seal_block(checksum, first, through, codec, data)
        yield Block(first, through, codec, data, checksum)


def _kept(path: Path) -> Iterator[tuple[int, int, int, bytes]]:
    try:
        kept, at = path.read_bytes(), 0
    except FileNotFoundError:
        # All of it is in the file, perhaps since a moment ago.
        return
    while at + _HEAD.size <= len(kept):
        first, last, codec, size, sealed = _HEAD.unpack_from(kept, at)
        data = kept[at + _HEAD.size : at + _HEAD.size + size]
        if not size or crc32(data, last & _WORD) != sealed:
            return
        yield first, last, codec, data
        at += _HEAD.size + size
