"""Disks that are full, slow or damaged, and processes that are killed."""

from __future__ import annotations

import logging
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from session_journals import MINUTES, SECOND_NS, Keeping, Run, cut_off, recorded

import tradewind as tw
from tradewind.journal import Block, Journal, MemoryStorage, SqliteStorage, emptying, replay
from tradewind.journal import storage as storage_module
from tradewind.journal.segment_writer import SegmentWriter
from tradewind.journal.segments import segments
from tradewind.journal.succession import finish_succession
from tradewind.journal.writer import JournalWriter


def test_power_waits_for_the_disk_before_an_order_leaves_and_only_then(tmp_path: Path, monkeypatch: Any) -> None:
    waited: list[str] = []
    to_disk = storage_module.to_disk
    monkeypatch.setattr(storage_module, "to_disk", lambda path: (waited.append(path.name), to_disk(path)))
    for durability, expected in (("process", 0), ("power", 1)):
        folder = tmp_path / durability
        folder.mkdir()
        run = Run(folder)
        writer = run.begin(Keeping(durability=durability))  # type: ignore[arg-type]
        waited.clear()
        run.feed(range(1, 5), writer)
        assert waited == []
        run.feed(range(5, 6))
        writer.write(run.kernel.take_journal(), leaves=True)
        logs = [name for name in waited if name.endswith("-wal")]
        assert len(logs) == expected
        # What is on the disk is not waited for again; what was written meanwhile without waiting is.
        writer.write(None, leaves=True)
        assert len([name for name in waited if name.endswith("-wal")]) == expected
        run.feed(range(6, 7), writer)
        writer.write(None, leaves=True)
        assert len([name for name in waited if name.endswith("-wal")]) == 2 * expected
        writer.__exit__(None, None, None)


