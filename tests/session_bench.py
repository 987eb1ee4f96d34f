"""A local exchange, sessions on it that end in order or are killed, and strategies of a few lines."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from patience import PATIENCE_SECONDS, ended, run, started, until
from session_exchange import TRADER, exchange, held_by, write_keys, write_system

import tradewind as tw
from tradewind.journal import Journal
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import feed_all, kernel_of
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.units import parse
from tradewind.session.run import prepared

HEAD = """
import tradewind as tw

class Busy(tw.Strategy):
    seen: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_spot:BTCUSDT")
        ctx.subscribe(self.btc.trades)
"""
# What risk refuses, because there is no connection yet, is asked for again.
AGAIN = """
    def on_order(self, ctx, order):
        if order.status == "rejected" and order.reason != "order_not_open":
            self.seen = 0
        self.more(order)

    def more(self, order):
        pass
"""
RESTING = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        if not self.seen:
            self.seen = 1
            ctx.buy(self.btc, 0.001, round(trade.price * 0.9, 2))
"""
    + AGAIN
)
ONCE = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        if not self.seen:
            self.seen = 1
            ctx.buy(self.btc, 0.01)
"""
    + AGAIN
)
TARGET = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        ctx.target(self.btc, 0.01)
"""
)
WANTS = (
    HEAD
    + """
        ctx.subscribe("want")

    def on_data(self, ctx, data):
        ctx.target(self.btc, data.value)
"""
)
STILL = (
    HEAD
    + """
    def on_trade(self, ctx, trade):
        self.seen += 1
"""
)


class Bench:
    """An exchange with an account, and the system file of a session that trades there."""

    def __init__(self, folder: Path, sandbox: Any, path: Path, account: int) -> None:
        self.folder, self.sandbox, self.path, self.account = folder, sandbox, path, account

    @property
    def faults(self) -> Any:
        return self.sandbox.server.faults

    @property
    def open_orders(self) -> dict[Any, Any]:
        return dict(self.sandbox.server.exchange.open_orders[self.account])

    @property
    def held(self) -> dict[str, Decimal]:
        return {asset: free + locked for asset, (free, locked) in self.sandbox.balances(self.account).items()}

    until = staticmethod(until)

    def equals(self, ready: Any) -> bool:
        """Whether the engine holds what the exchange holds, of what it knows."""
        ours = {asset: Decimal(amount) for asset, amount in ready.kernel.balances("binance_spot")}
        return {asset: self.held.get(asset, Decimal(0)) for asset in ours} == ours

    @contextlib.asynccontextmanager
    async def session(
        self, mode: Any = "live", ends: str = "in order", *, accepts_changes: bool = False
    ) -> AsyncIterator[Any]:
        """A running session, which is stopped behind the block, or killed without a word."""
        system = tw.System.read(self.path)
        preparing = prepared(system, mode, accepts_changes=accepts_changes)
        with contextlib.suppress(KilledError), await preparing as ready:
            running = asyncio.create_task(ready.session.run(is_recovered=ready.is_recovered))
            ready.running = running
            try:
                yield ready
            except BaseException:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                raise
            if ends == "in order":
                ready.session.stop()
                await running
            else:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                raise KilledError


class KilledError(Exception):
    """As kill -9 leaves it, as far as the journal and the venue can tell."""


async def kill_and_go_on(
    folder: Path, mode: str, kills: int, seed: int, trader: Path = TRADER, more: str = "", **settings: Any
) -> None:
    """Kill a run at random moments, and let it go on each time; at the end both sides hold the same."""
    chance = random.Random(seed)
    async with exchange(**settings) as sandbox:
        keys = sandbox.new_account({"USDT": 100_000}, kind="HMAC")
        write_keys(folder, keys.api_key, keys.secret)
        path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, trader)
        path.write_text(path.read_text() + more)
        for kill in range(kills + 1):
            process = await started("run", str(path), "--mode", mode)
            is_last = kill == kills
            if is_last:
                assert process.stderr is not None
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await process.stderr.readuntil(b"Ctrl-C ends it")
            # Starting takes a second or two; a kill may come while it recovers, too.
            await asyncio.sleep(3.0 if is_last else chance.uniform(1.2, 4.5))
            code, said = await ended(process, signal.SIGINT if is_last else signal.SIGKILL)
            assert code == (0 if is_last else -signal.SIGKILL), said
        ours, theirs = held_by(folder, mode), sandbox.balances(keys.account)
        if mode == "live":
            assert ours == {asset: free + locked for asset, (free, locked) in theirs.items() if asset in ours}
            assert not sandbox.server.exchange.open_orders[keys.account]


def on_bench(
    folder: Path,
    source: str,
    work: Callable[[Bench], Awaitable[None]],
    more: str = "",
    holds: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    async def whole() -> None:
        trader = folder / "mine.py"
        trader.write_text(source)
        async with exchange(**settings) as sandbox:
            keys = sandbox.new_account({"USDT": 100_000, **(holds or {})}, kind="ED25519")
            write_keys(folder, keys.api_key, keys.secret)
            path = write_system(folder, sandbox.rest_url, sandbox.stream_url, sandbox.api_url, trader)
            path.write_text(path.read_text() + more)
            await work(Bench(folder, sandbox, path, keys.account))

    run(whole())


def postings(folder: Path) -> str:
    """The ledger at the end of the journal of a live run."""
    with Journal(folder / "runs/busy/live") as journal, rebuilt(journal.manifest.code, None, None) as code:
        kernel = kernel_of(journal.manifest, code, is_simulated=False)
        assert feed_all(kernel, journal.blocks()) is None
        return str(kernel.ledger())


def is_up(ready: Any) -> bool:
    """Whether orders may leave."""
    return bool(ready.session.health.connections.get("binance_spot orders"))


def execution_of(ready: Any) -> Any:
    """What sends a session's orders."""
    return ready.session._venues["binance_spot"].execution


def lose(bench: Bench) -> None:
    """Somebody else sells into the book until the price is three in a hundred lower."""
    bench.faults.on("quiet_market")
    bid = Decimal(bench.sandbox.server.exchange.markets["BTCUSDT"].best[0][0]).scaleb(-8)
    _others(bench, "BTC", "2000", bid * Decimal("0.97"), "IOC", 12, is_buy=False)


def rise(bench: Bench) -> None:
    """Somebody else bids a little below the best offer, for much."""
    asked = Decimal(bench.sandbox.server.exchange.markets["BTCUSDT"].best[1][0]).scaleb(-8)
    _others(bench, "USDT", "90000000", asked - Decimal("0.5"), "GTC", 1, is_buy=True)


def _others(bench: Bench, asset: str, paid_in: str, price: Decimal, force: Any, times: int, *, is_buy: bool) -> None:
    """Large orders of an account of somebody else."""
    server = bench.sandbox.server
    exchange, now_ns = server.exchange, server.clock.now_ns()
    other = exchange.add_account(f"others with {asset}", now_ns)
    exchange.transfer(other, asset, parse(paid_in), now_ns)
    for _ in range(times):
        order = OrderRequest(
            symbol="BTCUSDT",
            buy=is_buy,
            kind="LIMIT",
            client_id="web_other",
            time_in_force=force,
            price=parse(str(price.quantize(Decimal("0.01")))),
            quantity=parse("90"),
        )
        exchange.submit(other, order, now_ns)
