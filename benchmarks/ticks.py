"""What both sides of W9 share: the exchange as clients see it, the decision's numbers, and the result.

Standard library only: the peer's environment has no Tradewind. Every trade is answered by an order, whose quantity says
which trade it answers. Two figures come out of it: within the client's process, from the bytes of the trade's frame at
hand to those of the order's frame written, which is the workload's; and wire to wire, as the exchange sees it.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
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

Latencies = dict[int, float]
"""Microseconds by the mark of a trade."""


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

    def latencies_us(self) -> Latencies:
        """Wire to wire, for each trade so far that was sent by itself and was answered; not to be asked in between."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("latencies\n")
        self.process.stdin.flush()
        return {int(mark): latency for mark, latency in json.loads(self.process.stdout.readline()).items()}


@contextmanager
def exchange(keys: str, python: str = sys.executable) -> Iterator[Exchange]:
    """A fresh exchange, with a key of a kind, in a process of its own."""
    script = Path(__file__).with_name("exchange.py")
    command = [python, str(script), keys]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Exchange(**json.loads(process.stdout.readline()), process=process)
        finally:
            process.terminate()


def is_enough(inside_us: Latencies) -> bool:
    """Whether enough trades were answered: some were not sent by themselves."""
    return len(inside_us) >= 1.25 * (SKIPPED + TICKS)


def line(inside_us: Latencies, wire_us: Latencies, version: str, **more: Any) -> dict[str, Any]:
    """The result as `benchmarks/run.py` reads it; its rate is that of orders sent one after the other."""
    marks = [mark for mark in inside_us if mark in wire_us][SKIPPED : SKIPPED + TICKS]
    inside, wire = (_figures([held[mark] for mark in marks]) for held in (inside_us, wire_us))
    return {
        "id": "W9",
        "events": len(marks),
        "orders": len(marks),
        "seconds": sum(inside_us[mark] for mark in marks) / 1e6,
        "events_per_second": 1e6 / inside["median_us"],
        "version": version,
        **inside,
        **{f"wire_{name}": value for name, value in wire.items()},
        "trades_per_second": TRADES_PER_SECOND,
        "load": round(os.getloadavg()[0], 2),
        **more,
    }


def _figures(latencies_us: list[float]) -> dict[str, float]:
    ordered = sorted(latencies_us)
    return {
        "least_us": round(ordered[0], 1),
        "median_us": round(statistics.median(ordered), 1),
        "p90_us": round(ordered[int(len(ordered) * 0.9)], 1),
        "p99_us": round(ordered[int(len(ordered) * 0.99)], 1),
        "most_us": round(ordered[-1], 1),
    }
