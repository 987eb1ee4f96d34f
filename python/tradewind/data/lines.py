"""The lines of a raw recording, whose end may have been cut off."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tradewind.data.source import unreadable

_BUFFER = 1 << 16
_GZIP = 31
"""What tells zlib that its input is gzip."""


def blocks_of(path: Path, lines: int, on_cut: Callable[[int], None]) -> Iterator[list[bytes]]:
    """The lines of a file, some at a time, without what ends them.

    Whoever was recording may have been killed: where the file ends within a line, or gzip within what it compressed,
    everything before is given out, and the number of bytes that are left is told.
    """
    pieces = _unpacked(path) if path.suffix == ".gz" else _plain(path)
    held: list[bytes] = []
    rest = b""
    is_cut = False
    try:
        for piece in pieces:
            if piece is None:
                is_cut = True
                break
            *found, rest = (rest + piece).split(b"\n")
            held += found
            for at in range(0, len(held) - lines + 1, lines):
                yield held[at : at + lines]
            held = held[len(held) // lines * lines :]
    except (OSError, zlib.error) as error:
        raise unreadable(str(path), error) from error
    if is_cut or (rest and not _is_whole(rest)):
        on_cut(len(rest))
    elif rest:
        held.append(rest)
    if held:
        yield held


def _plain(path: Path) -> Iterator[bytes | None]:
    with path.open("rb") as file:
        while data := file.read(_BUFFER):
            yield data


def _unpacked(path: Path) -> Iterator[bytes | None]:
    """What was compressed, member after member; None where the last member has no end."""
    reader = None
    with path.open("rb") as file:
        while data := file.read(_BUFFER):
            while data:
                if reader is None:
                    # Space behind the last member is filled with zeros on some media, as gzip has it.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    reader = zlib.decompressobj(_GZIP)
                yield reader.decompress(data)
                data = reader.unused_data
                if reader.eof:
                    reader = None
    if reader is not None:
        yield None


def _is_whole(line: bytes) -> bool:
    """Whether a line that nothing ends is a frame all the same."""
    _, _, frame = line.partition(b" ")
    try:
        msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return False
    return True
