"""The journal of a session that trades: segments, kills, full disks, a second process."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from patience import ended, run, started, until
from session_exchange import exchange, held_by, write_keys, write_system

import tradewind as tw
from tradewind._core import client_id
from tradewind.errors import DataError
from tradewind.journal import Journal
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import feed_all, kernel_of
from tradewind.journal.reader import last_entry
from tradewind.journal.segment_writer import SegmentWriter
from tradewind.journal.segments import segments
from tradewind.journal.storage import SqliteStorage
from tradewind.result import frame
from tradewind.session.parity import parity
from tradewind.session.recovery import Earlier, earlier
from tradewind.session.run import prepared

RUN = Path("runs/busy")
SHORT_SEGMENTS = (Path(__file__).parents[1] / "short_segments.py",)
LONG_ENDING = '\n[shutdown]\ntimeout = "40s"\n'
"""Where an exchange that is slow to answer, as this machine may be, is no failure."""


class Bench:
    """An exchange with an account, and the system file of a session that trades there."""

    def __init__(self, folder: Path, sandbox: Any, path: Path, account: int) -> None:
        self.folder, self.sandbox, self.path, self.account = folder, sandbox, path, account

    async def start(self, mode: str, **settings: Any) -> asyncio.subprocess.Process:
        return await started("run", str(self.path), "--mode", mode, **settings)

    async def progress(self, mode: str, entries: int = 300) -> None:
        """Wait until the session has written some entries more."""
        before = self.written(mode)
        await until(lambda: self.written(mode) >= before + entries)

    def written(self, mode: str) -> int:
        """How many entries the journal has."""
        journal = self.folder / RUN / mode / "journal"
        try:
            return last_entry(journal) if journal.exists() else 0
        except DataError as error:
            # The session set it aside, or archived a segment, while it was looked at.
            assert error.code == "unreadable_file", error
            return 0

    def sent(self, mode: str) -> set[str]:
        """The client ids of all orders that are in the journal."""
        with Journal(self.folder / RUN / mode) as kept, rebuilt(kept.manifest.code, None, None) as code:
            kernel = kernel_of(kept.manifest, code)
            assert feed_all(kernel, kept.blocks()) is None
            orders = [*kernel.open_orders(), *frame(kernel.orders()).iter_rows(named=True)]
            return {client_id(kept.manifest.settings["run"], 0, one["count"]) for one in orders}

    def is_equal(self, mode: str) -> bool:
        theirs = self.sandbox.balances(self.account)
        ours = held_by(self.folder, mode)
        return ours == {asset: free + locked for asset, (free, locked) in theirs.items() if asset in ours}


def on_bench(folder: Path, work: Callable[[Bench], Awaitable[None]], more: str = "") -> None:
    async def whole() -> None:
        async with exchange() as sandbox:
            keys = sandbox.new_account({"USDT": 100_000}, kind="HMAC")
            write_keys(folder, keys.api_key, keys.secret)
            path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url)
            path.write_text(path.read_text() + more)
            await work(Bench(folder, sandbox, path, keys.account))

    run(whole())


@pytest.mark.parametrize(("mode", "archive"), [("paper", "parquet"), ("live", "keep")])
def test_kills_between_segments_lose_nothing(tmp_path: Path, mode: str, archive: str) -> None:
    chance = random.Random(3)

    async def work(bench: Bench) -> None:
        for _ in range(2):
            process = await bench.start(mode, program=SHORT_SEGMENTS)
            await bench.progress(mode, chance.randint(1, 500))
            code, said = await ended(process, signal.SIGKILL)
            assert code == -signal.SIGKILL, said
        process = await bench.start(mode, program=SHORT_SEGMENTS)
        await bench.progress(mode, 800)
        if archive == "parquet":
            # Beside the session, in a process of a low priority: it takes as long as it takes.
            await until(lambda: segments(tmp_path / RUN / mode / "journal")[0].is_archived)
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said
        if mode == "live" and archive == "keep":
            assert bench.is_equal(mode)
            assert not bench.sandbox.server.exchange.open_orders[bench.account]

    journal = f'\n[journal]\nsegment = "1s"\nkeep_days = 0\narchive = "{archive}"\n'
    on_bench(tmp_path, work, f"{journal}{LONG_ENDING}")
    with Journal(tmp_path / RUN / mode) as journal:
        assert journal.ending.finished and journal.ending.fills > 3 and journal.first == 1
    held = segments(tmp_path / RUN / mode / "journal")
    assert len(held) > 4 and held[0].is_archived == (archive == "parquet")
    assert tw.journal.replay(tmp_path / RUN / mode).identical
    found = parity(tmp_path / RUN / mode)
    assert found.is_explained, str(found)


def test_a_full_disk_ends_the_session_in_order_and_it_goes_on_with_space(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    async def work(bench: Bench) -> None:
        code, said = await ended(await bench.start("live", preexec_fn=limit))
        assert code == 1 and "[run_interrupted]" in said and "cannot be written" in said, said
        assert "hint: what was written before is whole" in said
        assert not bench.sandbox.server.exchange.open_orders[bench.account]
        with Journal(tmp_path / RUN / "live") as journal:
            assert not journal.ending.finished and journal.last > 10
        # What is not in the journal has not left.
        held = bench.sandbox.server.exchange.orders.values()
        there = {name for one in held for name in (one.client_id, one.replaced_id) if name.startswith("tw")}
        assert there and there <= bench.sent("live")
        process = await bench.start("live")
        await bench.progress("live")
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said
        assert bench.is_equal("live")

    on_bench(tmp_path, work)
    assert tw.journal.replay(tmp_path / RUN / "live").identical


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        first = await bench.start("paper")
        await bench.progress("paper")
        code, said = await ended(await bench.start("paper"))
        assert code not in (0, None)
        assert f"goes on in another process ({first.pid})" in said and "hint:" in said
        code, said = await ended(first, signal.SIGINT)
        assert code == 0, said

    on_bench(tmp_path, work)


def test_power_is_a_setting_of_the_system_file(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.start("live")
        await bench.progress("live")
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said
        assert bench.is_equal("live")

    on_bench(tmp_path, work, '\n[journal]\ndurability = "power"\n')


class KilledError(Exception):
    """As kill -9 leaves it, as far as the journal and the venue can tell."""


def test_a_run_that_was_cut_off_at_once_starts(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with contextlib.suppress(KilledError), await prepared(tw.System.read(bench.path), "live") as ready:
            for venue in ready.session._venues.values():
                await venue.market_data.close()
                if venue.execution is not None:
                    await venue.execution.close()
            raise KilledError
        process = await bench.start("live")
        await bench.progress("live")
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said

    on_bench(tmp_path, work)


def test_the_loss_of_the_day_is_carried_on_where_a_start_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*values: object) -> None:
        raise tw.TradewindError("run_interrupted", "the disk is full")

    async def work(bench: Bench) -> None:
        process = await bench.start("live")
        await bench.progress("live")
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said
        with Journal(tmp_path / RUN / "live") as journal:
            day = journal.ending.day
        with monkeypatch.context() as limited:
            limited.setattr(SqliteStorage, "put_manifest", full)
            with pytest.raises(tw.TradewindError, match="the disk is full"):
                (await prepared(tw.System.read(bench.path), "live")).__enter__()
        with await prepared(tw.System.read(bench.path), "live"):
            assert day is not None and earlier(tmp_path / RUN / "live/journal").carried == day

    on_bench(tmp_path, work)


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_start_that_fails_says_that_orders_of_before_may_be_open(tmp_path: Path, is_killed: bool) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.start("live")
        await bench.progress("live")
        await ended(process, signal.SIGKILL if is_killed else signal.SIGINT)
        write_keys(tmp_path, "no such key", "secret")
        code, said = await ended(await bench.start("live"))
        assert code == 1 and "[bad_credentials]" in said, said
        assert ("orders of it may be open" in said) == is_killed, said

    on_bench(tmp_path, work)


def test_what_was_lost_today_in_another_currency_is_not_carried_on(caplog: pytest.LogCaptureFixture) -> None:
    before = Earlier(carried=(20_000, -50.0, None), currency="USDT")
    assert before.carried_in("USDT") == before.carried and not caplog.text
    assert before.carried_in("EUR") is None
    assert "in USDT, this one in EUR" in caplog.text
    assert Earlier().carried_in("EUR") is None


def test_a_journal_that_is_being_read_is_set_aside_whole(tmp_path: Path) -> None:
    folder = tmp_path / RUN / "paper"

    async def work(bench: Bench) -> None:
        process = await bench.start("paper")
        await bench.progress("paper")
        (file,) = segments(folder / "journal")
        reader = sqlite3.connect(f"file:{file.path}?mode=ro", uri=True)
        reader.execute("SELECT count(*) FROM block").fetchall()
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said
        with Journal(folder) as journal, SegmentWriter.begin(folder / "journal", journal.manifest, 0):
            reader.close()

    on_bench(tmp_path, work)
    (kept,) = folder.glob("journal-*")
    with Journal(kept) as journal:
        assert journal.ending.finished
