"""Old segments as Parquet, or dropped."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from session_journals import SOURCE, Keeping, Run, cut_off, recorded

import tradewind as tw
from tradewind.journal import Journal, replay
from tradewind.journal.archiving import archive, start_archiving
from tradewind.journal.segments import segments

HOURS = Keeping(segment_ns=60 * 10**9)


def read(folder: Path) -> tuple:
    with Journal(folder) as kept:
        return kept.manifest, kept.ending, list(kept.blocks())


def test_an_archive_reads_and_replays_as_what_it_was_made_from(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    before = read(tmp_path)
    made = archive(run.journal, "parquet", 0)
    assert [path.suffix for path in made] == [".parquet"] * 3
    assert [one.is_archived for one in segments(run.journal)] == [True, True, True, False, False]
    assert read(tmp_path) == before
    assert replay(tmp_path).identical
    assert archive(run.journal, "parquet", 0) == []
    # Any tool that reads Parquet reads it.
    blocks = pl.concat([pl.read_parquet(path / "blocks-*.parquet") for path in made])
    assert blocks["first"].to_list() == [block.first for block in before[2]][: blocks.height]


def test_archiving_that_takes_longer_than_a_segment_goes_on_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    def slow(*given: object) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        return begun[-1]

    monkeypatch.setattr("tradewind.journal.segment_writer.start_archiving", slow)
    run = Run(tmp_path)
    writer = run.begin(HOURS)
    run.feed(range(1, 300), writer)
    assert len(segments(run.journal)) > 3
    assert len(begun) == 1 and begun[0].poll() is None
    run.finish(writer)
    assert begun[0].returncode is not None


def test_dropped_segments_are_gone_and_the_run_goes_on(tmp_path: Path) -> None:
    first = cut_off(tmp_path)
    archive(first.journal, "drop", 0)
    assert [one.number for one in segments(first.journal)] == [4, 5]
    second = Run(tmp_path)
    second.recover()
    assert second.kernel.hashes == first.kernel.hashes
    with Journal(tmp_path) as kept:
        assert kept.first > 1 and kept.snapshot is not None


def test_segments_are_kept_for_as_many_days_as_configured(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    assert archive(run.journal, "keep", 0) == archive(run.journal, "parquet", 1) == []
    newest = segments(run.journal)[-1].path
    newest.rename(newest.with_name(newest.name.replace("1970-01-01", "1970-01-03")))
    assert len(archive(run.journal, "parquet", 1)) == 3
    assert archive(run.journal, "drop", 3) == []


def test_what_a_run_could_not_go_on_without_is_not_dropped(tmp_path: Path, caplog) -> None:
    first = cut_off(tmp_path, source=SOURCE.replace("seen: int = tw.state(0)", "seen = 0"))
    assert archive(first.journal, "drop", 0) == []
    assert "cannot be gone on from without it" in caplog.text


def test_an_archive_that_was_not_finished_is_made_again(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    before = read(tmp_path)
    oldest = segments(run.journal)[0].path
    # Ended while it wrote, and between its last two steps.
    (run.journal / f"{segments(run.journal)[1].path.stem}.part").mkdir()
    kept = tmp_path / "kept.sqlite"
    shutil.copy(oldest, kept)
    archive(run.journal, "parquet", 0)
    shutil.copy(kept, oldest)
    assert read(tmp_path) == before
    assert len(archive(run.journal, "parquet", 0)) == 1
    assert read(tmp_path) == before
    assert not oldest.exists() and not list(run.journal.glob("*.part"))


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    made = archive(run.journal, "parquet", 0)
    part = made[1] / "blocks-00001.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(tw.TradewindError) as caught:
        Journal(tmp_path)
    assert caught.value.code == "bad_journal" and str(part) in caught.value.message
    assert "can be read with Journal" in caught.value.hint
    frame = pl.DataFrame({"first": [1]})
    frame.write_parquet(part)
    with pytest.raises(tw.TradewindError) as caught:
        Journal(tmp_path)
    assert caught.value.code == "bad_journal"


def test_a_session_archives_in_another_process(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    before = read(tmp_path)
    process = start_archiving(run.journal, "parquet", 0)
    assert process is not None
    assert process.wait() == 0
    assert sum(one.is_archived for one in segments(run.journal)) == 3
    assert read(tmp_path) == before
