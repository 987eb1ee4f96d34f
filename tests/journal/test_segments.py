"""A session's journal in segments: read as one, recovered from its last snapshot."""

from __future__ import annotations

import shutil
import sqlite3
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from session_journals import MINUTES, SOURCE, Keeping, Run, cut_off, recorded

import tradewind as tw
from tradewind.journal import Journal, replay, segment_writer, verify
from tradewind.journal.block import OLD_CHECKSUM_BYTES, seal_manifest
from tradewind.journal.reader import snapshots
from tradewind.journal.segment_writer import SegmentWriter
from tradewind.journal.segments import FOLDER_NAME, segments
from tradewind.session.changes import ACCEPT


def entries(journal: Path) -> bytes:
    with Journal(journal) as kept:
        return b"".join(block.data for block in kept.blocks())


def test_segments_are_read_as_one(tmp_path: Path) -> None:
    for name, keeping in (("several", MINUTES), ("one", Keeping())):
        (tmp_path / name).mkdir()
        recorded(tmp_path / name, keeping)
    several, one = tmp_path / "several", tmp_path / "one"
    assert [len(segments(folder / "journal")) for folder in (several, one)] == [5, 1]
    assert entries(several) == entries(one) == entries(several / "journal")
    with Journal(several) as kept, Journal(one) as other:
        assert kept.ending == other.ending and kept.ending.finished and kept.ending.fills > 10
        assert (kept.first, kept.snapshot) == (1, None)
        numbers = [(block.first, block.last) for block in kept.blocks()]
    assert numbers[0][0] == 1 and all(before[1] + 1 == after[0] for before, after in pairwise(numbers))
    assert replay(several).identical
    assert verify(several, hash_seeds=[1]).identical


