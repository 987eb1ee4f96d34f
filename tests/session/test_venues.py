"""Sessions with several venues, and with a venue of one's own."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bybit_server import TRADE, BybitServer, told
from patience import run
from patience import until as soon
from session_bench import KilledError
from session_exchange import exchange, write_keys

import tradewind as tw
from tradewind.errors import TradewindError
from tradewind.journal import Journal, replay, verify
from tradewind.session.parity import parity
from tradewind.session.run import prepared

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_venue.py"
BINANCE = """
[venues.binance_spot.simulated]
latency = "3ms"

[venues.binance_spot.urls]
rest = "{rest}"
stream = "{stream}"

[accounts.beside]
venue = "binance_spot"
balances = {{ USDT = "1000" }}

[instruments."binance_spot:BTCUSDT"]
"""
BYBIT = """
[run]
name = "both"
currency = "USDT"
directory = "{folder}/runs"

[venues.bybit_linear.simulated]
latency = "3ms"

[venues.bybit_linear.urls]
rest = "http://{bybit}"
stream = "ws://{bybit}/v5/public"

[accounts.other]
venue = "bybit_linear"
balances = {{ USDT = "1000" }}

[instruments."bybit_linear:BTCUSDT"]
kind = "linear_perpetual"
base = "BTC"
quote = "USDT"
tick = "0.01"
lot = "0.001"
minimum_quantity = "0.001"
minimum_notional = "5"
maker_fee = "0.0002"
taker_fee = "0.00055"
initial_margin = "0.01"
maintenance_margin = "0.005"

[strategies.watcher]
class = "{file}:Watcher"
"""
OWN = """
[run]
name = "own"
currency = "EUR"
directory = "{folder}/runs"

[venues.tiny]
adapter = "{example}:{adapter}"

[venues.tiny.simulated]
latency = "3ms"

[venues.tiny.urls]
stream = "ws://127.0.0.1:{port}"

[accounts.main]
venue = "tiny"
balances = {{ EUR = "1000" }}
credentials = {{ file = "{folder}/keys.toml" }}

[instruments."tiny:COIN"]
kind = "spot"
base = "COIN"
quote = "EUR"
tick = "0.01"
lot = "0.1"
minimum_quantity = "0.1"
minimum_notional = "1"
maker_fee = "0"
taker_fee = "0.001"

[strategies.once]
class = "{file}:Once"

[risk]
order_quantity = "1"
order_notional = "100"
order_rate = {{ orders = 10, interval = "10s" }}
daily_loss = "100"

