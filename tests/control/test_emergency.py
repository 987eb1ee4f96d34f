"""Orders are cancelled straight at the venues, at all that can be reached, as soon as anything allows it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from session_bench import RESTING, on_bench

import tradewind as tw
from tradewind.cli import run as run_cli
from tradewind.control.emergency import Cancelled, cancel_all
from tradewind.venues import BinanceSpotExecution, CancelRequest, Execution
from tradewind.venues.credentials import Credentials

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


FATE_SECONDS = 2.0


@pytest.fixture(autouse=True)
def quick_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes of an order at this venue is known soon."""
    fate = property(lambda _: FATE_SECONDS, lambda *_: None)
    monkeypatch.setattr(BinanceSpotExecution, "fate_seconds", fate, raising=False)


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
        found = await cancel_all(tw.System.read(with_others(tmp_path)), timeout_seconds=10)
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
        assert "keyless (vault): 0 cancelled, 0 left; failed, orders may be open" in out
        assert "main (binance_spot): 1 cancelled, 0 left; nothing listed for " in out
        assert "[bad_credentials]" in err and "may order again" in err
        told = [line for line in err.splitlines() if line.startswith("main (binance_spot): ")]
        assert told == [
            "main (binance_spot): connecting; it takes 60 s at most",
            "main (binance_spot): connected",
            "main (binance_spot): open orders are cancelled: 1",
            "main (binance_spot): no order is listed; one that was just sent may appear: looking for 2 s more",
        ]

    steer(work, mode="live")


def test_who_has_no_time_to_see_that_nothing_is_open_is_told_so(steer: Any, tmp_path: Path, capsys: Any) -> None:
    async def work(one: Any) -> None:
        await order_rests(one)
        arguments = ["cancel-all", str(tmp_path / "system.toml"), "--timeout", f"{FATE_SECONDS}s"]
        assert await asyncio.to_thread(run_cli, arguments) == 1
        out, err = capsys.readouterr()
        assert "failed, orders may be open" in out and f"after {FATE_SECONDS:g} s" in err

    steer(work, mode="live")


def test_orders_of_others_are_left_alone_unless_they_are_asked_for(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        await order_rests(one)
        given = {"account": one.account, "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001"}
        one.sandbox.server.faults.on("foreign_order", **given, price=one.price(0.8))
        system = tw.System.read(tmp_path / "system.toml")
        (found,) = await cancel_all(system)
        assert (len(found.cancelled), len(found.foreign), found.problem) == (1, 1, None)
        assert len(one.open_at_venue) == 1
        (found,) = await cancel_all(system, foreign=True)
        assert (len(found.cancelled), len(found.foreign), found.problem) == (1, 0, None)
        assert not one.open_at_venue

    steer(work, mode="live")


def behind_a_kill(folder: Path, fault: str, **given: Any) -> tuple[Cancelled, int]:
    """What is told of an order of a session that was killed, and how many are open afterwards, while a fault is on."""
    told: list[tuple[Cancelled, int]] = []

    async def work(bench: Any) -> None:
        if fault == "read_lag":
            bench.faults.on(fault, **given)
        async with bench.session(ends="killed"):
            await bench.until(lambda: bench.open_orders)
        bench.faults.on(fault, **given)
        (found,) = await cancel_all(tw.System.read(bench.path))
        told.append((found, len(bench.open_orders)))

    on_bench(folder, RESTING, work)
    return told[0]


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("slow_answers", {"delay_seconds": 600}),
        ("rest_error", {"status": 429, "code": -1003, "message": "too much", "retry_after": 600}),
        ("rest_error", {"status": 503}),
        # Listed late, and first of all not at all.
        ("read_lag", {"lag_seconds": FATE_SECONDS * 0.75}),
    ],
)
def test_orders_are_cancelled_although_the_venue_hardly_answers_over_rest(
    tmp_path: Path, fault: str, given: dict[str, Any]
) -> None:
    found, left = behind_a_kill(tmp_path, fault, **given)
    assert (len(found.cancelled), found.left, found.problem, left) == (1, [], None, 0)


def test_a_wrong_clock_is_put_right_without_rest(tmp_path: Path) -> None:
    async def work(bench: Any) -> None:
        async with bench.session(ends="killed"):
            await bench.until(lambda: bench.open_orders)
        bench.faults.on("clock", seconds=-30)
        bench.faults.on("slow_answers", delay_seconds=600)
        (found,) = await cancel_all(tw.System.read(bench.path))
        assert (len(found.cancelled), found.problem) == (1, None), found
        assert not bench.open_orders

    on_bench(tmp_path, RESTING, work)


@pytest.mark.parametrize("clock_seconds", [0, -30])
def test_orders_are_cancelled_over_rest_where_the_connection_for_orders_cannot_be_had(
    tmp_path: Path, clock_seconds: int
) -> None:
    async def work(bench: Any) -> None:
        async with bench.session(ends="killed"):
            await bench.until(lambda: bench.open_orders)
        bench.faults.on("clock", seconds=clock_seconds)
        text = bench.path.read_text()
        (api,) = re.findall(r'^api = "(.*)"$', text, re.MULTILINE)
        bench.path.write_text(text.replace(api, "ws://127.0.0.1:9/ws-api/v3"))
        told: list[str] = []
        (found,) = await cancel_all(tw.System.read(bench.path), say=told.append)
        assert (len(found.cancelled), found.left, found.problem) == (1, [], None), told
        assert not bench.open_orders
        assert "main (binance_spot): open orders are cancelled without a connection for orders: 1" in told

    on_bench(tmp_path, RESTING, work)


def test_an_order_that_is_not_open_any_more_is_cancelled_over_rest_without_an_error(tmp_path: Path) -> None:
    async def work(bench: Any) -> None:
        async with bench.session() as ready:
            session = ready.session
            await bench.until(lambda: bench.open_orders)
            (execution,) = session.executions.values()
            (name,) = (session.name_of(one) for one in session.real_orders("binance_spot"))
            for _ in range(2):
                await execution.cancel_otherwise(CancelRequest(name, BTC))
            await bench.until(lambda: not session.real_orders("binance_spot"))

    on_bench(tmp_path, RESTING, work)


def test_a_venue_without_another_way_says_so() -> None:
    class One(BinanceSpotExecution):
        cancel_otherwise = Execution.cancel_otherwise

    one = One(Credentials("key", "secret"))
    with pytest.raises(tw.TradewindError, match="no other way to cancel"):
        asyncio.run(one.cancel_otherwise(CancelRequest("tw1", BTC)))
