"""Sessions on a local exchange that are steered while they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from patience import run, until
from session_exchange import exchange, write_keys, write_system

import tradewind as tw
from tradewind.control import Control, ControlServer
from tradewind.session.run import Prepared, prepared, served

TRADER = Path(__file__).with_name("trader.py")


class Steered:
    """A running session with its control server, and a client of another thread."""

    def __init__(self, folder: Path, sandbox: Any, account: int, ready: Prepared, server: ControlServer) -> None:
        self.folder, self.sandbox, self.account = folder, sandbox, account
        self.ready, self.session, self.kernel, self.server = ready, ready.session, ready.kernel, server
        self.client = Control(ready.folder)
        self.strategy: Any = ready.about.strategies[0]
        self.running: asyncio.Task[None]

    async def ask(self, act: Callable[[Control], Any]) -> Any:
        """What the client is told; the session goes on meanwhile."""
        return await asyncio.to_thread(act, self.client)

    @property
    def open_at_venue(self) -> dict[Any, Any]:
        """The account's open orders at the exchange."""
        return dict(self.sandbox.server.exchange.open_orders[self.account])

    @property
    def is_ready(self) -> bool:
        """Whether it has seen the market and reaches the venue."""
        return self.strategy.seen > 2 and all(self.session.health.connections.values())

    def price(self, share: float) -> str:
        """A share of the last price."""
        return f"{self.strategy.last * share:.2f}"

    until = staticmethod(until)


@asynccontextmanager
async def steered(folder: Path, mode: Any = "paper", trader: Path = TRADER, more: str = "") -> AsyncIterator[Steered]:
    """A session that trades on a fresh exchange, stopped in order behind the block."""
    async with exchange() as sandbox:
        keys = sandbox.new_account({"USDT": 100_000}, kind="HMAC")
        write_keys(folder, keys.api_key, keys.secret)
        path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, trader)
        path.write_text(path.read_text() + more)
        system = tw.System.read(path)
        with await prepared(system, mode) as ready:
            async with served(system, ready) as server:
                running = asyncio.create_task(ready.session.run(is_recovered=ready.is_recovered))
                one = Steered(folder, sandbox, keys.account, ready, server)
                one.running = running
                try:
                    await one.until(lambda: running.done() or one.is_ready)
                    yield one
                finally:
                    ready.session.stop()
                    await running


Work = Callable[[Steered], Awaitable[None]]


@pytest.fixture
def steer(tmp_path: Path) -> Callable[..., None]:
    """Runs a session and steers it."""

    def steer(work: Work, **settings: Any) -> None:
        async def whole() -> None:
            async with steered(tmp_path, **settings) as one:
                await work(one)

        run(whole())

    return steer
