"""Where a journal is kept: a small interface, in SQLite or in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tradewind.data.source import existing
from tradewind.errors import TradewindError, exception
from tradewind.journal.block import Block

FORMAT = 1
"""The version of the journal's form: its tables and its chain of checksums."""

FILE_NAME = "journal.sqlite"
"""What a journal is called in the folder of its run."""

_APPLICATION = 0x74776A31
_SCHEMA = """
CREATE TABLE manifest (text TEXT NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE block (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, codec INTEGER NOT NULL, data BLOB NOT NULL, checksum BLOB NOT NULL
);
CREATE TABLE ending (text TEXT NOT NULL, checksum BLOB NOT NULL);
"""

Sealed = tuple[bytes, bytes]
"""A text and its checksum."""


class Storage(Protocol):
    """What a journal needs of the place it is kept in; it does not judge what it holds."""

    @property
    def place(self) -> str:
        """Its name for messages."""

    def put_manifest(self, text: bytes, checksum: bytes) -> None:
        """Keep the manifest; comes first."""

    def put_block(self, block: Block) -> None:
        """Keep one more block, for good."""

    def put_ending(self, text: bytes, checksum: bytes) -> None:
        """Keep the ending; comes last."""

    def manifest(self) -> Sealed | None:
        """The manifest, if there is one."""

    def blocks(self) -> Iterator[Block]:
        """All blocks, in their order."""

    def ending(self) -> Sealed | None:
        """The ending, if there is one."""

    def close(self) -> None:
        """Let go of it."""


@dataclass
class MemoryStorage:
    """A journal in memory.

    Examples
    --------
    >>> storage = MemoryStorage()
    >>> storage.put_block(Block(1, 2, 1, b"..", b""))
    >>> len(list(storage.blocks()))
    1

    """

    place: str = "the journal in memory"
    kept_manifest: Sealed | None = None
    kept_blocks: list[Block] = field(default_factory=list)
    kept_ending: Sealed | None = None

    def put_manifest(self, text: bytes, checksum: bytes) -> None:
        """Keep the manifest."""
        self.kept_manifest = (text, checksum)

    def put_block(self, block: Block) -> None:
        """Keep one more block."""
        self.kept_blocks.append(block)

    def put_ending(self, text: bytes, checksum: bytes) -> None:
        """Keep the ending."""
        self.kept_ending = (text, checksum)

    def manifest(self) -> Sealed | None:
        """The manifest."""
        return self.kept_manifest

    def blocks(self) -> Iterator[Block]:
        """All blocks."""
        return iter(self.kept_blocks)

    def ending(self) -> Sealed | None:
        """The ending."""
        return self.kept_ending

    def close(self) -> None:
        """Nothing is to be done."""


class SqliteStorage:
    """A journal in a SQLite file, written ahead (WAL): what was put stays, whatever happens to the process."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @property
    def place(self) -> str:
        """The file."""
        return str(self.path)

    @classmethod
    def create(cls, path: str | Path) -> SqliteStorage:
        """Begin a new file; a journal that is there already is replaced, anything else is not."""
        path = Path(path)
        path = path / FILE_NAME if path.is_dir() else path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_journal(path)
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise exception("bad_setting", f"the journal {path} cannot be written: {error}") from error
        return cls(path, connection)

    @classmethod
    def resume(cls, path: str | Path) -> SqliteStorage:
        """Open the journal of a run that was cut off, to write on behind its last block."""
        path = existing(journal_path(path))
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA synchronous = NORMAL")
            # A run that was ended in order may have said that it was interrupted; it goes on.
            connection.execute("DELETE FROM ending")
        except (sqlite3.Error, OSError) as error:
            raise exception("bad_setting", f"the journal {path} cannot be written: {error}") from error
        return cls(path, connection)

    @classmethod
    def open(cls, path: str | Path) -> SqliteStorage:
        """Open an existing file for reading; ``path`` may be the folder of its run."""
        path = existing(journal_path(path))
        # Without a log beside it the file is complete; then it is read as it is, even where nothing may be written.
        complete = not path.with_name(f"{path.name}-wal").exists()
        with reading(str(path)):
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if complete else ''}", uri=True
            )
            connection.text_factory = bytes
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if application != _APPLICATION:
                connection.close()
                raise exception(
                    "bad_journal",
                    f"{path} is not a journal",
                    "name the file that --journal wrote, or the folder of its run",
                )
            if version != FORMAT:
                connection.close()
                hint = "read it with the version of Tradewind that wrote it"
                raise exception(
                    "journal_version", f"{path} has the form {version} of journals; this version reads {FORMAT}", hint
                )
        return cls(path, connection)

    def put_manifest(self, text: bytes, checksum: bytes) -> None:
        """Keep the manifest."""
        self._put("INSERT INTO manifest VALUES (?, ?)", (text.decode(), checksum))

    def put_block(self, block: Block) -> None:
        """Keep one more block."""
        values = (block.first, block.last, block.codec, block.data, block.checksum)
        self._put("INSERT INTO block VALUES (?, ?, ?, ?, ?)", values)

    def put_ending(self, text: bytes, checksum: bytes) -> None:
        """Keep the ending."""
        self._put("INSERT INTO ending VALUES (?, ?)", (text.decode(), checksum))

    def manifest(self) -> Sealed | None:
        """The manifest."""
        return self._sealed("manifest")

    def blocks(self) -> Iterator[Block]:
        """All blocks."""
        with reading(self.place):
            for row in self._connection.execute("SELECT first, last, codec, data, checksum FROM block ORDER BY first"):
                _check_types(self.place, row, (int, int, int, bytes, bytes))
                yield Block(*row)

    def ending(self) -> Sealed | None:
        """The ending."""
        return self._sealed("ending")

    def close(self) -> None:
        """Close the file; the last to close it leaves no log beside it."""
        self._connection.close()

    def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise exception("run_interrupted", f"the journal {self.path} cannot be written: {error}") from error

    def _sealed(self, table: str) -> Sealed | None:
        with reading(self.place):
            rows = self._connection.execute(f"SELECT text, checksum FROM {table}").fetchmany(2)
        if not rows:
            return None
        if len(rows) > 1:
            raise damaged(self.place, f"it has more than one {table}")
        _check_types(self.place, rows[0], (bytes, bytes))
        return rows[0][0], rows[0][1]


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


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what SQLite says about a damaged file into an error of the table."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise damaged(place, f"it cannot be read: {error}") from error


def _check_types(place: str, row: tuple[Any, ...], types: tuple[type, ...]) -> None:
    if any(type(value) is not wanted for value, wanted in zip(row, types, strict=True)):
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
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
