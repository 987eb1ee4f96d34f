"""Writing a journal while its run goes on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tradewind._core import CODEC_VERSION
from tradewind.journal.block import Block, seal_block, seal_ending, seal_manifest
from tradewind.journal.manifest import Ending, Manifest
from tradewind.journal.storage import SqliteStorage, Storage


class JournalWriter:
    """Writes the stream of a run. A run that leaves the ``with`` before `finish` is marked as unfinished.

    Parameters
    ----------
    place
        A file, the folder of a run, or a storage. A journal that is there already is replaced.
    manifest
        What decides the run.

    """

    def __init__(self, place: str | Path | Storage, manifest: Manifest) -> None:
        self._text = msgspec.json.encode(manifest)
        self._storage = SqliteStorage.create(place) if isinstance(place, str | Path) else place
        self._checksum = seal_manifest(self._text)
        self._last = 0
        self._is_ended = False

    @classmethod
    def resume(cls, place: str | Path, last: int, checksum: bytes) -> JournalWriter:
        """Go on behind the last block of a journal whose run was cut off."""
        writer = cls.__new__(cls)
        writer._storage = SqliteStorage.resume(place)
        writer._checksum = checksum
        writer._last = last
        writer._is_ended = False
        return writer

    def __enter__(self) -> Self:
        if self._last:
            return self
        self._storage.put_manifest(self._text, self._checksum)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not self._is_ended:
                reason = (
                    "it was stopped"
                    if kind is None or issubclass(kind, KeyboardInterrupt)
                    else f"{kind.__name__}: {error}"
                )
                self._end(Ending(finished=False, reason=reason, entries=self._last))
        finally:
            self._storage.close()

    def write(self, block: tuple[int, int, bytes] | None) -> None:
        """Write the entries since the last call, if there are any."""
        if block is None:
            return
        first, last, data = block
        self._checksum = seal_block(self._checksum, first, last, CODEC_VERSION, data)
        self._storage.put_block(Block(first, last, CODEC_VERSION, data, self._checksum))
        self._last = last

    def finish(self, outcome: dict[str, Any]) -> None:
        """Close the journal of a run that came to its end."""
        names = ("inputs", "rows", "orders", "fills", "decisions_hash", "state_hash", "day")
        self._end(Ending(finished=True, reason="", entries=self._last, **{name: outcome[name] for name in names}))

    def _end(self, ending: Ending) -> None:
        text = msgspec.json.encode(ending)
        self._storage.put_ending(text, seal_ending(self._checksum, text))
        self._is_ended = True
