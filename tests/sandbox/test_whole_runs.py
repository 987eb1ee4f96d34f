"""Runs of several clients over the wire: nothing appears or vanishes, and nothing secret is said."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import Client


def order(chance: random.Random, last: float) -> tuple[str, dict[str, Any]]:
    """A request that may be refused."""
    symbol = {"symbol": "BTCUSDT"}
    given = {**symbol, "side": chance.choice(["BUY", "SELL"]), "quantity": f"{chance.randrange(1, 400) / 1_000:.3f}"}
    price = {"price": f"{last * chance.uniform(0.999, 1.001):.2f}"}
    match chance.randrange(10):
        case 0:
            return "openOrders.cancelAll", symbol
        case 1:
            return "order.cancel", {**symbol, "origClientOrderId": f"c{chance.randrange(9)}"}
        case 2 | 3:
            return "order.place", {**given, "type": "MARKET"}
        case 4:
            replaced = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrigClientOrderId": f"c{chance.randrange(9)}"}
            return "order.cancelReplace", {**given, **price, **replaced, "type": "LIMIT", "timeInForce": "GTC"}
        case _:
            name = {"newClientOrderId": f"c{chance.randrange(9)}"}
            kind = {"type": "LIMIT", "timeInForce": chance.choice(["GTC", "IOC", "FOK"])}
            return "order.place", {**given, **price, **name, **kind}


@pytest.mark.parametrize("number", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_all_accounts_with_fees_and_crowd_hold_what_was_put_in_after_every_request(tell: Any, number: int) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        exchange, server = sandbox.server.exchange, sandbox.server
        market = exchange.markets["BTCUSDT"]
        on_changes, checked = server.on_changes, 0

        def check(*given: Any) -> None:
            nonlocal checked
            checked += 1
            for asset, paid in exchange.paid_in.items():
                assert exchange.total(asset) == paid
            on_changes(*given)

        server.on_changes = check

        async def trade(one: Any, seed: int) -> set[int]:
            chance = random.Random(seed)
            await one.open()
            seen = set()
            for _ in range(number):
                method, params = order(chance, market.last_price / 1e8)
                seen.add((await one.call_signed(method, **params))["status"])
            await one.close()
            return seen

        clients = [Client(sandbox, sandbox.new_account({"USDT": 100_000, "BTC": 1}), client.http) for _ in range(5)]
        statuses = await asyncio.gather(*(trade(one, seed) for seed, one in enumerate(clients)))
        assert all({200, 400} <= seen <= {200, 400, 409} for seen in statuses)
        assert checked > number * 2
        for one in clients:
            for free, locked in sandbox.balances(one.credentials.account).values():
                assert free >= 0 and locked >= 0

    tell(story, activity=200)


def test_a_run_of_the_command_says_nothing_secret_and_ends_in_good_order(tmp_path: Path) -> None:
    async def story() -> None:
        arguments = ("-m", "tradewind", "sandbox", "--port", "0", "--symbols", "BTCUSDT", "--state", "state.jsonl")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=tmp_path, env=os.environ, stdout=-1, stderr=-1
        )
        assert process.stdout is not None
        while b"system file" not in (line := await process.stdout.readline()):
            assert line
        kept = json.loads((tmp_path / "sandbox-keys.json").read_text())
        host, port = kept["rest_url"].removeprefix("http://").split(":")
        secrets = [
            kept["control_token"],
            *(one[name] for one in kept["keys"].values() for name in ("api_key", "secret")),
        ]
        for head in (
            b"GET /api/v3/account?timestamp=1&signature=x HTTP/1.1\r\n",
            b"GET /api/v3/account \x00 HTTP/9\r\n",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            key = secrets[1].encode()
            writer.write(head + b"Host: x\r\nConnection: close\r\nX-MBX-APIKEY: " + key + b"\r\n\r\n")
            await reader.read()
            writer.close()
        process.send_signal(signal.SIGINT)
        out, error = await process.communicate()
        assert process.returncode == 0, error
        for secret in secrets:
            assert secret.encode() not in out + error
        assert oct((tmp_path / "state.jsonl").stat().st_mode & 0o777) == "0o600"

    asyncio.run(story())
