"""Reading a journal; nothing is believed that its checksums do not confirm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

from tradewind.errors import TradewindError, exception
from tradewind.journal.ahead import ahead
from tradewind.journal.block import Block, Snapshot, seal_joint, seal_manifest, seal_snapshot
from tradewind.journal.chain import Chain
from tradewind.journal.lock import running_process
from tradewind.journal.manifest import GOES_ON, Ending, Manifest, decode_manifest
from tradewind.journal.segments import Segment, journal_folder, newest_first, opened, segments
from tradewind.journal.storage import Kept, damaged

log = logging.getLogger(__name__)
_BATCH_BYTES = 2**20
_CHECKED_BYTES = 2**16
"""How much is checked at once where blocks are given out one by one."""
_Reading = Callable[[Chain, Kept, int], Iterator[Block]]


class Journal:
    """A recorded run, in one file or in segments.

    Opening reads the manifest and checks every block; a journal that was altered, cut or put together from parts
    is an error that names the place.

    Parameters
    ----------
    place
        A file, the folder of a run, or a storage.
    after
        Read and check only what lies behind this entry, with which a block must end.
    whole
        Whether all must be as it was written. Otherwise what lies before the damage is read, and `ending` says what
        is wrong.
    checked
        Whether every block is checked now. Otherwise each is when it is given out, and `ending`, `last`, `checksum` and
        `block_count` are known once all of them were: who reads a journal once needs not read it twice.

    """

    def __init__(self, place: str | Path | Kept, *, after: int = 0, whole: bool = True, checked: bool = True) -> None:
        self._is_whole = whole
        self._reading: WeakSet[Generator[Block]] = WeakSet()
        self.place: str
        """Its name for messages."""
        # Before it is read: a run that ends meanwhile is finished then.
        self.process: int | None = running_process(place) if isinstance(place, str | Path) else None
        """The process in which the run goes on; none where it does not."""
        if isinstance(place, str | Path):
            self._storages, self.place, self._problem = opened(place, after=after, whole=whole)
        else:
            self._storages, self.place, self._problem = [place], place.place, None
        try:
            self.manifest: Manifest = self._manifest()
            self._begins = self._beginning(after)
            self._take(self._chain())
            if checked:
                self.check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of its files, which nobody reads any more: not even ahead, for who has failed."""
        for reading in self._reading:
            reading.close()
        for storage in self._storages:
            storage.close()

    @property
    def first(self) -> int:
        """The number of the first entry that is read: not 1 where older segments were dropped."""
        return self._begins[0] + 1

    @property
    def snapshot(self) -> Snapshot | None:
        """The state before the first entry that is read; none where it is the beginning of the run."""
        sequence = self._begins[0]
        if sequence == 0:
            return None
        found = snapshot_behind(self._storages[0], sequence)
        if found is None:
            raise damaged(self._storages[0].place, f"there is no snapshot behind entry {sequence:,}, where it begins")
        return found

    @property
    def stated_last(self) -> int:
        """The number of its last entry as its last segment says, before anything was checked."""
        return _last_of(self._storages[-1])

    def need_beginning(self) -> None:
        """Refuse a journal whose first segments were dropped, where a snapshot does not serve."""
        if self.first > 1 and self.manifest.accepted:
            message = f"{self.place}: the run does not begin here: {self.manifest.accepted[-1]}"
            raise exception("bad_journal", message, "the beginning is needed for this; name the journal that has it")
        if self.first > 1:
            message = f"{self.place}: entries 1 to {self.first - 1:,} were dropped, and are needed for this"
            raise exception("bad_journal", message, 'keep old segments: archive = "parquet"')

    def blocks(self) -> Iterator[Block]:
        """All blocks, in their order, each checked before it is given out."""
        return self._kept(self._read(Chain.blocks, _CHECKED_BYTES))

    def batches(self, size: int = _BATCH_BYTES) -> Iterator[Block]:
        """All entries in larger blocks, of about so many bytes, quicker to work on than those of a session.

        Threads of their own read and check the next while one is worked on.

        Examples
        --------
        >>> import tempfile, tradewind as tw
        >>> folder = tempfile.TemporaryDirectory()
        >>> result = tw.backtest(
        ...     tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05),
        ...     data={"synthetic:BTCUSDT": tw.synthetic(events=1_000)},
        ...     balances={"USDT": 100_000},
        ...     journal=folder.name,
        ... )
        >>> with Journal(folder.name) as journal:
        ...     sum(batch.last - batch.first + 1 for batch in journal.batches()) == journal.last
        True
        >>> folder.cleanup()

        """
        return self._kept(ahead(self._read(Chain.batches, size)))

    def _kept(self, reading: Generator[Block]) -> Iterator[Block]:
        self._reading.add(reading)
        return reading

    def check(self) -> None:
        """Check every block."""
        for _ in self._read(Chain.batches, _BATCH_BYTES):
            pass

    def _read(self, how: _Reading, size: int) -> Generator[Block]:
        chain = self._chain()
        yield from self._through(chain, how, size)
        self._take(chain)

    def _take(self, chain: Chain) -> None:
        self.ending: Ending = chain.ending
        self.block_count: int = chain.block_count
        """How many blocks it has."""
        self.last: int = chain.last
        """The number of its last entry."""
        self.checksum: bytes = chain.checksum
        """The checksum of everything up to there."""

    def _chain(self) -> Chain:
        return Chain(self._text, self.manifest.codec, *self._begins)

    def _through(self, chain: Chain, how: _Reading, size: int) -> Iterator[Block]:
        try:
            for storage in self._storages:
                yield from how(chain, storage, size)
            if self._problem is not None:
                raise self._problem
            if chain.ending.reason == GOES_ON and not self._goes_on():
                raise damaged(self._storages[-1].place, "the segment that follows it is missing")
        except TradewindError as error:
            if not self._is_whole:
                chain.ending = Ending(finished=False, reason=error.message, entries=chain.last)
                return
            if chain.last < self.first:
                raise
            readable = f"entries {self.first:,} to {chain.last:,} can be read with Journal(..., whole=False)"
            raise exception(error.code, error.message, f"{error.hint}; {readable}") from error

    def _goes_on(self) -> bool:
        """Whether there is a segment behind the last one, of a session that has begun it meanwhile."""
        folder = journal_folder(Path(self.place))
        return folder is None or str(segments(folder)[-1].path) != self._storages[-1].place

    def _beginning(self, after: int) -> tuple[int, bytes]:
        """The entry behind which is read, and the checksum of everything up to it."""
        joint = self._storages[0].joint()
        first = 1 if joint is None else joint.first
        if after < first:
            return first - 1, self._start
        checksum = self._storages[0].checksum_at(after)
        if checksum is None:
            raise damaged(self._storages[0].place, f"no block ends with entry {after:,}")
        return after, checksum

    def _manifest(self) -> Manifest:
        sealed = self._storages[0].manifest()
        if sealed is None:
            raise damaged(self._storages[0].place, "it has no manifest")
        self._text, self._start = sealed
        joint = self._storages[0].joint()
        start = seal_manifest(self._text, len(self._start)) if joint is None else seal_joint(joint, self._text)
        if start != self._start:
            raise damaged(self._storages[0].place, "its manifest is not as it was written")
        return decode_manifest(self.place, sealed[0])


