"""What survives the process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradewind.errors import TradewindError
from tradewind.sandbox import Sandbox
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.server import Server
from tradewind.sandbox.units import UNIT

CHILD = """
import asyncio, sys
from tradewind.sandbox import Sandbox
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.units import UNIT
async def main():
    async with Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=sys.argv[1]) as sandbox:
        keys = sandbox.new_account({"USDT": 100000, "BTC": 1}, name="yours")
        exchange = sandbox.server.exchange
        number = 0
        while True:
            number += 1
            account = exchange.accounts[keys.account]
            kind, price = ("LIMIT", (50_000 + number % 1000) * UNIT) if number % 3 else ("MARKET", 0)
            request = OrderRequest(symbol="BTCUSDT", buy=number % 2 == 0, kind=kind, client_id=f"c{number}",
                                   quantity=UNIT // 1000, price=price if number % 2 == 0 else price * 3)
            order = exchange.submit(account, request, sandbox.server.clock.now_ns())
            if order.is_open and number % 5:
                exchange.cancel(order, sandbox.server.clock.now_ns())
            balances = {asset: [row.free, row.locked] for asset, row in account.balances.items()}
            line = [order.id, order.status, sum(map(len, exchange.fills.values())), balances, keys.api_key]
            sys.stdout.buffer.write(repr(line).encode() + b"\\n"); sys.stdout.flush()
            await asyncio.sleep(0)
            if len(exchange.open_orders[keys.account]) > 150:
                for one in list(exchange.open_orders[keys.account].values()):
                    exchange.cancel(one, sandbox.server.clock.now_ns())
asyncio.run(main())
"""


def test_a_killed_exchange_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(100)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    whole = [line for line in lines if line.endswith(b"]\n")]
    last_id, status, fills, _, key = eval(whole[-1])
    assert oct(path.stat().st_mode & 0o777) == "0o600"

    async def again() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=path, speed=0) as sandbox:
            exchange = sandbox.server.exchange
            assert exchange.accounts[1].name == "yours"
            assert key in sandbox.server.venue.keys
            assert exchange.orders["BTCUSDT", last_id].status in (status, "CANCELED", "FILLED", "PARTIALLY_FILLED")
            assert sum(map(len, exchange.fills.values())) >= fills
            for asset, paid in exchange.paid_in.items():
                assert exchange.total(asset) == paid
            resting = {key for orders in exchange.open_orders.values() for key in orders}
            assert resting
            assert all(exchange.markets["BTCUSDT"].book.remaining(one) for _, one in resting)
            assert exchange.markets["BTCUSDT"].trade_id > 1_000_000_000

    asyncio.run(again())
    text = path.read_bytes()
    path.write_bytes(text[:-1] + b"\n" + text[: len(text) // 2].replace(b"\n", b""))
    asyncio.run(again())


def test_orders_keep_their_places_among_all_accounts_and_symbols(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"symbols": ("BTCUSDT", "ETHUSDT"), "history_seconds": 0, "state": tmp_path / "state"}

    def opened() -> Server:
        return Sandbox(**settings).server

    server = opened()
    one, two, other = (server.exchange.add_account(name, 1) for name in ("one", "two", "other"))
    for account in (one, two):
        server.exchange.transfer(account, "USDT", 1_000_000 * UNIT, 1)
    server.exchange.transfer(other, "BTC", 1_000 * UNIT, 1)
    placed = [("ETHUSDT", one), ("BTCUSDT", two), ("BTCUSDT", one), ("ETHUSDT", two)]
    prices = {"BTCUSDT": 89_900 * UNIT, "ETHUSDT": 2_990 * UNIT}
    some: dict[str, Any] = {"client_id": "c", "kind": "LIMIT", "quantity": UNIT // 10}
    for symbol, account in placed:
        request = OrderRequest(symbol=symbol, buy=True, price=prices[symbol], **some)
        server.exchange.submit(account, request, server.clock.now_ns())
    for _ in range(2):
        assert server.state is not None
        server.state.close()
        server = opened()
        assert [(order.symbol, order.account) for order in server.exchange.orders.values()] == [
            (symbol, account.number) for symbol, account in placed
        ]
    assert server.state is not None
    # Somebody takes all at their price but as much as one of them offers.
    price, levels = prices["BTCUSDT"], server.exchange.markets["BTCUSDT"].book.levels(True)
    some["quantity"] = sum(quantity for bid, quantity in levels if bid >= price) - UNIT // 10
    request = OrderRequest(symbol="BTCUSDT", buy=False, price=price, **some)
    sold = server.exchange.submit(server.exchange.accounts[other.number], request, server.clock.now_ns())
    assert sold.id > 2_000_000_000  # ids of orders that were forgotten do not come again, either
    server.state.close()
    first, second = (server.exchange.orders["BTCUSDT", 1_000_000 + number] for number in (1, 2))
    assert (first.status, second.executed) == ("FILLED", 0)


def test_trades_are_found_by_their_ids_after_a_restart(tell: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"state": tmp_path / "state", "history_seconds": 60}
    ids: list[int] = []

    async def story(sandbox: Any, client: Any) -> None:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        _, done = await client.ask("POST", "order", **order)
        trade_id = done["fills"][0]["tradeId"]
        _, trades = await client.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId=trade_id, limit=1)
        assert [trade["id"] for trade in trades] == [trade_id]
        _, trades = await client.get("/api/v3/aggTrades", symbol="BTCUSDT", limit=1)
        _, again = await client.get("/api/v3/aggTrades", symbol="BTCUSDT", fromId=trades[0]["a"], limit=1)
        assert (again, trades[0]["l"]) == (trades, done["fills"][-1]["tradeId"])
        _, oldest = await client.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId=0, limit=1)
        assert all(seen < oldest[0]["id"] for seen in ids)
        ids.append(trades[0]["l"])

    for _ in range(3):
        tell(story, speed=0, **settings)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(TradewindError, match=r"line 1 is not the state of a sandbox"):
        Sandbox(state=path)
    assert msgspec.json.encode(path.read_text()) == b'"hello\\n"'


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.jsonl"
    server = Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=path).server
    account = server.exchange.add_account("yours", 1)
    write = os.write

    def half(file: int, text: bytes) -> int:
        if len(text) > 20:
            return write(file, text[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        server.exchange.transfer(account, "USDT", 900 * UNIT, 2)
    request = OrderRequest(
        symbol="BTCUSDT", buy=True, kind="LIMIT", client_id="c", price=80_000 * UNIT, quantity=UNIT // 100
    )
    with pytest.raises(OSError, match="No space"):
        server.exchange.submit(account, request, 3)
    monkeypatch.undo()
    server.exchange.transfer(account, "USDT", 7, 4)
    assert server.state is not None
    server.state.close()
    again = Sandbox(symbols=("BTCUSDT",), history_seconds=0, state=path).server
    balance = again.exchange.accounts[1].balance("USDT")
    assert (balance.free, balance.locked) == (100 * UNIT + 7, 800 * UNIT)
    assert again.exchange.total("USDT") == again.exchange.paid_in["USDT"]
    assert [order.client_id for order in again.exchange.open_orders[1].values()] == ["c"]
    assert again.state is not None
    again.state.close()


def test_who_trusts_an_encrypted_exchange_trusts_it_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl.authority"

    async def once(trusted: bytes | None) -> bytes:
        settings: dict[str, Any] = {"symbols": ("BTCUSDT",), "history_seconds": 0, "tls": True}
        async with Sandbox(**settings, state=tmp_path / "state.jsonl") as sandbox:
            assert sandbox.authority is not None
            context = ssl.create_default_context(cadata=(trusted or sandbox.authority.certificate).decode())
            _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port, ssl=context)
            writer.close()
            return sandbox.authority.certificate

    first = asyncio.run(once(None))
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert asyncio.run(once(first)) == first
    kept = path.read_bytes()
    path.write_bytes(b"something else")
    with pytest.raises(TradewindError, match="is not the authority of a sandbox"):
        asyncio.run(once(first))
    # One that is about to end is replaced.
    path.write_bytes(kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tradewind.sandbox.authority._SPARE_DAYS", 40)
        assert asyncio.run(once(None)) != first
