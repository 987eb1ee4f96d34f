"""History before trading and after every gap: nothing twice, nothing missing, nobody called (V4)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from session_bench import Bench, is_up, on_bench

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


def assert_proved(folder: Path, mode: str = "paper") -> None:
    assert tw.journal.replay(folder / "runs/busy" / mode).identical
    found = parity(folder / "runs/busy" / mode)
    assert found.is_equal if mode == "paper" else found.decisions_agree, str(found)


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
    rows = history(tmp_path, mode)
    numbers = [number for number, _ in rows]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert [is_warm_up for _, is_warm_up in rows] == sorted((one for _, one in rows), reverse=True)
    assert_proved(tmp_path, mode)


def test_what_was_missed_is_history_and_bars_are_those_of_the_venue(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and len(told(ready)["BARS"]) > 2)
            for _ in range(2):
                before = len(told(ready)["BARS"])
                bench.faults.on("refused_connections")
                bench.faults.on("hard_close")
                await asyncio.sleep(2.5)
                bench.faults.off("refused_connections")
                await bench.until(lambda: all(ready.session.health.connections.values()), 30)
                await bench.until(lambda before=before: len(told(ready)["BARS"]) > before + 3)
            theirs, kept = await klines(bench), list(told(ready)["KEPT"])
            called = [number for number, *_ in told(ready)["TRADES"]]
        seconds = [opened for opened in theirs if kept[0][0] < opened <= kept[-1][0]]
        assert [opened for opened, *_ in kept[1:]] == seconds
        assert {opened: values for opened, values, _ in kept[1:]} == {opened: theirs[opened] for opened in seconds}
        assert all(is_complete for _, _, is_complete in kept[1:])
        assert len(called) == len(set(called))
        assert ready.session.health.gaps == 3  # the beginning, and quotes twice, of which there is no history

    on_bench(tmp_path, LEARNER, work)
    rows = history(tmp_path, "live")
    numbers = [number for number, _ in rows]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert sum(is_warm_up for _, is_warm_up in rows) > 20
    assert_proved(tmp_path, "live")