def last_entry(place: Path) -> int:
    """The number of the last entry of a session's journal; 0 where there is none. Nothing is checked."""
    for storage in newest_first(place):
        return _last_of(storage)
    return 0


def need_one_end(place: Path) -> None:
    """Refuse a session's journal whose last segment begins before the end of the one before it.

    Its session wrote on there, and going on behind the last would forget that. What cannot be read does not matter: a
    recovery does not need it.
    """
    held = segments(journal_folder(place) or place)
    if len(held) < 2:
        return
    last, before = held[-1], held[-2]
    try:
        _, ends = _ends_of(before)
    except TradewindError as error:
        log.warning("%s; the segment behind it is gone on with all the same", error.message)
        return
    first, through = _ends_of(last)
    if first <= ends:
        message = f"{last.path}: it begins with entry {first:,}, and {before.path.name} goes on to {ends:,}"
        hint = "it holds no entries: move it out of the folder, and start again"
        if through >= first:
            hint = "what it holds knows nothing of those entries; move the journal aside, and begin a new run"
        raise exception("bad_journal", message, hint)


def _ends_of(segment: Segment) -> tuple[int, int]:
    """The first entry of a segment and the last, which is the one before where it holds none."""
    storage = segment.open()
    try:
        joint = storage.joint()
        return 1 if joint is None else joint.first, _last_of(storage)
    finally:
        storage.close()


def _last_of(storage: Kept) -> int:
    joint = storage.joint()
    return storage.last() or (0 if joint is None else joint.first - 1)


def snapshots(place: Path) -> Iterator[Snapshot]:
    """The snapshots of a session's journal that are as they were written, the newest first."""
    for storage in newest_first(place):
        for sequence in reversed(storage.snapshots()):
            try:
                found = snapshot_behind(storage, sequence)
            except TradewindError as error:
                log.warning("%s; the one before it is looked for", error.message)
                continue
            if found is not None:
                yield found


def snapshot_behind(storage: Kept, sequence: int) -> Snapshot | None:
    """The snapshot behind an entry of a segment; one that is not as it was written is an error."""
    one = storage.snapshot(sequence)
    if one is None:
        return None
    joint, sealed = storage.joint(), storage.manifest()
    before = storage.checksum_at(sequence)
    if joint is not None and sealed is not None and joint.first == sequence + 1:
        before = sealed[1]
    if before is None or one.checksum != seal_snapshot(before, sequence, one.version, one.lost, one.state):
        raise damaged(storage.place, f"its snapshot behind entry {sequence:,} is not as it was written")
    return one
