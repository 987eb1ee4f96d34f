"""``tradewind journal``: what a recorded run is, and questions to it in SQL."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from cyclopts import App

from tradewind.cli.screen import SHOWN, note, show_json
from tradewind.errors import exception
from tradewind.folders import made
from tradewind.journal import Journal
from tradewind.journal.info import info as info_of
from tradewind.journal.query import explained
from tradewind.journal.query import query as ask
from tradewind.table import plain_table, table_text

Format = Literal["table", "csv", "json", "parquet"]

journal = App(name="journal", help="Look into the journal of a run.", result_action="return_value")


@journal.command
def info(run: Path, /, *, json: bool = False) -> int:
    """Say what a journal is: whose run, of when, how much, and how it ended.

    Parameters
    ----------
    run
        The journal's file, or the folder of its run.
    json
        Print it as JSON.

    """
    found = info_of(run)
    show_json(found.to_dict()) if json else print(found)
    return 0


@journal.command
def query(
    run: Path,
    sql: str,
    /,
    *,
    format: Annotated[Format | None, SHOWN] = None,
    out: Path | None = None,
    rows: Annotated[int, SHOWN] = 40,
) -> int:
    """Ask a recorded run in SQL.

    tradewind journal query RUN "select side, count(*) as fills, sum(fee) as fees from fills group by side"

    Parameters
    ----------
    run
        The journal's file, or the folder of its run.
    sql
        A select, such as "select * from orders where status = 'rejected'"; "show tables" lists the tables.
    format
        table for people; csv; json, an array with exact numbers as text; parquet, which needs --out. Where it is not
        given, it is that of the file's name, or table.
    out
        A file for the answer.
    rows
        The most rows that a table shows.

    """
    chosen = _format(format, out)
    answer = ask(run, sql)
    _tell_what_is_missing(run)
    with explained(sql, {}):
        match chosen:
            case "parquet":
                answer.sink_parquet(_made(out))
            case "table":
                _write(out, lambda write: _table(answer, rows, write))
            case "csv":
                _write(out, lambda write: _csv(answer, write))
            case "json":
                _write(out, lambda write: _json(answer, write))
    if out is not None:
        note(f"wrote {out}")
    return 0


def _tell_what_is_missing(run: Path) -> None:
    """Counts and sums over the rest of a run look like those of the whole."""
    with Journal(run, checked=False) as recorded:
        missing, accepted = recorded.first - 1, recorded.manifest.accepted
    if missing and accepted:
        note(f"without entries 1 to {missing:,}: {accepted[-1]}")
    elif missing:
        note(f"without entries 1 to {missing:,}, which were dropped")


def _format(stated: Format | None, out: Path | None) -> Format:
    by_name: dict[str, Format] = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
    chosen: Format = stated or by_name.get("" if out is None else out.suffix, "table")
    if chosen == "parquet" and out is None:
        raise exception("missing_setting", "--format parquet is not for a screen", "add --out answer.parquet")
    return chosen


def _made(out: Path | None) -> Path:
    assert out is not None
    made(out.parent, "--out")
    return out


def _write(out: Path | None, act: Callable[[Callable[[str], object]], None]) -> None:
    if out is None:
        act(sys.stdout.write)
        return
    with _made(out).open("w", encoding="utf-8", newline="") as file:
        act(file.write)


def _table(answer: pl.LazyFrame, rows: int, write: Callable[[str], object]) -> None:
    frame = _as_text(answer, " ").head(rows + 1).collect(engine="streaming")
    table = plain_table([], [])
    for name, kind in answer.collect_schema().items():
        table.add_column(name, justify="right" if kind.is_numeric() else "left", no_wrap=True)
    for row in frame.head(rows).iter_rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    write(f"{table_text(table)}\n")
    if frame.height > rows:
        note(f"the first {rows:,} rows; --rows shows more, --format csv all")


def _csv(answer: pl.LazyFrame, write: Callable[[str], object]) -> None:
    is_first = True
    for batch in _as_text(answer, "T").collect_batches(engine="streaming"):
        write(batch.write_csv(include_header=is_first))
        is_first = False
    if is_first:
        write(f"{','.join(answer.collect_schema())}\n")


def _json(answer: pl.LazyFrame, write: Callable[[str], object]) -> None:
    """An array with a row a line, so that what is longer than memory can be written, too."""
    before = "[\n"
    for batch in _as_text(answer, "T").collect_batches(engine="streaming"):
        for line in batch.write_ndjson().splitlines():
            write(f"{before}{line}")
            before = ",\n"
    write("[]\n" if before == "[\n" else "\n]\n")


def _as_text(answer: pl.LazyFrame, between: str) -> pl.LazyFrame:
    """Exact numbers and times as text that loses nothing."""
    written = []
    for name, kind in answer.collect_schema().items():
        match kind:
            case pl.Decimal():
                written.append(pl.col(name).cast(pl.String))
            case pl.Datetime():
                zone = "Z" if kind.time_zone == "UTC" and between == "T" else ""
                written.append(pl.col(name).dt.strftime(f"%Y-%m-%d{between}%H:%M:%S%.9f{zone}"))
            case _:
                written.append(pl.col(name))
    return answer.select(written)
