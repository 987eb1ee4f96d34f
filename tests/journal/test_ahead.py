"""What a second thread reads ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import tradewind as tw
from tradewind.journal import Journal
from tradewind.journal.ahead import ahead


def test_everything_comes_in_its_order() -> None:
    assert list(ahead(iter(range(1_000)))) == list(range(1_000))
    assert list(ahead(iter(()))) == []


def test_one_is_read_while_the_one_before_is_worked_on() -> None:
    reached = threading.Semaphore(0)
    threads = set()

    def read() -> Iterator[int]:
        for number in range(3):
            threads.add(threading.current_thread())
            reached.release()
            yield number

    for worked_on, _ in enumerate(ahead(read()), 1):
        # The next one is read without being asked for.
        for _ in range({1: 2, 2: 1, 3: 0}[worked_on]):
            assert reached.acquire(timeout=10)
    assert len(threads) == 1 and threading.current_thread() not in threads


def test_what_reading_raises_comes_behind_what_was_read() -> None:
    def read() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("damaged")

    got = ahead(read())
    assert [next(got), next(got)] == [1, 2]
    with pytest.raises(ValueError, match="damaged"):
        next(got)


def test_no_thread_stays_where_nobody_reads_on() -> None:
    before = threading.active_count()
    reading = ahead(iter(range(100)))
    next(reading)
    assert threading.active_count() == before + 1
    reading.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("how", ["blocks", "batches"])
def test_a_journal_is_not_closed_under_who_reads_ahead(tmp_path: Path, how: str) -> None:
    strategy = tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05)
    synthetic = {"synthetic:BTCUSDT": tw.synthetic(events=1_000)}
    tw.backtest(strategy, data=synthetic, balances={"USDT": 100_000}, journal=tmp_path / "run")
    before = set(threading.enumerate())
    with Journal(tmp_path / "run") as journal:
        reading = getattr(journal, how)()
        next(reading)
        assert set(threading.enumerate()) > before
    # Who has failed still holds what it read from; a file that is closed while it is read would end the process.
    assert set(threading.enumerate()) == before
    assert list(reading) == []
