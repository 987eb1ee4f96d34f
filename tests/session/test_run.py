"""From a system file to a session: which journal it goes on with, and who may."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from session_bench import ONCE, RESTING, STILL, Bench, on_bench

from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.journal.segments import FOLDER_NAME
from tradewind.session.run import _line


def test_each_mode_has_a_journal_of_its_own_in_a_stated_directory(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper", ends="killed") as ready:
            await bench.until(ready.kernel.positions)
        async with bench.session("live") as ready:
            assert not ready.is_recovered
        assert (tmp_path / "journals/busy/paper" / FOLDER_NAME).is_dir()

    on_bench(tmp_path, ONCE, work, f'\n[journal]\ndirectory = "{tmp_path}/journals"\n')


def test_live_does_not_go_on_with_what_paper_left(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper", ends="killed") as ready:
            await bench.until(lambda: ready.kernel.rows > 10)
        (tmp_path / "runs/busy/paper").rename(tmp_path / "runs/busy/live")
        with pytest.raises(TradewindError, match="in the mode paper"):
            async with bench.session("live"):
                pass

    on_bench(tmp_path, STILL, work)


def test_a_run_goes_on_in_one_process_at_a_time(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as first:
            await bench.until(lambda: bench.open_orders)
            with pytest.raises(TradewindError, match="goes on in another process"):
                async with bench.session():
                    pass
            assert not first.running.done() and bench.open_orders
        with Journal(tmp_path / "runs/busy/live") as journal:
            assert journal.ending.finished
        async with bench.session():
            pass

    on_bench(tmp_path, RESTING, work)


def test_the_line_says_whose_positions_are_where_there_are_several_and_when_nothing_is_connected() -> None:
    def line(positions: list[tuple[str, str, str]], connections: dict[str, bool]) -> str:
        outcome = {"day": None, "total": {}, "rows": 1, "orders": 2, "fills": 3}
        kernel: Any = SimpleNamespace(outcome=lambda: outcome, is_trading=True, positions=lambda: positions)
        health = SimpleNamespace(connections=connections)
        session: Any = SimpleNamespace(equity_now=None, health=health)
        return _line(kernel, session)

    one, other = ("cross", "v:BTC", "1"), ("grid", "v:BTC", "-2")
    end = " | equity unknown | 1 market event, 2 orders, 3 fills"
    assert line([], {}) == f"trading | flat{end}"
    assert line([one], {"a": True, "b": False}) == f"trading; down: b | 1 v:BTC{end}"
    assert line([one, other], {"a": False, "b": False}) == (
        f"trading; down: all connections | 1 v:BTC (cross), -2 v:BTC (grid){end}"
    )
