"""The segments of a session's journal: one file after another, in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tradewind.errors import TradewindError
from tradewind.journal.archive import ArchivedSegment
from tradewind.journal.storage import Kept, SqliteStorage

FOLDER_NAME = "journal"
"""What the folder of a session's journal is called, in the folder of its run."""

_NAME = re.compile(r"(\d{6,})-(\d{4}-\d\d-\d\d)(?:T(\d{6}))?\.(sqlite|parquet)")


@dataclass(frozen=True, order=True)
class Segment:
    """A segment as it lies in its folder.

    Parameters
    ----------
    number
        Its number, counted from one.
    begun
        The time from which it holds entries.
    path
        Its file; a folder where it was archived.

    """

    number: int
    begun: datetime
    path: Path = field(compare=False)

    @property
    def is_archived(self) -> bool:
        """Whether it is Parquet."""
        return self.path.suffix == ".parquet"

    def open(self) -> Kept:
        """Open it for reading."""
        archived = self.path.with_suffix(".parquet")
        if not self.path.exists() and archived.exists():
            # It was archived meanwhile.
            return ArchivedSegment(archived)
        return ArchivedSegment(self.path) if self.is_archived else SqliteStorage.open(self.path)


def segments(folder: Path) -> list[Segment]:
    """The segments of a folder, in their order.

    Examples
    --------
    >>> segments(Path("."))
    []

    """
    found: dict[int, Segment] = {}
    # While a segment is archived both forms are there; the file is whole as long as it is.
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is not None:
            begun = datetime.strptime(f"{match[2]}{match[3] or '000000'}", "%Y-%m-%d%H%M%S").replace(tzinfo=UTC)
            found[int(match[1])] = Segment(int(match[1]), begun, path)
    return [found[number] for number in sorted(found)]


def segment_path(folder: Path, number: int, time_ns: int) -> Path:
    """How the file of a segment is called.

    Examples
    --------
    >>> segment_path(Path("."), 2, 1_767_225_600_000_000_000).name
    '000002-2026-01-01T000000.sqlite'

    """
    begun = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return folder / f"{number:06}-{begun:%Y-%m-%dT%H%M%S}.sqlite"


def journal_folder(place: Path) -> Path | None:
    """The folder of a session's journal: itself, or the one in the folder of a run."""
    for folder in (place / FOLDER_NAME, place):
        if folder.is_dir() and segments(folder):
            return folder
    return None


def opened(place: str | Path, *, after: int = 0, whole: bool = True) -> tuple[list[Kept], str, TradewindError | None]:
    """Open a journal for reading, with its name for messages: the segments of a session, or one file.

    Those that hold nothing behind the entry `after` stay closed. Where the journal need not be whole, the segments come
    up to the first that cannot be opened, with what is wrong with that one.
    """
    path = Path(place)
    folder = journal_folder(path)
    if folder is None:
        whole_run = SqliteStorage.open(path)
        return [whole_run], whole_run.place, None
    storages: list[Kept] = []
    try:
        for one in reversed(segments(folder)) if after else segments(folder):
            storages.append(one.open())
            joint = storages[-1].joint() if after else None
            if after and (joint is None or joint.first <= after + 1):
                storages.reverse()
                break
        return storages, str(folder), None
    except TradewindError as error:
        if storages and not whole:
            return storages, str(folder), error
        for storage in storages:
            storage.close()
        raise


def newest_first(place: Path) -> Iterator[Kept]:
    """The segments of a session, from the last one on, each open while it is looked at."""
    folder = journal_folder(place)
    for one in reversed(segments(folder)) if folder is not None else ():
        storage = one.open()
        try:
            yield storage
        finally:
            storage.close()
