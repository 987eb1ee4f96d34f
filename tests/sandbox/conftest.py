"""A sandbox for each story that a test tells."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from patience import run
from sandbox_client import Client

from tradewind.sandbox import Limits, Sandbox

Story = Callable[[Sandbox, Client], Coroutine[Any, Any, None]]


@pytest.fixture
def tell() -> Callable[..., None]:
    """Runs a story on a sandbox with one rich account."""

    def tell(story: Story, *, kind: str = "HMAC", **settings: Any) -> None:
        async def whole() -> None:
            given = {"symbols": ("BTCUSDT",), "history_seconds": 600, "limits": Limits.raised(), **settings}
            async with Sandbox(**given) as sandbox, aiohttp.ClientSession() as http:
                client = Client(sandbox, sandbox.new_account({"USDT": 1_000_000, "BTC": 10}, kind=kind), http)  # type: ignore[arg-type]
                try:
                    await story(sandbox, client)
                finally:
                    await client.close()

        run(whole())

    return tell
