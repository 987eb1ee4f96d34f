"""Ctrl-C once, twice, and against a callback that does not end."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from patience import ended, started
from session_bench import RESTING, Bench, on_bench

ENDLESS = (
    RESTING
    + """
    def more(self, order):
        if order.status == "open":
            print("looping", flush=True)
            while True:
                pass
"""
)


def test_the_third_signal_ends_a_callback_without_an_end(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        process = await started("run", str(bench.path), "--mode", "live", stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        while b"looping" not in await process.stdout.readline():
            pass
        assert bench.open_orders
        for _ in range(3):
            await asyncio.sleep(0.3)
            process.send_signal(signal.SIGINT)
        code, said = await ended(process)
        assert code == 1 and "SIGINT came 3 times while a callback did not end" in said
        assert not bench.open_orders

    on_bench(tmp_path, ENDLESS, work)


def test_the_second_waits_for_nothing_that_a_venue_is_asked(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.path.write_text(bench.path.read_text() + '\n[shutdown]\ntimeout = "60s"\n')
        process = await started("run", str(bench.path), "--mode", "live")
        await bench.until(lambda: bench.open_orders)
        bench.faults.on("slow_answers", path="/api/v3/openOrders", delay_seconds=30)
        process.send_signal(signal.SIGINT)
        await bench.until(lambda: not bench.open_orders)
        await asyncio.sleep(1)
        asked_at = time.monotonic()
        code, said = await ended(process, signal.SIGINT)
        assert code == 1 and "run_interrupted" in said
        # Half of what the venue takes to answer: a session that waits for it would take longer, however slow we are.
        assert time.monotonic() - asked_at < 15

    on_bench(tmp_path, RESTING, work)
