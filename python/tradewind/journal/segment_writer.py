"""Writing the journal of a session: in segments, with snapshots of its state."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import msgspec

from tradewind import _core
from tradewind._core import CODEC_VERSION
from tradewind.errors import TradewindError, TradewindWarning
from tradewind.journal.archiving import Archive, start_archiving
from tradewind.journal.block import Joint, Snapshot, seal_ending, seal_joint, seal_manifest, seal_snapshot
from tradewind.journal.emptying import Emptying
from tradewind.journal.forelog import Forelog
from tradewind.journal.manifest import GOES_ON, Ending, Manifest
from tradewind.journal.segments import segment_path, segments
from tradewind.journal.storage import SqliteStorage, damaged, to_disk, writing
from tradewind.journal.succession import take_place
from tradewind.journal.writer import JournalWriter
from tradewind.times import DAY_NS

Durability = Literal["process", "power"]

SNAPSHOT_ENTRIES = 1_000_000
"""A snapshot is saved behind so many entries: a recovery need not read more."""

log = logging.getLogger(__name__)
_SLOW_SECONDS = 0.1


@dataclass(frozen=True)
class Keeping:
    """How the journal of a session is kept.

    Parameters
    ----------
    durability
        What an order's record survives before the order leaves: ``process``, or ``power`` for a power cut.
    segment_ns
        The time that a segment spans, in UTC.
    archive
        What becomes of old segments: ``keep``, ``parquet`` or ``drop``.
    keep_days
        How many days they stay as they are before.
    snapshot_entries
        How many entries a recovery reads at most.

    """

    durability: Durability = "process"
    segment_ns: int = DAY_NS
    archive: Archive = "keep"
    keep_days: int = 7
    snapshot_entries: int = SNAPSHOT_ENTRIES


@dataclass(frozen=True)
class Begun:
    """A segment that is written on.

    Parameters
    ----------
    storage
        Its file.
    number
        Its number, counted from one.
    begun_ns
        The time from which it holds entries.
    text
        The manifest as it is written.
    last
        The last entry that is there.
    checksum
        Of everything that is there.
    saved
        The entry behind which there is a snapshot.

    """

    storage: SqliteStorage
    number: int
    begun_ns: int
    text: bytes
    last: int
    checksum: bytes
    saved: int


class SegmentWriter(JournalWriter):
    """Writes the stream of a session. What was written survives the end of the process, however it ends.

    Parameters
    ----------
    folder
        The folder of the journal.
    current
        The segment that is written on.
    keeping
        How the journal is kept.

    """

    def __init__(self, folder: Path, current: Begun, keeping: Keeping) -> None:
        super().__init__(current.storage, current.text)
        self._folder, self._keeping, self._segment = folder, keeping, current.storage
        self._last, self._checksum = current.last, current.checksum
        self._number, self._saved = current.number, current.saved
        self._until_ns = (current.begun_ns // keeping.segment_ns + 1) * keeping.segment_ns
        self._is_synced = False
        self.slow_writes = 0
        """How many writes took over 100 ms."""
        self._forelog = self._new_forelog(current.storage.path)
        self._emptying = Emptying(current.storage.path)
        self._closing: list[threading.Thread] = []
        self._archiving = start_archiving(folder, keeping.archive, keeping.keep_days)

    @classmethod
    def begin(cls, folder: Path, manifest: Manifest, now_ns: int, keeping: Keeping | None = None) -> Self:
        """Begin the journal of a run. One that is there is kept beside it, or stays where this one cannot begin."""
        text = msgspec.json.encode(manifest)
        start = seal_manifest(text)
        take_place(folder, 1, now_ns, lambda storage: storage.put_manifest(text, start))
        return cls.resume(folder, 0, start, keeping)

    @classmethod
    def resume(cls, folder: Path, last: int, checksum: bytes, keeping: Keeping | None = None) -> Self:
        """Go on behind the last entry of a journal whose run was cut off."""
        current = segments(folder)[-1]
        kept = current.open()
        try:
            sealed, joint, saved = kept.manifest(), kept.joint(), kept.snapshots()
        finally:
            kept.close()
        if sealed is None or current.is_archived:
            raise damaged(str(current.path), "the segment that was written behind it is missing")
        begun_ns = int(current.begun.timestamp()) * 10**9
        number = 1 if joint is None else joint.number
        storage = SqliteStorage.resume(current.path)
        storage.absorb()
        begun = Begun(storage, number, begun_ns, sealed[0], last, checksum, saved[-1] if saved else 0)
        return cls(folder, begun, keeping or Keeping())

    def write(self, block: tuple[int, int, bytes] | None, *, leaves: bool = False) -> None:
        """Write the entries since the last call, if there are any.

        Parameters
        ----------
        block
            What the kernel's `take_journal` gave.
        leaves
            Whether an order leaves because of them: then they survive what they are to survive before this returns.
            Where that is the end of the process, they are put beside the file, and into it by the next call without.

        """
        if block is not None and leaves and self._forelog is not None:
            first, last, data = block
            if self._forelog.put(first, last, CODEC_VERSION, data):
                self._unwritten.append(block)
                return
        begun_at = time.perf_counter()
        if block is not None:
            self._is_synced = False
        written = sum(len(data) for _, _, data in self._unwritten) + (0 if block is None else len(block[2]))
        super().write(block)
        if self._forelog is not None:
            self._forelog.empty()
        if written:
            self._emptying.wrote(written)
        if leaves and self._keeping.durability == "power" and not self._is_synced:
            self._segment.sync()
            self._is_synced = True
        if time.perf_counter() - begun_at > _SLOW_SECONDS:
            self.slow_writes += 1
            log.warning("%s: a write took %.0f ms", self._segment.place, (time.perf_counter() - begun_at) * 1e3)

    def keep_up(self, kernel: _core.Session) -> None:
        """Save the state where it is time: at the end of a segment, and behind a number of entries.

        Everything that the kernel has recorded must be written. Where the state cannot be saved the journal is whole
        without it, and a recovery reads more.
        """
        now_ns = kernel.now_ns
        is_over = now_ns >= self._until_ns
        if (
            not (is_over or self._last - self._saved >= self._keeping.snapshot_entries)
            or self._unwritten
            or not self._last
        ):
            return
        try:
            version, lost, state = _core.__version__, *_state_of(kernel)
            if is_over:
                self._turn(version, lost, state, now_ns)
            else:
                checksum = seal_snapshot(self._checksum, self._last, version, lost, state)
                self._segment.put_snapshot(Snapshot(self._last, version, lost, state, checksum))
                self._forget_but_last()
        except TradewindError as error:
            log.warning("%s: there is no snapshot behind entry %s: %s", self._folder, f"{self._last:,}", error)
            if is_over:
                self._until_ns += self._keeping.segment_ns
        self._saved = self._last

    def _begin(self) -> None:
        """The segment has its manifest already."""

    def _settle(self) -> None:
        """An ending follows what lies beside the file; where that does not come into it, there is none."""
        if self._forelog is not None and not self._forelog.is_empty:
            self.write(None)

    def _new_forelog(self, segment: Path) -> Forelog | None:
        """Where orders need not wait for the file; a power cut would take what lies there."""
        if self._keeping.durability == "power":
            return None
        with writing(segment, "run_interrupted"):
            return Forelog(segment)

    def _turn(self, version: str, lost: str, state: bytes, now_ns: int) -> None:
        """Begin the next segment with the state, then end this one."""
        if self._keeping.durability == "power":
            # An order that leaves later waits for the next segment alone.
            self._segment.sync()
        joint = Joint(self._number + 1, self._last + 1, self._checksum)
        start = seal_joint(joint, self._text)
        path = segment_path(self._folder, joint.number, now_ns // self._keeping.segment_ns * self._keeping.segment_ns)
        checksum = seal_snapshot(start, self._last, version, lost, state)

        def put(storage: SqliteStorage) -> None:
            storage.put_joint(joint)
            storage.put_snapshot(Snapshot(self._last, version, lost, state, checksum))
            storage.put_manifest(self._text, start)

        # Before the segment is there: without space for both the run goes on in the old one.
        forelog = self._new_forelog(path)
        try:
            storage = SqliteStorage.begin(path, put)
        except BaseException:
            if forelog is not None:
                forelog.close()
            raise
        over, emptying = self._segment, self._emptying
        if self._forelog is not None:
            self._forelog.close()
        self._storage = self._segment = storage
        self._forelog = forelog
        self._emptying = Emptying(path)
        self._number, self._is_synced, before = joint.number, False, self._checksum
        self._checksum = start
        self._until_ns = (now_ns // self._keeping.segment_ns + 1) * self._keeping.segment_ns
        self._close_segment(over, emptying, before)

    def _close_segment(self, over: SqliteStorage, emptying: Emptying, checksum: bytes) -> None:
        """End the segment that is over; what waits for the disk is done beside the session."""
        text = msgspec.json.encode(Ending(finished=False, reason=GOES_ON, entries=self._last))

        begun = self._segment.path

        def close() -> None:
            emptying.close()
            try:
                over.put_ending(text, seal_ending(checksum, text))
                over.close()
                # What was begun without waiting for the disk.
                to_disk(begun)
            except (TradewindError, OSError) as error:
                log.warning("%s", error)
                over.close()

        self._closing = [thread for thread in self._closing if thread.is_alive()]
        self._closing.append(threading.Thread(target=close, name="journal segment"))
        self._closing[-1].start()
        # One that takes longer than a segment goes on: begun anew with each, it would never be done.
        if self._archiving is None or self._archiving.poll() is not None:
            self._archiving = start_archiving(self._folder, self._keeping.archive, self._keeping.keep_days)

    def _forget_but_last(self) -> None:
        """Keep the snapshot that a segment begins with, and the last two."""
        held = self._segment.snapshots()
        for sequence in held[1:-2]:
            self._segment.drop_snapshot(sequence)

    def _close(self) -> None:
        if self._forelog is not None:
            self._forelog.close()
        self._emptying.close()
        for thread in self._closing:
            thread.join()
        self._stop_archiving()
        super()._close()

    def _stop_archiving(self) -> None:
        """What is not done is done next time."""
        if self._archiving is not None:
            self._archiving.terminate()
            self._archiving.wait()
            self._archiving = None


def _state_of(kernel: _core.Session) -> tuple[str, bytes]:
    """What strategies keep that is not in the state, and the state."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state = kernel.save()
    lost = "; ".join(str(one.message) for one in caught if issubclass(one.category, TradewindWarning))
    return lost, state
