"""Blocks that a second thread reads ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tradewind.journal import Block
from tradewind.journal.ahead import ahead

LARGE = bytes(1 << 19)


def blocks(count: int, data: bytes = LARGE) -> Iterator[Block]:
    for number in range(1, count + 1):
        yield Block(2 * number - 1, 2 * number, 1, data, b"")


def test_large_blocks_come_as_they_are_and_small_ones_joined() -> None:
    assert [(block.first, block.last, len(block.data)) for block in ahead(blocks(3))] == [
        (1, 2, len(LARGE)), (3, 4, len(LARGE)), (5, 6, len(LARGE)),
    ]  # fmt: skip
    (joined,) = ahead(blocks(1_000, b"ab"))
    assert (joined.first, joined.last, joined.data) == (1, 2_000, b"ab" * 1_000)
    assert list(ahead(blocks(0))) == []


def test_one_block_is_read_while_the_one_before_is_worked_on() -> None:
    reached = threading.Semaphore(0)
    threads = set()

    def read() -> Iterator[Block]:
        for block in blocks(3):
            threads.add(threading.current_thread())
            reached.release()
            yield block

    for worked_on, _ in enumerate(ahead(read()), 1):
        # The next one is read without being asked for.
        for _ in range({1: 2, 2: 1, 3: 0}[worked_on]):
            assert reached.acquire(timeout=10)
    assert len(threads) == 1 and threading.current_thread() not in threads


def test_what_reading_raises_comes_behind_what_was_read() -> None:
    def read() -> Iterator[Block]:
        yield from blocks(2)
        raise ValueError("damaged")

    got = ahead(read())
    assert [next(got).last, next(got).last] == [2, 4]
    with pytest.raises(ValueError, match="damaged"):
        next(got)


def test_no_thread_stays_where_nobody_reads_on() -> None:
    before = threading.active_count()
    reading = ahead(blocks(100))
    next(reading)
    assert threading.active_count() == before + 1
    reading.close()
    assert threading.active_count() == before
