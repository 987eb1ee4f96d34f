"""The parity line: every difference of a live session has a cause, and a paper session has none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import session_exchange
from patience import PATIENCE_SECONDS, until
from session_bench import on_bench

from tradewind.cli import run as command
from tradewind.journal import replay
from tradewind.journal.query import query
from tradewind.session.parity import CAUSES, UNEXPLAINED, Parity, _with_causes, parity

MIXED = Path(__file__).with_name("mixed_trader.py")
LIVE = Path("runs/busy/live")


def lasting(*faults: tuple[str, float, dict[str, Any]], seconds: float = 2.0) -> Any:
    """Trade for a while, under one fault after another."""

    async def wait(sandbox: Any, ready: Any) -> None:
        switchboard = sandbox.server.faults
        for name, length, values in faults:
            await asyncio.sleep(1.5)
            switchboard.on(name, **values)
            await asyncio.sleep(length)
            if name in switchboard.active:
                switchboard.off(name)
        await asyncio.sleep(seconds)
        await until(lambda: ready.kernel.outcome()["orders"] > 20)

    return wait


def on_the_book(folder: Path) -> Path:
    """The same strategy on depth, so that the backtest fills from it."""
    path = folder / "deep.py"
    named = "ctx.subscribe(self.btc.trades)"
    path.write_text(MIXED.read_text().replace(named, f"{named}\n        ctx.subscribe(self.btc.book)"))
    return path


def explained(found: Parity) -> Parity:
    """What was found, if everything in it has a cause."""
    assert found.decisions_agree and found.causes[UNEXPLAINED] == 0, str(found)
    assert found.is_explained and not found.is_equal and found.line.endswith("nothing unexplained")
    return found


async def until_refused(sandbox: Any, ready: Any) -> None:
    """Trade until the exchange has refused some orders that the simulation would take."""
    await asyncio.sleep(1.5)
    sandbox.server.faults.on("refused_orders", code=-1003)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(one["reason"] == "rate_limited" for one in ready.kernel.closed_orders(100)) < 4:
            await asyncio.sleep(0.1)
    sandbox.server.faults.off("refused_orders")
    await asyncio.sleep(2)


SESSIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "calm": (lasting(seconds=5), ("latency",)),
    "slow connection": (lasting(("slow_order", 2.0, {"delay_seconds": 0.3})), ("latency",)),
    "refused orders": (until_refused, ("latency",)),
    "empty book": (lasting(("swept_book", 0.5, {"symbol": "BTCUSDT", "side": "SELL"})), ("latency",)),
    "fills before cancels": (lasting(("cancel_races_fill", 2.0, {})), ("latency",)),
    "lost connections": (lasting(("hard_close", 0.0, {}), ("hard_close", 0.0, {}), seconds=3), ("latency",)),
    "lost answers": (lasting(("timeout_accepted", 1.0, {"occasions": 2}), seconds=7), ("latency",)),
}


SAMPLE = ("calm", "slow connection", "refused orders", "empty book")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in SAMPLE else pytest.mark.slow) for one in SESSIONS]
)
def test_every_difference_of_a_live_session_has_a_cause(trade: Any, tmp_path: Path, name: str) -> None:
    meanwhile, expected = SESSIONS[name]
    trade("live", meanwhile, trader=MIXED)
    found = explained(parity(tmp_path / LIVE))
    assert all(found.causes[cause] > 0 for cause in expected), found.line


def test_every_difference_on_a_book_has_a_cause(trade: Any, tmp_path: Path) -> None:
    trade("live", lasting(seconds=5), trader=on_the_book(tmp_path))
    explained(parity(tmp_path / LIVE))


HASTY = """
import tradewind as tw

class Busy(tw.Strategy):
    seen: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx, trade):
        self.seen += 1
        if self.seen % 5 == 1:
            ctx.buy(self.btc, 0.01, round(trade.price * 0.99, 2))
            ctx.buy(self.btc, 0.001)
        else:
            ctx.cancel_all()
