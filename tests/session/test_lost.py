"""Orders that the journal has lost, as a power cut can make it: a run does not go on with them (law 7)."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from session_bench import HEAD, Bench, is_up, on_bench

from tradewind.errors import TradewindError
from tradewind.journal import Journal

DESK = (
    HEAD
    + """
        ctx.subscribe("want")

    def on_data(self, ctx, data):
        ctx.buy(self.btc, 0.01, data.value or None)
"""
)


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_run_does_not_go_on_where_the_venue_has_orders_that_the_journal_lost(tmp_path: Path, is_lost: bool) -> None:
    journal, then = tmp_path / "runs/busy/live/journal", tmp_path / "then"

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            session, kernel = ready.session, ready.kernel
            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and all(session.health.connections.values()))
            session.send("want", 0.0)
            await bench.until(lambda: kernel.positions() and not kernel.open_orders())
            session.write()
            # What a power cut leaves is what was there a moment ago.
            await asyncio.to_thread(shutil.copytree, journal, then)
            session.send("want", 0.0)
            session.send("want", 30_000.0)
            await bench.until(lambda: [one["status"] for one in kernel.open_orders()] == ["open"])
            await bench.until(lambda: bench.equals(ready))
            names = [session.name_of(one) for one in (*kernel.closed_orders(2), *kernel.open_orders())]
        if not is_lost:
            async with bench.session() as ready:
                await bench.until(lambda: is_up(ready))
                assert len(ready.kernel.open_orders()) == 1 and bench.equals(ready)
            return
        shutil.rmtree(journal)
        shutil.copytree(then, journal)
        before = bench.held
        for _ in range(2):
            with pytest.raises(TradewindError, match="the journal does not hold") as caught:
                async with bench.session() as ready:
                    await ready.running
            assert caught.value.code == "divergence" and "move the journal away" in caught.value.hint
            bought = f"{names[0]}: buy 0.01000000 binance_spot:BTCUSDT at the market, 0.01000000 filled, filled"
            assert bought in caught.value.message and names[1] not in caught.value.message
            # What rested is cancelled, nothing is sent, and the journal stays one that was cut off.
            assert not bench.open_orders and bench.held == before
            with Journal(tmp_path / "runs/busy/live") as kept:
                assert not kept.ending.finished
        journal.rename(tmp_path / "lost")
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
            assert bench.equals(ready) and not ready.kernel.positions()

    on_bench(tmp_path, DESK, work)
