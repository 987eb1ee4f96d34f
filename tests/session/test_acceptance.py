"""A run that was cut off goes on with changed code (D5): `--accept-changes`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, ended, started, until
from session_bench import HEAD, ONCE, RESTING, STILL, Bench, is_up, on_bench
from session_exchange import exchange, write_keys, write_system

import tradewind as tw
from tradewind.cli.run import run_system
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.journal.info import info
from tradewind.journal.reader import snapshots
from tradewind.journal.segment_writer import Keeping
from tradewind.journal.segments import FOLDER_NAME
from tradewind.journal.succession import finish_succession
from tradewind.session.parity import parity
from tradewind.session.rewind import state_at
from tradewind.session.run import prepared

BUYS_MORE = """
import tradewind as tw

class Busy(tw.Strategy):
    seen: int = tw.state(0)
    asked: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        self.held_at_start = str(ctx.position(self.btc).quantity)

    def on_trade(self, ctx, trade):
        self.seen += 1000
        if not self.asked and ctx.is_trading:
            self.asked = 1
            ctx.buy(self.btc, 0.02)

    def on_order(self, ctx, order):
        if order.status == "rejected":
            self.asked = 0
"""

BUY = "ctx.buy(self.btc, 0.01)"
BREAKS = """
        elif ctx.position(self.btc).quantity:
            self.seen = 5
            raise RuntimeError("of mine")
"""


def _earlier(run: Path) -> Path:
    (found,) = (one for one in run.iterdir() if one.name.startswith(f"{FOLDER_NAME}-"))
    return found


def _changed(bench: Bench, source: str) -> None:
    (bench.folder / "mine.py").write_text(source)


async def _bought(bench: Bench, mode: str = "live") -> int:
    """A killed run that holds 0.01 coins; gives its last entry."""
    async with bench.session(mode, ends="killed") as ready:
        await bench.until(lambda: ready.kernel.outcome()["fills"])
    with Journal(bench.folder / "runs/busy" / mode) as journal:
        return journal.last


async def _rows_come(bench: Bench, ready: Any) -> None:
    before = ready.kernel.rows
    await bench.until(lambda: ready.kernel.rows > before + 30)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_it_goes_on_with_what_it_held_and_trades_when_it_is_told_to(tmp_path: Path, mode: str) -> None:
    run = tmp_path / "runs/busy" / mode

    async def work(bench: Bench) -> None:
        last = await _bought(bench, mode)
        _changed(bench, BUYS_MORE)
        async with bench.session(mode, ends="killed", accepts_changes=True) as ready:
            assert "busy takes over seen; begins with asked as declared" in ready.told
            await _rows_come(bench, ready)
            (strategy,) = ready.about.strategies
            assert strategy.held_at_start == ready.kernel.positions()[0][2] != "0"
            # What was taken over is 1, and the changed code counts in thousands.
            assert strategy.seen % 1000 == 1 and not strategy.asked
            assert not ready.kernel.is_trading
            if mode == "live":
                await bench.until(lambda: is_up(ready) and bench.equals(ready))
        # From here on it is a run like any other.
        async with bench.session(mode) as ready:
            assert ready.is_recovered and not ready.told and not ready.kernel.is_trading
            if mode == "live":
                await bench.until(lambda: is_up(ready))
            ready.session.command("trading_on")
            await bench.until(lambda: ready.kernel.outcome()["fills"] >= 2 and not ready.kernel.open_orders())
            assert ready.kernel.closed_orders(1)[0]["count"] > 1
            if mode == "live":
                assert bench.equals(ready)
        with Journal(run) as journal:
            (accepted,) = journal.manifest.accepted
            assert accepted.entry == last == journal.first - 1
            assert accepted.changes == [f"{tmp_path / 'mine.py'} changed"]
            assert accepted.journal == _earlier(run).name

    on_bench(tmp_path, ONCE, work)
    report = tw.journal.replay(run)
    assert report.identical and "changes were accepted" in report.notes[0], str(report)
    assert tw.journal.verify(run).identical
    # What lies before is judged with the code of then, which its own journal holds.
    (tmp_path / "mine.py").write_text(ONCE)
    before = tw.journal.replay(_earlier(run))
    assert before.verdict == "unfinished" and "agrees" in before.problem
    (tmp_path / "mine.py").write_text(BUYS_MORE)
    assert "changes were accepted" in str(info(run)) and "dropped" not in str(info(run))
    with Journal(run) as journal:
        middle = state_at(run, journal.first + 40)
        assert middle.positions[0][2].startswith("0.0099")
    with pytest.raises(TradewindError, match="the run does not begin here: behind entry"):
        parity(run)


CHAIN = """
import tradewind as tw

