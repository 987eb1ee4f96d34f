"""A loop that looks all the time does what one that sleeps does."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, until
from session_exchange import exchange, write_keys, write_system

import tradewind as tw
from tradewind import instruments
from tradewind._core import Index
from tradewind.dataset import Dataset, definition
from tradewind.journal import Journal
from tradewind.session import rehearsal
from tradewind.session.client_ids import read_client_id
from tradewind.session.run import run
from tradewind.session.waiting import event_loop, while_waiting
from tradewind.venues import OrderRequest


@pytest.mark.parametrize("is_busy", [False, True])
def test_timers_threads_and_sockets_wake_it(is_busy: bool) -> None:
    async def work() -> list[str]:
        loop, order = asyncio.get_running_loop(), list[str]()
        done = asyncio.Event()
        loop.call_later(0.05, order.append, "timer")
        reader, writer = os.pipe()
        loop.add_reader(reader, lambda: (order.append("socket"), loop.remove_reader(reader)))
        threading.Timer(0.1, os.write, (writer, b"x")).start()
        threading.Timer(0.2, loop.call_soon_threadsafe, (done.set,)).start()
        await done.wait()
        os.close(reader)
        os.close(writer)
        return order

    with asyncio.Runner(loop_factory=lambda: event_loop(is_busy=is_busy)) as runner:
        assert runner.run(work()) == ["timer", "socket"]


class Renders:
    """An execution that notes what it is to rehearse."""

    def __init__(self) -> None:
        self.rehearsed: list[OrderRequest] = []

    def rehearse(self, order: OrderRequest) -> None:
        self.rehearsed.append(order)


def test_a_rehearsal_goes_from_a_trade_to_the_request_and_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_EVERY_NS", 0)
    fields = (instruments.load("binance_spot:BTCUSDT"),)
    data = Dataset(Index([definition(one) for one in fields]), fields, ())
    # It has nothing but `rehearse`.
    renders: Any = Renders()
    rehearse = rehearsal.Rehearsal(data, "USDT", {"binance_spot": renders})
    for _ in range(5_000):
        rehearse()
    assert len(renders.rehearsed) == 5_000 - 19
    one = renders.rehearsed[-1]
    assert (one.instrument, one.side, one.quantity, one.price) == ("binance_spot:BTCUSDT", "buy", "0.00001", "0.01")
    assert not read_client_id(one.client_id, "w9")


def test_what_fails_in_a_rehearsal_ends_the_rehearsals_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rehearsal, "_EVERY_NS", 0)
    # A venue of one's own, which nothing says how to simulate.
    fields = (instruments.load("binance_spot:BTCUSDT").model_copy(update={"venue": "mine"}),)
    data = Dataset(Index([definition(one) for one in fields]), fields, ())
    renders: Any = Renders()

    async def work(execution: Any) -> None:
        rehearsal.rehearse_while_waiting(data, "USDT", {"mine": execution})
        await asyncio.sleep(0.1)

    with asyncio.Runner(loop_factory=lambda: event_loop(is_busy=True)) as runner:
        runner.run(work(renders))
        assert renders.rehearsed and not caplog.messages
        runner.run(work(object()))
        assert caplog.messages == ["nothing is rehearsed while waiting any more"]
        runner.run(asyncio.sleep(0.01))
        with monkeypatch.context() as broken:
            broken.setattr(rehearsal, "Rehearsal", None)
            runner.run(work(renders))
    assert caplog.messages[1:] == ["nothing is rehearsed while waiting"]


def test_what_is_done_while_waiting_is_done_only_by_a_busy_loop() -> None:
    for is_busy in (False, True):
        done: list[int] = []

        async def work(done: list[int] = done) -> None:
            while_waiting(lambda: done.append(1))
            await asyncio.sleep(0.01)

        with asyncio.Runner(loop_factory=lambda is_busy=is_busy: event_loop(is_busy=is_busy)) as runner:
            runner.run(work())
        assert bool(done) == is_busy


def test_a_session_that_waits_busily_trades_and_ends_by_a_signal(tmp_path: Path) -> None:
    ready, stop = threading.Event(), threading.Event()
    found: list[Path] = []
    left_alone: list[int] = []

    async def serve() -> None:
        async with exchange() as sandbox:
            keys = sandbox.new_account({"USDT": 100_000})
            write_keys(tmp_path, keys.api_key, keys.secret)
            path = write_system(tmp_path, sandbox.rest_url, sandbox.stream_url, sandbox.api_url)
            path.write_text(path.read_text().replace("[run]\n", "[run]\nbusy_wait = true\n"))
            found.append(path)
            ready.set()
            try:
                # Who trades hears signals, too.
                await until(lambda: sum(sandbox.balances(keys.account).get("BTC", (0, 0))) or stop.is_set())
                left_alone.append(gc.get_freeze_count())
            finally:
                if not stop.is_set():
                    os.kill(os.getpid(), signal.SIGINT)
            await until(stop.is_set)

    serving = threading.Thread(target=lambda: asyncio.run(serve()))
    serving.start()
    assert ready.wait(PATIENCE_SECONDS)
    system = tw.System.read(found[0])
    assert system.run.busy_wait
    try:
        assert run(system, "live") == 0
    finally:
        stop.set()
        serving.join()
    with Journal(tmp_path / "runs/busy/live") as journal:
        assert journal.ending.finished and journal.ending.fills
    # No collection looks through the modules while a tick waits; afterwards all is as it was.
    assert left_alone[0] > 10_000 and gc.get_freeze_count() == 0