"""


def hasty_trader(folder: Path) -> Path:
    """Decides by the trades alone, so that each order of the session has its own in every backtest."""
    path = folder / "hasty.py"
    path.write_text(HASTY)
    return path


def test_what_was_refused_differs_by_the_rejection(trade: Any, tmp_path: Path) -> None:
    trade("live", until_refused, trader=hasty_trader(tmp_path))
    found = explained(parity(tmp_path / LIVE))
    refused = pl.col("session").str.contains("rate_limited")
    named = found.differences.filter(aspect="status").filter(refused)
    assert named.height >= 4 and set(named["cause"]) == {"rejection"}, str(found)


def test_cancels_that_overtake_their_orders_have_a_cause(trade: Any, tmp_path: Path) -> None:
    slow = lasting(("slow_order", 3.0, {"delay_seconds": 0.3}))
    trade("live", slow, trader=hasty_trader(tmp_path))
    run = tmp_path / LIVE
    # An order that is cancelled before the venue knows it is of unknown fate at first.
    told = query(run, "SELECT kind, count(*) AS times FROM account GROUP BY kind").collect()
    assert dict(told.rows())["unknown"] > 3
    explained(parity(run))


@pytest.mark.parametrize("trader", [lambda _: MIXED, on_the_book])
def test_a_paper_session_has_no_difference(trade: Any, tmp_path: Path, trader: Callable[[Path], Path]) -> None:
    trade("paper", lasting(seconds=4), trader=trader(tmp_path))
    found = parity(tmp_path / "runs/busy/paper")
    assert found.is_equal and found.is_explained and found.orders > 15, str(found)
    assert sum(found.causes.values()) == 0


async def until_failed(sandbox: Any, ready: Any) -> None:
    """Wait for the strategy's exception, which ends the session."""
    await until(lambda: ready.kernel.is_failed)


AT_A_ROW = """
    def on_trade(self, ctx, trade):
        assert self.seen < 60, "it cannot go on"
        super().on_trade(ctx, trade)
"""
AT_AN_ANSWER = """
    def on_fill(self, ctx, fill):
        assert self.seen < 30, "it cannot go on"
"""


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize("fails", [AT_A_ROW, AT_AN_ANSWER], ids=["at a row", "at an answer"])
def test_a_session_whose_strategy_failed_is_compared_up_to_there(
    trade: Any, tmp_path: Path, mode: str, fails: str
) -> None:
    failing = tmp_path / "failing.py"
    usual = session_exchange.TRADER.read_text().replace("class Busy", "class Usual")
    failing.write_text(f"{usual}\n\nclass Busy(Usual):{fails}")
    with pytest.raises(AssertionError, match="it cannot go on"):
        trade(mode, until_failed, trader=failing)
    found = parity(tmp_path / "runs/busy" / mode)
    # Of a live session, what the venue answered behind that is not known to the backtest.
    assert found.decisions_agree and found.orders > 0 and (mode == "live" or found.is_explained), str(found)
    (note,) = found.notes
    assert note.startswith("at entry ") and note.endswith("and fails again: AssertionError: it cannot go on")
    assert f"note: {note}" in str(found)
    replayed = replay(tmp_path / "runs/busy" / mode)
    assert replayed.verdict == "unfinished" and "fails again" in replayed.problem and replayed.decisions > 0
    # One that fails before it did then is no such run.
    failing.write_text(f"{usual}\n\nclass Busy(Usual):{AT_A_ROW.replace('60', '10')}")
    with pytest.raises(AssertionError, match="it cannot go on"):
        replay(tmp_path / "runs/busy" / mode)


BY_THE_CLOCK = """
import tradewind as tw

class Busy(tw.Strategy):
    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
        ctx.timer(after=0.02)

    def on_timer(self, ctx, number):
        ctx.timer(after=0.02)
        if ctx.last_trade(self.btc):
            ctx.buy(self.btc, 0.001)
"""