class Busy(tw.Strategy):
    ticks: int = tw.state(0)
    roll: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        self.ticks_at_start = self.ticks
        self.roll = ctx.timer(after=0.05)

    def on_timer(self, ctx, number):
        if number == self.roll:
            self.ticks += 1
            self.roll = ctx.timer(after=0.05)
"""


def test_what_on_start_sets_goes_together_with_what_was_remembered(tmp_path: Path) -> None:
    def strategy(ready: Any) -> Any:
        return ready.about.strategies[0]

    async def work(bench: Bench) -> None:
        async with bench.session("paper", ends="killed") as ready:
            await bench.until(lambda: strategy(ready).ticks > 5)
        _changed(bench, CHAIN + "# changed\n")
        async with bench.session("paper", ends="killed", accepts_changes=True) as ready:
            assert any("busy waited for timers that are gone (number " in line for line in ready.told), ready.told
            await bench.until(lambda: not ready.kernel.awaits_start)
            assert strategy(ready).ticks_at_start > 1
            await bench.until(lambda: strategy(ready).ticks > strategy(ready).ticks_at_start + 2)
        async with bench.session("paper") as ready:
            assert ready.is_recovered
            before = strategy(ready).ticks
            await bench.until(lambda: strategy(ready).ticks > before + 2)

    on_bench(tmp_path, CHAIN, work)
    assert tw.journal.replay(tmp_path / "runs/busy/paper").identical


OFTEN = (
    HEAD.replace("self.btc.trades)", "self.btc.trades)\n        ctx.subscribe(self.btc.book)")
    + """
    def on_trade(self, ctx, trade):
        self.seen += 1
        ctx.target(self.btc, 0.01 if self.seen // 4 % 2 else 0)
"""
)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_it_is_rebuilt_from_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(sys.modules[prepared.__module__], "_keeping", lambda _: Keeping(snapshot_entries=300))
    run = tmp_path / "runs/busy" / mode

    async def work(bench: Bench) -> None:
        async with bench.session(mode, ends="killed") as ready:
            await bench.until(lambda: ready.kernel.rows > 800 and ready.kernel.outcome()["fills"] > 10)
        assert len(list(snapshots(run))) > 1
        _changed(bench, STILL)
        async with bench.session(mode, accepts_changes=True) as ready:
            assert not any("the recorded code" in line for line in ready.told), ready.told
            await _rows_come(bench, ready)
            if mode == "live":
                await bench.until(lambda: is_up(ready) and bench.equals(ready))

    on_bench(tmp_path, OFTEN, work)
    assert tw.journal.replay(run).identical


def test_code_that_broke_is_mended(tmp_path: Path) -> None:
    broken = ONCE.replace(BUY, BUY + BREAKS)

    async def work(bench: Bench) -> None:
        with pytest.raises(RuntimeError, match="of mine"):
            async with bench.session() as ready:
                await bench.until(lambda: ready.session.is_ending)
        _changed(bench, BUYS_MORE)
        async with bench.session(accepts_changes=True) as ready:
            assert any("the recorded code ends with RuntimeError: of mine" in line for line in ready.told), ready.told
            await bench.until(lambda: is_up(ready) and not ready.kernel.awaits_start and bench.equals(ready))
            (strategy,) = ready.about.strategies
            assert strategy.seen % 1000 == 5 and Decimal(ready.kernel.positions()[0][2]) > 0

    on_bench(tmp_path, broken, work)
    assert tw.journal.replay(tmp_path / "runs/busy/live").identical


def test_an_order_that_rests_is_found_and_can_be_cancelled(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: bench.open_orders)
        (rests,) = bench.open_orders.values()
        _changed(bench, STILL)
        async with bench.session(accepts_changes=True) as ready:
            await bench.until(lambda: is_up(ready))
            (held,) = ready.kernel.open_orders()
            assert ready.session.name_of(held) == rests.client_id
            ready.session.command("cancel_all")
            await bench.until(lambda: not bench.open_orders and not ready.kernel.open_orders())

    on_bench(tmp_path, RESTING, work)


def test_a_target_replaces_the_order_of_a_target_of_before(tmp_path: Path) -> None:
    wants = HEAD + "\n    def on_trade(self, ctx, trade):\n        ctx.target(self.btc, {})\n"

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: bench.open_orders and ready.kernel.open_orders()[0]["status"] == "open")
        _changed(bench, wants.format("0"))
        async with bench.session(accepts_changes=True) as ready:
            # Nothing stands in the way of a cancel, also while trading is off (O4).
            await bench.until(lambda: is_up(ready) and not bench.open_orders and not ready.kernel.open_orders())
            assert not ready.kernel.positions()

    on_bench(tmp_path, wants.format("0.1, price=50000"), work)


def test_the_strategies_start_once_where_the_process_ends_before(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        _changed(bench, BUYS_MORE)
        for accepts in (True, False):
            with await prepared(tw.System.read(bench.path), "live", accepts_changes=accepts) as ready:
                # Killed before anything has happened.
                assert ready.kernel.awaits_start and not ready.is_recovered
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows)
            (strategy,) = ready.about.strategies
            assert strategy.seen % 1000 == 1 and not ready.kernel.is_trading

    on_bench(tmp_path, ONCE, work)


def test_a_second_change_is_accepted_like_the_first(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        for step in ("1000", "2000"):
            _changed(bench, BUYS_MORE.replace("1000", step))
            async with bench.session(ends="killed", accepts_changes=True) as ready:
                await _rows_come(bench, ready)
        with Journal(bench.folder / "runs/busy/live") as journal:
            assert [one.entry for one in journal.manifest.accepted][1] == journal.first - 1
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and bench.equals(ready))

    on_bench(tmp_path, ONCE, work)


def test_a_warm_up_comes_first_and_trading_stays_off_behind_it(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        _changed(bench, BUYS_MORE)
        async with bench.session(accepts_changes=True) as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows and not ready.kernel.is_warming)
            assert not ready.kernel.is_trading

    on_bench(tmp_path, ONCE, work, '\n[warm_up]\ntrades = "2s"\n')


def test_limits_may_change_and_where_nothing_changed_it_goes_on(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        async with bench.session(ends="killed", accepts_changes=True) as ready:
            assert ready.is_recovered and ready.told == ("nothing was changed since: there is nothing to accept",)
            assert ready.kernel.is_trading
            await bench.until(lambda: is_up(ready))
        text = bench.path.read_text()
        bench.path.write_text(text.replace('order_notional = "20000"', 'order_notional = "500"'))
        with pytest.raises(TradewindError, match="order_notional 20000 -> 500") as refused:
            await bench.session().__aenter__()
        assert "--accept-changes" in str(refused.value)
        _changed(bench, BUYS_MORE)
        async with bench.session(accepts_changes=True) as ready:
            assert "order_notional 20000 -> 500" in ready.told[0]
            await bench.until(lambda: is_up(ready))
            ready.session.command("trading_on")
            await bench.until(lambda: ready.kernel.closed_orders(1)[0]["reason"] == "risk_order_notional")

    on_bench(tmp_path, ONCE, work)


@pytest.mark.parametrize("accepts", [False, True])
def test_the_order_of_instruments_is_that_of_the_run_wherever_the_file_names_them(
    tmp_path: Path, accepts: bool
) -> None:
    async def work(bench: Bench) -> None:
        btc, eth = (f'[instruments."binance_spot:{one}"]\n' for one in ("BTCUSDT", "ETHUSDT"))
        text = bench.path.read_text().replace(btc, btc + eth)
        bench.path.write_text(text)
        await _bought(bench)
        bench.path.write_text(text.replace(btc + eth, eth + btc))
        async with bench.session(accepts_changes=accepts) as ready:
            assert ready.is_recovered
            assert [one.symbol for one in ready.session.index.instruments] == ["BTCUSDT", "ETHUSDT"]
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
            assert [name for _, name, _ in ready.kernel.positions()] == ["binance_spot:BTCUSDT"]

    on_bench(tmp_path, ONCE, work, symbols=("BTCUSDT", "ETHUSDT"))


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "instruments": (
        lambda text: text.replace('BTCUSDT"]\n', 'BTCUSDT"]\n\n[instruments."binance_spot:ETHUSDT"]\n'),
        r"its instruments \(binance_spot:ETHUSDT is new\) changed since",
    ),
    "seed": (
        lambda text: text.replace('name = "busy"', 'name = "busy"\nseed = 7'),
        r"its seed \(0 -> 7\) changed since",
    ),
    "strategies": (
        lambda text: text.replace("strategies.busy", "strategies.other"),
        r"its strategies \(busy is gone, other is new\) changed since",
    ),
    "a specification": (
        lambda text: text.replace('BTCUSDT"]\n', 'BTCUSDT"]\nmaker_fee = "0.002"\n', 1),
        r"its instruments \(binance_spot:BTCUSDT maker_fee 0.001 -> 0.002\) changed since",
    ),
    "control": (lambda text: text + "\n[control]\nenabled = false\n", "nobody could turn trading on"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_orders_and_positions_hang_on_cannot_be_accepted(tmp_path: Path, what: str) -> None:
    change, message = REFUSED[what]

    async def work(bench: Bench) -> None:
        last = await _bought(bench)
        bench.path.write_text(change(bench.path.read_text()))
        with pytest.raises(TradewindError, match=message):
            await bench.session(accepts_changes=True).__aenter__()
        with Journal(bench.folder / "runs/busy/live") as journal:
            assert journal.last == last and not journal.manifest.accepted

    on_bench(tmp_path, ONCE, work)


def test_the_mode_and_a_simulated_venue_cannot_be_accepted(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench, "paper")
        bench.path.write_text(bench.path.read_text().replace('latency = "3ms"', 'latency = "4ms"'))
        with pytest.raises(TradewindError, match=r"its simulated venues \(binance_spot\) changed since"):
            await bench.session("paper", accepts_changes=True).__aenter__()
        (bench.folder / "runs/busy/paper").rename(bench.folder / "runs/busy/live")
        with pytest.raises(TradewindError, match="in the mode paper, and does not go on in live"):
            await bench.session("live", accepts_changes=True).__aenter__()

    on_bench(tmp_path, ONCE, work)


def test_code_that_cannot_start_leaves_the_journal_to_the_next_try(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        _changed(bench, BUYS_MORE.replace("self.btc.trades", "self.btc.marks"))
        with pytest.raises(TradewindError, match="there is no stream marks"):
            async with bench.session(accepts_changes=True):
                await asyncio.sleep(1)
        _changed(bench, BUYS_MORE)
        async with bench.session(accepts_changes=True) as ready:
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
            (strategy,) = ready.about.strategies
            assert strategy.seen % 1000 == 1

    on_bench(tmp_path, ONCE, work)


def test_a_backtest_has_nothing_to_accept(tmp_path: Path) -> None:
    with pytest.raises(TradewindError, match="a backtest begins anew each time"):
        run_system(tmp_path / "system.toml", mode="backtest", accept_changes=True)


def test_a_process_that_ends_between_two_journals_leaves_one(tmp_path: Path) -> None:
    journal, pending = tmp_path / "journal", tmp_path / "journal.next"
    new = "000001-2026-01-01T000000.sqlite"
    finish_succession(journal)
    journal.mkdir()
    pending.mkdir()
    (pending / new).touch()
    # The one that was there had not been put aside.
    finish_succession(journal)
    assert journal.exists() and not pending.exists()
    pending.mkdir()
    (pending / new).touch()
    journal.rmdir()
    finish_succession(journal)
    assert (journal / new).exists() and not pending.exists()


def test_a_first_journal_that_was_not_made_whole_is_none(tmp_path: Path) -> None:
    pending = tmp_path / "journal.next"
    pending.mkdir()
    (pending / "000001-2026-01-01T000000.sqlite.part").touch()
    finish_succession(tmp_path / "journal")
    assert not list(tmp_path.iterdir())


def test_from_the_shell(tmp_path: Path) -> None:
    asyncio.run(_from_the_shell(tmp_path))


async def _from_the_shell(folder: Path) -> None:
    trader = folder / "mine.py"
    trader.write_text(ONCE)
    async with exchange() as sandbox:
        keys = sandbox.new_account({"USDT": 100_000}, kind="HMAC")
        write_keys(folder, keys.api_key, keys.secret)
        path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, trader)
        command = ["run", str(path), "--mode", "live"]
        process = await started(*command)
        await until(lambda: sum(sandbox.balances(keys.account).get("BTC", (0, 0))))
        await ended(process, signal.SIGKILL)
        trader.write_text(BUYS_MORE)
        process = await started(*command, "--accept-changes")
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = (await process.stderr.readuntil(b"trading on\n")).decode()
        assert "mine.py changed" in said and "trading is off until you turn it on" in said
        before = sandbox.balances(keys.account)
        run = str(folder / "runs/busy/live")
        await _ctl(run, process)
        await until(lambda: sum(sandbox.balances(keys.account)["BTC"]) >= Decimal("0.025"))
        assert sum(before["BTC"]) < Decimal("0.011")
        code, said = await ended(process, signal.SIGINT)
        assert code == 0, said
        theirs = sandbox.balances(keys.account)
    report: Any = tw.journal.replay(run)
    assert report.identical
    with Journal(run) as journal:
        held = state_at(run, journal.last).balances["binance_spot"]
    assert {asset: Decimal(amount) for asset, amount in held.items()} == {asset: sum(theirs[asset]) for asset in held}


async def _ctl(run: str, process: asyncio.subprocess.Process) -> None:
    """Turn trading on, as soon as there is somebody to hear it."""
    for _ in range(200):
        asked = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tradewind",
            "ctl",
            run,
            "trading",
            "on",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await asked.communicate()
        if asked.returncode == 0:
            return
        assert process.returncode is None
        await asyncio.sleep(0.1)
    raise AssertionError("nobody answered")
