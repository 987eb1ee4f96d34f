"""Where tables come from: files and data frames, read whole or in chunks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tradewind.errors import DataError


class ArrowStream(Protocol):
    """A table of any library that speaks the Arrow C stream interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Source = str | Path | Sequence[str | Path] | pl.DataFrame | pl.LazyFrame | ArrowStream
"""What streams are read from."""


@dataclass(frozen=True)
class Table:
    """A table that has a name for messages and is not read yet."""

    place: str
    frame: pl.LazyFrame
    is_text: bool = False
    """Whether every value is text, whatever it stands for."""

    def names(self) -> list[str]:
        """Its columns."""
        try:
            return self.frame.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(self.place, error) from error

    def read(self, columns: Sequence[pl.Expr], rows: int | None) -> Iterator[pl.DataFrame]:
        """Its rows, all at once or in chunks of ``rows``."""
        query = self.frame.select(columns)
        height = 0
        try:
            if rows is None:
                chunks: Iterator[pl.DataFrame] = iter([query.collect()])
            else:
                chunks = query.collect_batches(chunk_size=rows, maintain_order=True)
            for chunk in chunks:
                height += chunk.height
                if not chunk.is_empty():
                    yield chunk
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(self.place, error) from error
        if height == 0:
            raise DataError("empty_data", f"{self.place} holds no rows")


def unreadable(place: str, error: Exception) -> DataError:
    """The error of a file that cannot be read to its end."""
    if isinstance(error, pl.exceptions.NoDataError):
        return DataError("empty_data", f"{place} holds no rows")
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return DataError(
        "unreadable_file", f"{place} cannot be read: {reason}", "is it complete, and of the kind it is named?"
    )


def existing(path: str | Path) -> Path:
    """The path of a file that is there, or an error that names the nearest one."""
    path = Path(path)
    if path.is_file():
        return path
    if path.is_dir():
        raise DataError("unreadable_file", f"{path} is a folder", "name the files in it: sorted(Path(...).glob(...))")
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"did you mean {path.parent / close[0]}?" if close else ""
    raise DataError("unreadable_file", f"{path} does not exist", hint)


def tables(source: Any, header: bool) -> list[Table]:
    """The tables of a source, with files opened but not read."""
    if isinstance(source, str | Path):
        return [_file(source, header)]
    if isinstance(source, pl.LazyFrame):
        return [Table("lazy frame", source)]
    if isinstance(source, pl.DataFrame):
        return [Table("data frame", source.lazy())]
    if type(source).__module__.partition(".")[0] == "pandas":
        return [Table("data frame", _from_pandas(source).lazy())]
    if hasattr(source, "__arrow_c_stream__"):
        return [Table("table", pl.DataFrame(source).lazy())]
    if isinstance(source, Sequence) and source and all(isinstance(path, str | Path) for path in source):
        return [_file(path, header) for path in source]
    raise DataError(
        "wrong_type",
        f"data cannot be read from {type(source).__name__} {source!r:.60}",
        "give a path, a list of paths, or a data frame",
    )


def _file(path: str | Path, header: bool) -> Table:
    path = existing(path)
    if path.stat().st_size == 0:
        raise DataError("empty_data", f"{path} is an empty file")
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        frame = pl.scan_parquet(path, glob=False)
    elif name.endswith((".csv", ".csv.gz")):
        # Everything stays text, so that no float comes between it and an exact number (N1).
        frame = pl.scan_csv(path, has_header=header, infer_schema=False, glob=False)
    elif name.endswith((".feather", ".arrow", ".ipc")):
        frame = pl.scan_ipc(path, glob=False)
    else:
        hint = "files end in .parquet, .csv, .csv.gz, .feather or .arrow"
        raise DataError("wrong_type", f"{path}: this kind of file is not known", hint)
    return Table(str(path), frame, is_text=name.endswith((".csv", ".csv.gz")))


def _from_pandas(frame: Any) -> pl.DataFrame:
    if type(frame.index).__name__ != "RangeIndex":
        frame = frame.reset_index()
    table: pl.DataFrame = pl.from_pandas(frame)
    return table
