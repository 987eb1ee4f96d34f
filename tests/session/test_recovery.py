"""A session that is killed goes on where it was: no order is lost or doubled (D5)."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from patience import ended, started, until
from session_bench import RESTING, STILL, Bench, is_up, kill_and_go_on, on_bench
from session_exchange import exchange, write_keys, write_system

import tradewind as tw
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.session.parity import parity
from tradewind.session.run import prepared


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_two_kills(tmp_path: Path, mode: str) -> None:
    asyncio.run(kill_and_go_on(tmp_path, mode, 2, 7))
    folder = tmp_path / "runs/busy" / mode
    with Journal(folder) as journal:
        assert journal.ending.finished and journal.ending.fills > 3
    assert tw.journal.replay(folder).identical
    found: Any = parity(folder)
    assert found.is_explained, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_hundred_kills(tmp_path: Path, mode: str) -> None:
    asyncio.run(kill_and_go_on(tmp_path, mode, 100, 8))
    assert tw.journal.replay(tmp_path / "runs/busy" / mode).identical


def test_a_run_whose_code_changed_does_not_go_on(tmp_path: Path) -> None:
    asyncio.run(_change_and_go_on(tmp_path))


async def _change_and_go_on(folder: Path) -> None:
    trader = folder / "trader.py"
    source = Path(__file__).with_name("trader.py").read_text()
    trader.write_text(source)
    async with exchange() as sandbox:
        keys = sandbox.new_account({"USDT": 100_000}, kind="HMAC")
        write_keys(folder, keys.api_key, keys.secret)
        path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, trader)
        process = await started("run", str(path), "--mode", "live")
        await until(lambda: sum(sandbox.balances(keys.account).get("BTC", (0, 0))))
        await ended(process, signal.SIGKILL)
        trader.write_text(source.replace("0.01 if", "0.02 if"))
        code, said = await ended(await started("run", str(path), "--mode", "live"))
        assert code == 1 and "[divergence]" in said and "trader.py changed since" in said, said


def test_a_cancel_that_is_wanted_before_there_is_a_connection_leaves_once_there_is_one(tmp_path: Path) -> None:
    cancelling = RESTING.replace("def more(self, order):\n        pass", "def on_status(self, ctx, status):") + (
        """
        if status.kind == "gap":
            ctx.cancel_all()
"""
    )

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed"):
            await bench.until(lambda: bench.open_orders)
        async with bench.session() as ready:
            # The time for which it was down is a gap, of which the strategy hears before anything is connected.
            await bench.until(lambda: is_up(ready) and not bench.open_orders)
            assert ready.session.failure is None
        assert parity(bench.folder / "runs/busy/live").is_explained

    on_bench(tmp_path, cancelling.replace("        self.more(order)\n", ""), work)


def test_a_value_that_would_reach_nobody_is_refused(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with await prepared(tw.System.read(bench.path), "paper") as ready:
            with pytest.raises(tw.TradewindError, match="has not started"):
                ready.session.send("mood", 0.5)
            running = asyncio.create_task(ready.session.run())
            await bench.until(lambda: ready.session.is_running)
            ready.session.send("mood", 0.5)
            ready.session.stop()
            with pytest.raises(tw.TradewindError, match="is ending"):
                ready.session.send("mood", 0.6)
            await running

    on_bench(tmp_path, STILL, work)


def test_the_time_for_which_a_run_was_down_is_a_gap(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: ready.kernel.rows > 50)
            assert ready.session.health.gaps == 0
        async with bench.session() as ready:
            await bench.until(lambda: ready.session.health.gaps == 1)  # of quotes, of which there is no history

    on_bench(tmp_path, STILL, work)


ON_TIMERS = """
import tradewind as tw

class Busy(tw.Strategy):
    timers: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        ctx.timer(after=0.2)

    def on_timer(self, ctx, number):
        self.timers += 1
        ctx.timer(after=0.2)

    def on_status(self, ctx, status):
        if status.kind == "stale" and self.timers:
            ctx.buy(self.btc, round(0.001 + 0.00001 * self.timers, 5))
"""


def test_what_a_restart_tells_comes_behind_all_that_was_met(tmp_path: Path) -> None:
    """Also where that was a timer, behind which a backtest takes nothing else of its time (T3)."""

    async def work(bench: Bench) -> None:
        async with bench.session("paper", ends="killed") as ready:
            await bench.until(lambda: ready.kernel.rows > 5)
            bench.faults.on("quiet_market")
            # The last input is a timer.
            rows = -1
            while rows != ready.kernel.rows:
                rows = ready.kernel.rows
                await asyncio.sleep(0.5)
        bench.faults.off("quiet_market")
        async with bench.session("paper") as ready:
            rows = ready.kernel.rows
            await bench.until(lambda: ready.kernel.rows > rows + 5 and ready.kernel.closed_orders(1))

    on_bench(tmp_path, ON_TIMERS, work)
    found = parity(tmp_path / "runs/busy/paper")
    assert found.is_equal, str(found)


ANOTHER = (
    STILL
    + """

class Other(tw.Strategy):
    def on_start(self, ctx):
        ctx.subscribe(ctx.instrument("binance_spot:BTCUSDT").trades)
"""
)


@pytest.mark.parametrize("file", ["mine.py", "different.py"])
def test_another_class_does_not_go_on(tmp_path: Path, file: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: ready.kernel.rows > 5)
        (tmp_path / file).write_text(ANOTHER)
        text = bench.path.read_text()
        bench.path.write_text(text.replace(f"{tmp_path / 'mine.py'}:Busy", f"{tmp_path / file}:Other"))
        with pytest.raises(TradewindError, match="the class of busy"):
            await bench.session().__aenter__()
        async with bench.session(accepts_changes=True) as ready:
            assert "the class of busy" in ready.told[0] and not ready.kernel.is_trading

    on_bench(tmp_path, ANOTHER, work)
