"""What both sides of W9 share: the exchange as clients see it, the decision's numbers, and the result.

Standard library only: the peer's environment has no Tradewind. Every trade is answered by an order, whose quantity says
which trade it answers. Two figures come out of it: within the client's process, from the bytes of the trade's frame at
hand to those of the order's frame written, which is the workload's; and wire to wire, as the exchange sees it. What the
exchange has read was written, although the call that wrote it may return later: the exchange may get the processor
first. (Both processes read the same clock.) Beside the first figure there is what the processor's clock of the thread
says of it: on a machine that others use, too, the two differ.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

TRADES_PER_SECOND = 200
"""One trade at a time, at a steady rate; the book moves as often in between."""
TICKS = 3_000
SKIPPED = 500
"""The first ones warm up both sides."""
MARKS = 10**6
"""Trades are told apart by their number within this."""
LEAST, DECIMALS = 1, 5
"""The smallest quantity, and how many decimals tell trades apart."""

_TRADE = re.compile(rb'"e":"trade".*?"t":(\d+)')
_QUANTITY = re.compile(rb'"quantity":\s*"?([0-9.]+)')


def quantity_of(trade_id: int) -> float:
    """The quantity of the order that answers a trade."""
    return round(LEAST + trade_id % MARKS / 10**DECIMALS, DECIMALS)


def price_of(price: float) -> float:
    """Its limit: too low to be filled, and near enough for the exchange's filters."""
    return round(price * 0.9, 2)


def marks_of(frames: bytes) -> list[int]:
    """Which trades there are in what the exchange sent."""
    return [int(found) % MARKS for found in _TRADE.findall(frames)]


def mark_of(order: bytes) -> int | None:
    """Which trade an order answers."""
    found = _QUANTITY.search(order) if b"order.place" in order else None
    return None if found is None else int((Decimal(found[1].decode()) - LEAST).scaleb(DECIMALS))


@dataclass
class Exchange:
    """What clients need, and the process that it is."""

    rest_url: str
    stream_url: str
    api_url: str
    key: str
    secret: str
    process: subprocess.Popen[str]

    def seen_ns(self) -> dict[int, tuple[int, int]]:
        """When each trade was sent that was sent by itself, and its answer read; to be asked at the end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("times\n")
        self.process.stdin.flush()
        return {int(mark): (sent, read) for mark, (sent, read) in json.loads(self.process.stdout.readline()).items()}


@contextmanager
def exchange(keys: str, python: str = sys.executable) -> Iterator[Exchange]:
    """A fresh exchange, with a key of a kind, in a process of its own."""
    command = [python, str(Path(__file__).with_name("exchange.py")), keys]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Exchange(**json.loads(process.stdout.readline()), process=process)
        finally:
            process.terminate()


Stamps = list[tuple[int, int, bytes]]


class Watch:
    """Takes the times within a client's process: on the clock, and on that of the thread's processor."""

    def __init__(self) -> None:
        self._taken: Stamps = []
        self._written: Stamps = []

    def received(self, frames: bytes) -> None:
        """Bytes of the exchange are at hand."""
        self._taken.append((time.perf_counter_ns(), time.thread_time_ns(), frames))

    def written(self, frame: bytes) -> None:
        """A frame was written."""
        self._written.append((time.perf_counter_ns(), time.thread_time_ns(), frame))

    @property
    def is_enough(self) -> bool:
        """Whether enough trades were answered, among them those that are not measured."""
        return len(self._written) >= 1.6 * (SKIPPED + TICKS)

    def line(self, one: Exchange, version: str, **more: Any) -> dict[str, Any]:
        """The result as `benchmarks/run.py` reads it; its rate is that of orders sent one after the other."""
        seen_ns = one.seen_ns()
        # Only now is looked for what the frames were about.
        taken_ns = {mark: stamp[:2] for stamp in self._taken for mark in marks_of(stamp[2])}
        written_ns = {mark: stamp[:2] for stamp in self._written if (mark := mark_of(stamp[2])) is not None}
        marks = [mark for mark in written_ns if mark in seen_ns][SKIPPED : SKIPPED + TICKS]
        inside, processor, wire = [], [], []
        for mark in marks:
            taken, written, (sent_ns, read_ns) = taken_ns[mark], written_ns[mark], seen_ns[mark]
            inside.append((min(written[0], read_ns) - taken[0]) / 1e3)
            processor.append((written[1] - taken[1]) / 1e3)
            wire.append((read_ns - sent_ns) / 1e3)
        return {
            "id": "W9",
            "events": len(marks),
            "orders": len(marks),
            "seconds": sum(inside) / 1e6,
            "events_per_second": 1e6 / statistics.median(inside),
            "version": version,
            **_figures("", inside),
            **_figures("processor_", processor),
            **_figures("wire_", wire),
            "trades_per_second": TRADES_PER_SECOND,
            "load": round(os.getloadavg()[0], 2),
            **more,
        }


def _figures(name: str, latencies_us: list[float]) -> dict[str, float]:
    ordered = sorted(latencies_us)
    places = {"p10": 0.1, "median": 0.5, "p99": 0.99}
    return {f"{name}{which}_us": round(ordered[int(len(ordered) * place)], 1) for which, place in places.items()}