def limited(writer: SegmentWriter, pages: int) -> None:
    """Let the file not grow beyond some pages."""
    writer._segment._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_loses_nothing_that_was_written_and_the_run_goes_on_behind_it(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    pages = writer._segment._connection.execute("PRAGMA page_count").fetchone()[0]
    limited(writer, pages + 2)
    with pytest.raises(tw.TradewindError, match=r"cannot be written: .*full") as caught, writer:
        run.feed(range(1, 300), writer)
    assert caught.value.code == "run_interrupted" and "make room" in caught.value.hint
    with Journal(tmp_path) as kept:
        written = kept.last
        assert written > 10 and not kept.ending.finished
    second = Run(tmp_path)
    _, last, checksum = second.recover()
    assert last == written
    with SegmentWriter.resume(second.journal, last, checksum) as writer:
        second.feed(range(250, 300), writer)
        second.kernel.finish()
        writer.write(second.kernel.take_journal())
        writer.finish(second.kernel.outcome())
    assert replay(tmp_path).identical


def test_what_could_not_be_written_is_written_before_what_follows(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    limited(writer, writer._segment._connection.execute("PRAGMA page_count").fetchone()[0])
    for second in range(1, 300):
        try:
            run.feed(range(second, second + 1), writer)
        except tw.TradewindError:
            break
    else:
        pytest.fail("the disk was never full")
    with pytest.raises(tw.TradewindError):
        writer.finish(run.kernel.outcome())
    limited(writer, 10_000)
    run.feed(range(second + 1, 300), writer)
    run.finish(writer)
    assert replay(tmp_path).identical


class FullStorage(MemoryStorage):
    is_full = False

    def put_block(self, block: Block) -> None:
        if self.is_full:
            raise tw.TradewindError("run_interrupted", "the disk is full")
        super().put_block(block)


def test_the_ending_fits_what_was_written(tmp_path: Path) -> None:
    with Journal(recorded(tmp_path).journal) as kept:
        manifest, block = kept.manifest, next(kept.blocks())
    storage = FullStorage()
    with pytest.raises(tw.TradewindError, match="full"), JournalWriter(storage, manifest) as writer:
        writer.write((block.first, block.last, block.data))
        storage.is_full = True
        writer.write((block.last + 1, block.last + 1, b"x"))
    with Journal(storage) as kept:
        assert not kept.ending.finished and "full" in kept.ending.reason and kept.ending.entries == block.last


def disk_is_full(*values: object) -> None:
    raise tw.TradewindError("run_interrupted", "the disk is full")


def test_a_snapshot_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    run = Run(tmp_path)
    writer = run.begin(MINUTES)
    run.feed(range(1, 30), writer)

    monkeypatch.setattr(SqliteStorage, "put_snapshot", disk_is_full)
    run.feed(range(30, 100), writer)
    monkeypatch.undo()
    assert "there is no snapshot behind entry" in caplog.text
    run.feed(range(100, 200), writer)
    run.finish(writer)
    assert [one.number for one in segments(run.journal)] == [1, 2, 3]
    assert not list(run.journal.glob("*.part*"))
    assert replay(tmp_path).identical


def failing_once(monkeypatch: Any) -> None:
    """Let a file not be opened again after it was made, as without descriptors or room for its log; then it works."""
    resume = SqliteStorage.resume

    def fail(path: Path) -> SqliteStorage:
        monkeypatch.setattr(SqliteStorage, "resume", resume)
        raise tw.TradewindError("run_interrupted", f"the journal {path} cannot be written: unable to open it")

    monkeypatch.setattr(SqliteStorage, "resume", fail)


def test_a_segment_that_cannot_be_opened_after_it_was_made_is_none(
    tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    run = Run(tmp_path)
    writer = run.begin(MINUTES)
    run.feed(range(1, 59), writer)
    failing_once(monkeypatch)
    run.feed(range(59, 100), writer)
    assert "unable to open it" in caplog.text
    assert [one.number for one in segments(run.journal)] == [1]
    assert not list(run.journal.glob("000002-*"))
    writer._close()
    second = Run(tmp_path)
    _, last, _ = second.recover()
    assert (last, second.kernel.hashes) == (writer._last, run.kernel.hashes)


def test_a_segment_that_stands_where_the_run_wrote_on_in_the_one_before_it_is_refused(
    tmp_path: Path, monkeypatch: Any
) -> None:
    run = Run(tmp_path)
    writer = run.begin(MINUTES)
    run.feed(range(1, 59), writer)
    failing_once(monkeypatch)
    with monkeypatch.context() as left:
        left.setattr(storage_module, "remove", lambda path: None)
        run.feed(range(59, 100), writer)
    writer._close()
    (stray,) = run.journal.glob("000002-*.sqlite")
    with pytest.raises(tw.TradewindError, match=r"begins with entry .*, and 000001-.* goes on to") as caught:
        Run(tmp_path).recover()
    assert stray.name in caught.value.message and "move it out of the folder" in caught.value.hint
    stray.rename(tmp_path / stray.name)
    second = Run(tmp_path)
    _, last, _ = second.recover()
    assert (last, second.kernel.hashes) == (writer._last, run.kernel.hashes)


def test_a_journal_that_cannot_begin_leaves_the_one_before_in_its_place(tmp_path: Path, monkeypatch: Any) -> None:
    run = recorded(tmp_path)
    with monkeypatch.context() as full:
        full.setattr(SqliteStorage, "put_manifest", disk_is_full)
        with pytest.raises(tw.TradewindError, match="the disk is full"):
            SegmentWriter.begin(run.journal, run.manifest, 0)
    finish_succession(run.journal)
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_dir()) == ["journal"]
    assert replay(tmp_path).identical


@pytest.mark.parametrize("place", ["journal", "journal.next"])
def test_a_process_that_ends_while_a_journal_takes_the_place_of_another_leaves_both(
    tmp_path: Path, monkeypatch: Any, place: str
) -> None:
    run = recorded(tmp_path)
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name == place:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as kill:
        kill.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            SegmentWriter.begin(run.journal, run.manifest, 0)
    finish_succession(run.journal)
    kept = list(tmp_path.glob("journal-*"))
    if place == "journal":
        # It had not begun: the one before is where it was.
        assert not kept and replay(tmp_path).identical
    else:
        assert len(kept) == 1 and replay(kept[0]).identical
        with Journal(tmp_path) as begun:
            assert (begun.last, begun.manifest) == (0, run.manifest)


def test_a_slow_write_is_counted_and_said(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping(durability="power"))
    monkeypatch.setattr(SqliteStorage, "sync", lambda self: time.sleep(0.11))
    run.feed(range(1, 3))
    with caplog.at_level(logging.WARNING):
        writer.write(run.kernel.take_journal(), leaves=True)
    assert writer.slow_writes == 1 and "a write took 1" in caplog.text
    run.finish(writer)


def test_a_reader_that_takes_its_time_does_not_hold_up_the_writer(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(emptying, "BYTES", 1_000)
    monkeypatch.setattr(emptying, "MOST_PAGES", 5)
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    run.feed(range(1, 20), writer)
    reader = sqlite3.connect(f"file:{writer._segment.path}?mode=ro", uri=True)
    rows = reader.execute("SELECT first FROM block")
    rows.fetchone()
    run.feed(range(20, 300), writer)
    assert writer.slow_writes == 0
    log = writer._segment.path.with_name(f"{writer._segment.path.name}-wal")
    rows.close()
    reader.close()
    # Without the reader the log is emptied and begun anew: it stops to grow.
    for second in range(300, 3_000, 10):
        held = log.stat().st_size
        run.feed(range(second, second + 10), writer)
        if log.stat().st_size == held:
            break
        time.sleep(0.01)
    else:
        pytest.fail("the log is never begun anew")
    run.finish(writer)
    assert replay(tmp_path).identical


def test_a_corrupted_page_is_named_with_what_can_still_be_read(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    with Journal(tmp_path) as kept:
        whole = list(kept.blocks())
    damaged = segments(run.journal)[2].path
    content = bytearray(damaged.read_bytes())
    at = content.index(next(block.data for block in whole if block.first > len(whole) // 2 and block.data in content))
    page = at // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    damaged.write_bytes(content)
    with pytest.raises(tw.TradewindError) as caught:
        Journal(tmp_path)
    assert caught.value.code == "bad_journal" and damaged.name in caught.value.message
    with Journal(tmp_path, whole=False) as kept:
        readable = list(kept.blocks())
        assert f"entries 1 to {kept.last:,} can be read" in caught.value.hint
        assert not kept.ending.finished and damaged.name in kept.ending.reason
    assert 0 < len(readable) < len(whole) and readable == whole[: len(readable)]
    # A run that was cut off later goes on all the same: it does not read as far back.
    folder = tmp_path / "later"
    folder.mkdir()
    first = cut_off(folder)
    early = segments(first.journal)[1].path
    early.write_bytes(early.read_bytes()[:4096])
    second = Run(folder)
    second.recover()
    assert second.kernel.hashes == first.kernel.hashes


def test_a_last_segment_that_is_damaged_is_refused_and_what_lies_before_can_be_read(tmp_path: Path) -> None:
    first = cut_off(tmp_path)
    last = segments(first.journal)[-1].path
    last.write_bytes(last.read_bytes()[:4096] + bytes(8192))
    with pytest.raises(tw.TradewindError) as caught:
        Run(tmp_path).recover()
    assert caught.value.code == "bad_journal" and last.name in caught.value.message
    with Journal(tmp_path, whole=False) as kept:
        assert kept.last > 100 and last.name in kept.ending.reason


def test_a_process_that_is_killed_leaves_what_it_wrote(tmp_path: Path) -> None:
    source = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from session_journals import Run
run = Run(Path({str(tmp_path)!r}))
writer = run.begin()
run.feed(range(1, 200), writer)
print(*run.kernel.hashes, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -9
    second = Run(tmp_path)
    second.recover()
    assert " ".join(second.kernel.hashes) == done.stdout.strip()


WRITES_ON = """
import os, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from session_journals import MINUTES, SECOND_NS, Run
from tradewind.journal.segment_writer import SegmentWriter
run = Run(Path({folder!r}))
if run.journal.exists():
    _, last, checksum = run.recover()
    writer = SegmentWriter.resume(run.journal, last, checksum, MINUTES)
else:
    writer = run.begin()
for second in range(run.kernel.now_ns // SECOND_NS + 1, 10**9):
    run.feed(range(second, second + 1), writer)
    os.write(1, f"{{writer._last}}\\n".encode())
"""


def kills(folder: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    source = WRITES_ON.format(tests=str(Path(__file__).parent.parent), folder=str(folder))
    for _ in range(count):
        process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
        assert process.stdout is not None
        written = b""
        # The segments span a minute of sixty blocks: many kills come while one is begun.
        for _ in range(chance.randint(1, 400)):
            written = process.stdout.readline()
        time.sleep(chance.random() / 100)
        process.kill()
        rest = process.stdout.read().split(b"\n")
        process.stdout.close()
        assert process.wait() == -9
        acknowledged = int((rest[-2] if len(rest) > 1 else written) or 0)
        with Journal(folder) as kept:
            assert kept.last >= acknowledged > 0
    # What was killed and went on is what one process would have done.
    (folder / "never").mkdir()
    last, never = Run(folder), Run(folder / "never")
    last.recover()
    never.kernel.start(0, False)
    never.feed(range(1, last.kernel.now_ns // SECOND_NS + 1))
    assert last.kernel.hashes == never.kernel.hashes
    assert replay(folder).verdict == "unfinished"
    assert len(segments(last.journal)) > count // 2


def test_kills_at_any_moment(tmp_path: Path) -> None:
    kills(tmp_path, 4, 1)


@pytest.mark.slow
def test_two_hundred_kills_at_any_moment(tmp_path: Path) -> None:
    kills(tmp_path, 200, 2)
