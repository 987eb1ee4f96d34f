"""What goes over the WebSocket of the audit: blocks as bytes, hashes as text."""

from __future__ import annotations

import struct

import msgspec

from tradewind.errors import exception
from tradewind.journal.block import Block

_HEAD = struct.Struct("<QQI")


class Agreement(msgspec.Struct, frozen=True):
    """What an engine is that has taken the stream up to an entry."""

    sequence: int
    state_hash: str
    decisions_hash: str


def frame_of(block: Block) -> bytes:
    """A block as bytes: the numbers of its first and last entry, its codec, its entries; little-endian.

    Examples
    --------
    >>> block_of(frame_of(Block(3, 4, 1, b"..", b""))).first
    3

    """
    return _HEAD.pack(block.first, block.last, block.codec) + block.data


def block_of(frame: bytes) -> Block:
    """The block of a frame."""
    if len(frame) < _HEAD.size:
        raise exception("bad_journal", f"a frame of the audit has {len(frame)} bytes", "is this a session's address?")
    first, last, codec = _HEAD.unpack_from(frame)
    return Block(first, last, codec, frame[_HEAD.size :], b"")
