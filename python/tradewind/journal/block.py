"""Blocks of the stream, and the chain of checksums that holds them together."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from tradewind._core import CHECKSUM_BYTES, checksum

OLD_CHECKSUM_BYTES = 16
"""How long checksums were in the forms 1 and 2 of journals, which BLAKE2b made."""

_BEGINNING = b"tradewind journal"


Row = tuple[int, int, int, bytes, bytes]
"""What a storage holds of a block, of which nothing is believed yet: the fields of `Block`."""


class Span(NamedTuple):
    """Blocks that lie one behind another, put together where they are kept; nothing of them is believed yet.

    Parameters
    ----------
    firsts
        The sum of the numbers of their first entries.
    lasts, lengths
        The number of the last entry of each, and how many bytes it has, with commas between them.
    data
        The entries of all.
    checksums
        Those of all, one behind another.

    """

    firsts: int
    lasts: bytes
    lengths: bytes
    data: bytes
    checksums: bytes

    @property
    def last(self) -> int:
        """The number of the last entry."""
        return int(self.lasts.rpartition(b",")[2])

    @property
    def block_count(self) -> int:
        """How many blocks there are."""
        return self.lasts.count(b",") + 1


class Block(NamedTuple):
    """Entries of the stream, one after another in the codec.

    Parameters
    ----------
    first, last
        The numbers of its first and last entry, counted from one.
    codec
        The version of the codec.
    data
        The entries.
    checksum
        Of this block and, through the chain, of everything before it.

    """

    first: int
    last: int
    codec: int
    data: bytes
    checksum: bytes


@dataclass(frozen=True)
class Joint:
    """How a segment follows the one before it; the first one has none.

    Parameters
    ----------
    number
        Its number, counted from one.
    first
        The number of its first entry.
    before
        The checksum of everything before it.

    """

    number: int
    first: int
    before: bytes


@dataclass(frozen=True)
class Snapshot:
    """The state behind an entry, to go on from without the entries before it.

    Parameters
    ----------
    sequence
        The entry.
    version
        The version of Tradewind that saved it; another one does not read it.
    lost
        What a strategy keeps that is not in it; empty where all is.
    state
        The state.
    checksum
        Of this snapshot and of everything before it.

    """

    sequence: int
    version: str
    lost: str
    state: bytes
    checksum: bytes


def link(before: bytes, kind: str, numbers: tuple[int, ...], data: bytes) -> bytes:
    """The checksum of a piece, given the checksum of what comes before it; a chain goes on as it began.

    Examples
    --------
    >>> link(bytes(32), "ending", (), b"{}") == link(bytes(32), "ending", (), b"{ }")
    False

    """
    return _link(before, kind, numbers, data, len(before))


def seal_manifest(text: bytes, checksum_bytes: int = CHECKSUM_BYTES) -> bytes:
    """The checksum of the manifest, where the chain begins."""
    return _link(_BEGINNING, "manifest", (), text, checksum_bytes)


def seal_joint(joint: Joint, text: bytes) -> bytes:
    """The checksum of a segment's beginning: what it follows, and the manifest of its run."""
    return link(joint.before, "segment", (joint.number, joint.first), text)


def seal_snapshot(before: bytes, sequence: int, version: str, lost: str, state: bytes) -> bytes:
    """The checksum of a snapshot, given that of the journal up to its entry."""
    return link(before, "snapshot", (sequence,), f"{version}|{lost}|".encode() + state)


def seal_block(before: bytes, first: int, last: int, codec: int, data: bytes) -> bytes:
    """The checksum of a block."""
    return link(before, "block", (first, last, codec), data)


def seal_ending(before: bytes, text: bytes) -> bytes:
    """The checksum of an ending, which closes a run or a segment of it."""
    return link(before, "ending", (), text)


def _link(before: bytes, kind: str, numbers: tuple[int, ...], data: bytes, checksum_bytes: int) -> bytes:
    if checksum_bytes != OLD_CHECKSUM_BYTES:
        return checksum(before, kind, numbers, data)
    name = f"|{kind}|{'|'.join(map(str, numbers))}|{len(data)}|".encode()
    return blake2b(before + name + data, digest_size=OLD_CHECKSUM_BYTES).digest()
