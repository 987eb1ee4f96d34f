"""The second half of ``tradewind demo``: the same strategy in sessions on a local exchange."""

from __future__ import annotations

import asyncio
import json
import os
from importlib import resources
from pathlib import Path
from typing import Literal

from tradewind.cli.screen import note
from tradewind.config import System
from tradewind.folders import made
from tradewind.journal import verify
from tradewind.sandbox import Sandbox
from tradewind.session.parity import parity
from tradewind.session.run import prepared
from tradewind.table import counts_text

_SECONDS = {"paper": 6, "live": 20}
_SYSTEM = """# What `tradewind demo` runs on its local exchange, which is gone when the demo has ended.
[run]
name = "demo"
currency = "USDT"
directory = "sessions"

[venues.binance_spot]
simulated = {{ latency = "5ms", data_delay_bound = "100ms" }}
urls = {{ rest = "{rest}", stream = "{stream}", api = "{api}" }}

[accounts.main]
venue = "binance_spot"
balances = {{ USDT = "100000" }}
credentials = {{ file = "keys.json" }}

[instruments."binance_spot:BTCUSDT"]

[strategies.cross]
class = "strategy.py:EmaCross"
parameters = {{ instrument = "binance_spot:BTCUSDT", fast = 4, slow = 12, quantity = 0.01, short = false }}

[risk]
order_quantity = "0.1"
order_notional = "20000"
order_rate = {{ orders = 100, interval = "10s" }}
daily_loss = "1000"

[live]
place_real_orders = true
"""


def demo_sessions(folder: Path) -> bool:
    """Run the strategy on paper and live on a local exchange; tells whether both are proved."""
    made(folder, "--out")
    strategy = resources.files("tradewind.cli") / "template" / "strategy.py"
    (folder / "strategy.py").write_text(strategy.read_text())
    return asyncio.run(_sessions(folder))


async def _sessions(folder: Path) -> bool:
    async with Sandbox(symbols=("BTCUSDT",), seed=3, activity=60.0, history_seconds=0) as exchange:
        keys = exchange.new_account({"USDT": 100_000})
        _write_keys(folder / "keys.json", keys.api_key, keys.secret)
        path = folder / "system.toml"
        path.write_text(_SYSTEM.format(rest=exchange.rest_url, stream=exchange.stream_url, api=exchange.api_url))
        system = System.read(path)
        paper = await _session(system, "paper")
        live = await _session(system, "live")
        return paper and live


async def _session(system: System, mode: Literal["paper", "live"]) -> bool:
    note(f"{_SECONDS[mode]} s {mode} on a local exchange that speaks Binance Spot")
    with await prepared(system, mode) as ready:
        asyncio.get_running_loop().call_later(_SECONDS[mode], ready.session.stop)
        await ready.session.run(is_recovered=ready.is_recovered)
        outcome = ready.kernel.outcome()
    # Both run processes or engines of their own: not in the loop that serves the exchange.
    verified = await asyncio.to_thread(verify, ready.folder)
    compared = await asyncio.to_thread(parity, ready.folder)
    print(f"\n{mode}: {counts_text(outcome)}\n  replay: {verified}\n  {compared.line}")
    return verified.identical and compared.is_explained


def _write_keys(path: Path, key: str, secret: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump({"keys": {"hmac": {"api_key": key, "secret": secret}}}, out)
