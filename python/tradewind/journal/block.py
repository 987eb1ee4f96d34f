"""Blocks of the stream, and the chain of checksums that holds them together."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Block:
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


def link(before: bytes, kind: bytes, numbers: tuple[int, ...], data: bytes) -> bytes:
    """The checksum of a piece, given the checksum of what comes before it.

    Examples
    --------
    >>> link(b"", b"manifest", (), b"{}") == link(b"", b"manifest", (), b"{ }")
    False

    """
    digest = blake2b(before, digest_size=_DIGEST_BYTES)
    digest.update(f"|{kind.decode()}|{'|'.join(map(str, numbers))}|{len(data)}|".encode())
    digest.update(data)
    return digest.digest()


def seal_manifest(text: bytes) -> bytes:
    """The checksum of the manifest, where the chain begins."""
    return link(b"tradewind journal", b"manifest", (), text)


def seal_block(before: bytes, first: int, last: int, codec: int, data: bytes) -> bytes:
    """The checksum of a block."""
    return link(before, b"block", (first, last, codec), data)


def seal_ending(before: bytes, text: bytes) -> bytes:
    """The checksum of the ending, which closes the chain."""
    return link(before, b"ending", (), text)
