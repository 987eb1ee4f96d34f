"""The audit of a session: the blocks of its journal, handed on to whoever reads along."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias
from weakref import WeakSet

from tradewind._core import CODEC_VERSION
from tradewind.control.entries import TYPES, Entry, EntryDecoder
from tradewind.errors import exception
from tradewind.journal.block import Block
from tradewind.journal.manifest import Manifest

Item: TypeAlias = Block | bytes
"""A block of the stream, or a message that has its place between blocks."""

MOST_WAITING_BYTES = 32 * 2**20
"""What may wait for one reader."""

_KEPT_BYTES = 2**17
_MESSAGE_BYTES = 200


class Audit:
    """Hands on what the journal holds already, in its order.

    Nobody waits for a reader: what it has not taken is kept for it, up to a limit, beyond which it is dropped.

    Parameters
    ----------
    manifest
        That of the run.
    last
        The number of the last entry that is in the journal already.

    """

    def __init__(self, manifest: Manifest, last: int = 0) -> None:
        self.manifest = manifest
        self.last = last
        self.is_over = False
        self._readers: WeakSet[Reader] = WeakSet()
        self._newest: deque[Block] = deque()
        self._newest_bytes = 0

    def publish(self, taken: tuple[int, int, bytes] | None) -> None:
        """Hand on what was just written to the journal."""
        if taken is None:
            return
        first, self.last, data = taken
        block = Block(first, self.last, CODEC_VERSION, data, b"")
        self._keep(block)
        for reader in self._readers:
            reader.put(block, len(data))

    def close(self) -> None:
        """The session has ended: readers come to their end."""
        self.is_over = True
        for reader in self._readers:
            reader.end()

    def reader(self, most_bytes: int | None = None) -> Reader:
        """A reader of what comes from now on."""
        reader = Reader(MOST_WAITING_BYTES if most_bytes is None else most_bytes)
        self._readers.add(reader)
        if self.is_over:
            reader.end()
        return reader

    def events(self, tables: Sequence[str] = (), most_bytes: int | None = None) -> Events:
        """The entries that come from now on, as objects; only those of some tables where any are named."""
        if unknown := set(tables) - TYPES.keys():
            message = f"events: {', '.join(sorted(unknown))}: there is no such table"
            raise exception("bad_setting", message, f"there are {', '.join(TYPES)}")
        return Events(self.reader(most_bytes), EntryDecoder(self.manifest, tables))

    def newest(self) -> Sequence[Block]:
        """The blocks that were written last, as far as they are kept."""
        return tuple(self._newest)

    def _keep(self, block: Block) -> None:
        self._newest.append(block)
        self._newest_bytes += len(block.data)
        while self._newest_bytes > _KEPT_BYTES and len(self._newest) > 1:
            self._newest_bytes -= len(self._newest.popleft().data)


class Reader:
    """What waits for one reader of an audit.

    Parameters
    ----------
    most_bytes
        How much may wait.

    """

    def __init__(self, most_bytes: int) -> None:
        self.dropped = asyncio.Event()
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._is_over = False
        self._wake = asyncio.Event()

    def put(self, item: Item, size: int = _MESSAGE_BYTES) -> None:
        """Keep an item for the reader, or drop the reader."""
        if self.dropped.is_set():
            return
        self._waiting.append((item, size))
        self._bytes += size
        if self._bytes > self._most_bytes:
            self._waiting.clear()
            self.dropped.set()
        self._wake.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._is_over = True
        self._wake.set()

    async def next(self) -> Item | None:
        """The next item; None at the end. A reader that was dropped gets an error."""
        while not self._waiting:
            if self.dropped.is_set():
                raise exception(
                    "slow_reader",
                    f"over {self._most_bytes:,} bytes of the audit waited to be read; nothing more is kept",
                    "read faster, name fewer tables, or read the journal",
                )
            if self._is_over:
                return None
            self._wake.clear()
            await self._wake.wait()
        item, size = self._waiting.popleft()
        self._bytes -= size
        return item


class Events(AsyncIterator[Entry]):
    """Entries of the audit, one after another; made by `Audit.events`."""

    def __init__(self, reader: Reader, decoder: EntryDecoder) -> None:
        self._reader = reader
        self._decoder = decoder
        self._ready: deque[Entry] = deque()

    async def __anext__(self) -> Entry:
        while not self._ready:
            item = await self._reader.next()
            if item is None:
                raise StopAsyncIteration
            if isinstance(item, Block):
                self._ready.extend(self._decoder.decode(item))
        return self._ready.popleft()
