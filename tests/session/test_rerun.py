"""Another strategy over what a session recorded."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import BTC, RICH, quote_rows, trade_rows
from patience import until

import tradewind as tw
from tradewind._core import first_entries
from tradewind.journal import Journal, JournalWriter, MemoryStorage, latencies
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import feed_all, kernel_of
from tradewind.journal.query import query
from tradewind.loading import load_strategy_class
from tradewind.result import frame
from tradewind.session import rerun

TRADER = Path(__file__).parent / "trader.py"
COMPARED = [
    "strategy",
    "count",
    "side",
    "quantity",
    "order_type",
    "price",
    "decided",
    "filled",
    "average_price",
    "status",
]
CALM = """
import tradewind as tw


class Calm(tw.Strategy):
    every: int = tw.param(5)
    seen: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.quotes)

    def on_quote(self, ctx, quote):
        self.seen += 1
        if self.seen % self.every == 0:
            ctx.target(self.btc, 0.02 if self.seen % (2 * self.every) else 0)
"""


def busy(**parameters: Any) -> tw.Strategy:
    return load_strategy_class(str(TRADER))(name="busy", **parameters)


def calm(folder: Path) -> tw.Strategy:
    (folder / "calm.py").write_text(CALM)
    return load_strategy_class(str(folder / "calm.py"))()


def orders_of(folder: Path, mode: str) -> pl.DataFrame:
    with Journal(folder) as journal, rebuilt(journal.manifest.code, None, None) as code:
        kernel = kernel_of(journal.manifest, code)
        assert feed_all(kernel, journal.blocks()) is None
        return frame(kernel.orders())


def lasting(seconds: float) -> Any:
    async def wait(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(seconds)
        await until(lambda: ready.kernel.outcome()["orders"] > 10 and ready.kernel.outcome()["fills"])

    return wait


def test_the_strategy_of_a_paper_session_does_what_it_did(trade: Any, tmp_path: Path) -> None:
    trade("paper", lasting(4))
    folder = tmp_path / "runs/busy/paper"
    again = rerun(folder, busy())
    kept = orders_of(folder, "paper")
    assert kept.height > 5
    assert again.result.orders.select(COMPARED).sort("count").equals(kept.select(COMPARED).sort("count"))
    assert again.other == again.session and again.session["fills"] > 0
    assert again.notes == ()
    other = rerun(folder, calm(tmp_path))
    assert other.session == again.session
    assert 0 < other.other["orders"] != again.session["orders"]
    assert other.result.decisions_hash == rerun(folder, calm(tmp_path)).result.decisions_hash


def test_a_live_session_lends_its_latencies(trade: Any, tmp_path: Path) -> None:
    trade("live", lasting(4))
    folder = tmp_path / "runs/busy/live"
    ways = latencies(folder).drop_nulls("venue_time_ns")
    assert ways.height > 5
    assert ways.filter((pl.col("request_latency_ns") < 0) | (pl.col("answer_latency_ns") < 0)).is_empty()
    whole = ways["request_latency_ns"] + ways["answer_latency_ns"]
    assert whole.equals(ways["arrival_ns"] - ways["decided_ns"], check_names=False)
    again = rerun(folder, busy())
    assert again.session["orders"] > 5 and again.other["orders"] > 5
    # What the account was given is there from the start; then both sides pay the exchange's fees.
    assert again.result.metrics["starting_equity"] == 100_000
    latency = again.result.settings.venues["binance_spot"].values("binance_spot")
    there, back = latency["request_latency"][1], latency["answer_latency"][1]
    assert (there[0], there[-1]) == (ways["request_latency_ns"].min(), ways["request_latency_ns"].max())
    assert (back[0], back[-1]) == (ways["answer_latency_ns"].min(), ways["answer_latency_ns"].max())
    assert latency["lag_ns"] == back[0]


def test_what_was_meant_for_another_is_left_out_and_counted(trade: Any, tmp_path: Path) -> None:
    async def meanwhile(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(1)
        now = ready.session.stamp
        ready.session.act(lambda: ready.kernel.parameter(now(), "busy", "every", "json", None, "3"))
        ready.session.act(lambda: ready.kernel.transfer("binance_spot", now(), now(), "foreign", "USDT", "5"))
        ready.session.command("cancel_all", "busy")
        await asyncio.sleep(1.5)

    trade("paper", meanwhile)
    folder = tmp_path / "runs/busy/paper"
    one = rerun(folder, busy())
    assert one.notes == ("1 differences of the account of the session were left out",)
    two = rerun(folder, [busy(), calm(tmp_path)])
    assert set(two.notes) == {
        "1 differences of the account of the session were left out",
        "1 commands to one strategy of the session were left out",
        "1 parameters of the session were left out",
    }
    # `every` is a parameter of it, too.
    assert rerun(folder, calm(tmp_path)).notes == one.notes


def test_a_stream_that_was_not_received_is_an_error(trade: Any, tmp_path: Path) -> None:
    trade("paper", lasting(1))
    (tmp_path / "deep.py").write_text(CALM.replace(".quotes", ".book"))
    with pytest.raises(tw.TradewindError, match="there is no stream book") as caught:
        rerun(tmp_path / "runs/busy/paper", load_strategy_class(str(tmp_path / "deep.py"))())
    assert caught.value.code == "missing_stream" and "quotes, trades" in caught.value.hint


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tw.Result]:
    """A backtest over rows that arrive at their venue time."""
    place = tmp_path_factory.mktemp("rerun") / "journal.sqlite"
    prices = [100 + (place * 37 % 101) / 10 for place in range(600)]
    result = tw.backtest(
        tw.ema_cross(BTC, fast=3, slow=9, quantity=0.5),
        data={BTC: trade_rows(prices, quantity=0.3)},
        balances=RICH,
        venues={"synthetic": tw.Simulated(latency="700ms", answer_latency="400ms")},
        risk=tw.Limits(position=2, order_notional=1_000),
        interval="1m",
        journal=place,
    )
    return place, result


def test_the_strategy_of_a_backtest_does_what_it_did(kept: tuple[Path, tw.Result]) -> None:
    place, result = kept
    again = rerun(place, tw.ema_cross(BTC, fast=3, slow=9, quantity=0.5))
    assert result.metrics["orders"] > 50
    assert again.result.decisions_hash == result.decisions_hash
    assert again.result.state_hash == result.state_hash
    assert again.result.fills.equals(result.fills)
    # The curve has the points of the run, so that its drawdown is that of the run.
    assert again.result.equity.equals(result.equity) and result.equity.height > 5
    for name in ("interval_ns", "maximum_drawdown", "drawdown_times_ns"):
        assert again.result.metrics[name] == result.metrics[name], name
    assert again.other == again.session
    assert again.session["net_profit"] == pytest.approx(result.metrics["final_equity"] - 1_000_000)
    assert again.result.settings.risk == tw.Risk(limits=tw.Limits(position=2, order_notional=1_000))
    assert again.comparison.splitlines()[0].split() == ["session", "other", "difference"]


def test_another_strategy_meets_the_same_limits(kept: tuple[Path, tw.Result]) -> None:
    again = rerun(kept[0], tw.ema_cross(BTC, fast=3, slow=9, quantity=50))
    assert again.result.metrics["total"]["orders_refused"] > 50
    assert again.other["fills"] == 0


def test_a_session_that_was_cut_off_is_run_to_where_it_was(kept: tuple[Path, tw.Result]) -> None:
    cut = MemoryStorage()
    with Journal(kept[0]) as journal, JournalWriter(cut, journal.manifest) as writer:
        first = next(journal.blocks())
        writer.write((1, 400, first_entries(first.data, 400)))
    again = rerun(cut, tw.ema_cross(BTC, fast=3, slow=9, quantity=0.5))
    assert 0 < again.session["orders"] < kept[1].metrics["orders"]
    assert again.result.metrics["rows"] < 400
    # What was on its way arrives in the end, when trading is off already.
    assert again.other["orders"] == pytest.approx(again.session["orders"], abs=1)


BY_THE_CLOCK = """
import tradewind as tw


