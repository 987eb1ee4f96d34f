"""Equal inputs give equal runs; what is unrelated changes nothing (D3, section 8)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import BTC, ETH, START, check_accounts, run

import tradewind as tw


class Cross(tw.Strategy):
    """The rules of the native `ema_cross`, in Python."""

    fast: int = tw.param(20)
    slow: int = tw.param(100)
    quantity: float = tw.param(0.05)
    short: bool = tw.param(True)
    seed: str = tw.param("average")

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        seed: Any = self.seed
        self.fast_ema = ctx.indicator(tw.Ema(self.fast, seed=seed), self.btc.trades)
        self.slow_ema = ctx.indicator(tw.Ema(self.slow, seed=seed), self.btc.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if self.slow_ema.ready:
            below = -self.quantity if self.short else 0
            ctx.target(self.btc, self.quantity if self.fast_ema.value > self.slow_ema.value else below)


class Dice(tw.Strategy):
    """Orders by chance: everything that is random in a run shows in its orders."""

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        ctx.subscribe(self.btc.quotes)

    def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
        dice = ctx.random.random()
        if dice < 0.02:
            ctx.buy(self.btc, 0.01)
        elif dice < 0.04:
            ctx.sell(self.btc, 0.01)
        elif dice < 0.06:
            ctx.buy(self.btc, 0.01, quote.bid)
        elif dice < 0.08:
            ctx.cancel_all()


MARKET = tw.synthetic(events=20_000, streams=("trade", "quote", "mark", "funding"))
NOISY = {"synthetic": tw.Simulated(latency=tw.Exponential("1ms", "30ms"))}


@pytest.fixture(scope="module")
def data() -> tw.Dataset:
    return tw.load({BTC: MARKET})


def hashes(result: tw.Result) -> tuple[str, str]:
    return result.decisions_hash, result.state_hash


@pytest.mark.parametrize("strategy", [Cross(), Dice(), tw.ema_cross(BTC, quantity=0.05)], ids=repr)
class TestTheSame:
    def test_run_twice(self, data: tw.Dataset, strategy: Any) -> None:
        first = run(strategy, data, venues=NOISY)
        assert first.metrics["fills"] > 20
        assert hashes(run(strategy, data, venues=NOISY)) == hashes(first)
        check_accounts(first)

    def test_with_progress_and_figures_only(self, data: tw.Dataset, strategy: Any) -> None:
        first = run(strategy, data)
        rows: list[int] = []
        assert hashes(run(strategy, data, progress=rows.append)) == hashes(first)
        assert rows[-1] == 20_000
        small = run(strategy, data, keep="metrics")
        assert hashes(small) == hashes(first)
        assert small.metrics == first.metrics
        assert small.fills.is_empty()
        assert small.ledger.is_empty()

    def test_in_slices_of_any_size(self, data: tw.Dataset, strategy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        first = run(strategy, data)
        for rows in (1, 7, 997):
            monkeypatch.setattr(sys.modules["tradewind.backtest"], "_SLICE_ROWS", rows)
            assert hashes(run(strategy, data)) == hashes(first)

    def test_with_an_unrelated_instrument(self, data: tw.Dataset, strategy: Any) -> None:
        first = run(strategy, data, venues=NOISY)
        more = tw.load({ETH: tw.synthetic(events=5_000, seed=9, price=3_000), BTC: MARKET})
        other = run(strategy, more, venues=NOISY)
        assert other.decisions_hash == first.decisions_hash
        assert other.metrics["rows"] == 25_000
        assert other.state_hash != first.state_hash

    def test_with_the_same_data_in_chunks(self, data: tw.Dataset, strategy: Any) -> None:
        first = run(strategy, data)
        table = trades_and_quotes()
        whole = tw.load(table)
        chunked = tw.load(table, chunk_rows=1_013)
        assert hashes(run(strategy, chunked)) == hashes(run(strategy, whole))
        assert chunked.digest == whole.digest != first.data.digest

    def test_with_another_strategy_that_does_nothing(self, data: tw.Dataset, strategy: Any) -> None:
        class Idle(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                ctx.subscribe(ctx.instrument(BTC).trades, ctx.instrument(BTC).bars("1s"))

            def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
                ctx.random.random()

        alone = run(strategy, data, venues=NOISY)
        beside = run([Idle(name="a"), strategy, Idle(name="z")], data, venues=NOISY)
        assert beside.orders.drop("order_id").equals(alone.orders.drop("order_id"))
        assert beside.fills.drop("order_id").equals(alone.fills.drop("order_id"))


def trades_and_quotes() -> dict[str, Any]:
    """The synthetic market as two tables, as if it had been recorded."""
    index = tw.load({BTC: MARKET}).index
    frame = MARKET.frame(index.instrument(BTC))
    time, arrival = pl.col("venue_time_ns"), pl.col("arrival_time_ns")
    seen = frame.with_columns(time=time, arrival=arrival)
    trades = seen.filter(pl.col("kind") == 4).select(
        "time", "arrival", price=pl.col("a") / 10, quantity=pl.col("b") / 1000
    )
    quotes = seen.filter(pl.col("kind") == 3).select(
        "time", "arrival", bid=pl.col("a") / 10, bid_quantity=pl.col("b") / 1000,
        ask=pl.col("c") / 10, ask_quantity=pl.col("d") / 1000,
    )  # fmt: skip
    return {BTC: [tw.trades(trades, time_unit="ns"), tw.quotes(quotes, time_unit="ns")]}


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("seed", ["average", "first"])
def test_python_and_rust_give_identical_orders(data: tw.Dataset, short: bool, seed: Any) -> None:
    ours = run(Cross(name="cross", short=short, seed=seed), data, venues=NOISY)
    native = run(tw.ema_cross(BTC, quantity=0.05, short=short, seed=seed, name="cross"), data, venues=NOISY)
    assert ours.metrics["orders"] > 20
    assert ours.orders.drop("strategy").equals(native.orders.drop("strategy"))
    assert ours.fills.drop("strategy").equals(native.fills.drop("strategy"))
    assert ours.ledger.equals(native.ledger)
    assert ours.equity.equals(native.equity)


def test_another_seed_gives_another_run(data: tw.Dataset) -> None:
    assert run(Dice(), data, seed=1).decisions_hash != run(Dice(), data, seed=2).decisions_hash


def test_other_parameters_give_other_decisions(data: tw.Dataset) -> None:
    assert run(Cross(fast=19), data).decisions_hash != run(Cross(), data).decisions_hash


def test_the_digest_of_data_is_that_of_their_content() -> None:
    first, again = tw.load({BTC: tw.synthetic(events=500)}), tw.load({BTC: tw.synthetic(events=500)})
    assert first.digest == again.digest
    assert first.digest != tw.load({BTC: tw.synthetic(events=500, seed=2)}).digest
    assert first.digest != tw.load({BTC: tw.synthetic(events=501)}).digest


SCRIPT = """
import tradewind as tw
from test_determinism import Dice, MARKET, NOISY, hashes
from helpers import BTC, run
print(*hashes(run(Dice(), {BTC: MARKET}, venues=NOISY)))
"""


def test_processes_with_other_hash_seeds_agree(data: tw.Dataset) -> None:
    """D2: nothing depends on the order of a set or a dictionary."""
    expected = " ".join(hashes(run(Dice(), data, venues=NOISY)))
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True
        )
        assert done.stdout.strip() == expected


def test_markets_are_equal_for_equal_seeds() -> None:
    index = tw.load({BTC: MARKET}).index
    first, again = (tw.synthetic(events=2_000, seed=3).frame(index.instrument(BTC)) for _ in range(2))
    assert first.equals(again)
    assert not first.equals(tw.synthetic(events=2_000, seed=4).frame(index.instrument(BTC)))
    assert first["venue_time_ns"][0] >= int(START.timestamp()) * 10**9
