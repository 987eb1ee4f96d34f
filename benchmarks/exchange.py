"""W9's exchange: our sandbox in a process of its own, which stamps trades as they leave and orders as they come in.

It measures from just before the trade frame is written to its socket until the frame
with the order that answers this very trade has been read from its. Clients say in the quantity which trade they answer.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection as Pipe
from typing import Any

from tradewind.sandbox import Limits, Sandbox
from tradewind.sandbox.binance_spot.connection import Connection

TICKS = 1_000
SKIPPED = 100
"""The first ones warm up both sides."""
MARKS = 5_000
"""Trades are told apart by their number within this."""
LEAST = Decimal("0.00100")
STEP = Decimal("0.00001")

_TRADE = re.compile(rb'"e":"trade".*?"t":(\d+)')
_QUANTITY = re.compile(rb'"quantity":\s*"?([0-9.]+)')


def quantity_of(trade_id: int) -> Decimal:
    """The quantity of the order that answers a trade."""
    return LEAST + STEP * (trade_id % MARKS)


def price_of(price: float) -> float:
    """Its limit: too low to be filled, and near enough for the exchange's filters."""
    return round(price * 0.9, 2)


@dataclass
class Exchange:
    """What clients need, and the pipe to the process."""

    rest_url: str
    stream_url: str
    api_url: str
    key: str
    secret: str
    pipe: Pipe

    def latencies_us(self) -> list[float]:
        """Microseconds from tick to order so far, one for each trade that was answered."""
        self.pipe.send("latencies")
        found: list[float] = self.pipe.recv()
        return found


@contextmanager
def exchange(keys: str) -> Iterator[Exchange]:
    """A fresh exchange, with a key of a kind."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, keys), daemon=True)
    process.start()
    try:
        yield Exchange(*ours.recv(), pipe=ours)
    finally:
        process.terminate()
        process.join()


def line(latencies_us: list[float], version: str, **more: Any) -> dict[str, Any]:
    """The result as `benchmarks/run.py` reads it; its rate is that of orders sent one after the other."""
    measured = sorted(latencies_us[SKIPPED : SKIPPED + TICKS])
    median = statistics.median(measured)
    return {
        "id": "W9",
        "events": len(measured),
        "orders": len(measured),
        "seconds": sum(measured) / 1e6,
        "events_per_second": 1e6 / median,
        "version": version,
        "median_us": round(median, 1),
        "p99_us": round(measured[int(len(measured) * 0.99)], 1),
        **more,
    }


def _serve(pipe: Pipe, keys: str) -> None:
    asyncio.run(_run(pipe, keys))


async def _run(pipe: Pipe, kind: Any) -> None:
    sent: dict[int, int] = {}
    latencies: list[float] = []
    flush, take = Connection._flush, Connection.on_ws_frame

    def stamped_flush(self: Connection) -> None:
        for frame in self._waiting:
            if (found := _TRADE.search(frame)) is not None:
                sent[int(found[1]) % MARKS] = time.perf_counter_ns()
        flush(self)

    def stamped_take(self: Connection, transport: Any, frame: Any) -> None:
        now_ns = time.perf_counter_ns()
        payload = frame.get_payload_as_bytes()
        if b"order.place" in payload and (found := _QUANTITY.search(payload)) is not None:
            mark = int((Decimal(found[1].decode()) - LEAST) / STEP)
            if (since_ns := sent.pop(mark, None)) is not None:
                latencies.append((now_ns - since_ns) / 1e3)
        take(self, transport, frame)

    Connection._flush, Connection.on_ws_frame = stamped_flush, stamped_take
    # Trades one by one: a tick is measured, not a queue of them.
    settings: dict[str, Any] = {"symbols": ("BTCUSDT",), "seed": 9, "activity": 200.0, "history_seconds": 10}
    async with Sandbox(**settings, limits=Limits.raised()) as sandbox:
        keys = sandbox.new_account({"USDT": 10**9}, kind=kind)
        pipe.send((sandbox.rest_url, sandbox.stream_url, sandbox.api_url, keys.api_key, keys.secret))
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe.fileno(), lambda: (pipe.recv(), pipe.send(list(latencies))))
        await asyncio.sleep(3_600)
