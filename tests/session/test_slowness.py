"""A callback that holds a session up is named."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from session_bench import HEAD, Bench, on_bench

SLOW = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        self.seen += 1
        if self.seen in (3, 4):
            self.think()

    def think(self):
        import time
        time.sleep(2)
"""
)


def test_a_slow_callback_is_named_at_most_once_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            strategy = ready.about.strategies[0]
            await bench.until(lambda: strategy.seen > 4)
            await asyncio.sleep(0.5)

    on_bench(tmp_path, SLOW, work)
    (said,) = [one.getMessage() for one in caplog.records if "has run for" in one.getMessage()]
    line = SLOW.splitlines().index("            self.think()") + 1
    assert said.startswith(f"on_trade of busy has run for more than a second ({tmp_path / 'mine.py'}:{line})")


def test_a_slow_start_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper"):
            pass

    on_bench(tmp_path, HEAD + "        import time\n        time.sleep(2)\n", work)
    assert [one for one in caplog.messages if one.startswith("on_start of busy has run for more than a second")]
