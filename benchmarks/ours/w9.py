"""W9: from a trade to the order that answers it, in a live session: decoder, engine, Python strategy, risk, journal.

Prints one JSON line (see `benchmarks/ticks.py`). The session is as `tradewind run --mode live` prepares it, with the
settings' defaults (`w9_busy.py` has `[run] busy_wait`). Its key is of the kind that Binance recommends, with which a
session logs on once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ticks import Exchange, Watch, exchange, price_of, quantity_of

import tradewind as tw
from tradewind.session.run import prepared
from tradewind.session.waiting import event_loop
from tradewind.venues.connection.websocket import Channel

SYSTEM = """
[run]
name = "w9"
currency = "USDT"
directory = "{folder}/runs"
busy_wait = {busy_wait}

[venues.binance_spot.urls]
rest = "{one.rest_url}"
stream = "{one.stream_url}"
api = "{one.api_url}"

[accounts.main]
venue = "binance_spot"
credentials = {{ file = "{folder}/keys.toml" }}

[instruments."binance_spot:BTCUSDT"]

[strategies.answers]
class = "{file}:Answers"

[risk]
order_quantity = "20"
order_notional = "1000000"
position = "1000"
open_orders = 1000
price_collar = "0.5"
order_rate = {{ orders = 100000, interval = "10s" }}
daily_loss = "1000000"

[live]
place_real_orders = true
"""


class Answers(tw.Strategy):
    """An order for every trade."""

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        self.average = ctx.indicator(tw.Ema(20), self.btc.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if self.average.value != trade.price:
            ctx.buy(self.btc, quantity_of(trade.id), price_of(trade.price), time_in_force="ioc")


def write_system(folder: Path, one: Exchange, *, is_busy: bool) -> Path:
    path = folder / "system.toml"
    path.write_text(
        SYSTEM.format(folder=folder, one=one, file=Path(__file__).resolve(), busy_wait=str(is_busy).lower())
    )
    with os.fdopen(os.open(folder / "keys.toml", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f'api_key = "{one.key}"\nsecret = """{one.secret}"""\n')
    return path


def watch_inside() -> Watch:
    """Take the time from a frame at hand to an order's frame written."""
    watch = Watch()
    take, send = Channel.on_ws_frame, Channel.send

    def stamped_take(self: Channel, transport: Any, frame: Any) -> None:
        watch.received(frame.get_payload_as_bytes())
        take(self, transport, frame)

    def stamped_send(self: Channel, message: bytes) -> bool:
        done = send(self, message)
        watch.written(message)
        return done

    Channel.on_ws_frame, Channel.send = stamped_take, stamped_send  # type: ignore[method-assign]
    return watch


async def run(path: Path, watch: Watch) -> None:
    """Trade until enough trades were answered."""
    with await prepared(tw.System.read(path), "live") as ready:
        running = asyncio.create_task(ready.session.run())
        while not watch.is_enough and not running.done():
            await asyncio.sleep(1.0)
        ready.session.stop()
        await running


def main(*, is_busy: bool) -> None:
    watch = watch_inside()
    with tempfile.TemporaryDirectory() as folder, exchange("ED25519") as one:
        with asyncio.Runner(loop_factory=lambda: event_loop(is_busy=is_busy)) as runner:
            runner.run(run(write_system(Path(folder), one, is_busy=is_busy), watch))
        print(json.dumps(watch.line(one, tw.__version__)))


if __name__ == "__main__":
    main(is_busy=False)
