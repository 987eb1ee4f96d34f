"""History before trading and after every gap: nothing twice, nothing missing, nobody called (V4)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from session_bench import Bench, is_up, kill_and_go_on, on_bench

import tradewind as tw
from tradewind._core import Inbox
from tradewind.errors import TradewindError
from tradewind.session.parity import parity
from tradewind.venues import BinanceSpotMarketData, MarketSink, StreamName, VenueClock

BTC = "binance_spot:BTCUSDT"
LEARNER = """
import tradewind as tw

TRADES, BARS, KEPT = [], [], []

class Busy(tw.Strategy):
    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        self.average = ctx.indicator(tw.Ema(5), self.btc.trades)
        self.slow = ctx.indicator(tw.Sma(20), self.btc.bars("1s"))
        self.bars = ctx.history(self.btc.bars("1s"), 5_000)
        ctx.subscribe(self.btc.trades, self.btc.bars("1s"))

    def on_trade(self, ctx, trade):
        TRADES.append((trade.id, self.average.value, self.slow.ready))

    def on_bar(self, ctx, bar):
        BARS.append(row(bar))
        KEPT[:] = [row(one) for one in self.bars.events]

def row(bar):
    return bar.venue_time_ns, (bar.open, bar.high, bar.low, bar.close, round(bar.volume, 8)), bar.is_complete
"""
WARM = '\n[warm_up]\ntrades = "20s"\nbars = "60s"\n'


def told(ready: Any) -> dict[str, Any]:
    """What the strategy wrote down."""
    found: dict[str, Any] = type(ready.about.strategies[0]).on_trade.__globals__
    return found


def history(folder: Path, mode: str = "paper") -> list[tuple[int, bool]]:
    """The numbers of the trades in a journal, and which of them were of a warm-up."""
    trades = tw.journal.tables(folder / "runs/busy" / mode)["trades"].collect()
    return list(zip(trades["trade_id"], trades["is_warm_up"], strict=True))


async def klines(bench: Bench) -> dict[int, tuple[float, ...]]:
    """The venue's own bars of a second, of those seconds in which somebody traded."""
    clock = VenueClock()
    data = BinanceSpotMarketData(stream_url=bench.sandbox.stream_url, rest_url=bench.sandbox.rest_url, clock=clock)
    (fields,) = await data.instruments(["BTCUSDT"])
    inbox = Inbox(tw.Index([tw.dataset.definition(fields)]))
    now_ns = clock()
    try:
        await data.history(StreamName(BTC, "bars", "1s"), now_ns - 300 * 10**9, now_ns, MarketSink(inbox, clock))
    finally:
        await data.close()
    bars = inbox.take_events()
    return {
        one.venue_time_ns: (one.open, one.high, one.low, one.close, round(one.volume, 8)) for one in bars if one.volume
    }


def gaps(folder: Path, mode: str = "live") -> list[str]:
    """Of which streams rows are missing, by the journal."""
    conditions = tw.journal.tables(folder / "runs/busy" / mode)["status"].collect()
    return sorted(conditions.filter(kind="gap")["stream"].to_list())


def assert_whole(folder: Path, mode: str = "live") -> list[tuple[int, bool]]:
    """The trades of a journal, of which none is there twice and none is missing."""
    rows = history(folder, mode)
    numbers = [number for number, _ in rows]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    return rows


