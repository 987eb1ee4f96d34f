"""W9's exchange: our sandbox in a process of its own, with trades at a steady rate (`ticks.py` starts it).

It stamps trades just before they are written to the socket, and orders as they have been read from theirs. A trade
that goes out together with another is not measured: the second one would wait for the first. It never sleeps: who
writes to a socket whose reader sleeps on the same machine pays for waking it up (30 µs and more on a virtual one),
which no exchange behind a network costs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from ticks import TRADES_PER_SECOND, mark_of, marks_of

from tradewind.sandbox import Limits, Sandbox
from tradewind.sandbox.binance_spot.connection import Connection
from tradewind.session.waiting import event_loop

_LOTS = 100


def watch() -> dict[int, tuple[int, int]]:
    """Stamp what goes out and what comes in: both times of a trade that was answered."""
    sent_ns: dict[int, int] = {}
    seen_ns: dict[int, tuple[int, int]] = {}
    flush, take = Connection._flush, Connection.on_ws_frame

    def stamped_flush(self: Connection) -> None:
        if len(marks := marks_of(b"".join(self._waiting))) == 1:
            sent_ns[marks[0]] = time.perf_counter_ns()
        flush(self)

    def stamped_take(self: Connection, transport: Any, frame: Any) -> None:
        now_ns = time.perf_counter_ns()
        mark = mark_of(frame.get_payload_as_bytes())
        if mark in sent_ns:
            seen_ns[mark] = (sent_ns.pop(mark), now_ns)
        take(self, transport, frame)

    Connection._flush, Connection.on_ws_frame = stamped_flush, stamped_take  # type: ignore[method-assign]
    return seen_ns


async def trade(sandbox: Sandbox) -> None:
    """Somebody of the crowd buys or sells a little, at a steady rate; the others put the book right again."""
    server = sandbox.server
    market = server.exchange.markets["BTCUSDT"]
    loop = asyncio.get_running_loop()
    due, is_buy = loop.time(), True
    while True:
        due += 1 / TRADES_PER_SECOND
        await asyncio.sleep(due - loop.time())
        outcome = server.exchange.submit_for_crowd(market, is_buy, _LOTS * market.symbol.lot, None, "ioc")[1]
        server.exchange.settle(market, outcome[1], outcome[2], server.clock.now_ns())
        is_buy = not is_buy


async def run(kind: Any) -> None:
    """Serve, and say on the standard output what was seen when a line comes in."""
    seen_ns = watch()
    settings: dict[str, Any] = {
        "symbols": ("BTCUSDT",), "seed": 9, "activity": float(TRADES_PER_SECOND), "history_seconds": 10
    }  # fmt: skip
    async with Sandbox(**settings, limits=Limits.raised()) as sandbox:
        keys = sandbox.new_account({"USDT": 10**9}, kind=kind)
        urls = {name: getattr(sandbox, name) for name in ("rest_url", "stream_url", "api_url")}
        say(urls | {"key": keys.api_key, "secret": keys.secret})
        asked = asyncio.Queue[str]()
        asyncio.get_running_loop().add_reader(sys.stdin, lambda: asked.put_nowait(sys.stdin.readline()))
        trading = asyncio.create_task(trade(sandbox))
        while await asked.get():
            say(seen_ns)
        trading.cancel()


def say(what: Any) -> None:
    """One line of JSON."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=lambda: event_loop(is_busy=True)) as runner:
        runner.run(run(sys.argv[1]))
