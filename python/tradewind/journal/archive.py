"""Segments as Parquet: a folder each, with the blocks as they were written, so that they replay as before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from tradewind.journal.block import Joint, Row, Snapshot, Span
from tradewind.journal.storage import GROUP_BYTES, Kept, Sealed, damaged, grouped, to_disk

_PART_BYTES = 64 * 2**20
_BATCH_ROWS = 20_000
_PARTS = "blocks-*.parquet"
_BLOCKS = pl.Schema({"first": pl.Int64, "last": pl.Int64, "codec": pl.Int64, "data": pl.Binary, "checksum": pl.Binary})
_REST = pl.Schema({"kind": pl.String, "number": pl.Int64, "first": pl.Int64, "text": pl.Binary, "checksum": pl.Binary})


class ArchivedSegment:
    """Reads a segment that was archived.

    Parameters
    ----------
    path
        Its folder.

    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.path)

    def manifest(self) -> Sealed | None:
        """The manifest."""
        return self._sealed("manifest")

    def joint(self) -> Joint | None:
        """What it follows."""
        row = self._rest.get("joint")
        return None if row is None else Joint(row["number"], row["first"], row["checksum"])

    def snapshots(self) -> list[int]:
        """The one that it begins with, if it is not the first."""
        return [self._rest["snapshot"]["number"]] if "snapshot" in self._rest else []

    def snapshot(self, sequence: int) -> Snapshot | None:
        """The snapshot behind an entry."""
        row = self._rest.get("snapshot")
        if row is None or row["number"] != sequence:
            return None
        words = [self._rest[name]["text"].decode() for name in ("version", "lost")]
        return Snapshot(sequence, words[0], words[1], row["text"], row["checksum"])

    def rows(self, after: int = 0, size: int = GROUP_BYTES) -> Iterator[Sequence[Row]]:
        """The blocks behind an entry."""
        return grouped(self._rows(after), size)

    def spans(self, after: int, codec: int, size: int) -> Iterator[Span]:
        """None."""
        return iter(())

    def _rows(self, after: int) -> Iterator[Row]:
        for part in sorted(self.path.glob(_PARTS)):
            rows = _collected(part, pl.scan_parquet(part).select(pl.len())).item()
            for start in range(0, rows, _BATCH_ROWS):
                batch = pl.scan_parquet(part).slice(start, _BATCH_ROWS).filter(pl.col("first") > after)
                yield from _collected(part, batch.select(*_BLOCKS).cast(_BLOCKS)).iter_rows()

    def last(self) -> int:
        """The last entry."""
        parts = sorted(self.path.glob(_PARTS))
        return (
            int(_collected(parts[-1], pl.scan_parquet(parts[-1]).select(pl.col("last").max())).item()) if parts else 0
        )

    def checksum_at(self, sequence: int) -> bytes | None:
        """The checksum of the block that ends with an entry."""
        for part in sorted(self.path.glob(_PARTS)):
            found = _collected(part, pl.scan_parquet(part).filter(pl.col("last") == sequence).select("checksum"))
            if found.height:
                checksum: bytes = found.item()
                return checksum
        return None

    def ending(self) -> Sealed | None:
        """The ending."""
        return self._sealed("ending")

    def close(self) -> None:
        """Nothing is held open."""

    @cached_property
    def _rest(self) -> dict[str, dict[str, Any]]:
        """Everything but the blocks, by kind."""
        path = self.path / "segment.parquet"
        return {row["kind"]: row for row in _collected(path, pl.scan_parquet(path).cast(_REST)).iter_rows(named=True)}

    def _sealed(self, kind: str) -> Sealed | None:
        row = self._rest.get(kind)
        return None if row is None else (row["text"], row["checksum"])


def write_archive(storage: Kept, path: Path) -> None:
    """Write a segment into a folder, part by part, and wait until the disk has it."""
    path.mkdir()
    for number, rows in enumerate(storage.rows(size=_PART_BYTES), 1):
        _table(storage.place, rows).write_parquet(path / f"blocks-{number:05}.parquet")
    pl.DataFrame(list(_rest(storage)), _REST, orient="row").write_parquet(path / "segment.parquet")
    for file in (*path.iterdir(), path):
        to_disk(file)


def _rest(storage: Kept) -> Iterator[tuple[str, int, int, bytes, bytes]]:
    joint, manifest, ending = storage.joint(), storage.manifest(), storage.ending()
    if joint is not None:
        yield "joint", joint.number, joint.first, b"", joint.before
        snapshot = storage.snapshot(joint.first - 1)
        if snapshot is not None:
            yield "snapshot", snapshot.sequence, 0, snapshot.state, snapshot.checksum
            yield "version", 0, 0, snapshot.version.encode(), b""
            yield "lost", 0, 0, snapshot.lost.encode(), b""
    if manifest is not None:
        yield "manifest", 0, 0, *manifest
    if ending is not None:
        yield "ending", 0, 0, *ending


def _table(place: str, rows: Sequence[Row]) -> pl.DataFrame:
    try:
        return pl.DataFrame(rows, _BLOCKS, orient="row")
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise damaged(place, f"a row holds values of the wrong type: {error}") from error


def _collected(path: Path, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        found = frame.collect()
        if found.select(pl.any_horizontal(pl.all().is_null().any())).item():
            raise damaged(str(path), "a row holds nothing where there was something")
        return found
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, TypeError) as error:
        raise damaged(str(path), f"it cannot be read: {error}") from error