def assert_proved(folder: Path, mode: str = "paper") -> None:
    assert tw.journal.replay(folder / "runs/busy" / mode).identical
    found = parity(folder / "runs/busy" / mode)
    assert found.is_explained, str(found)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_indicators_and_bars_know_the_history_at_the_start(tmp_path: Path, mode: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(mode) as ready:
            await bench.until(lambda: len(told(ready)["BARS"]) > 3)
            theirs = await klines(bench)
            own = list(bench.sandbox.server.exchange.markets["BTCUSDT"].trades)
            trades, kept = told(ready)["TRADES"], list(told(ready)["KEPT"])
        number, average, is_ready = trades[0]
        assert is_ready
        expected = None
        for trade in own:
            if trade.id <= number:
                price = trade.price / 10**8
                expected = price if expected is None else expected + (price - expected) / 3
        assert average == pytest.approx(expected, rel=1e-9)
        assert len(kept) > 50
        both = [(opened, values, theirs[opened]) for opened, values, _ in kept if opened in theirs]
        assert [one for one in both if one[1] != one[2]] == []
        assert len(both) > 50
        assert all(is_complete for _, _, is_complete in kept)

    on_bench(tmp_path, LEARNER, work, WARM, history_seconds=120)
    rows = assert_whole(tmp_path, mode)
    assert [is_warm_up for _, is_warm_up in rows] == sorted((one for _, one in rows), reverse=True)
    assert_proved(tmp_path, mode)


def test_what_was_missed_is_history_and_bars_are_those_of_the_venue(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and len(told(ready)["BARS"]) > 2)
            for _ in range(2):
                before = len(told(ready)["BARS"])
                bench.faults.on("hard_close")
                await asyncio.sleep(0.5)
                await bench.until(lambda: all(ready.session.health.connections.values()))
                await bench.until(lambda before=before: len(told(ready)["BARS"]) > before + 3)
            theirs, kept = await klines(bench), list(told(ready)["KEPT"])
            called = [number for number, *_ in told(ready)["TRADES"]]
        seconds = [opened for opened in theirs if kept[0][0] < opened <= kept[-1][0]]
        assert [opened for opened, *_ in kept[1:]] == seconds
        assert {opened: values for opened, values, _ in kept[1:]} == {opened: theirs[opened] for opened in seconds}
        assert all(is_complete for _, _, is_complete in kept[1:])
        assert len(called) == len(set(called))
        assert ready.session.health.gaps == 1  # the beginning

    on_bench(tmp_path, LEARNER, work)
    assert sum(is_warm_up for _, is_warm_up in assert_whole(tmp_path)) > 20
    assert_proved(tmp_path, "live")


def test_a_hole_in_a_stream_that_goes_on_is_filled(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: len(told(ready)["BARS"]) > 1)
            bench.faults.on("stalled_stream", stream="btcusdt@trade")
            await asyncio.sleep(1.5)
            bench.faults.off("stalled_stream")
            before = len(told(ready)["BARS"])
            await bench.until(lambda: len(told(ready)["BARS"]) > before + 2)
            assert all(ready.session.health.connections.values())

    on_bench(tmp_path, LEARNER, work)
    assert sum(is_warm_up for _, is_warm_up in assert_whole(tmp_path)) > 5
    assert gaps(tmp_path) == ["trades"]  # the beginning
    assert_proved(tmp_path, "live")


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_what_went_on_while_a_run_was_down_is_history(tmp_path: Path, mode: str) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(mode, ends="killed") as ready:
            await bench.until(lambda: len(told(ready)["BARS"]) > 2)
        await asyncio.sleep(1.5)
        async with bench.session(mode) as ready:
            await bench.until(lambda: len(told(ready)["BARS"]) > 2)
            theirs, kept = await klines(bench), list(told(ready)["KEPT"])
        both = [(values, theirs[opened]) for opened, values, _ in kept if opened in theirs]
        assert [ours for ours, _ in both] == [venue for _, venue in both]
        assert all(is_complete for _, _, is_complete in kept)
        seconds = [opened for opened in theirs if kept[0][0] <= opened <= kept[-1][0]]
        assert [opened for opened, *_ in kept] == seconds

    on_bench(tmp_path, LEARNER, work, WARM, history_seconds=120)
    assert_whole(tmp_path, mode)
    assert gaps(tmp_path, mode) == ["quotes"]
    assert_proved(tmp_path, mode)


def test_a_run_that_is_killed_in_its_warm_up_begins_it_again(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("slow_answers", path="/api/v3/historicalTrades", delay_seconds=30)
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.is_warming)
            await asyncio.sleep(0.5)
        bench.faults.off("slow_answers")
        async with bench.session() as ready:
            await bench.until(lambda: len(told(ready)["BARS"]) > 2)
            assert ready.is_recovered and ready.kernel.is_trading
            assert all(is_complete for _, _, is_complete in told(ready)["KEPT"])

    on_bench(tmp_path, LEARNER, work, WARM, history_seconds=120)
    assert_whole(tmp_path)
    assert gaps(tmp_path) == []
    assert_proved(tmp_path, "live")


@pytest.mark.parametrize("fault", ["rest_error", "slow_answers"])
def test_a_history_that_cannot_be_had_is_a_gap(tmp_path: Path, fault: str) -> None:
    settings = {"rest_error": {"status": 400, "code": -1100, "message": "no"}, "slow_answers": {"delay_seconds": 30}}

    async def work(bench: Bench) -> None:
        bench.faults.on(fault, path="/api/v3/historicalTrades", **settings[fault])
        async with bench.session() as ready:
            await bench.until(lambda: len(told(ready)["BARS"]) > 3)
            kept = list(told(ready)["KEPT"])
            fresh = [one for one in kept if one[0] >= kept[-1][0] - 10**9]
            assert not all(is_complete for _, _, is_complete in kept)
            assert all(is_complete for _, _, is_complete in fresh)

    on_bench(tmp_path, LEARNER, work, WARM + 'timeout = "1s"\n', history_seconds=120)
    assert gaps(tmp_path) == ["trades"]
    assert_proved(tmp_path, "live")


def test_a_history_that_is_required_ends_a_run_without_it(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("rest_error", path="/api/v3/historicalTrades", status=400, code=-1100, message="no")
        async with bench.session() as ready:
            await bench.until(ready.running.done)

    with pytest.raises(TradewindError, match="not_warm"):
        on_bench(tmp_path, LEARNER, work, WARM + "required = true\n", history_seconds=120)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_session_ends_in_its_warm_up(tmp_path: Path, mode: str) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("slow_answers", path="/api/v3/historicalTrades", delay_seconds=30)
        async with bench.session(mode) as ready:
            await bench.until(lambda: ready.kernel.is_warming and ready.session.health.connections.values())
            await asyncio.sleep(0.5)

    on_bench(tmp_path, LEARNER, work, WARM, history_seconds=120)
    assert tw.journal.replay(tmp_path / "runs/busy" / mode).identical


def test_trading_that_was_turned_off_in_the_warm_up_stays_off(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("slow_answers", path="/api/v3/historicalTrades", delay_seconds=1)
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.is_warming)
            ready.session.command("trading_off")
            await bench.until(lambda: not ready.kernel.is_warming)
            assert not ready.kernel.is_trading
            ready.session.command("trading_on")
            assert ready.kernel.is_trading

    on_bench(tmp_path, LEARNER, work, WARM, history_seconds=120)
    assert_proved(tmp_path, "live")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_no_kill_loses_or_doubles_a_trade(tmp_path: Path, mode: str) -> None:
    trader = tmp_path / "mine.py"
    trader.write_text(LEARNER)
    asyncio.run(kill_and_go_on(tmp_path, mode, 20, 20, trader, WARM, history_seconds=120))
    assert_whole(tmp_path, mode)
    assert set(gaps(tmp_path, mode)) <= {"quotes"}
    assert_proved(tmp_path, mode)
