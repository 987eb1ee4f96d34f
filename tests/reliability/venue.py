"""The exchange in a process of its own, and its books as it tells them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from tradewind.venues import Credentials
from tradewind.venues.binance_spot.signing import signed_query

SYMBOL = "BTCUSDT"
AUDITOR = "auditor"
"""What our own requests call themselves, so that they are not taken for the session's."""
_START_SECONDS = 30
_PAGE = 1_000
_MUCH = 10**9
_COUNTED = ("weight_per_minute", "raw_requests_per_5_minutes", "orders_per_10_seconds", "orders_per_day")
RAISED = dict.fromkeys(_COUNTED, _MUCH)
"""Limits that nobody reaches."""


class BooksError(Exception):
    """The venue does not show its books, as when it has banned this machine."""


class Venue:
    """An exchange that runs elsewhere: its switches, and the account that the session trades on."""

    def __init__(self, told: dict[str, Any], http: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
        self.rest_url: str = told["rest_url"]
        self.stream_url: str = told["stream_url"]
        self.api_url: str = told["api_url"]
        self.keys: dict[str, dict[str, Any]] = told["keys"]
        self.account: int = self.keys["hmac"]["account"]
        self.process = process
        self._token: str = told["control_token"]
        self._http = http
        self._auditor = Credentials(self.keys["hmac"]["api_key"], self.keys["hmac"]["secret"])
        self._numbers: dict[str, int] = {}

    # Faults.

    async def on(self, fault: str, **parameters: Any) -> None:
        """Switch a fault on, or let it happen."""
        await self._control("POST", f"faults/{fault}", parameters)

    async def off(self, fault: str) -> None:
        """Switch a fault off."""
        await self._control("DELETE", f"faults/{fault}", {})

    async def clear(self) -> None:
        """Switch all faults off."""
        await self._control("DELETE", "faults", {})

    async def schedule(self, schedule: dict[str, Any]) -> None:
        """Let faults come as a schedule says."""
        await self._control("POST", "schedule", schedule)

    async def _control(self, verb: str, path: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self.rest_url}/control/{path}"
        async with self._http.request(verb, url, headers=headers, data=msgspec.json.encode(body)) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise RuntimeError(f"{verb} {path}: {text}")

    # The books.

    async def orders(self) -> list[dict[str, Any]]:
        """All orders of the account, the oldest first."""
        return await self._all("allOrders", "orderId")

    async def number_of(self, client_id: str) -> int | None:
        """The venue's number of an order by the id that it was given, or by what the venue made of it (F36)."""
        for name in (client_id, client_id.upper()):
            if client_id in self._numbers:
                break
            found = await self._ask("order", {"symbol": SYMBOL, "origClientOrderId": name}, unknown=-2013)
            if found is not None:
                self._numbers[client_id] = found["orderId"]
        return self._numbers.get(client_id)

    async def trades(self) -> list[dict[str, Any]]:
        """All fills of the account, the oldest first."""
        return await self._all("myTrades", "id")

    async def balances(self) -> dict[str, str]:
        """What the account holds, free and locked together."""
        answer = await self._ask("account", {})
        rows = answer["balances"]
        return {row["asset"]: str(Decimal(row["free"]) + Decimal(row["locked"])) for row in rows}

    async def depth(self) -> dict[str, Any]:
        """The book as everybody is told."""
        found: dict[str, Any] = await self._get(f"depth?symbol={SYMBOL}&limit=100")
        return found

    async def _all(self, path: str, key: str) -> list[dict[str, Any]]:
        """Page through a list."""
        found: dict[int, dict[str, Any]] = {}
        parameter, next_id = ("orderId", 0) if key == "orderId" else ("fromId", 0)
        while True:
            rows = await self._ask(path, {"symbol": SYMBOL, "limit": _PAGE, parameter: next_id})
            found |= {row[key]: row for row in rows}
            if len(rows) < _PAGE:
                return list(found.values())
            next_id = rows[-1][key] + 1

    async def _ask(self, path: str, parameters: Mapping[str, Any], unknown: int = 0) -> Any:
        """A signed request, by a key that the session does not use; nothing where the venue answers `unknown`."""
        now_ms = (await self._get("time"))["serverTime"]
        given = {**parameters, "timestamp": now_ms, "recvWindow": 60_000}
        key = {"X-MBX-APIKEY": self._auditor.api_key}
        return await self._get(f"{path}?{signed_query(self._auditor, given)}", key, unknown)

    async def _get(self, path: str, headers: Mapping[str, str] | None = None, unknown: int = 0) -> Any:
        url = URL(f"{self.rest_url}/api/v3/{path}", encoded=True)
        async with self._http.get(url, headers=headers) as answer:
            found = msgspec.json.decode(await answer.read())
            if answer.status != 200 and unknown and found["code"] == unknown:
                return None
            if answer.status != 200:
                raise BooksError(f"the venue does not show its books: {answer.status} {found}")
            return found


@asynccontextmanager
async def venue(folder: Path, activity: float = 60.0, seed: int = 5, **limits: float) -> AsyncIterator[Venue]:
    """An exchange for the length of an ``async with``; limits are Binance's where they are not stated."""
    keys, config = folder / "sandbox-keys.json", folder / "sandbox.toml"
    keys.unlink(missing_ok=True)
    rows = [f"{name} = {number}" for name, number in limits.items()]
    config.write_text(
        f'symbols = ["{SYMBOL}"]\nport = 0\nseed = {seed}\nactivity = {activity}\nhistory_seconds = 0\n'
        'balances = { USDT = "100000", BTC = "1" }\n\n[limits]\n' + "\n".join(rows) + "\n"
    )
    command = [sys.executable, "-m", "tradewind", "sandbox", "--config", str(config), "--keys", str(keys)]
    with (folder / "sandbox.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=dict(os.environ))
    try:
        for _ in range(_START_SECONDS * 20):
            if keys.exists() or process.returncode is not None:
                break
            await asyncio.sleep(0.05)
        told = msgspec.json.decode(keys.read_bytes())
        async with aiohttp.ClientSession(headers={"User-Agent": AUDITOR}) as http:
            yield Venue(told, http, process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()