[live]
place_real_orders = true
"""

SIMULATED = """[venues.tiny.simulated]
latency = "3ms"
"""


HOLDER = '''
"""Holds a perpetual, and names neither its marks nor its funding."""

import tradewind as tw


class Holder(tw.Strategy):
    def on_start(self, ctx):
        self.perpetual = ctx.instrument("bybit_linear:BTCUSDT")
        ctx.subscribe(self.perpetual.trades)

    def on_trade(self, ctx, trade):
        ctx.target(self.perpetual, 1)
'''


class Watcher(tw.Strategy):
    """Buys at one venue once both have traded."""

    def on_start(self, ctx: tw.Context) -> None:
        self.spot, self.perpetual = ctx.instrument("binance_spot:BTCUSDT"), ctx.instrument("bybit_linear:BTCUSDT")
        ctx.subscribe(self.spot.trades, self.perpetual.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if ctx.last_trade(self.spot) and ctx.last_trade(self.perpetual):
            ctx.target(self.spot, 0.001)


class Still(tw.Strategy):
    """Holds what it has."""

    def on_start(self, ctx: tw.Context) -> None:
        ctx.subscribe(ctx.instrument("tiny:COIN").trades)


class Once(tw.Strategy):
    """Wants half a coin."""

    def on_start(self, ctx: tw.Context) -> None:
        self.coin = ctx.instrument("tiny:COIN")
        ctx.subscribe(self.coin.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        ctx.target(self.coin, 0.5)


async def until(path: Path, mode: Any, is_done: Any) -> tuple[dict[str, Any], dict[str, list[tuple[str, str]]]]:
    """Run a system until something holds; what came of it, and the balances by venue."""
    system = tw.System.read(path)
    with await prepared(system, mode) as ready:
        running = asyncio.create_task(ready.session.run())
        for _ in range(400):
            await asyncio.sleep(0.05)
            if running.done() or is_done(ready.kernel):
                break
        ready.session.stop()
        await running
        balances = {venue: ready.kernel.balances(venue) for venue in ready.session.index.venues}
        return ready.kernel.outcome(), balances


def test_one_session_has_the_market_data_of_two_venues(tmp_path: Path) -> None:
    async def trade() -> dict[str, Any]:
        async with exchange() as sandbox, BybitServer() as bybit:
            path = tmp_path / "system.toml"
            where = {"rest": sandbox.rest_url, "stream": sandbox.stream_url, "bybit": bybit.host}
            path.write_text((BINANCE + BYBIT).format(folder=tmp_path, file=__file__, **where))
            outcome, _ = await until(path, "paper", lambda kernel: kernel.outcome()["fills"] > 0)
            return outcome

    outcome = asyncio.run(trade())
    assert outcome["fills"] == 1
    run = tmp_path / "runs/both/paper"
    with Journal(run) as recorded:
        assert recorded.ending.finished
    assert replay(run).identical
    assert parity(run).is_equal


def test_a_perpetual_on_paper_is_valued_at_its_mark_and_pays_funding(tmp_path: Path) -> None:
    """One of Bybit, whose marks have more decimals than its tick."""
    text = BYBIT.replace('USDT = "1000"', 'USDT = "100000"').replace('tick = "0.01"', 'tick = "0.1"')
    holder = tmp_path / "holder.py"
    holder.write_text(HOLDER)
    top = {"s": "BTCUSDT", "b": [["49999.0", "5"]], "a": [["50001.0", "5"]]}

    def ticker(due_ms: int, **fields: str) -> dict[str, Any]:
        data = {"symbol": "BTCUSDT", "nextFundingTime": str(due_ms)} | fields
        return told("tickers.BTCUSDT", data, "snapshot" if fields else "delta")

    async def hold() -> tuple[Decimal, float | None]:
        due_ms = told("", [])["ts"]
        frames = {
            "orderbook.1.BTCUSDT": [told("orderbook.1.BTCUSDT", top | {"u": 1})],
            "tickers.BTCUSDT": [ticker(due_ms, markPrice="40000.01", fundingRate="0.01")],
        }
        async with BybitServer(frames) as bybit:
            path = tmp_path / "system.toml"
            path.write_text(text.format(folder=tmp_path, file=holder, bybit=bybit.host).replace(":Watcher", ":Holder"))
            with await prepared(tw.System.read(path), "paper") as ready:
                running = asyncio.create_task(ready.session.run())
                connections = ready.session.health.connections
                kinds = ("trades", "quotes", "marks", "funding")
                await soon(lambda: any(connections.get(f"bybit_linear:BTCUSDT {kind}") for kind in kinds[1:]))
                assert sorted(connections) == sorted(f"bybit_linear:BTCUSDT {kind}" for kind in kinds)
                count = 0
                while not ready.kernel.positions():
                    count += 1
                    trade = TRADE | {"i": f"t{count}", "p": "50000.0", "v": "3", "T": told("", [])["ts"]}
                    await bybit.push(
                        told("publicTrade.BTCUSDT", [trade]),
                        told("orderbook.1.BTCUSDT", top | {"u": 1 + count}),
                        ticker(due_ms, markPrice="40000.04", fundingRate="0.01"),
                    )
                    await asyncio.sleep(0.05)
                assert all(connections.values())
                before = ready.kernel.balances("bybit_linear")
                await bybit.push(ticker(due_ms + 10**7))
                await soon(lambda: ready.kernel.balances("bybit_linear") != before)
                ready.session.stop()
                await running
                paid = Decimal(dict(before)["USDT"]) - Decimal(dict(ready.kernel.balances("bybit_linear"))["USDT"])
                return paid, ready.kernel.equity_now

    paid, equity = run(hold())
    assert paid == 400, "one per cent of the mark"
    # A coin bought at 50,001 is worth 40,000 at the venue's mark; the taker's fee is 0.055 %.
    assert equity == pytest.approx(100_000 - 10_001 - 50_001 * 0.00055 - 400)
    folder = tmp_path / "runs/both/paper"
    assert verify(folder).identical
    assert parity(folder).is_equal
    rows = tw.journal.query(folder, "select kind, amount from account where kind = 'funding'").collect()
    assert rows.height == 1


@pytest.fixture
def own() -> ModuleType:
    specification = importlib.util.spec_from_file_location("own_venue", EXAMPLE)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_session_trades_on_a_venue_of_ones_own(tmp_path: Path, own: ModuleType, mode: Any) -> None:
    write_keys(tmp_path, "key", "secret")

    async def trade() -> tuple[dict[str, Any], dict[str, list[tuple[str, str]]]]:
        server = await asyncio.start_server(own.exchange, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        path = tmp_path / "system.toml"
        text = OWN.format(folder=tmp_path, file=__file__, example=EXAMPLE, adapter="tiny", port=port)
        # Live, nothing needs to say how the venue is simulated.
        path.write_text(text if mode == "paper" else text.replace(SIMULATED, ""))
        try:
            return await until(path, mode, lambda kernel: kernel.outcome()["fills"] > 0)
        finally:
            server.close()
            await asyncio.sleep(0.1)

    outcome, balances = asyncio.run(trade())
    assert outcome["fills"] == 1
    held = {asset: Decimal(amount) for asset, amount in balances["tiny"]}
    # The packaged simulation takes the fee of a purchase in the base asset, this exchange in euros.
    assert held["COIN"] == Decimal("0.5" if mode == "live" else "0.4995")
    if mode == "live":
        assert held["EUR"] == Decimal(1000) - Decimal("0.5") * Decimal("10.02") - Decimal("0.01")
    assert replay(tmp_path / "runs/own" / mode).identical
    assert parity(tmp_path / "runs/own" / mode).compared


class Both(tw.Strategy):
    """Wants a little of everything that trades."""

    def on_start(self, ctx: tw.Context) -> None:
        ctx.subscribe(ctx.instrument("tiny:COIN").trades, ctx.instrument("binance_spot:BTCUSDT").trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if ctx.last_trade(ctx.instrument("binance_spot:BTCUSDT")):
            ctx.target(trade.instrument, 0.5)


def test_a_venue_whose_clock_is_far_ahead_takes_no_other_with_it(
    tmp_path: Path, own: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    async def trade() -> None:
        server = await asyncio.start_server(own.exchange, "127.0.0.1", 0)
        async with exchange() as sandbox, server:
            sandbox.server.faults.on("clock", seconds=30)
            path = tmp_path / "system.toml"
            tiny = {"example": EXAMPLE, "adapter": "tiny", "port": server.sockets[0].getsockname()[1]}
            text = OWN.replace("Once", "Both").replace('daily_loss = "100"', "") + BINANCE
            where = {"rest": sandbox.rest_url, "stream": sandbox.stream_url}
            path.write_text(text.format(folder=tmp_path, file=__file__, **tiny, **where))
            with await prepared(tw.System.read(path), "paper") as ready:
                running = asyncio.create_task(ready.session.run())
                await soon(lambda: running.done() or ready.kernel.positions())
                assert [name for _, name, _ in ready.kernel.positions()] == ["tiny:COIN"]
                assert abs(ready.kernel.now_ns - time.time_ns()) < 10**9
                fresh = ready.session.health.connections
                assert fresh["tiny:COIN trades"] and not fresh["binance_spot:BTCUSDT trades"]
                ready.session.stop()
                await running

    run(trade())
    assert "binance_spot: its clock is more than 1 s ahead of that of tiny, which stamps everything" in caplog.text
    assert replay(tmp_path / "runs/own/paper").identical and parity(tmp_path / "runs/own/paper").is_equal


OTHER = """
import importlib.util
from pathlib import Path
from tradewind.errors import exception

