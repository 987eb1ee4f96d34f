"""Reading a journal; nothing is believed that its checksums do not confirm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tradewind.journal.block import Block, seal_block, seal_ending, seal_manifest
from tradewind.journal.manifest import Ending, Manifest, decode_ending, decode_manifest
from tradewind.journal.storage import SqliteStorage, Storage, damaged

_UNENDED = Ending(finished=False, reason="the process that wrote it ended, or its end was cut off", entries=0)


class Journal:
    """A recorded run.

    Opening reads the manifest and checks every block; a journal that was altered, cut or put together from parts
    is an error that names the place.

    Parameters
    ----------
    place
        A file, the folder of a run, or a storage.

    """

    def __init__(self, place: str | Path | Storage) -> None:
        self._storage = SqliteStorage.open(place) if isinstance(place, str | Path) else place
        try:
            self.manifest: Manifest = self._manifest()
            self.ending: Ending = self._ending(*self._check())
        except BaseException:
            self._storage.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._storage.close()

    @property
    def place(self) -> str:
        """Its name for messages."""
        return self._storage.place

    def blocks(self) -> Iterator[Block]:
        """All blocks, in their order, each checked before it is given out."""
        last, checksum = 0, self._start
        for count, block in enumerate(self._storage.blocks(), 1):
            self._place(count, block, last)
            checksum = seal_block(checksum, block.first, block.last, block.codec, block.data)
            if checksum != block.checksum:
                raise damaged(
                    self.place, f"block {count} (entries {block.first:,} to {block.last:,}) is not as it was written"
                )
            yield block
            last = block.last

    def _place(self, count: int, block: Block, last: int) -> None:
        if block.first > last + 1:
            raise damaged(self.place, f"entries {last + 1:,} to {block.first - 1:,} are missing before block {count}")
        if block.first <= last or block.last < block.first:
            raise damaged(
                self.place, f"block {count} (entries {block.first:,} to {block.last:,}) does not follow entry {last:,}"
            )
        if block.codec != self.manifest.codec:
            raise damaged(self.place, f"block {count} has the codec {block.codec}, its journal {self.manifest.codec}")

    def _manifest(self) -> Manifest:
        sealed = self._storage.manifest()
        if sealed is None:
            raise damaged(self.place, "it has no manifest")
        text, checksum = sealed
        self._start = seal_manifest(text)
        if checksum != self._start:
            raise damaged(self.place, "its manifest is not as it was written")
        return decode_manifest(self.place, text)

    def _check(self) -> tuple[int, bytes]:
        last, checksum = 0, self._start
        for block in self.blocks():
            last, checksum = block.last, block.checksum
        return last, checksum

    def _ending(self, last: int, checksum: bytes) -> Ending:
        sealed = self._storage.ending()
        if sealed is None:
            return _UNENDED
        text, stated = sealed
        if stated == seal_ending(checksum, text):
            return decode_ending(self.place, text)
        ending = decode_ending(self.place, text)
        if ending.entries > last:
            raise damaged(self.place, f"entries {last + 1:,} to {ending.entries:,} are missing at its end")
        raise damaged(self.place, "its ending is not as it was written")
