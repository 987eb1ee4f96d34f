"""Entries in batches: many small blocks that are read, checked and joined at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tradewind as tw
from tradewind._core import span_follows
from tradewind.journal import Block, Journal, MemoryStorage, SqliteStorage, Storage
from tradewind.journal.block import OLD_CHECKSUM_BYTES, Span, seal_block, seal_ending, seal_manifest

COUNT = 60
DATA = bytes(range(40))
BATCH_BYTES = 10 * len(DATA)
CHECKSUM_BYTES = 32
PLACES = (0, 1, 8, 9, 10, 11, 35, COUNT - 1)
"""At the beginning, in the middle and at the end of a batch of ten."""


@dataclass
class Small:
    """A journal of small blocks."""

    text: bytes
    codec: int
    blocks: list[Block]
    ending: tuple[bytes, bytes]

    @classmethod
    def of(cls, run: MemoryStorage, checksum_bytes: int) -> Small:
        """With the manifest and the ending of a run, and blocks that nobody decodes."""
        assert run.kept_manifest is not None and run.kept_ending is not None
        text, codec = run.kept_manifest[0], run.kept_blocks[0].codec
        checksum, blocks = seal_manifest(text, checksum_bytes), []
        for first in range(1, 2 * COUNT, 2):
            checksum = seal_block(checksum, first, first + 1, codec, DATA)
            blocks.append(Block(first, first + 1, codec, DATA, checksum))
        return cls(text, codec, blocks, (run.kept_ending[0], seal_ending(checksum, run.kept_ending[0])))

    def put(self, storage: Storage, blocks: list[Block]) -> None:
        storage.put_manifest(self.text, seal_manifest(self.text, len(self.blocks[0].checksum)))
        storage.put_blocks(blocks)
        storage.put_ending(*self.ending)


@pytest.fixture(scope="module")
def run() -> MemoryStorage:
    storage = MemoryStorage()
    strategy = tw.ema_cross("synthetic:BTCUSDT", fast=5, slow=10, quantity=0.05)
    data = {"synthetic:BTCUSDT": tw.synthetic(events=100)}
    tw.backtest(strategy, data=data, balances={"USDT": 100_000}, journal=storage)
    return storage


@pytest.fixture(params=[CHECKSUM_BYTES, OLD_CHECKSUM_BYTES], ids=["now", "before form 3"])
def small(run: MemoryStorage, request: pytest.FixtureRequest) -> Small:
    return Small.of(run, request.param)


def test_a_batch_is_the_blocks_in_it(small: Small) -> None:
    storage = MemoryStorage()
    small.put(storage, small.blocks)
    with Journal(storage) as journal:
        assert (journal.last, journal.block_count) == (2 * COUNT, COUNT)
        assert list(journal.blocks()) == small.blocks
        for per_batch in (1, 7, COUNT, 1_000):
            batches = list(journal.batches(per_batch * len(DATA)))
            assert [one.last - one.first + 1 for one in batches[:-1]] == [2 * per_batch] * (len(batches) - 1)
            assert b"".join(one.data for one in batches) == DATA * COUNT
            assert [one.first for one in batches[1:]] == [one.last + 1 for one in batches[:-1]]
            assert batches[-1].checksum == journal.checksum


CHANGES: list[tuple[str, Callable[[Block], list[Block]]]] = [
    ("is not as it was written", lambda block: [block._replace(data=DATA[:-1] + b"\xff")]),
    ("does not follow entry", lambda block: [block._replace(last=block.first - 1)]),
    ("are missing before", lambda block: []),
    ("has the codec 99", lambda block: [block._replace(codec=99)]),
    ("values of the wrong type", lambda block: [block._replace(checksum="a word")]),  # type: ignore[arg-type]
    ("values of the wrong type", lambda block: [block._replace(data=None)]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("what", "change"), CHANGES)
def test_damage_is_found_where_it_is_and_what_lies_before_is_given_out(
    small: Small, place: int, what: str, change: Callable[[Block], list[Block]]
) -> None:
    changed = change(small.blocks[place])
    if not changed and place == COUNT - 1:
        pytest.skip("nothing comes behind the last block that would tell")
    storage = MemoryStorage("run")
    small.put(storage, [*small.blocks[:place], *changed, *small.blocks[place + 1 :]])
    journal = Journal(storage, checked=False)
    got: list[Block] = []
    with pytest.raises(tw.TradewindError, match=what) as caught:
        got.extend(journal.batches(BATCH_BYTES))
    assert caught.value.code == "bad_journal"
    if "wrong type" not in what:
        assert f"block {place + 1}" in caught.value.message
    assert [block.data for block in got] == [DATA * min(10, place - begin) for begin in range(0, place, 10)]
    readable = Journal(storage, whole=False)
    assert (readable.last, readable.block_count) == (2 * place, place)
    assert list(readable.blocks()) == small.blocks[:place]


@pytest.fixture
def file(small: Small, tmp_path: Path) -> Path:
    path = tmp_path / "run.sqlite"
    storage = SqliteStorage.create(path)
    small.put(storage, small.blocks)
    storage.close()
    return path


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("column", ["last", "codec", "data", "checksum"])
def test_a_value_of_another_type_in_a_file_is_found_where_it_is(
    small: Small, file: Path, place: int, column: str
) -> None:
    with sqlite3.connect(file) as connection:
        wrong = "x'00ff'" if column in ("last", "codec") else "1.5"
        connection.execute(f"UPDATE block SET {column} = {wrong} WHERE first = {small.blocks[place].first}")
    connection.close()
    with pytest.raises(tw.TradewindError, match="a row holds values of the wrong type"):
        Journal(file)
    with Journal(file, whole=False) as readable:
        assert list(readable.blocks()) == small.blocks[:place]
        assert b"".join(block.data for block in readable.batches()) == DATA * place


def test_rows_before_a_damaged_page_are_given_out_though_they_were_read_with_it(small: Small, tmp_path: Path) -> None:
    path = tmp_path / "long.sqlite"
    storage = SqliteStorage.create(path)
    checksum, blocks = small.blocks[-1].checksum, list(small.blocks)
    for first in range(2 * COUNT + 1, 2_000, 2):
        checksum = seal_block(checksum, first, first + 1, small.codec, DATA)
        blocks.append(Block(first, first + 1, small.codec, DATA, checksum))
    small.put(storage, blocks)
    storage.close()
    content = bytearray(path.read_bytes())
    page = content.index(blocks[len(blocks) // 2].checksum) // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)
    # All of it would be one batch.
    with pytest.raises(tw.TradewindError, match="cannot be read") as caught:
        Journal(path)
    with Journal(path, whole=False) as readable:
        read = list(readable.blocks())
        assert f"entries 1 to {readable.last:,} can be read" in caught.value.hint
        batches = list(readable.batches())
        assert (batches[0].first, batches[-1].last) == (1, readable.last)
        assert b"".join(one.data for one in batches) == DATA * len(read)
    assert len(blocks) // 3 < len(read) < len(blocks) // 2 + 1 and read == blocks[: len(read)]


def test_blocks_of_a_file_are_put_together_as_they_are(small: Small, file: Path) -> None:
    with Journal(file) as journal:
        assert (journal.last, journal.block_count) == (2 * COUNT, COUNT)
        batches = list(journal.batches())
        assert [one.first for one in batches] == [1, *(one.last + 1 for one in batches[:-1])]
        assert (b"".join(one.data for one in batches), batches[-1].checksum) == (DATA * COUNT, journal.checksum)
        # Those of before have other checksums, and are read one by one.
        assert len(batches) == (1 if len(journal.checksum) == OLD_CHECKSUM_BYTES else 2)


def span_of(blocks: list[Block]) -> Span:
    return Span(
        sum(one.first for one in blocks),
        b",".join(b"%d" % one.last for one in blocks),
        b",".join(b"%d" % len(one.data) for one in blocks),
        b"".join(one.data for one in blocks),
        b"".join(one.checksum for one in blocks),
    )


def test_a_span_follows_only_as_it_was_written(run: MemoryStorage) -> None:
    small = Small.of(run, CHECKSUM_BYTES)
    blocks = small.blocks[3:6]
    before = small.blocks[2]

    def follows(span: Span, **changed: Any) -> bool:
        asked = {"last": before.last, "codec": small.codec, "checksum": before.checksum} | changed
        return span_follows(*span, *asked.values())

    span = span_of(blocks)
    assert follows(span)
    assert not follows(span, last=before.last + 2)
    assert not follows(span, codec=small.codec + 1)
    assert not follows(span, checksum=blocks[0].checksum)
    assert not follows(span_of([blocks[0], blocks[2]]))
    assert not follows(span_of([blocks[1], blocks[0], blocks[2]]))
    for change in (
        {"firsts": span.firsts + 1},
        {"firsts": -1},
        {"lasts": span.lasts.replace(b",", b";")},
        {"lasts": span.lasts + b",99"},
        {"lasts": b""},
        {"lengths": b"%d,%d,%d" % (len(DATA) + 1, len(DATA) - 1, len(DATA))},
        {"lengths": b"%d,%d,%d" % (len(DATA), len(DATA), 2**64 - 1)},
        {"data": span.data + b"\0"},
        {"data": span.data[:-1] + b"\xff"},
        {"checksums": span.checksums[:-1]},
        {"checksums": span.checksums[CHECKSUM_BYTES:] + span.checksums[:CHECKSUM_BYTES]},
    ):
        assert not follows(span._replace(**change)), change  # type: ignore[arg-type]


def test_who_reads_no_further_leaves_no_thread_behind(small: Small) -> None:
    storage = MemoryStorage()
    small.put(storage, small.blocks)
    before = threading.active_count()
    with Journal(storage) as journal:
        for batch in journal.batches(BATCH_BYTES):
            assert batch.first == 1
            break
        assert threading.active_count() == before
