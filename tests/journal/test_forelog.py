"""What is written before an order leaves, and not yet in the SQLite file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from session_journals import MINUTES, Run

import tradewind as tw
from tradewind.journal import Journal, forelog, replay
from tradewind.journal.block import Block
from tradewind.journal.forelog import forelog_path
from tradewind.journal.segment_writer import Keeping, SegmentWriter
from tradewind.journal.segments import segments


def left(run: Run, writer: SegmentWriter, seconds: range) -> None:
    """Orders leave each second."""
    for second in seconds:
        run.feed(range(second, second + 1))
        writer.write(run.kernel.take_journal(), leaves=True)


def in_file(run: Run) -> int:
    """The last entry that SQLite has."""
    with sqlite3.connect(f"file:{segments(run.journal)[-1].path}?mode=ro", uri=True) as connection:
        found: int = connection.execute("SELECT coalesce(max(last), 0) FROM block").fetchone()[0]
    connection.close()
    return found


def test_what_left_is_read_before_it_is_in_the_file_and_after(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    run.feed(range(1, 20), writer)
    before = in_file(run)
    left(run, writer, range(20, 60))
    assert in_file(run) == before
    with Journal(run.journal) as kept:
        behind = kept.last
        assert behind > before
        blocks = [(block.first, block.last) for block in kept.blocks()]
        # It comes into the file while it is read, in the same blocks: replicas ask for what is behind one of them.
        writer.write(None)
        assert in_file(run) == behind
        assert [(block.first, block.last) for block in kept.blocks()] == blocks
    with Journal(run.journal) as kept:
        assert [(block.first, block.last) for block in kept.blocks()] == blocks
    left(run, writer, range(60, 80))
    run.finish(writer)
    assert replay(tmp_path).identical
    assert not forelog_path(segments(run.journal)[-1].path).exists()


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
from pathlib import Path
from session_journals import Run
from test_forelog import left
from tradewind.journal.segment_writer import Keeping
run = Run(Path({folder!r}))
writer = run.begin(Keeping())
run.feed(range(1, 20), writer)
left(run, writer, range(20, 60))
print(*run.kernel.hashes, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(folder: Path) -> str:
    here = Path(__file__).parent
    source = KILLED.format(tests=str(here.parent), here=str(here), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    return done.stdout.strip()


def test_a_killed_run_goes_on_behind_what_left(tmp_path: Path) -> None:
    hashes = killed(tmp_path)
    second = Run(tmp_path)
    before = in_file(second)
    _, last, checksum = second.recover()
    assert " ".join(second.kernel.hashes) == hashes
    assert last > before == in_file(second)
    with SegmentWriter.resume(second.journal, last, checksum, MINUTES) as writer:
        assert in_file(second) == last
        left(second, writer, range(60, 100))
        # Into the next segment, with what has left in this one.
        second.feed(range(100, 200), writer)
        second.finish(writer)
    assert len(segments(second.journal)) > 1
    assert not list(second.journal.glob("*-forelog"))
    assert replay(tmp_path).identical


@pytest.mark.parametrize("size", [0, 1, 27, 28, 40])
def test_a_block_that_was_not_copied_whole_is_not_read(tmp_path: Path, size: int) -> None:
    killed(tmp_path)
    run = Run(tmp_path)
    path = forelog_path(segments(run.journal)[-1].path)
    with Journal(run.journal) as kept:
        blocks = list(kept.blocks())
    whole = path.read_bytes()
    # The last block begins behind all others that lie there.
    begin = sum(forelog._HEAD.size + len(block.data) for block in blocks if block.last > in_file(run))
    begin -= forelog._HEAD.size + len(blocks[-1].data)
    path.write_bytes(whole[: begin + size] + bytes(len(whole) - begin - size))
    with Journal(run.journal) as kept:
        assert [block.last for block in kept.blocks()] == [block.last for block in blocks[:-1]]


def test_what_lies_there_from_before_is_known_as_old(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    left(run, writer, range(1, 40))
    writer.write(None)
    left(run, writer, range(40, 42))
    with Journal(run.journal) as kept:
        numbers = [(block.first, block.last) for block in kept.blocks()]
    assert all(first == last + 1 for (_, last), (first, _) in pairwise(numbers))
    assert numbers[-1][1] > in_file(run)
    run.finish(writer)
    assert replay(tmp_path).identical


def test_a_block_without_room_goes_into_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(forelog, "BYTES", 4_096)
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    left(run, writer, range(1, 300))
    assert in_file(run) > 0
    run.finish(writer)
    assert replay(tmp_path).identical


def test_what_left_comes_into_the_file_whole_or_not_at_all(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    run.feed(range(1, 20), writer)
    before, put, count = in_file(run), writer._segment.put_block, 0

    def full_at_the_third(block: Block) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise tw.TradewindError("run_interrupted", "the disk is full")
        put(block)

    left(run, writer, range(20, 30))
    writer._segment.put_block = full_at_the_third  # type: ignore[method-assign]
    with pytest.raises(tw.TradewindError):
        writer.write(None)
    assert in_file(run) == before
    left(run, writer, range(30, 40))
    run.finish(writer)
    assert replay(tmp_path).identical


def test_a_run_that_cannot_write_what_left_is_cut_off_behind_it(tmp_path: Path, monkeypatch: Any) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping())
    left(run, writer, range(1, 40))
    wanted = run.kernel.hashes

    def full(*values: object) -> None:
        raise tw.TradewindError("run_interrupted", "the disk is full")

    # The ending would fit, and must not follow what is in the file alone.
    monkeypatch.setattr("tradewind.journal.storage.SqliteStorage.put_block", full)
    error = tw.TradewindError("run_interrupted", "the disk is full")
    writer.__exit__(type(error), error, None)
    monkeypatch.undo()
    second = Run(tmp_path)
    _, last, checksum = second.recover()
    assert second.kernel.hashes == wanted and last > in_file(second)
    SegmentWriter.resume(second.journal, last, checksum, Keeping())._close()
    assert in_file(second) == last


def test_without_space_for_the_next_segments_the_run_goes_on_in_the_old_one(tmp_path: Path, monkeypatch: Any) -> None:
    run = Run(tmp_path)
    writer = run.begin(MINUTES)
    run.feed(range(1, 30), writer)

    def full(*values: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("tradewind.journal.forelog.mmap.mmap", full)
    run.feed(range(30, 100), writer)
    assert len(segments(run.journal)) == 1
    monkeypatch.undo()
    run.feed(range(100, 200), writer)
    run.finish(writer)
    assert len(segments(run.journal)) > 1
    assert replay(tmp_path).identical


def test_power_leaves_nothing_to_a_file_that_a_power_cut_takes(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin(Keeping(durability="power"))
    left(run, writer, range(1, 10))
    with Journal(run.journal) as kept:
        assert kept.last == in_file(run)
    assert not list(run.journal.glob("*-forelog"))
    run.finish(writer)


def test_a_full_disk_shows_before_an_order_leaves(tmp_path: Path, monkeypatch: Any) -> None:
    def full(*values: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("tradewind.journal.forelog.mmap.mmap", full)
    with pytest.raises(tw.TradewindError) as caught:
        Run(tmp_path).begin(Keeping())
    assert caught.value.code == "run_interrupted"
