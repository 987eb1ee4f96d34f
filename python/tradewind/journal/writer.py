"""Writing a journal while its run goes on."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tradewind._core import CODEC_VERSION
from tradewind.errors import TradewindError
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
        What decides the run, or the same as it was written.

    """

    def __init__(self, place: str | Path | Storage, manifest: Manifest | bytes) -> None:
        self._text = manifest if isinstance(manifest, bytes) else msgspec.json.encode(manifest)
        self._storage = SqliteStorage.create(place) if isinstance(place, str | Path) else place
        self._checksum = seal_manifest(self._text)
        self._last = 0
        self._unwritten: list[tuple[int, int, bytes]] = []
        self._is_ended = False

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not self._is_ended:
                # Where this cannot be written either, the first error says why; the run counts as cut off.
                with nullcontext() if error is None else suppress(TradewindError):
                    self._settle()
                    self._end(Ending(finished=False, reason=_reason(kind, error), entries=self._last))
        finally:
            self._close()

    def write(self, block: tuple[int, int, bytes] | None) -> None:
        """Write the entries since the last call, if there are any. What cannot be written now comes next time."""
        if block is not None:
            self._unwritten.append(block)
        if not self._unwritten:
            return
        # One by one: replicas ask for what is behind a block that they were told of.
        sealed, last, checksum = [], self._last, self._checksum
        for first, last, data in self._unwritten:
            checksum = seal_block(checksum, first, last, CODEC_VERSION, data)
            sealed.append(Block(first, last, CODEC_VERSION, data, checksum))
        self._storage.put_blocks(sealed)
        self._unwritten.clear()
        self._last, self._checksum = last, checksum

    def finish(self, outcome: dict[str, Any]) -> None:
        """Close the journal of a run that came to its end."""
        self.write(None)
        names = ("inputs", "rows", "orders", "fills", "decisions_hash", "state_hash", "day")
        self._end(Ending(finished=True, reason="", entries=self._last, **{name: outcome[name] for name in names}))

    def _begin(self) -> None:
        self._storage.put_manifest(self._text, self._checksum)

    def _settle(self) -> None:
        """Nothing lies elsewhere that the ending has to follow."""

    def _end(self, ending: Ending) -> None:
        text = msgspec.json.encode(ending)
        self._storage.put_ending(text, seal_ending(self._checksum, text))
        self._is_ended = True

    def _close(self) -> None:
        self._storage.close()


def _reason(kind: type[BaseException] | None, error: BaseException | None) -> str:
    if kind is None or issubclass(kind, KeyboardInterrupt):
        return "it was stopped"
    return f"{kind.__name__}: {error}"
