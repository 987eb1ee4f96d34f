"""A local exchange in process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from tradewind.errors import TradewindError
from tradewind.sandbox import credentials
from tradewind.sandbox.account import KeyKind
from tradewind.sandbox.authority import Authority
from tradewind.sandbox.credentials import Credentials
from tradewind.sandbox.server import Server
from tradewind.sandbox.settings import Settings
from tradewind.sandbox.units import parse


class Sandbox:
    """A local exchange that speaks Binance Spot, for the length of an ``async with``.

    Parameters
    ----------
    settings
        What it is asked to be; or give its fields as keyword arguments. In process the default port is a free one.

    Examples
    --------
    >>> import asyncio
    >>> async def demonstrate():
    ...     async with Sandbox(symbols=("BTCUSDT",), history_seconds=0) as sandbox:
    ...         return sandbox.new_account({"USDT": 1000})
    >>> asyncio.run(demonstrate())
    Credentials(kind='HMAC', account=1)

    """

    def __init__(self, settings: Settings | None = None, **fields: Any) -> None:
        self.server = Server(settings if settings is not None else Settings.read({"port": 0, **fields}))
        self.settings = self.server.settings
        self.authority = _authority(self.settings) if self.settings.tls else None
        self.port = 0
        self.control_token = self.server.control_token

    async def __aenter__(self) -> Self:
        try:
            self.port = await self.server.start(self.authority.context() if self.authority else None)
        except TradewindError:
            await self.server.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.server.stop()

    async def finished(self) -> None:
        """Wait until a recording is at its end; for good where it is repeated, or where there is none."""
        tasks = self.server.market_tasks
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()

    @property
    def _place(self) -> str:
        host = self.settings.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def rest_url(self) -> str:
        """Where REST is, as ``https://api.binance.com`` is for Binance."""
        return f"http{'s' if self.settings.tls else ''}://{self._place}"

    @property
    def stream_url(self) -> str:
        """Where market streams are, as ``wss://stream.binance.com:9443`` is for Binance."""
        return f"ws{'s' if self.settings.tls else ''}://{self._place}"

    @property
    def api_url(self) -> str:
        """Where the WebSocket API is."""
        return f"{self.stream_url}/ws-api/v3"

    def new_account(
        self, balances: Mapping[str, str | int | Decimal] | None = None, *, kind: KeyKind = "HMAC", name: str = ""
    ) -> Credentials:
        """Open an account with balances, and make a key for it."""
        exchange, now_ns = self.server.exchange, self.server.clock.now_ns()
        account = exchange.add_account(name or f"account {len(exchange.accounts) + 1}", now_ns)
        for asset, amount in (balances or {}).items():
            exchange.transfer(account, asset, parse(format(Decimal(amount), "f")), now_ns)
        return self.new_key(account.number, kind=kind)

    def new_key(self, account: int, *, kind: KeyKind = "HMAC") -> Credentials:
        """Make a key for an account."""
        mine, theirs = credentials.make(kind, account)
        self.server.venue.keys[theirs.key] = theirs
        if self.server.state is not None:
            self.server.state.write_key(theirs)
        return mine

    def balances(self, account: int) -> dict[str, tuple[Decimal, Decimal]]:
        """What an account has free and locked."""
        rows = self.server.exchange.accounts[account].balances.items()
        return {asset: (Decimal(row.free).scaleb(-8), Decimal(row.locked).scaleb(-8)) for asset, row in rows}


def _authority(settings: Settings) -> Authority:
    """Beside a state there is one that outlives the process, too: a session that trusts it comes back."""
    state = settings.state
    return Authority.new() if state is None else Authority.kept(state.with_name(f"{state.name}.authority"))
