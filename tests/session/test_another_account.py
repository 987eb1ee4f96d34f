"""A run that was cut off goes on with the same account of the same exchange, or not at all (M1, M3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from session_bench import WANTS, Bench, execution_of, is_up, on_bench
from session_exchange import exchange, write_keys

import tradewind as tw
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.session.reached import key_digest, reached
from tradewind.session.run import prepared
from tradewind.venues import BinanceSpotExecution, Credentials, VenueAccess, VenueClock


async def _bought(bench: Bench) -> None:
    """A killed run that holds 0.05 coins."""
    async with bench.session(ends="killed") as ready:
        await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5)
        ready.session.send("want", 0.05)
        await bench.until(lambda: ready.kernel.positions() and not ready.kernel.open_orders())
        await bench.until(lambda: bench.equals(ready))


async def _refused(bench: Bench, message: str, *, accepts_changes: bool = False) -> str:
    with pytest.raises(TradewindError, match=message) as refused:
        await bench.session(accepts_changes=accepts_changes).__aenter__()
    assert refused.value.code == "divergence"
    return str(refused.value)


def _point_at(bench: Bench, other: Any) -> None:
    text = bench.path.read_text()
    for one in ("rest_url", "stream_url", "api_url"):
        text = text.replace(getattr(bench.sandbox, one), getattr(other, one))
    bench.path.write_text(text)


def test_another_account_is_refused_in_any_case(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        keys = bench.sandbox.new_account({"USDT": 1000, "BTC": 2}, kind="ED25519")
        write_keys(tmp_path, keys.api_key, keys.secret)
        message = rf"its account at binance_spot \({bench.account} -> {keys.account}\) changed since"
        for accepts in (False, True):
            said = await _refused(bench, message, accepts_changes=accepts)
            assert "this cannot be accepted" in said and keys.api_key not in said
        assert Bench(tmp_path, bench.sandbox, bench.path, keys.account).held["BTC"] == 2

    on_bench(tmp_path, WANTS, work)


def test_another_exchange_is_refused_also_where_its_account_has_the_same_number(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        async with exchange(seed=7) as other:
            keys = other.new_account({"USDT": 1000, "BTC": 2}, kind="ED25519")
            assert keys.account == bench.account
            write_keys(tmp_path, keys.api_key, keys.secret)
            _point_at(bench, other)
            said = await _refused(bench, "where it trades changed since")
            assert f"binance_spot rest {bench.sandbox.rest_url} -> {other.rest_url}" in said
            assert "if it is the same account of the same exchange" in said

    on_bench(tmp_path, WANTS, work)


def test_a_renewed_key_of_the_same_account_goes_on(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        keys = bench.sandbox.new_key(bench.account, kind="HMAC")
        write_keys(tmp_path, keys.api_key, keys.secret)
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
            assert ready.is_recovered and ready.kernel.positions()

    on_bench(tmp_path, WANTS, work)


def test_the_same_exchange_at_another_address_is_accepted(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        before = bench.path.read_text()
        bench.path.write_text(before.replace("127.0.0.1", "localhost"))
        await _refused(bench, "where it trades changed since")
        async with bench.session(ends="killed", accepts_changes=True) as ready:
            assert "localhost" in ready.told[0] and not ready.kernel.is_trading
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
        # It is there from now on.
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and bench.equals(ready))
        bench.path.write_text(before)

    on_bench(tmp_path, WANTS, work)


def test_coins_that_are_gone_are_not_sold(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await _bought(bench)
        venue = bench.sandbox.server.exchange
        gone = -venue.accounts[bench.account].balance("BTC").free // 2
        venue.transfer(venue.accounts[bench.account], "BTC", gone, bench.sandbox.server.clock.now_ns())
        for _ in range(2):
            with pytest.raises(TradewindError, match=r"its account at binance_spot changed since: it holds 0\.02"):
                async with bench.session() as ready:
                    execution_of(ready).fate_seconds = 1.0
                    await bench.until(lambda: ready.session.is_ending)
            assert not is_up(ready)
        venue.transfer(venue.accounts[bench.account], "BTC", -gone, bench.sandbox.server.clock.now_ns())
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and bench.equals(ready))

    on_bench(tmp_path, WANTS, work)


def test_what_was_gone_before_is_no_news(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        venue = bench.sandbox.server.exchange
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: is_up(ready) and ready.kernel.rows > 5)
            execution_of(ready).fate_seconds = 1.0
            ready.session.send("want", 0.05)
            await bench.until(lambda: bench.held.get("BTC") and not ready.kernel.open_orders())
            account = venue.accounts[bench.account]
            venue.transfer(account, "BTC", -account.balance("BTC").free // 2, bench.sandbox.server.clock.now_ns())
            await bench.until(lambda: bench.equals(ready))
            ready.session.write()
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready) and bench.equals(ready))

    on_bench(tmp_path, WANTS, work)


def test_no_key_is_in_a_journal(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        with await prepared(tw.System.read(bench.path), "live"):
            pass
        with Journal(tmp_path / "runs/busy/live") as journal:
            held = journal.manifest.settings["reached"]["binance_spot"]
        assert held["account"] == str(bench.account) and held["rest"] == bench.sandbox.rest_url and "key" not in held

    on_bench(tmp_path, WANTS, work)


def test_an_account_without_a_name_is_known_by_a_digest_of_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nameless(_: Any) -> str:
        return ""

    monkeypatch.setattr(BinanceSpotExecution, "account", nameless)

    def found(key: str) -> dict[str, str]:
        credentials = Credentials(key, "secret")
        access = VenueAccess("mine", "", "", "", VenueClock(), None, credentials)
        return asyncio.run(reached("mine.py:venue", access, BinanceSpotExecution(credentials)))

    first, other = found("key of mine"), found("another key")
    assert first == {"adapter": "mine.py:venue", "key": key_digest("key of mine")}
    assert first != other and "key of mine" not in str(first)