ACCOUNT = Path("{folder}/account")  # its name; where the file is not there, the venue is down

specification = importlib.util.spec_from_file_location("own_venue", "{example}")
own = importlib.util.module_from_spec(specification)
specification.loader.exec_module(own)

class OtherMarketData(own.TinyMarketData):
    venue = "other"

    async def instruments(self, symbols=()):
        return [own.COIN.model_copy(update={{"venue": "other", "symbol": one, "base": one}}) for one in symbols]

    async def observe_clock(self):
        name()

class OtherExecution(own.TinyExecution):
    venue = "other"

    async def account(self):
        return name()

def name():
    if not ACCOUNT.exists():
        raise exception("unreachable", "it is down")
    return ACCOUNT.read_text()

def other(access):
    port = int(access.stream_url.rpartition(":")[2])
    return OtherMarketData(port), OtherExecution(port)
"""
ADOPT = """
[[accounts.{account}.adopt]]
strategy = "once"
instrument = "{venue}:COIN"
quantity = "1"
cost = "10"
"""
ACCOUNTS = (("main", "tiny"), ("second", "other"))


def with_another(folder: Path, text: str, symbol: str = "COIN", more: str = "") -> Path:
    """A system file with the venue once more, under another name and with an instrument of its own."""
    (folder / "account").write_text("4711")
    adapter = folder / "other.py"
    adapter.write_text(OTHER.format(example=EXAMPLE, folder=folder))
    twin = text[text.index("[venues.tiny]") : text.index("[strategies.once]")]
    for before, after in (
        (f"{EXAMPLE}:tiny", f"{adapter}:other"), ("venues.tiny", "venues.other"), ("tiny:COIN", f"other:{symbol}"),
        ('venue = "tiny"', 'venue = "other"'), ("accounts.main", "accounts.second"), ('= "COIN"', f'= "{symbol}"'),
    ):  # fmt: skip
        twin = twin.replace(before, after)
    path = folder / "system.toml"
    path.write_text(text.replace("[strategies.once]", f"{twin}{more}\n[strategies.once]"))
    return path


def test_what_is_adopted_at_one_venue_takes_nothing_away_at_another(tmp_path: Path, own: ModuleType) -> None:
    write_keys(tmp_path, "key", "secret")

    async def trade() -> None:
        server = await asyncio.start_server(own.exchange, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        text = OWN.format(folder=tmp_path, file=__file__, example=EXAMPLE, adapter="tiny", port=port)
        adopted = [ADOPT.format(account=account, venue=venue) for account, venue in ACCOUNTS]
        text = text.replace(":Once", ":Still").replace("[risk]", adopted[0] + "[risk]")
        path = with_another(tmp_path, text, more=adopted[1])
        with await prepared(tw.System.read(path), "live") as ready:
            for name in ("tiny", "other"):
                ready.session._venues[name].execution._held["COIN"] = Decimal(5)  # type: ignore[union-attr]
            running = asyncio.create_task(ready.session.run())
            connections = ready.session.health.connections
            try:
                await soon(lambda: connections.get("tiny orders") and connections.get("other orders"))
                assert sorted(ready.kernel.positions()) == [("once", "other:COIN", "1"), ("once", "tiny:COIN", "1")]
            finally:
                ready.session.stop()
                await running
                server.close()

    run(trade())
    rows = tw.journal.query(tmp_path / "runs/own/live", "select instrument from commands where command = 'adopt'")
    assert sorted(rows.collect().rows()) == [("other:COIN",), ("tiny:COIN",)]


def test_a_venue_need_not_list_what_is_traded_at_another_one_only(tmp_path: Path, own: ModuleType) -> None:
    write_keys(tmp_path, "key", "secret")

    async def trade() -> None:
        server = await asyncio.start_server(own.exchange, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        text = OWN.format(folder=tmp_path, file=__file__, example=EXAMPLE, adapter="tiny", port=port)
        path = with_another(tmp_path, text, symbol="THING")
        with await prepared(tw.System.read(path), "live") as ready:
            held = ready.session._venues["other"].execution._held  # type: ignore[union-attr]
            held["THING"] = held.pop("COIN")
            running = asyncio.create_task(ready.session.run())
            connections = ready.session.health.connections
            try:
                await soon(lambda: connections.get("tiny orders") and connections.get("other orders"))
                await soon(lambda: ready.kernel.positions() == [("once", "tiny:COIN", "0.5")])
            finally:
                ready.session.stop()
                await running
                server.close()

    run(trade())


def test_a_run_that_was_cut_off_goes_on_without_a_venue_that_is_down(
    tmp_path: Path, own: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    write_keys(tmp_path, "key", "secret")
    account = tmp_path / "account"

    @asynccontextmanager
    async def killed(path: Path) -> AsyncIterator[Any]:
        preparing = await prepared(tw.System.read(path), "live")
        with suppress(KilledError), preparing as ready:
            running = asyncio.create_task(ready.session.run(is_recovered=ready.is_recovered))
            try:
                yield ready, ready.session.health.connections
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            raise KilledError

    async def trade() -> None:
        server = await asyncio.start_server(own.exchange, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        text = OWN.format(folder=tmp_path, file=__file__, example=EXAMPLE, adapter="tiny", port=port)
        path = with_another(tmp_path, text.replace(":Once", ":Still"))
        account.unlink()
        with pytest.raises(TradewindError, match="other: it is down") as raised:
            await prepared_once(path)
        assert raised.value.code == "unreachable" and "tradewind cancel-all" in raised.value.hint
        account.write_text("4711")
        async with killed(path) as (ready, connections):
            await soon(lambda: connections.get("tiny orders") and connections.get("other orders"))
            ready.session.write()
        account.unlink()
        async with killed(path) as (ready, connections):
            assert ready.is_recovered
            await soon(lambda: connections.get("tiny orders"))
            assert not connections["other orders"]
            account.write_text("4711")
            await soon(lambda: connections["other orders"])
        account.unlink()
        async with killed(path) as (ready, connections):
            await soon(lambda: connections.get("tiny orders"))
            account.write_text("4712")
            await soon(lambda: ready.session.failure)
            assert "account at other is another one now (4711 -> 4712)" in str(ready.session.failure)
            assert not connections["other orders"]
        server.close()

    run(trade())
    assert "[unreachable] other: it is down" in caplog.text


async def prepared_once(path: Path) -> None:
    with await prepared(tw.System.read(path), "live"):
        pass


def test_an_adapter_that_speaks_with_another_venue_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "system.toml"
    text = OWN.format(folder=tmp_path, file=__file__, example=EXAMPLE, adapter="tiny", port=1)
    for before, after in (("tiny:COIN", "small:COIN"), ("venues.tiny", "venues.small"), ('= "tiny"', '= "small"')):
        text = text.replace(before, after)
    path.write_text(text)
    with pytest.raises(TradewindError, match="speaks with tiny") as raised:
        asyncio.run(until(path, "paper", lambda kernel: True))
    assert raised.value.code == "bad_setting"
