"""Holdings that are there at the first start and that strategies take over (M3)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from session_bench import HEAD, STILL, Bench, execution_of, is_up, on_bench, postings

import tradewind as tw
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.session import reconciliation
from tradewind.session.parity import parity
from tradewind.session.reconciliation import Reconciliation

ADOPT = """
[[accounts.main.adopt]]
strategy = "busy"
instrument = "binance_spot:BTCUSDT"
quantity = "0.05"
cost = "1000"
"""
IN_PAPER = ('{ USDT = "100000" }', '{ USDT = "100000", BTC = "0.2" }')
HALVES = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        if ctx.position(self.btc).quantity:
            ctx.target(self.btc, 0.02)
"""
)


def _held(ready: Any) -> Decimal:
    return next((Decimal(quantity) for _, _, quantity in ready.kernel.positions()), Decimal(0))


def _unrealised(ready: Any) -> tuple[float, float]:
    """What the row of the only instrument says, and the totals; no order has left."""
    outcome = ready.kernel.outcome()
    assert not outcome["orders"]
    return outcome["instruments"][0]["unrealised"], outcome["total"].get("unrealised")


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_strategy_trades_what_it_adopted_and_nothing_else(tmp_path: Path, mode: str) -> None:
    run = tmp_path / "runs/busy" / mode

    async def work(bench: Bench) -> None:
        bench.path.write_text(bench.path.read_text().replace(*IN_PAPER))
        async with bench.session(mode) as ready:
            await bench.until(lambda: _held(ready) == Decimal("0.02") and not ready.kernel.open_orders())
            # What it has cost counts: a coin is at about ninety thousand, and 0.05 of one were bought for a thousand.
            (report,) = (one for one in ready.kernel.outcome()["instruments"] if one["instrument"].endswith("BTCUSDT"))
            assert report["realised"] > 1_000
            await bench.until(lambda: dict(ready.kernel.balances("binance_spot"))["BTC"].rstrip("0") == "0.17")
            assert mode == "paper" or bench.equals(ready)
        with Journal(run) as journal:
            assert journal.ending.finished

    on_bench(tmp_path, HALVES, work, ADOPT, holds={"BTC": Decimal("0.2")})
    assert tw.journal.replay(run).identical
    found = parity(run)
    assert found.is_equal if mode == "paper" else found.decisions_agree, str(found)
    rows = tw.journal.query(run, "select command, strategy, instrument, quantity from commands").collect()
    assert ("adopt", "busy", "binance_spot:BTCUSDT", Decimal("0.05")) in rows.rows()


def test_an_account_that_was_emptied_and_filled_again_is_not_adopted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_COMPARE_SECONDS", 0.5)

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: is_up(ready) and _held(ready))
            execution_of(ready).fate_seconds = 1.0
            for asset, amount in (("USDT", "-100000"), ("BTC", "-0.05")):
                bench.faults.on("transfer", account=bench.account, asset=asset, amount=amount)
            await bench.until(lambda: bench.equals(ready))
            bench.faults.on("refused_connections")
            bench.faults.on("hard_close", kind="api")
            await bench.until(lambda: not is_up(ready))
            bench.faults.on("transfer", account=bench.account, asset="BTC", amount="0.05")
            bench.faults.off("refused_connections")
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
            assert _held(ready) == Decimal("0.05")

    on_bench(tmp_path, STILL, work, ADOPT, holds={"BTC": Decimal("0.05")})


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_it_is_adopted_once(tmp_path: Path, mode: str) -> None:
    async def work(bench: Bench) -> None:
        bench.path.write_text(bench.path.read_text().replace(*IN_PAPER))
        for kill in range(3):
            async with bench.session(mode, ends="killed") as ready:
                await bench.until(lambda: ready.kernel.rows and (mode == "paper" or is_up(ready)))
                assert _held(ready) == Decimal("0.05") and ready.is_recovered == (kill > 0)
                await bench.until(lambda: _unrealised(ready)[0])
                assert len(set(_unrealised(ready))) == 1
        # Neither where the code changes.
        (bench.folder / "mine.py").write_text(STILL.replace("+= 1", "+= 2"))
        async with bench.session(mode, accepts_changes=True) as ready:
            await bench.until(lambda: not ready.kernel.awaits_start and (mode == "paper" or is_up(ready)))
            assert _held(ready) == Decimal("0.05")

    on_bench(tmp_path, STILL, work, ADOPT, holds={"BTC": Decimal("0.2")})


