"""The chain of checksums that holds a journal together, while it is followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter

from tradewind._core import CHECKSUM_BYTES, blocks_that_follow, span_follows
from tradewind.journal.ahead import ahead
from tradewind.journal.block import OLD_CHECKSUM_BYTES, Block, Row, seal_block, seal_ending, seal_joint
from tradewind.journal.manifest import Ending, decode_ending
from tradewind.journal.storage import Kept, damaged

_UNENDED = Ending(finished=False, reason="the process that wrote it ended, or its end was cut off", entries=0)


@dataclass
class Chain:
    """The chain, up to where it was followed.

    Parameters
    ----------
    text
        The manifest of the run.
    codec
        The version of the codec of its entries.
    last, checksum
        The last entry, and the checksum of everything up to it.

    """

    text: bytes
    codec: int
    last: int
    checksum: bytes
    ending: Ending = _UNENDED
    block_count: int = 0
    """How many blocks were met."""
    is_inside: bool = True
    """Whether what comes next is in the segment in which it began."""
    _behind: int = 0
    _before: int = 0
    """How many blocks were met before this segment."""

    def batches(self, storage: Kept, size: int) -> Iterator[Block]:
        """The blocks of the next segment, checked, put together to larger ones of so many bytes; then its ending.

        The next are read while some are checked.
        """
        self._begin(storage)
        with closing(ahead(storage.spans(self._behind, self.codec, size))) as spans:
            for span in spans:
                # What is wrong with which block is found where they are read one by one.
                if not span_follows(*span, self.last, self.codec, self.checksum):
                    break
                first, self.last, self.checksum = self.last + 1, span.last, span.checksums[-CHECKSUM_BYTES:]
                self._behind = self.last
                self.block_count += span.block_count
                yield Block(first, self.last, self.codec, span.data, self.checksum)
        yield from map(joined, self._rest(storage, size))

    def blocks(self, storage: Kept, size: int) -> Iterator[Block]:
        """The blocks of the next segment, checked; of so many bytes are read at once."""
        self._begin(storage)
        for rows in self._rest(storage, size):
            yield from map(Block._make, rows)

    def _begin(self, storage: Kept) -> None:
        self._behind = self.last if self.is_inside else 0
        self._before = self.block_count
        if not self.is_inside:
            self._enter(storage)
        self.is_inside = False

    def _rest(self, storage: Kept, size: int) -> Iterator[Sequence[Row]]:
        """The blocks that were not met yet, some at a time; then the ending."""
        for rows in ahead(storage.rows(self._behind, size)):
            count = following(rows, self.last, self.codec, self.checksum)
            if count:
                self.last, self.checksum = rows[count - 1][1], rows[count - 1][4]
                self.block_count += count
                yield rows[:count]
            if count < len(rows):
                number = self.block_count - self._before + 1
                raise damaged(storage.place, problem(rows[count], number, self.last, self.codec, self.checksum))
        self.ending = self._end(storage)

    def _enter(self, storage: Kept) -> None:
        joint, sealed = storage.joint(), storage.manifest()
        if joint is None or sealed is None or sealed != (self.text, seal_joint(joint, self.text)):
            raise damaged(storage.place, "it does not begin as a segment of its run does")
        if (joint.first, joint.before) != (self.last + 1, self.checksum):
            raise damaged(
                storage.place,
                f"it begins with entry {joint.first:,} and does not follow the segment before it, which ends with"
                f" entry {self.last:,}",
            )
        self.checksum = sealed[1]

    def _end(self, storage: Kept) -> Ending:
        sealed = storage.ending()
        if sealed is None:
            return _UNENDED
        text, stated = sealed
        ending = decode_ending(storage.place, text)
        if stated != seal_ending(self.checksum, text):
            if ending.entries > self.last:
                missing = f"entries {self.last + 1:,} to {ending.entries:,} are missing at its end"
                raise damaged(storage.place, missing)
            raise damaged(storage.place, "its ending is not as it was written")
        return ending


def following(rows: Sequence[Row], last: int, codec: int, checksum: bytes) -> int:
    """How many blocks, from the first on, follow an entry and are as they were written.

    Parameters
    ----------
    rows
        The blocks, one behind another.
    last, checksum
        The entry, and the checksum of everything up to it.
    codec
        The version of the codec of all entries.

    """
    if len(checksum) != OLD_CHECKSUM_BYTES:
        return blocks_that_follow(rows, last, codec, checksum)
    for count, row in enumerate(rows):
        if problem(row, count, last, codec, checksum):
            return count
        last, checksum = row[1], row[4]
    return len(rows)


def problem(row: Row, number: int, last: int, codec: int, checksum: bytes) -> str:
    """What is wrong with a block, by its number, that should follow an entry; empty where nothing is."""
    if tuple(map(type, row)) != (int, int, int, bytes, bytes):
        return "a row holds values of the wrong type"
    block = Block(*row)
    named = f"block {number} (entries {block.first:,} to {block.last:,})"
    if block.first > last + 1:
        return f"entries {last + 1:,} to {block.first - 1:,} are missing before block {number}"
    if block.first <= last or block.last < block.first:
        return f"{named} does not follow entry {last:,}"
    if block.codec != codec:
        return f"block {number} has the codec {block.codec}, its journal {codec}"
    if block.checksum != seal_block(checksum, block.first, block.last, block.codec, block.data):
        return f"{named} is not as it was written"
    return ""


def joined(rows: Sequence[Row]) -> Block:
    """One block of those that follow each other.

    Examples
    --------
    >>> joined([Block(1, 2, 1, b"..", b"a"), Block(3, 3, 1, b".", b"b")])
    Block(first=1, last=3, codec=1, data=b'...', checksum=b'b')

    """
    first, last = rows[0], rows[-1]
    return Block(first[0], last[1], last[2], b"".join(map(itemgetter(3), rows)), last[4])
