"""Where a journal is kept: a small interface, in SQLite or in memory."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tradewind.data.source import existing
from tradewind.errors import TradewindError, exception
from tradewind.journal.block import Block, Joint, Row, Snapshot, Span
from tradewind.journal.forelog import forelog_blocks, forelog_path

FORMAT = 3
"""The version of the journal's form: its tables and its chain of checksums.

Form 1 had no joints and snapshots; 1 and 2 had other checksums, which the chain tells by their length.
"""

UNDONE = ".part"
"""What the name of something ends with that is being made."""

FILE_NAME = "journal.sqlite"
"""What a journal is called in the folder of its run."""

_APPLICATION = 0x74776A31
_SCHEMA = """
CREATE TABLE manifest (text TEXT NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE block (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, codec INTEGER NOT NULL, data BLOB NOT NULL, checksum BLOB NOT NULL
);
CREATE TABLE ending (text TEXT NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE joint (number INTEGER NOT NULL, first INTEGER NOT NULL, before BLOB NOT NULL);
CREATE TABLE snapshot (
    sequence INTEGER PRIMARY KEY, version BLOB NOT NULL, lost BLOB NOT NULL, state BLOB NOT NULL, checksum BLOB NOT NULL
);
"""

# Aggregates take rows as they come, which is in their order here; whoever reads checks it.
_SPAN = """
SELECT max(first), sum(first), group_concat(last), group_concat(length(data)), CAST(group_concat(data, '') AS BLOB),
    CAST(group_concat(checksum, '') AS BLOB)
FROM (SELECT first, last, data, checksum FROM block WHERE first > ? AND codec = ? ORDER BY first LIMIT ?)
"""
_FIRST_SPAN, _SMALLEST_SPAN, _LARGEST_SPAN = 1, 16, 4_096
"""How many blocks a span has at first, when nothing is known of their size, at least and at most: large blocks are
quicker one by one."""

GROUP_BYTES = 2**20
"""How many bytes of blocks are given out at once."""

Sealed = tuple[bytes, bytes]
"""A text and its checksum."""


class Kept(Protocol):
    """A journal, or a segment of one, as it is read; it does not judge what it holds."""

    @property
    def place(self) -> str:
        """Its name for messages."""

    def manifest(self) -> Sealed | None:
        """The manifest, if there is one."""

    def joint(self) -> Joint | None:
        """What it follows, where it is not the first segment."""

    def snapshots(self) -> list[int]:
        """The entries behind which there is a snapshot, in their order."""

    def snapshot(self, sequence: int) -> Snapshot | None:
        """The snapshot behind an entry."""

    def rows(self, after: int = 0, size: int = GROUP_BYTES) -> Iterator[Sequence[Row]]:
        """The blocks behind an entry, in their order, some at a time, as `grouped` makes of them."""

    def spans(self, after: int, codec: int, size: int) -> Iterator[Span]:
        """The same, of about so many bytes, put together; none where it cannot do that, or not any further.

        That is quicker than block by block, and leaves Python to others meanwhile.
        """

    def last(self) -> int:
        """The last entry; 0 where there is none."""

    def checksum_at(self, sequence: int) -> bytes | None:
        """The checksum of the block that ends with an entry, if there is one."""

    def ending(self) -> Sealed | None:
        """The ending, if there is one."""

    def close(self) -> None:
        """Let go of it."""


class Storage(Kept, Protocol):
    """What a journal needs of the place that it is written to."""

    def put_manifest(self, text: bytes, checksum: bytes) -> None:
        """Keep the manifest; nothing is there without it."""

    def put_blocks(self, blocks: Sequence[Block]) -> None:
        """Keep more blocks, for good: all of them, or none."""

    def put_ending(self, text: bytes, checksum: bytes) -> None:
        """Keep the ending; comes last."""


@dataclass
class MemoryStorage:
    """A journal in memory.

    Examples
    --------
    >>> storage = MemoryStorage()
    >>> storage.put_block(Block(1, 2, 1, b"..", b""))
    >>> [len(some) for some in storage.rows()]
    [1]

    """

    place: str = "the journal in memory"
    kept_manifest: Sealed | None = None
    kept_blocks: list[Block] = field(default_factory=list)
    kept_ending: Sealed | None = None

    def put_manifest(self, text: bytes, checksum: bytes) -> None:
        """Keep the manifest."""
        self.kept_manifest = (text, checksum)

    def put_blocks(self, blocks: Sequence[Block]) -> None:
        """Keep more blocks."""
        for block in blocks:
            self.put_block(block)

    def put_block(self, block: Block) -> None:
        """Keep one more block."""
        self.kept_blocks.append(block)

    def put_ending(self, text: bytes, checksum: bytes) -> None:
        """Keep the ending."""
        self.kept_ending = (text, checksum)

    def manifest(self) -> Sealed | None:
        """The manifest."""
        return self.kept_manifest

    def joint(self) -> None:
        """It is whole."""

    def snapshots(self) -> list[int]:
        """None are kept."""
        return []

    def snapshot(self, sequence: int) -> None:
        """None is kept."""

    def rows(self, after: int = 0, size: int = GROUP_BYTES) -> Iterator[Sequence[Row]]:
        """The blocks behind an entry."""
        return grouped((block for block in self.kept_blocks if block.first > after), size)

    def spans(self, after: int, codec: int, size: int) -> Iterator[Span]:
        """None."""
        return iter(())

    def last(self) -> int:
        """The last entry."""
        return self.kept_blocks[-1].last if self.kept_blocks else 0

    def checksum_at(self, sequence: int) -> bytes | None:
        """The checksum of the block that ends with an entry."""
        return next((block.checksum for block in self.kept_blocks if block.last == sequence), None)

    def ending(self) -> Sealed | None:
        """The ending."""
        return self.kept_ending

    def close(self) -> None:
        """Nothing is to be done."""


class SqliteStorage:
    """A journal in a SQLite file, written ahead (WAL): what was put stays, whatever happens to the process."""

    def __init__(self, path: Path, connection: sqlite3.Connection, form: int = FORMAT) -> None:
        self.path = path
        self._connection = connection
        self._form = form
        self._forelog: list[Block] = []

    @property
    def place(self) -> str:
        """The file."""
        return str(self.path)

    @classmethod
    def create(cls, path: str | Path) -> SqliteStorage:
        """Begin a new file; a journal that is there already is replaced, anything else is not."""
        path = Path(path)
        path = path / FILE_NAME if path.is_dir() else path
        with writing(path, "bad_setting"):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_journal(path)
            # A thread of its own closes a segment that is over; never two use it at a time.
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    @classmethod
    def begin(cls, path: Path, put: Callable[[SqliteStorage], None]) -> SqliteStorage:
        """Begin a new file that is there with all that is put into it, or not at all."""
        new = path.with_name(f"{path.name}{UNDONE}")
        remove(new)
        storage = cls.create(new)
        try:
            storage._put("PRAGMA synchronous = OFF", ())
            put(storage)
        except BaseException:
            storage.close()
            remove(new)
            raise
        storage.close()
        with writing(path, "run_interrupted"):
            new.rename(path)
        try:
            return cls.resume(path)
        except BaseException:
            # A recovery would take it for the last segment, and forget what goes on behind the one before.
            remove(path)
            raise

    @classmethod
    def resume(cls, path: Path) -> SqliteStorage:
        """Open the journal of a run that was cut off, to write on behind its last block.

        It is left to somebody else to empty the log into the file: that waits for the disk.
        """
        with writing(path, "bad_setting"):
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            connection.text_factory = bytes
            try:
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                # A run that was ended in order may have said that it was interrupted; it goes on.
                connection.execute("DELETE FROM ending")
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    @classmethod
    def open(cls, path: str | Path) -> SqliteStorage:
        """Open an existing file for reading; ``path`` may be the folder of its run."""
        path = existing(journal_path(path))
        # Without a log beside it the file is complete; then it is read as it is, even where nothing may be written.
        complete = not path.with_name(f"{path.name}-wal").exists()
        with reading(str(path)):
            # A thread of its own reads ahead; never two use it at a time.
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if complete else ''}",
                uri=True,
                check_same_thread=False,
            )
            try:
                form = _form(path, connection)
            except BaseException:
                connection.close()
                raise
        storage = cls(path, connection, form)
        if forelog_path(path).exists():
            storage._forelog = storage.outside()
        return storage

    def put_manifest(self, text: bytes, checksum: bytes) -> None:
        """Keep the manifest."""
        self._put("INSERT INTO manifest VALUES (?, ?)", (text.decode(), checksum))

    def put_joint(self, joint: Joint) -> None:
        """Keep what it follows."""
        self._put("INSERT INTO joint VALUES (?, ?, ?)", (joint.number, joint.first, joint.before))

    def put_snapshot(self, one: Snapshot) -> None:
        """Keep a snapshot."""
        values = (one.sequence, one.version.encode(), one.lost.encode(), one.state, one.checksum)
        self._put("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?)", values)

    def drop_snapshot(self, sequence: int) -> None:
        """Forget a snapshot."""
        self._put("DELETE FROM snapshot WHERE sequence = ?", (sequence,))

    def put_blocks(self, blocks: Sequence[Block]) -> None:
        """Keep more blocks, in one transaction."""
        if len(blocks) == 1:
            self.put_block(blocks[0])
            return
        self._put("BEGIN IMMEDIATE", ())
        try:
            for block in blocks:
                self.put_block(block)
            self._put("COMMIT", ())
        except BaseException:
            # Where the disk is full SQLite may have given up the transaction by itself.
            if self._connection.in_transaction:
                self._put("ROLLBACK", ())
            raise

    def put_block(self, block: Block) -> None:
        """Keep one more block."""
        values = (block.first, block.last, block.codec, block.data, block.checksum)
        self._put("INSERT INTO block VALUES (?, ?, ?, ?, ?)", values)

    def outside(self) -> list[Block]:
        """The blocks that a session left beside the file, and that are not in it."""
        joint, last = self.joint(), self.last()
        checksum = self.checksum_at(last)
        if checksum is None:
            sealed = self.manifest()
            last, checksum = 0 if joint is None else joint.first - 1, b"" if sealed is None else sealed[1]
        with reading(self.place):
            return list(forelog_blocks(self.path, last, checksum))

    def absorb(self) -> None:
        """Take in what a session that was cut off left beside the file."""
        if found := self.outside():
            self.put_blocks(found)
        forelog_path(self.path).unlink(missing_ok=True)

    def put_ending(self, text: bytes, checksum: bytes) -> None:
        """Keep the ending."""
        self._put("INSERT INTO ending VALUES (?, ?)", (text.decode(), checksum))

    def sync(self) -> None:
        """Wait until the disk has what was put."""
        with writing(self.path, "run_interrupted"):
            log = self.path.with_name(f"{self.path.name}-wal")
            for path in (log, self.path, self.path.parent):
                to_disk(path)

    def manifest(self) -> Sealed | None:
        """The manifest."""
        return self._sealed("manifest")

    def joint(self) -> Joint | None:
        """What it follows, where it is not the first segment."""
        row = self._only("joint", "number, first, before", (int, int, bytes)) if self._form > 1 else None
        return None if row is None else Joint(*row)

    def snapshots(self) -> list[int]:
        """The entries behind which there is a snapshot."""
        if self._form == 1:
            return []
        with reading(self.place):
            rows = self._connection.execute("SELECT sequence FROM snapshot ORDER BY sequence").fetchall()
        for row in rows:
            _check_types(self.place, row, (int,))
        return [row[0] for row in rows]

    def snapshot(self, sequence: int) -> Snapshot | None:
        """The snapshot behind an entry."""
        columns = "sequence, version, lost, state, checksum"
        with reading(self.place):
            row = self._connection.execute(f"SELECT {columns} FROM snapshot WHERE sequence = ?", (sequence,)).fetchone()
            if row is None:
                return None
            _check_types(self.place, row, (int, bytes, bytes, bytes, bytes))
            return Snapshot(row[0], row[1].decode(), row[2].decode(), row[3], row[4])

    def rows(self, after: int = 0, size: int = GROUP_BYTES) -> Iterator[Sequence[Row]]:
        """The blocks behind an entry."""
        select = "SELECT first, last, codec, data, checksum FROM block WHERE first > ? ORDER BY first"
        with reading(self.place):
            for rows in grouped(self._connection.execute(select, (after,)), size):
                yield rows
                after = rows[-1][1]
        # Of a session that goes on, some of these may have come into the file since it was opened.
        yield from grouped((block for block in self._forelog if block.first > after), size)

    def spans(self, after: int, codec: int, size: int) -> Iterator[Span]:
        """The blocks of the file behind an entry, up to the first that cannot be read."""
        count = _FIRST_SPAN
        while True:
            try:
                row = self._connection.execute(_SPAN, (after, codec, count)).fetchone()
            except sqlite3.Error:
                return
            # Of no rows, and of what a damaged file may hold, they are others.
            if tuple(map(type, row)) != (int, int, bytes, bytes, bytes, bytes):
                return
            after, span = row[0], Span(*row[1:])
            yield span
            count = min(size * span.block_count // len(span.data), _LARGEST_SPAN)
            if count < _SMALLEST_SPAN:
                return

    def last(self) -> int:
        """The last entry."""
        if self._forelog:
            return self._forelog[-1].last
        with reading(self.place):
            row = self._connection.execute("SELECT last FROM block ORDER BY first DESC LIMIT 1").fetchone()
        if row is None:
            return 0
        _check_types(self.place, row, (int,))
        last: int = row[0]
        return last

    def checksum_at(self, sequence: int) -> bytes | None:
        """The checksum of the block that ends with an entry."""
        for block in self._forelog:
            if block.last == sequence:
                return block.checksum
        select = "SELECT last, checksum FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1"
        with reading(self.place):
            row = self._connection.execute(select, (sequence,)).fetchone()
        if row is None or row[0] != sequence:
            return None
        _check_types(self.place, row, (int, bytes))
        checksum: bytes = row[1]
        return checksum

    def ending(self) -> Sealed | None:
        """The ending."""
        return self._sealed("ending")

    def close(self) -> None:
        """Close the file; the last to close it leaves no log beside it."""
        self._connection.close()

    def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        with writing(self.path, "run_interrupted"):
            self._connection.execute(statement, values)

    def _sealed(self, table: str) -> Sealed | None:
        row = self._only(table, "text, checksum", (bytes, bytes))
        return None if row is None else (row[0], row[1])

    def _only(self, table: str, columns: str, types: tuple[type, ...]) -> tuple[Any, ...] | None:
        with reading(self.place):
            rows = self._connection.execute(f"SELECT {columns} FROM {table}").fetchmany(2)
        if not rows:
            return None
        if len(rows) > 1:
            raise damaged(self.place, f"it has more than one {table}")
        row: tuple[Any, ...] = rows[0]
        _check_types(self.place, row, types)
        return row


def grouped(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of blocks, of so many bytes at least but for the last; what reading raises comes behind what was read.

    Examples
    --------
    >>> blocks = [Block(1, 2, 1, b"..", b""), Block(3, 3, 1, b".", b""), Block(4, 4, 1, b".", b"")]
    >>> [[block.first for block in some] for some in grouped(blocks, 3)]
    [[1, 3], [4]]

    """
    held: list[Row] = []
    length = 0
    try:
        for row in rows:
            held.append(row)
            # What a damaged file may hold in the place of bytes is found when the row is checked.
            length += len(row[3]) if type(row[3]) is bytes else 0
            if length >= size:
                yield held
                held, length = [], 0
    except Exception:
        if held:
            yield held
        raise
    if held:
        yield held


def _form(path: Path, connection: sqlite3.Connection) -> int:
    """The form of a journal's file; one that this version cannot read is an error."""
    connection.text_factory = bytes
    application, form = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application != _APPLICATION:
        raise exception(
            "bad_journal",
            f"{path} is not a journal",
            "name the file that --journal wrote, or the folder of its run",
        )
    if not 1 <= form <= FORMAT:
        raise exception(
            "journal_version",
            f"{path} has the form {form} of journals; this version reads up to {FORMAT}",
            "read it with the version of Tradewind that wrote it",
        )
    return int(form)


def journal_path(path: str | Path) -> Path:
    """The journal's file: a folder stands for the journal in it."""
    path = Path(path)
    if not path.is_dir():
        return path
    found = list(path.glob("*.sqlite"))
    return found[0] if len(found) == 1 else path / FILE_NAME


def damaged(place: str, what: str) -> TradewindError:
    """The error of a journal that is not as it was written."""
    return exception(
        "bad_journal",
        f"{place}: {what}",
        "it was altered or cut after it was written; take a copy that was not, or run again",
    )


def to_disk(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove(path: Path) -> None:
    """Remove a file, with what SQLite may have left beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", forelog_path(path).name):
        path.with_name(name).unlink(missing_ok=True)


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what SQLite says about a damaged file into an error of the table."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise damaged(place, f"it cannot be read: {error}") from error


@contextmanager
def writing(path: Path, code: str) -> Iterator[None]:
    """Turn what keeps a file from being written into an error of the table."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        hint = "what was written before is whole; make room on the disk, or name another one, and start again"
        raise exception(code, f"the journal {path} cannot be written: {error}", hint) from error


def _check_types(place: str, row: tuple[Any, ...], types: tuple[type, ...]) -> None:
    if tuple(map(type, row)) != types:
        raise damaged(place, "a row holds values of the wrong type")


def _remove_journal(path: Path) -> None:
    if path.exists() and path.stat().st_size > 0:
        try:
            SqliteStorage.open(path).close()
        except TradewindError as error:
            if error.code != "journal_version":
                raise exception(
                    "bad_setting",
                    f"the journal cannot be written to {path}: the file exists and is not a journal",
                    "choose another name",
                ) from None
    remove(path)
