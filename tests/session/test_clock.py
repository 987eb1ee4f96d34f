"""The clock of a session (T2)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
from session_bench import STILL, Bench, on_bench

YEAR_2100_MS = 4_102_444_800_000


def test_a_row_from_the_far_future_does_not_move_the_clock(tmp_path: Path) -> None:
    trade = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 10**9, "p": "60000", "q": "1", "T": YEAR_2100_MS, "m": True}
    text = msgspec.json.encode({"stream": "btcusdt@trade", "data": trade}).decode()

    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            await bench.until(lambda: ready.kernel.rows > 10)
            bench.faults.on("nonsense_frame", text=text, kind="stream")
            await asyncio.sleep(1)
            assert ready.kernel.now_ns < time.time_ns() + 60 * 10**9
            assert ready.session.health.misread

    on_bench(tmp_path, STILL, work)