def test_a_paper_session_that_was_cut_off_has_no_difference(tmp_path: Path) -> None:
    async def work(bench: Any) -> None:
        async with bench.session("paper", ends="killed") as ready:
            await until(lambda: ready.kernel.outcome()["fills"])
            bench.faults.on("quiet_market")
            sent = ready.kernel.outcome()["orders"]
            # Behind the last row there are timers and answers only.
            await until(lambda: ready.kernel.outcome()["orders"] > sent + 20)

    on_bench(tmp_path, BY_THE_CLOCK, work)
    run = tmp_path / "runs/busy/paper"
    kinds = query(run, "SELECT kind FROM inputs ORDER BY sequence DESC LIMIT 20").collect()["kind"]
    assert "market" not in set(kinds)
    found = parity(run)
    assert found.is_equal and found.orders > 20, str(found)


IMPATIENT = """
import tradewind as tw

class Busy(tw.Strategy):
    asked: float = tw.state(0.0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx, trade):
        assert len(ctx.open_orders()) < 18, "the venue does not answer"
        if ctx.now.timestamp() - self.asked > 0.05:
            self.asked = ctx.now.timestamp()
            ctx.buy(self.btc, 0.001, time_in_force="ioc")
"""


def test_a_backtest_may_fail_where_the_session_did_not(
    trade: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_exchange, "TEXT", session_exchange.TEXT.replace('latency = "3ms"', 'latency = "1h"'))
    impatient = tmp_path / "impatient.py"
    impatient.write_text(IMPATIENT)
    trade("live", lasting(), trader=impatient)
    found = explained(parity(tmp_path / LIVE))
    assert found.causes["latency"] > 0
    (note,) = found.notes
    assert note.startswith("the backtest failed at ") and note.endswith("AssertionError: the venue does not answer")


def test_a_strategy_that_was_changed_since_is_said(trade: Any, tmp_path: Path) -> None:
    file = hasty_trader(tmp_path)
    trade("paper", lasting(), trader=file)
    file.write_text(file.read_text().replace("% 5", "% 7"))
    found = parity(tmp_path / "runs/busy/paper")
    assert not found.is_explained and found.notes == (f"{file} was changed after the run",)


def test_what_no_cause_explains_is_said_and_fails(
    trade: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The venue charges 0.1 %.
    place = '[instruments."binance_spot:BTCUSDT"]'
    monkeypatch.setattr(
        session_exchange, "TEXT", session_exchange.TEXT.replace(place, f'{place}\ntaker_fee = "0.0004"')
    )
    trade("live", lasting(seconds=3), trader=MIXED)
    found = parity(tmp_path / LIVE)
    left = found.differences.filter(cause=UNEXPLAINED)
    assert found.decisions_agree and not found.is_explained
    assert "fee" in left["aspect"] and f"{UNEXPLAINED} {left.height}" in found.line
    shown = [line for line in str(found).splitlines() if line.startswith("│ busy ")]
    assert shown[0].rstrip("│ ").endswith(UNEXPLAINED), "shown first"
    assert command(["parity", str(tmp_path / LIVE)]) == 1
    assert found.line in capsys.readouterr().out
    assert command(["parity", str(tmp_path / LIVE), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["explained"], told["causes"]) == (False, found.causes)
    assert len(told["differences"]) == found.differences.height


def test_a_difference_comes_from_what_made_it_go_away_for_good() -> None:
    def run(*aspects: str) -> pl.DataFrame:
        rows = [{"strategy": "one", "count": 1, "aspect": one, "session": "a", "backtest": "b"} for one in aspects]
        return pl.DataFrame(
            rows, schema={"strategy": str, "count": int, "aspect": str, "session": str, "backtest": str}
        )

    # Gone with latency; back with the queue and gone again; only in between; never; and only in the end.
    runs = [
        run("closed", "filled", "status"),
        run("status"),
        run("status", "fee"),
        run("status", "filled"),
        run("status"),
        run("status", "average price"),
    ]
    found = dict(_with_causes(runs).select("aspect", "cause").rows())
    assert found == {"closed": "latency", "filled": "queue", "status": UNEXPLAINED, "average price": UNEXPLAINED}
    assert len(runs) == len(CAUSES) + 1