class Clock(tw.Strategy):
    def on_start(self, ctx):
        self.btc = ctx.instrument("synthetic:BTCUSDT")
        ctx.subscribe(self.btc.quotes)
        ctx.timer(after=1)

    def on_timer(self, ctx, number):
        ctx.timer(after=1)
        ctx.buy(self.btc, 0.5)
"""


def test_a_session_that_was_cut_off_in_a_quiet_market_is_run_to_its_last_timer(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(BY_THE_CLOCK)
    whole, cut = tmp_path / "journal.sqlite", MemoryStorage()
    data = {BTC: quote_rows([100.0] * 3, quantity=1_000, every_ms=60_000)}
    tw.backtest(load_strategy_class(str(tmp_path / "clock.py"))(), data=data, balances=RICH, journal=whole)
    last_row = query(whole, "select sequence from quotes order by sequence desc limit 1").collect().item()
    with Journal(whole) as journal, JournalWriter(cut, journal.manifest) as writer:
        block = next(journal.blocks())
        writer.write((1, last_row - 1, first_entries(block.data, last_row - 1)))
    again = rerun(cut, load_strategy_class(str(tmp_path / "clock.py"))())
    assert again.other == again.session and again.session["fills"] > 100


def test_the_file_of_the_session_may_have_changed(trade: Any, tmp_path: Path) -> None:
    """The one that is tried is often the session's own file, edited."""
    file = tmp_path / "mine.py"
    shutil.copy(TRADER, file)
    trade("paper", lasting(2), trader=file)
    file.write_text(file.read_text().replace("tw.param(2,", "tw.param(6,"))
    again = rerun(tmp_path / "runs/busy/paper", load_strategy_class(str(file))())
    assert 0 < again.other["orders"] < again.session["orders"]
    assert again.notes == ()


FAILING = """
import tradewind as tw


class Failing(tw.Strategy):
    seen: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("synthetic:BTCUSDT")
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx, trade):
        self.seen += 1
        ctx.target(self.btc, self.seen % 2)
        if self.seen == 100:
            raise ValueError("it cannot go on")
"""


def test_a_session_whose_strategy_failed_is_set_beside_another(tmp_path: Path) -> None:
    file, place = tmp_path / "failing.py", tmp_path / "journal.sqlite"
    file.write_text(FAILING)
    data = {BTC: trade_rows([100 + step % 7 for step in range(300)], quantity=3.0)}
    with pytest.raises(ValueError, match="cannot go on"):
        tw.backtest(load_strategy_class(str(file))(), data=data, balances=RICH, journal=place)
    again = rerun(place, tw.ema_cross(BTC, fast=3, slow=9, quantity=0.5))
    sent = query(place, "select count(*) as orders from orders").collect().item()
    assert again.session["orders"] == sent > 50
    assert again.other["orders"] > 0 and again.session["fees"] > 0


def test_a_run_that_never_started_is_an_error(kept: tuple[Path, tw.Result]) -> None:
    empty = MemoryStorage()
    with Journal(kept[0]) as journal, JournalWriter(empty, journal.manifest):
        pass
    with pytest.raises(tw.TradewindError, match="holds no inputs"):
        rerun(empty, tw.ema_cross(BTC))
