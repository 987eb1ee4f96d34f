"""A local exchange, and sessions that trade on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from patience import run

import tradewind as tw
from tradewind.journal import Journal
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import feed_all, kernel_of
from tradewind.sandbox import Limits, Sandbox
from tradewind.session.run import Prepared, prepared

TRADER = Path(__file__).parent / "session" / "trader.py"
TEXT = """
[run]
name = "{name}"
currency = "USDT"
directory = "{folder}/runs"

[venues.binance_spot.simulated]
latency = "3ms"
data_delay_bound = "50ms"

[venues.binance_spot.urls]
rest = "{rest}"
stream = "{stream}"
api = "{api}"

[accounts.main]
venue = "binance_spot"
balances = {{ USDT = "100000" }}
credentials = {{ file = "{folder}/keys.toml" }}

[instruments."binance_spot:BTCUSDT"]

[strategies.{name}]
class = "{trader}:{kind}"

[risk]
order_quantity = "1"
order_notional = "20000"
position = "0.2"
order_rate = {{ orders = 1000, interval = "10s" }}
daily_loss = "{daily_loss}"

[live]
place_real_orders = true
"""


def write_system(
    folder: Path, rest: str, stream: str, api: str, trader: Path = TRADER, name: str = "busy", daily_loss: int = 5_000
) -> Path:
    """A system file that points at an exchange; its strategy is the class that is called as the run is."""
    path = folder / "system.toml"
    urls = {"rest": rest, "stream": stream, "api": api}
    path.write_text(
        TEXT.format(folder=folder, trader=trader, name=name, kind=name.title(), daily_loss=daily_loss, **urls)
    )
    return path


def write_keys(folder: Path, key: str, secret: str) -> None:
    """The keys in a file of their owner's."""
    text = f'api_key = "{key}"\nsecret = """{secret}"""\n'
    with os.fdopen(os.open(folder / "keys.toml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def exchange(**settings: Any) -> Sandbox:
    """A busy exchange without limits."""
    given = {"symbols": ("BTCUSDT",), "seed": 5, "activity": 60.0, "history_seconds": 0, "limits": Limits.raised()}
    return Sandbox(**{**given, **settings})


Meanwhile = Callable[[Sandbox, Prepared], Awaitable[None]]
Held = dict[str, Any]


class Trade:
    """Runs a session on a fresh exchange; gives what both sides hold at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open_orders: dict[Any, Any] = {}

    def __call__(
        self, mode: str, meanwhile: Meanwhile, kind: str = "ED25519", trader: Path = TRADER
    ) -> tuple[Held, Held]:
        return run(self._trade(mode, meanwhile, kind, trader))

    async def _trade(self, mode: Any, meanwhile: Meanwhile, kind: Any, trader: Path) -> tuple[Held, Held]:
        async with exchange() as sandbox:
            keys = sandbox.new_account({"USDT": 100_000}, kind=kind)
            write_keys(self.folder, keys.api_key, keys.secret)
            path = write_system(self.folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, trader)
            with await prepared(tw.System.read(path), mode) as ready:
                running = asyncio.create_task(ready.session.run(is_recovered=ready.is_recovered))
                other = asyncio.ensure_future(meanwhile(sandbox, ready))
                await asyncio.wait([running, other], return_when=asyncio.FIRST_COMPLETED)
                other.cancel()
                ready.session.stop()
                await asyncio.gather(other, return_exceptions=True)
                try:
                    await running
                finally:
                    venue = sandbox.server.exchange
                    self.open_orders = dict(venue.open_orders[keys.account])
                if other.done() and not other.cancelled():
                    other.result()
                ours = dict(ready.kernel.balances("binance_spot"))
            held = sandbox.balances(keys.account)
            return ours, {asset: free + locked for asset, (free, locked) in held.items()}


def held_by(folder: Path, mode: str) -> dict[str, Decimal]:
    """What the engine holds at the end of a journal, by asset."""
    with Journal(folder / "runs/busy" / mode) as journal, rebuilt(journal.manifest.code, None, None) as code:
        kernel = kernel_of(journal.manifest, code)
        assert feed_all(kernel, journal.blocks()) is None
        return {asset: Decimal(amount) for asset, amount in kernel.balances("binance_spot")}
