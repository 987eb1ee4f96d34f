"""Orders are cancelled straight at the venues, at all that can be reached."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import tradewind as tw
from tradewind.cli import run as run_cli
from tradewind.control.emergency import cancel_all

BTC = "binance_spot:BTCUSDT"
ADAPTER = """
from tradewind.venues import BinanceSpotExecution, BinanceSpotMarketData

def adapter(access):
    urls = {"rest_url": access.rest_url, "clock": access.clock}
    market_data = BinanceSpotMarketData(stream_url=access.stream_url, **urls)
    market_data.venue = "mine"
    return market_data, BinanceSpotExecution(access.credentials, api_url=access.api_url, **urls)

def broken(access):
    raise ZeroDivisionError("mine")
"""
OTHERS = """
[venues.mine]
adapter = "{folder}/mine.py:adapter"
urls = {{ rest = "http://127.0.0.1:9", stream = "ws://127.0.0.1:9", api = "ws://127.0.0.1:9/ws-api/v3" }}

[venues.broken]
adapter = "{folder}/mine.py:broken"

[venues.vault]
adapter = "{folder}/mine.py:adapter"

[accounts.keyless]
venue = "vault"
credentials = {{ file = "{folder}/nowhere.toml" }}

[accounts.unreachable]
venue = "mine"
credentials = {{ file = "{folder}/keys.toml" }}

[accounts.broken]
venue = "broken"
credentials = {{ file = "{folder}/keys.toml" }}

[accounts.main]
"""


def with_others(folder: Path, *left_out: str) -> Path:
    """A system file with accounts that fail, before the one that does not."""
    (folder / "mine.py").write_text(ADAPTER)
    others = OTHERS.format(folder=folder)
    for name in left_out:
        begins = others.index(f"[accounts.{name}]")
        others = others[:begins] + others[others.index("[accounts", begins + 1) :]
    path = folder / "others.toml"
    path.write_text((folder / "system.toml").read_text().replace("[accounts.main]\n", others))
    return path


async def order_rests(one: Any) -> None:
    price = one.price(0.9)
    await one.ask(lambda control: control.open("busy", BTC, "buy", "0.001", price=price))
    await one.until(lambda: one.open_at_venue)


def test_what_fails_at_one_venue_keeps_no_order_of_another(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        await order_rests(one)
        found = await cancel_all(tw.System.read(with_others(tmp_path)), timeout_seconds=2)
        assert not one.open_at_venue
        told = {each.account: each.problem and each.problem.code for each in found}
        assert told == {
            "keyless": "bad_credentials",
            "unreachable": "unreachable",
            "broken": "internal",
            "main": None,
        }, found
        assert len(found[-1].cancelled) == 1 and not found[-1].left

    steer(work, mode="live")


def test_the_command_says_what_failed_and_that_a_session_runs(steer: Any, tmp_path: Path, capsys: Any) -> None:
    async def work(one: Any) -> None:
        await order_rests(one)
        path = with_others(tmp_path, "unreachable", "broken")
        assert await asyncio.to_thread(run_cli, ["cancel-all", str(path)]) == 1
        out, err = capsys.readouterr()
        assert "keyless (vault): failed, orders may be open" in out
        assert "main (binance_spot): 1 cancelled, 0 left" in out
        assert "[bad_credentials]" in err and "may order again" in err

    steer(work, mode="live")