def test_a_run_that_is_killed_before_the_first_comparison_adopts_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Reconciliation) -> None:
        await asyncio.Event().wait()

    async def work(bench: Bench) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Reconciliation, "_open", never)
            async with bench.session(ends="killed") as ready:
                await bench.until(lambda: ready.kernel.rows)
                assert not _held(ready)
        async with bench.session() as ready:
            assert ready.is_recovered
            await bench.until(lambda: is_up(ready))
            assert _held(ready) == Decimal("0.05")

    on_bench(tmp_path, STILL, work, ADOPT, holds={"BTC": Decimal("0.2")})


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_others_trade_before_the_first_comparison_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    compare = Reconciliation._open

    async def work(bench: Bench) -> None:
        async def disturbed(self: Reconciliation) -> None:
            patched.undo()
            bench.faults.on("foreign_order", account=bench.account, symbol="BTCUSDT")
            await bench.until(lambda: told[0].session.health.foreign_reports > 1)
            if is_killed:
                await asyncio.Event().wait()
            await compare(self)

        told: list[Any] = []
        with monkeypatch.context() as patched:
            patched.setattr(Reconciliation, "_open", disturbed)
            async with bench.session(ends="killed") as ready:
                told.append(ready)
                await bench.until(lambda: ready.session.health.foreign_reports > 1 and (is_killed or is_up(ready)))
                assert _held(ready) == (Decimal(0) if is_killed else Decimal("0.05"))
        async with bench.session() as ready:
            assert ready.is_recovered
            await bench.until(lambda: is_up(ready))
            assert _held(ready) == Decimal("0.05") and bench.equals(ready)
        assert "unexplained" not in postings(tmp_path)

    on_bench(tmp_path, STILL, work, ADOPT, holds={"BTC": Decimal("0.2")})


def test_more_than_there_is_is_refused_and_nothing_is_traded(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(TradewindError, match=r"adopt 0\.05 BTC, and the account at binance_spot holds 0\.04"):
            async with bench.session() as ready:
                await bench.until(lambda: ready.session.is_ending)
                assert not is_up(ready) and not ready.kernel.positions()
        assert not bench.open_orders

    on_bench(tmp_path, HALVES, work, ADOPT, holds={"BTC": Decimal("0.04")})


def test_two_strategies_share_what_there_is(tmp_path: Path) -> None:
    other = ADOPT.replace('"busy"', '"other"').replace("0.05", "0.16")
    more = f'{ADOPT}{other}\n[strategies.other]\nclass = "mine.py:Busy"\n'

    async def work(bench: Bench) -> None:
        with pytest.raises(TradewindError, match=r"adopt 0\.21 BTC, and the account at binance_spot holds 0\.2"):
            async with bench.session() as ready:
                await bench.until(lambda: ready.session.is_ending)
        bench.path.write_text(bench.path.read_text().replace("0.16", "0.15"))
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            held = {name: Decimal(quantity) for name, _, quantity in ready.kernel.positions()}
            assert held == {"busy": Decimal("0.05"), "other": Decimal("0.15")}

    on_bench(tmp_path, STILL, work, more, holds={"BTC": Decimal("0.2")})


def test_a_holding_that_has_lost_before_does_not_end_the_day(tmp_path: Path) -> None:
    dear = ADOPT.replace('"1000"', '"50000"')

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows > 20 and _held(ready))
            day, profit, _ = ready.kernel.outcome()["day"]
            assert day > 0 and abs(profit) < 1_000

    on_bench(tmp_path, STILL, work, dear, holds={"BTC": Decimal("0.2")})