def test_a_single_segment_is_read_from_its_snapshot(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    held = segments(run.journal)
    with Journal(run.journal) as whole, Journal(held[-1].path) as last:
        assert last.first > 1 and last.snapshot is not None and last.ending == whole.ending
        assert list(last.blocks()) == [block for block in whole.blocks() if block.first >= last.first]


@pytest.mark.parametrize("seconds", [59, 61, 200, 299])
def test_a_run_goes_on_from_the_last_snapshot(tmp_path: Path, seconds: int) -> None:
    first = cut_off(tmp_path, seconds=seconds)
    kept = tmp_path / "kept"
    shutil.copytree(first.journal, kept)
    for old in segments(first.journal)[:-1]:
        # What comes before the last segment is not even opened.
        old.path.write_bytes(b"nothing" * 2000)
    second = Run(tmp_path)
    _, last, checksum = second.recover()
    shutil.rmtree(first.journal)
    kept.rename(first.journal)
    assert second.kernel.hashes == first.kernel.hashes
    ours, theirs = first.kernel.outcome(), second.kernel.outcome()
    for name in ("inputs", "orders", "fills"):
        assert ours[name] == theirs[name]
    with SegmentWriter.resume(second.journal, last, checksum, MINUTES) as writer:
        second.feed(range(seconds, 300), writer)
        second.kernel.finish()
        writer.write(second.kernel.take_journal())
        writer.finish(second.kernel.outcome())
    (tmp_path / "never").mkdir()
    never = recorded(tmp_path / "never")
    assert entries(second.journal) == entries(never.journal)
    assert replay(tmp_path).identical


def test_a_snapshot_is_saved_within_a_segment_too(tmp_path: Path) -> None:
    keeping = Keeping(snapshot_entries=50)
    first = cut_off(tmp_path, keeping)
    (only,) = segments(first.journal)
    held = [one.sequence for one in snapshots(first.journal)]
    with Journal(first.journal) as kept:
        assert kept.last - held[0] <= 60 and len(held) == 3
        blocks = sum(block.first > held[0] for block in kept.blocks())
    with Journal(first.journal, after=held[0]) as kept:
        assert kept.first == held[0] + 1 and len(list(kept.blocks())) == blocks
    second = Run(tmp_path)
    second.recover()
    assert second.kernel.hashes == first.kernel.hashes
    assert only.number == 1


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    first = cut_off(tmp_path)
    connection = sqlite3.connect(segments(first.journal)[-1].path)
    connection.execute("UPDATE snapshot SET state = zeroblob(length(state))")
    connection.commit()
    connection.close()
    assert len(list(snapshots(first.journal))) == 3
    second = Run(tmp_path)
    second.recover()
    assert second.kernel.hashes == first.kernel.hashes


FORGETFUL = SOURCE.replace("seen: int = tw.state(0)", "seen = 0")
IN_THE_CLASS = (
    SOURCE.replace("seen: int = tw.state(0)", "seen = []")
    .replace("self.seen += 1", "self.seen.append(trade.price)")
    .replace("self.seen % 7", "len(self.seen) % 7")
)


@pytest.mark.parametrize("source", [FORGETFUL, IN_THE_CLASS])
def test_what_a_snapshot_does_not_hold_is_replayed_from_the_beginning(tmp_path: Path, caplog, source: str) -> None:
    first = cut_off(tmp_path, source=source)
    second = Run(tmp_path, source=source)
    second.recover()
    assert second.kernel.hashes == first.kernel.hashes
    assert "seen will be lost" in caplog.text and "read from its beginning" in caplog.text


def test_a_changed_parameter_or_source_is_refused_with_a_hint(tmp_path: Path) -> None:
    cut_off(tmp_path)
    with pytest.raises(tw.TradewindError, match=r"the parameter Patient\.size changed since") as caught:
        Run(tmp_path, size=2.0).recover()
    assert (caught.value.code, bool(caught.value.hint)) == ("divergence", True)
    with pytest.raises(tw.TradewindError, match=r"patient.py changed since"):
        Run(tmp_path, source=SOURCE.replace("% 7", "% 7  ")).recover()
    with pytest.raises(
        tw.TradewindError, match=r"the strategy now decides .*, and had decided .*patient.py changed since"
    ):
        Run(tmp_path, source=SOURCE.replace("% 7", "% 5")).recover()


def test_a_strategy_that_fails_by_what_is_recorded_is_told_to_be_corrected(tmp_path: Path) -> None:
    cut_off(tmp_path)
    with pytest.raises(ZeroDivisionError) as caught:
        Run(tmp_path, source=SOURCE.replace("% 7", "% 0")).recover()
    assert caught.value.__notes__[0].startswith("raised in on_")
    assert caught.value.__notes__[1].endswith(f"{ACCEPT}; or move {tmp_path / FOLDER_NAME} away to begin a new run")


def test_a_run_whose_first_segments_were_dropped_replays_from_a_snapshot(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    for old in segments(run.journal)[:2]:
        old.path.unlink()
    with Journal(tmp_path) as kept:
        assert kept.first > 1 and kept.snapshot is not None
    assert replay(tmp_path).identical
    (tmp_path / "patient.py").write_text(SOURCE.replace("% 7", "% 5"))
    assert replay(tmp_path).verdict == "diverged"


def test_a_segment_that_is_missing_is_named(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    held = segments(run.journal)
    for gone, match in (
        (held[2], "begins with entry .* does not follow"),
        (held[-1], "segment that follows it is missing"),
    ):
        kept = tmp_path / "kept"
        shutil.move(gone.path, kept)
        with pytest.raises(tw.TradewindError, match=match) as caught:
            Journal(tmp_path)
        assert caught.value.code == "bad_journal"
        shutil.move(kept, gone.path)
    (tmp_path / "other").mkdir()
    other = recorded(tmp_path / "other", seconds=200, size=2.0)
    shutil.copy(segments(other.journal)[2].path, held[2].path)
    with pytest.raises(tw.TradewindError, match="does not begin as a segment of its run does") as caught:
        Journal(tmp_path)
    assert held[2].path.name in caught.value.message


def test_a_segment_that_was_not_made_whole_is_none(tmp_path: Path) -> None:
    first = cut_off(tmp_path)
    (first.journal / "000009-2026-01-01T000000.sqlite.part").write_bytes(b"half")
    second = Run(tmp_path)
    second.recover()
    assert second.kernel.hashes == first.kernel.hashes


def test_a_journal_of_the_first_form_is_read(tmp_path: Path) -> None:
    file = tmp_path / "run.sqlite"
    data = {"synthetic:BTCUSDT": tw.synthetic(events=1_000)}
    tw.backtest(tw.ema_cross("synthetic:BTCUSDT"), data=data, balances={"USDT": 100_000}, journal=file)
    connection = sqlite3.connect(file)
    for statement in ("DROP TABLE joint", "DROP TABLE snapshot", "PRAGMA user_version = 1"):
        connection.execute(statement)
    connection.close()
    assert replay(file).identical


def test_a_session_with_checksums_of_an_older_form_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(segment_writer, "seal_manifest", partial(seal_manifest, checksum_bytes=OLD_CHECKSUM_BYTES))
        cut_off(tmp_path, seconds=130)
    second = Run(tmp_path)
    _, last, checksum = second.recover()
    with SegmentWriter.resume(second.journal, last, checksum, MINUTES) as writer:
        second.feed(range(130, 300), writer)
        second.kernel.finish()
        writer.write(second.kernel.take_journal())
        writer.finish(second.kernel.outcome())
    with Journal(second.journal) as kept:
        assert len(kept.checksum) == OLD_CHECKSUM_BYTES and kept.ending.finished
    assert len(segments(second.journal)) == 5
    assert replay(tmp_path).identical


def test_a_journal_is_read_while_its_session_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path)
    writer = run.begin()
    run.feed(range(1, 55), writer)
    with Journal(tmp_path) as kept:
        before = kept.last
        # The next segment is begun between two looks.
        run.feed(range(55, 130), writer)
        for thread in writer._closing:
            thread.join()
        assert len(segments(run.journal)) == 3
        blocks = list(kept.blocks())
        assert blocks[-1].last >= before
    with Journal(segments(run.journal)[0].path) as kept:
        assert kept.ending.reason == "it goes on in the next segment"
    run.finish(writer)
    assert replay(tmp_path).identical
