"""A journal of any bytes: an error of the table, or the same content; never another exception, never a wrong one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tradewind as tw
from tradewind._core import CODEC_VERSION, Backtest, blocks_that_follow
from tradewind.backtest import Settings
from tradewind.journal import Block, Journal, MemoryStorage, SqliteStorage, chain, verify
from tradewind.journal import replay as replayed
from tradewind.journal.block import OLD_CHECKSUM_BYTES, seal_block, seal_ending, seal_manifest

NATIVE = tw.ema_cross("synthetic:BTCUSDT", fast=5, slow=10, quantity=0.05)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("journal") / "run.sqlite"
    data = {"synthetic:BTCUSDT": tw.synthetic(events=2_000)}
    tw.backtest(NATIVE, data=data, balances={"USDT": 100_000}, journal=path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def content(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> MemoryStorage:
    """The same run in several blocks, in memory."""
    storage = MemoryStorage()
    data = {"synthetic:BTCUSDT": tw.synthetic(events=2_000)}
    tw.backtest(NATIVE, data=data, balances={"USDT": 100_000}, journal=storage)
    pieces = MemoryStorage()
    pieces.kept_manifest = storage.kept_manifest
    checksum = storage.kept_manifest[1]
    one = storage.kept_blocks[0]
    # Cut between entries: each piece is what `take_journal` would have given.
    kernel = Backtest(Settings({"USDT": 100_000}).run([NATIVE], tw.load(data), keep="everything", journal=True))
    done = False
    while not done:
        done = kernel.advance(300)
        first, last, data_ = kernel.take_journal()
        checksum = seal_block(checksum, first, last, one.codec, data_)
        pieces.put_block(Block(first, last, one.codec, data_, checksum))
    text = storage.kept_ending[0]
    pieces.put_ending(text, seal_ending(checksum, text))
    assert replayed(pieces).identical
    assert len(pieces.kept_blocks) > 4
    return pieces


def parts(path: Path) -> tuple:
    with Journal(path) as journal:
        return journal.manifest, list(journal.blocks()), journal.ending


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 100) | st.integers(0, 2**20), flip=st.integers(1, 255))
def test_a_file_with_flipped_bytes_is_an_error_or_unchanged(whole, tmp_path, at, flip):
    path = tmp_path / "run.sqlite"
    damaged = bytearray(whole)
    damaged[at % len(whole)] ^= flip
    path.write_bytes(whole)
    before = parts(path)
    path.write_bytes(damaged)
    try:
        after = parts(path)
    except tw.TradewindError as error:
        assert error.code in ("bad_journal", "journal_version")
        assert error.hint
    else:
        # A bit that hides the ending makes the run an unfinished one, which is never identical.
        assert after == before or (after[:2] == before[:2] and not after[2].finished)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, 2**20))
def test_a_truncated_file_is_an_error(whole, tmp_path, length):
    path = tmp_path / "run.sqlite"
    path.write_bytes(whole[: length % len(whole)])
    with pytest.raises(tw.TradewindError) as caught:
        parts(path)
    assert caught.value.code == "bad_journal"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=2_000))
def test_any_bytes_are_an_error(tmp_path, noise):
    path = tmp_path / "run.sqlite"
    path.write_bytes(noise)
    with pytest.raises(tw.TradewindError) as caught:
        replayed(path)
    assert caught.value.code == "bad_journal"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_altered_block_is_found_and_named(content, data):
    blocks = list(content.kept_blocks)
    at = data.draw(st.integers(0, len(blocks) - 1))
    block = blocks[at]
    where = data.draw(st.integers(0, len(block.data) - 1))
    flipped = bytearray(block.data)
    flipped[where] ^= data.draw(st.integers(1, 255))
    altered = data.draw(
        st.sampled_from(
            [
                block._replace(data=bytes(flipped)),
                block._replace(data=block.data[:where]),
                block._replace(data=block.data + b"\0"),
                block._replace(last=block.last + 1),
                block._replace(first=block.first + 1),
                block._replace(codec=99),
                block._replace(checksum=bytes(16)),
            ]
        )
    )
    blocks[at] = altered
    storage = MemoryStorage("run", content.kept_manifest, blocks, content.kept_ending)
    with pytest.raises(tw.TradewindError) as caught:
        replayed(storage)
    assert caught.value.code == "bad_journal"
    assert f"block {at + 1}" in caught.value.message


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_block_that_was_forged_with_its_checksums_crashes_nothing(content, data):
    block = content.kept_blocks[0]
    forged = bytearray(block.data)
    forged[data.draw(st.integers(0, len(forged) - 1) | st.integers(0, 60))] ^= data.draw(st.integers(1, 255))
    checksum = seal_block(content.kept_manifest[1], block.first, block.last, block.codec, bytes(forged))
    blocks = [block._replace(data=bytes(forged), checksum=checksum)]
    text = content.kept_ending[0]
    try:
        report = replayed(MemoryStorage("run", content.kept_manifest, blocks, (text, seal_ending(checksum, text))))
    except tw.TradewindError as error:
        assert error.code == "bad_journal"
    else:
        assert not report.identical


def test_damage_behind_a_divergence_is_what_is_said(content):
    other = tw.ema_cross("synthetic:BTCUSDT", fast=3, slow=7, quantity=0.05)
    assert replayed(content, [other]).verdict == "diverged"
    last = content.kept_blocks[-1]
    blocks = [*content.kept_blocks[:-1], last._replace(data=last.data + b"\0")]
    with pytest.raises(tw.TradewindError, match=f"block {len(blocks)} .* is not as it was written"):
        replayed(MemoryStorage("run", content.kept_manifest, blocks, content.kept_ending), [other])


def test_verifying_says_what_is_damaged(whole, tmp_path):
    path = tmp_path / "run.sqlite"
    path.write_bytes(whole)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE block SET data = data || x'00'")
    connection.close()
    with pytest.raises(tw.TradewindError, match=r"block 1 .* is not as it was written"):
        verify(path, hash_seeds=[1])


def test_a_journal_that_is_read_once_is_checked_once(content, monkeypatch):
    checked = []

    def counted(rows, *before):
        checked.extend(rows)
        return blocks_that_follow(rows, *before)

    monkeypatch.setattr(chain, "blocks_that_follow", counted)
    assert replayed(content).identical
    assert checked == content.kept_blocks
    with Journal(content, checked=False) as journal:
        assert (journal.last, journal.stated_last) == (0, content.kept_blocks[-1].last)
        journal.check()
        assert journal.last == journal.stated_last and journal.ending.finished


def test_missing_and_reordered_blocks_are_named(content):
    def error(blocks, ending=content.kept_ending):
        with pytest.raises(tw.TradewindError) as caught:
            Journal(MemoryStorage("run", content.kept_manifest, blocks, ending))
        return caught.value.message

    blocks = content.kept_blocks
    assert (
        error(blocks[:1] + blocks[2:])
        == f"run: entries {blocks[1].first:,} to {blocks[1].last:,} are missing before block 2"
    )
    assert "does not follow entry 0" in error([blocks[0], blocks[0], *blocks[1:]]).replace(
        f"entry {blocks[0].last:,}", "entry 0"
    )
    assert "are missing before block 1" in error([blocks[1], blocks[0], *blocks[2:]])
    assert error(blocks[:-1]) == f"run: entries {blocks[-1].first:,} to {blocks[-1].last:,} are missing at its end"
    text, checksum = content.kept_ending
    assert "ending is not as it was written" in error(blocks, (text.replace(b'"orders":', b'"orders":1'), checksum))


def test_a_journal_whose_end_is_cut_off_is_unfinished(content):
    report = replayed(MemoryStorage("run", content.kept_manifest, content.kept_blocks[:-1], None))
    assert (report.verdict, report.identical) == ("unfinished", False)
    assert "its end was cut off" in str(report)


def test_an_altered_manifest_is_found(content):
    text, checksum = content.kept_manifest
    with pytest.raises(tw.TradewindError, match="its manifest is not as it was written"):
        Journal(
            MemoryStorage(
                "run", (text.replace(b'"seed":0', b'"seed":1'), checksum), content.kept_blocks, content.kept_ending
            )
        )


def test_checksums_of_older_forms_are_checked(content):
    checksum = seal_manifest(content.kept_manifest[0], OLD_CHECKSUM_BYTES)
    old = MemoryStorage("run", (content.kept_manifest[0], checksum))
    for block in content.kept_blocks:
        checksum = seal_block(checksum, block.first, block.last, block.codec, block.data)
        old.put_block(block._replace(checksum=checksum))
    old.put_ending(content.kept_ending[0], seal_ending(checksum, content.kept_ending[0]))
    assert len(checksum) == OLD_CHECKSUM_BYTES
    assert replayed(old).identical
    old.kept_blocks[1] = old.kept_blocks[1]._replace(data=old.kept_blocks[1].data[:-1] + b"\xff")
    with pytest.raises(tw.TradewindError, match=r"block 2 .* is not as it was written"):
        replayed(old)


def test_another_version_says_which_one_reads_it(content, whole, tmp_path):
    text = content.kept_manifest[0].replace(f'"codec":{CODEC_VERSION}'.encode(), b'"codec":99')
    with pytest.raises(tw.TradewindError, match="pip install tradewind==") as caught:
        Journal(MemoryStorage("run", (text, seal_manifest(text)), [], None))
    assert caught.value.code == "journal_version"
    path = tmp_path / "run.sqlite"
    path.write_bytes(whole)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(tw.TradewindError, match="form 99") as caught:
        SqliteStorage.open(path)
    assert caught.value.code == "journal_version"


def test_a_journal_in_a_folder_that_cannot_be_written_is_read(whole, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "journal.sqlite").write_bytes(whole)
    folder.chmod(0o555)
    try:
        assert replayed(folder).identical
    finally:
        folder.chmod(0o755)
    assert [entry.name for entry in folder.iterdir()] == ["journal.sqlite"]


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "journal.sqlite").touch()
    with pytest.raises(tw.TradewindError, match="did you mean"):
        replayed(tmp_path / "jurnal.sqlite")


def test_a_killed_writer_leaves_what_it_wrote(tmp_path, content):
    path = tmp_path / "run.sqlite"
    writer = SqliteStorage.create(path)
    writer.put_manifest(*content.kept_manifest)
    for block in content.kept_blocks[:3]:
        writer.put_block(block)
    # Not closed: the log lies beside the file, as after a crash.
    with Journal(path) as journal:
        assert len(list(journal.blocks())) == 3
        assert not journal.ending.finished
    writer.close()
