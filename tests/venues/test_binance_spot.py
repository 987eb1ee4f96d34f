"""Market data and orders over the real protocol, against the local exchange and its faults."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from market_watcher import BTC, KINDS, Watcher, run
from patience import PATIENCE_SECONDS, until
from patience import run as run_whole

import tradewind as tw
from tradewind._core import Inbox
from tradewind.sandbox import Sandbox
from tradewind.venues import (
    Accepted,
    AccountStatus,
    Balance,
    BinanceSpotExecution,
    BinanceSpotMarketData,
    Cancelled,
    CancelRejected,
    CancelRequest,
    ClockStatus,
    Credentials,
    Expired,
    Filled,
    Foreign,
    MarketSink,
    OrderRequest,
    Rejected,
    StreamName,
    Unknown,
    stream,
)
from tradewind.venues.binance_spot import execution
from tradewind.venues.binance_spot.account import AccountReader, ExecutionReport
from tradewind.venues.connection.websocket import Channel


def test_all_kinds_come_and_the_book_is_the_engines() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: all(watcher.count(name) > 2 for name in ("Trade", "Quote", "BookUpdate", "Bar")))
        watcher.box.server.faults.on("quiet_market")
        await until(watcher.is_book_right)
        assert not {"error", "gap", "stale", "disconnected"} & {one.state for one in watcher.statuses}
        trades = [event for event in watcher.events if type(event).__name__ == "Trade"]
        assert [trade.id for trade in trades] == list(range(trades[0].id, trades[-1].id + 1))
        assert all(event.arrival_time_ns >= event.venue_time_ns for event in watcher.events)

    run(check)


def test_instruments_and_history_join_the_stream() -> None:
    async def check(watcher: Watcher) -> None:
        (fields,) = await watcher.data.instruments(["BTCUSDT"])
        packaged = tw.instruments.load(BTC)
        assert (fields.tick, fields.lot, fields.minimum_notional) == (
            packaged.tick,
            packaged.lot,
            packaged.minimum_notional,
        )
        past = Inbox(watcher.index)
        sink = MarketSink(past, watcher.clock)
        now_ns = watcher.clock()
        await watcher.data.history(StreamName(BTC, "bars", "1m"), now_ns - 180 * 10**9, now_ns, sink)
        opened = [row[2] for row in past.rows()]
        assert len(opened) in (1, 2)
        assert all(later - earlier == 60 * 10**9 for earlier, later in pairwise(opened))
        past.clear()
        # Binance has another name for weeks.
        week = StreamName(BTC, "bars", "7d")
        await watcher.data.history(week, now_ns - 15 * 86_400 * 10**9, now_ns, sink)
        assert len(await watcher.data.latest(week)) < 2
        past.clear()
        await watcher.data.history(StreamName(BTC, "trades"), now_ns - 120 * 10**9, now_ns, sink)
        ids = [event.id for event in past.take_events()]
        assert len(ids) > 10
        assert ids == sorted(set(ids))
        with pytest.raises(tw.TradewindError, match="keeps no history"):
            await watcher.data.history(StreamName(BTC, "quotes"), 0, 1, sink)

    run(check)


def test_subscriptions_change_while_it_runs() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade") > 1)
        watcher.data.subscribe([StreamName(BTC, "quotes")])
        await until(lambda: watcher.count("Quote") > 1)
        watcher.data.unsubscribe([StreamName(BTC, "trades")])
        await asyncio.sleep(1)
        before = watcher.count("Trade")
        await until(lambda: watcher.count("Quote") > 20)
        assert watcher.count("Trade") == before

    run(check, KINDS[:1])


@pytest.mark.parametrize("fault", ["dropped_diff", "duplicated_diff", "reordered_diffs"])
def test_a_broken_sequence_is_a_gap_and_the_book_heals(fault: str) -> None:
    async def check(watcher: Watcher) -> None:
        faults = watcher.box.server.faults
        await until(lambda: watcher.count("BookUpdate") > 20)
        faults.on(fault, occasions=2)
        await until(lambda: fault not in faults.active or faults.active[fault].occasions == 0)
        if fault != "duplicated_diff":
            await until(lambda: "gap" in watcher.states("book"))
            await until(lambda: watcher.states("book")[-1] == "resynced")
        await asyncio.sleep(0.5)
        faults.clear()
        faults.on("quiet_market")
        await until(watcher.is_book_right)

    run(check, KINDS[2:3])


def test_an_old_snapshot_is_asked_for_again_but_not_in_a_hurry() -> None:
    async def check(watcher: Watcher) -> None:
        faults = watcher.box.server.faults
        faults.on("old_snapshot")
        await until(lambda: watcher.count("BookUpdate") > 20)
        faults.on("dropped_diff", occasions=1)
        await until(lambda: "gap" in watcher.states("book"))
        rest, asked = watcher.data.rest, list[str]()
        once = rest._once

        async def counted(verb: str, path: str, *given: Any) -> bytes:
            asked.append(path)
            return await once(verb, path, *given)

        rest._once = counted  # type: ignore[method-assign]
        await asyncio.sleep(2)
        assert watcher.states("book")[-1] == "gap"
        assert 0 < asked.count("/api/v3/depth") <= 5
        faults.off("old_snapshot")
        await until(lambda: watcher.states("book")[-1] == "resynced")

    run(check, KINDS[2:3])


def test_a_lost_connection_comes_back_with_all_streams() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade"))
        watcher.box.server.faults.on("hard_close", partial=True, kind="stream")
        await until(lambda: all("disconnected" in watcher.states(one.kind) for one in KINDS))
        await until(lambda: all(watcher.states(one.kind)[-1] in ("connected", "resynced", "gap") for one in KINDS))
        before = Counter(type(event).__name__ for event in watcher.events)
        await until(lambda: all(watcher.count(name) > before[name] for name in ("Trade", "Quote", "BookUpdate", "Bar")))
        watcher.box.server.faults.on("quiet_market")
        await until(watcher.is_book_right)

    run(check)


def test_an_announced_disconnect_loses_nothing_and_repeats_nothing() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade"))
        watcher.box.server.faults.on("announced_disconnect", notice_seconds=6)
        await asyncio.sleep(8)
        assert not {"disconnected", "gap", "stale"} & {one.state for one in watcher.statuses}
        trades = [event.id for event in watcher.events if type(event).__name__ == "Trade"]
        assert trades == list(range(trades[0], trades[-1] + 1))
        watcher.box.server.faults.on("quiet_market")
        await until(watcher.is_book_right)

    run(check)


def test_market_data_are_subscribed_to_anew_where_the_old_connection_is_lost_before_the_new_one_delivers() -> None:
    async def check(watcher: Watcher) -> None:
        (link,) = watcher.data._links
        old, open_as_usual = link.current, link.on_open
        assert old is not None and old._transport is not None

        def opened(channel: Channel) -> None:
            open_as_usual(channel)
            if len(opens) == 0:
                old._transport.disconnect(graceful=False)
            opens.append(channel)

        opens: list[Channel] = []
        link.on_open = opened
        link.replace()
        await until(lambda: all("disconnected" in watcher.states(one.kind) for one in KINDS))
        await until(lambda: all(watcher.states(one.kind)[-1] in ("connected", "resynced") for one in KINDS))
        assert opens == [opens[0], link.current]
        assert [one for one in watcher.data._channels if one.is_open] == [link.current]
        before = Counter(type(event).__name__ for event in watcher.events)
        await until(lambda: all(watcher.count(name) > before[name] for name in ("Trade", "Quote", "BookUpdate", "Bar")))
        watcher.box.server.faults.on("quiet_market")
        await until(watcher.is_book_right)

    run(check)


def test_a_connection_that_is_overtaken_delivers_although_another_opens() -> None:
    async def check(watcher: Watcher) -> None:
        (link,) = watcher.data._links
        old = link.current
        assert old is not None
        link.replace()
        await until(lambda: link.current is not old)
        watcher.data._opened(Channel(link))
        assert old in watcher.data._channels and not old.is_retired
        await until(lambda: old.is_retired)
        assert not {"disconnected", "error"} & {one.state for one in watcher.statuses}

    run(check)


def test_nonsense_is_left_out_and_told() -> None:
    async def check(watcher: Watcher) -> None:
        watcher.box.server.faults.on("nonsense_frame", text='{"e":"trade","s":"BTC')
        watcher.box.server.faults.on("unknown_event")
        await until(lambda: any(one.state == "error" and "bad_frame" in one.reason for one in watcher.statuses))
        before = watcher.count("Trade")
        await until(lambda: watcher.count("Trade") > before)
        assert watcher.data.unreadable == 1

    run(check)


def test_streams_without_an_engine() -> None:
    async def check() -> list[str]:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0) as box:
            found = []
            async for event in stream("binance_spot", trades=["BTCUSDT"], quotes=["BTCUSDT"], url=box.stream_url):
                found.append(type(event).__name__)
                if len(found) == 5:
                    break
            return found

    async def closed() -> list[str]:
        found = await check()
        await asyncio.sleep(0)
        return found

    assert set(asyncio.run(closed())) <= {"Trade", "Quote"}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"bars": ["BTCUSDT@7m"]}, r"bars\(7m\): Binance has no such bars(.|\n)*15m, 30m"),
        ({"trades": "BTCUSDT"}, r"trades = 'BTCUSDT' is not a list(.|\n)*write trades=\[\"BTCUSDT\"\]"),
    ],
)
def test_a_mistake_in_what_is_wanted_is_said_at_once(wanted: Any, message: str) -> None:
    async def check() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0) as box, asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(tw.TradewindError, match=message):
                await anext(stream("binance_spot", url=box.stream_url, **wanted))

    asyncio.run(check())


class Trader:
    """Orders of an account of a sandbox, and what was reported."""

    def __init__(self, box: Sandbox, kind: Any = "HMAC") -> None:
        keys = box.new_account({"USDT": 100_000, "BTC": 1}, kind=kind)
        self.box = box
        self.account = keys.account
        self.key = keys.api_key
        self.reports: list[Any] = []
        self.then: Callable[[Any], None] = lambda report: None
        self.execution = BinanceSpotExecution(
            Credentials(keys.api_key, keys.secret), api_url=box.api_url, rest_url=box.rest_url, patience_seconds=1.5
        )
        self.faults = box.server.faults

    async def start(self) -> None:
        await self.execution.start(self.told, lambda client_id: client_id.lower().startswith("tw"))
        await until(lambda: self.of(AccountStatus))

    def told(self, report: Any) -> None:
        self.reports.append(report)
        self.then(report)

    def of(self, kind: type, client_id: str | None = None) -> list[Any]:
        return [
            one
            for one in self.reports
            if isinstance(one, kind) and (client_id is None or getattr(one, "client_id", None) == client_id)
        ]

    def buy(self, client_id: str, price: str | None = None, quantity: str = "0.01", **more: Any) -> None:
        self.execution.place(OrderRequest(client_id, BTC, "buy", quantity, price, **more))

    def states(self) -> list[str]:
        return [one.state for one in self.of(AccountStatus)]


def trade(
    check: Callable[[Trader], Awaitable[None]], kind: str = "HMAC", symbols: tuple[str, ...] = ("BTCUSDT",)
) -> None:
    async def wrapped() -> None:
        async with Sandbox(symbols=symbols, history_seconds=60) as box:
            trader = Trader(box, kind)
            try:
                await trader.start()
                await check(trader)
            finally:
                await trader.execution.close()

    run_whole(wrapped())


REST = "85000"


@pytest.mark.parametrize("kind", ["HMAC", "ED25519", "RSA"])
def test_the_life_of_orders(kind: str) -> None:
    async def check(trader: Trader) -> None:
        execution = trader.execution
        trader.buy("tw1")
        trader.buy("tw2", REST)
        trader.buy("tw3", REST, time_in_force="ioc")
        trader.buy("tw4", REST, quantity="5")
        trader.buy("tw5", "99000", time_in_force="post_only")
        trader.buy("tw6", "85000.001")
        trader.buy("tw7", REST, quantity="0.00001")
        await until(lambda: len(trader.of(Rejected)) == 4 and trader.of(Cancelled) and trader.of(Filled, "tw1"))
        codes = {one.client_id: one.code for one in trader.of(Rejected)}
        assert codes == {
            "tw4": "insufficient_funds",
            "tw5": "would_take",
            "tw6": codes["tw6"],
            "tw7": "below_minimum_notional",
        }
        assert codes["tw6"] == "off_grid"
        assert trader.of(Cancelled)[0].reason == "immediate_or_cancel"
        assert [one.client_id for one in trader.of(Accepted)] == ["tw1", "tw2", "tw3"]
        fills = trader.of(Filled, "tw1")
        assert sum(one.quantity for one in fills) == Decimal("0.01")
        order = trader.reports.index(trader.of(Accepted, "tw1")[0])
        assert order < trader.reports.index(fills[0])

        (open_order,) = await execution.open_orders()
        assert (open_order.client_id, open_order.status, open_order.price) == ("tw2", "open", Decimal(85000))
        execution.cancel(CancelRequest("tw2", BTC))
        execution.cancel(CancelRequest("tw99", BTC))
        await until(lambda: trader.of(Cancelled, "tw2") and trader.of(CancelRejected))
        await asyncio.sleep(0.1)
        assert len(trader.of(Cancelled, "tw2")) == 1
        assert trader.of(CancelRejected)[0].code == "order_not_open"
        found = await execution.order("tw2", BTC)
        assert found is not None
        assert (found.client_id, found.status) == ("tw2", "cancelled")
        assert await execution.order("tw98", BTC) is None

        asked = await execution.fills(BTC)
        assert [one.trade_id for one in asked] == [one.trade_id for one in fills]
        assert [Decimal(one.fee) for one in asked] == [one.fee for one in fills]
        assert await execution.fills(BTC, since_ns=execution.clock() - 10**12) == asked
        assert await execution.fills(BTC, from_id=asked[-1].trade_id + 1) == []
        held = {one.asset: (one.total, one.locked) for one in await execution.balances()}
        theirs = trader.box.balances(trader.account)
        assert held == {asset: (free + locked, locked) for asset, (free, locked) in theirs.items() if free + locked}
        pushed = {one.asset: (one.total, one.locked) for one in trader.of(Balance)}
        assert pushed["USDT"] == held["USDT"]
        assert (await execution.commission(BTC)).taker == "0.00100000"
        assert not trader.of(Unknown)

    trade(check, kind)


def test_pushes_before_answers_and_pushes_twice_are_told_once() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("push_before_answer", delay_seconds=0.2)
        trader.faults.on("duplicated_fill")
        trader.buy("tw1")
        await until(lambda: trader.of(Filled, "tw1"))
        await asyncio.sleep(0.5)
        assert len(trader.of(Accepted)) == 1
        ids = [one.trade_id for one in trader.of(Filled)]
        assert len(ids) == len(set(ids))
        assert sum(one.quantity for one in trader.of(Filled)) == Decimal("0.01")

    trade(check)


@pytest.mark.parametrize(
    ("fault", "silent"),
    [
        ("timeout_accepted", False),
        ("timeout_accepted", True),
        ("timeout_not_accepted", False),
        ("timeout_not_accepted", True),
    ],
)
def test_an_order_of_unknown_fate_is_told_and_never_sent_again(fault: str, silent: bool) -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on(fault, silent=silent, occasions=1)
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Unknown, "tw1"))
        await asyncio.sleep(0.3)
        found = await trader.execution.order("tw1", BTC)
        assert (found is not None) == (fault == "timeout_accepted")
        assert len(await trader.execution.open_orders()) == (1 if fault == "timeout_accepted" else 0)

    trade(check)


def test_a_connection_that_dies_after_sending_leaves_the_fate_unknown() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("timeout_accepted", silent=True, occasions=1)
        trader.buy("tw1", REST)
        await asyncio.sleep(0.1)

        def order(report: Any) -> None:
            if isinstance(report, Unknown):
                trader.buy("tw2", REST)

        trader.then = order
        trader.faults.on("hard_close", kind="api")
        await until(lambda: trader.of(Unknown, "tw1"))
        assert trader.of(Rejected, "tw2")[0].code == "unreachable"
        await until(lambda: trader.states() == ["connected", "disconnected", "connected"])
        trader.buy("tw3", REST)
        await until(lambda: trader.of(Accepted, "tw3"))

    trade(check)


def test_the_accounts_events_are_asked_for_again() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("user_stream_ends")
        await until(lambda: trader.states() == ["connected", "stream_ended", "connected"])
        trader.buy("tw1")
        await until(lambda: trader.of(Filled, "tw1"))

    trade(check)


def test_an_announced_disconnect_keeps_orders_going() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("announced_disconnect", notice_seconds=3)
        for number in range(50):
            trader.buy(f"tw{number}", REST, quantity="0.001")
            await asyncio.sleep(0.08)
        await until(lambda: len(trader.of(Accepted)) == 50)
        assert "disconnected" not in trader.states()
        assert not trader.of(Rejected)

    trade(check)


def test_where_the_new_connection_logs_on_too_late_there_is_one_in_the_end() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("late_logon", delay_seconds=1.2)
        trader.faults.on("announced_disconnect", kind="api", notice_seconds=0.3)
        await until(lambda: trader.states() == ["connected", "disconnected", "connected"])
        # What was left behind has logged on by now, and ended.
        await asyncio.sleep(2.5)
        assert trader.states() == ["connected", "disconnected", "connected"]
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Accepted, "tw1"))
        trader.execution.cancel(CancelRequest("tw1", BTC))
        await until(lambda: trader.of(Cancelled, "tw1"))

    trade(check)


def test_orders_go_on_while_the_new_connection_cannot_log_on() -> None:
    async def check(trader: Trader) -> None:
        old = trader.execution._ready
        trader.faults.on("logon_refused")
        trader.execution._link.replace()
        await until(lambda: trader.states().count("error") == 2)
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Accepted, "tw1"))
        assert trader.execution._ready is old
        trader.faults.off("logon_refused")
        await until(lambda: trader.execution._ready is not old)
        trader.buy("tw2", REST)
        await until(lambda: trader.of(Accepted, "tw2"))
        assert "disconnected" not in trader.states()

    trade(check)


def test_that_the_events_of_an_overtaken_connection_end_is_no_news() -> None:
    async def check(trader: Trader) -> None:
        old = trader.execution._link.current
        assert old is not None
        trader.execution._link.replace()
        await until(lambda: trader.execution._ready is not old)
        trader.execution._received(old, b'{"event":{"e":"eventStreamTerminated"}}')
        assert trader.states() == ["connected", "connected"]
        assert trader.execution._ready is trader.execution._link.current

    trade(check)


def test_orders_of_others_are_foreign() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("foreign_order", account=trader.account, symbol="BTCUSDT", side="BUY", quantity="0.01")
        await until(lambda: any(one.fill for one in trader.of(Foreign)))
        assert not trader.of(Filled)
        assert not trader.of(Accepted)

    trade(check)


def test_a_revoked_key_ends_it() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("key_revoked", api_key=trader.key)
        trader.buy("tw1", REST)
        await until(lambda: "credentials_lost" in trader.states())
        assert trader.of(Rejected, "tw1")[0].code == "bad_credentials"
        await asyncio.sleep(1)
        assert trader.states().count("credentials_lost") == 1
        assert all(trader.key not in str(report) for report in trader.reports)

    trade(check)


def test_a_secret_of_another_key_is_refused_once() -> None:
    async def check() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0) as box:
            keys, others = (box.new_account({"USDT": 100_000}) for _ in range(2))
            execution = BinanceSpotExecution(
                Credentials(keys.api_key, others.secret), api_url=box.api_url, rest_url=box.rest_url
            )
            reports: list[Any] = []
            try:
                with pytest.raises(tw.TradewindError) as caught:
                    await execution.account()
                assert (caught.value.code, "secret" in caught.value.hint) == ("bad_credentials", True)
                await execution.start(reports.append, lambda _: False)
                await until(lambda: any(isinstance(one, AccountStatus) for one in reports))
                await asyncio.sleep(1)
                states = [one.state for one in reports if isinstance(one, AccountStatus)]
                assert states == ["credentials_lost"]
                assert all(secret not in str((reports, caught.value)) for secret in (keys.api_key, others.secret))
            finally:
                await execution.close()

    run_whole(check())


def test_orders_are_connected_and_listed_although_rest_says_nothing() -> None:
    """At once, also where our clock is wrong: the venue tells its time on the same connection."""

    async def check(trader: Trader) -> None:
        for seconds, connected in ((0, 1), (30, 2)):
            trader.faults.on("clock", seconds=seconds)
            await trader.execution.start(trader.reports.append, lambda _: True)
            await until(lambda connected=connected: trader.states().count("connected") == connected)
            trader.buy(f"tw{connected}", REST)
            await until(lambda connected=connected: trader.of(Accepted, f"tw{connected}"))
            found = await trader.execution.open_orders_quickly()
            assert sorted(one.client_id for one in found) == ["tw1", "tw2"][:connected]
            await trader.execution.close()

    async def wrapped() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0) as box:
            box.server.faults.on("slow_answers", delay_seconds=600)
            await check(Trader(box))

    run_whole(wrapped())


@pytest.mark.parametrize("number", [-2013, -2026, -1121])
def test_an_order_that_the_venue_cannot_have_any_more_is_none(number: int) -> None:
    """Unknown, archived, or of a symbol that is gone: asking again would never end."""

    async def check(trader: Trader) -> None:
        for path in ("/api/v3/order", "/api/v3/allOrders"):
            trader.faults.on("rest_error", path=path, status=400, code=number, message="it is gone")
        assert await trader.execution.order("tw1", BTC) is None
        assert await trader.execution.find_order("tw1", BTC, time.time_ns()) is None
        trader.faults.on("rest_error", path="/api/v3/order", status=400, code=-1100, message="something else")
        with pytest.raises(tw.TradewindError, match="something else"):
            await trader.execution.order("tw1", BTC)

    trade(check)


@pytest.mark.parametrize("kind", ["HMAC", "ED25519"])
def test_what_is_open_is_asked_over_rest_where_the_connection_does_not_tell(kind: str) -> None:
    async def check(trader: Trader) -> None:
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Accepted, "tw1"))
        assert await trader.execution.open_orders_quickly() == await trader.execution.open_orders()
        trader.faults.on("half_open", kind="api")
        (found,) = await trader.execution.open_orders_quickly()
        assert found.client_id == "tw1"
        assert "asked over REST instead: openOrders.status: no answer" in str(trader.reports)

    trade(check, kind)


def test_a_wrong_clock_is_put_right() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("clock", seconds=30)
        trader.buy("tw1", REST)
        compared = len(trader.of(ClockStatus))
        await until(lambda: trader.of(Rejected, "tw1") and len(trader.of(ClockStatus)) > compared)
        trader.buy("tw2", REST)
        await until(lambda: trader.of(Accepted, "tw2"))

    trade(check)


def own_trade(order: int, **changed: Any) -> ExecutionReport:
    fields = {
        "s": "BTCUSDT", "c": f"own{order}", "S": "BUY" if order == 1 else "SELL", "o": "LIMIT", "f": "GTC", "q": "1",
        "p": "5", "x": "TRADE", "X": "FILLED", "i": order, "l": "1", "z": "1", "L": "5", "T": 1, "t": 7,
        "I": 99 + order,
    }  # fmt: skip
    return ExecutionReport(**{**fields, **changed})


def test_a_trade_between_two_orders_of_ours_has_two_fills() -> None:
    reader = AccountReader("binance_spot", lambda name: True)
    bought, sold = (reader.execution(own_trade(order))[-1] for order in (1, 2))
    assert isinstance(bought, Filled) and isinstance(sold, Filled)
    assert (bought.side, sold.side, bought.trade_id) == ("buy", "sell", sold.trade_id)
    assert reader.execution(own_trade(2, I=102)) == [], "the same fill by another report"


@pytest.mark.parametrize("changed", [{"t": -5}, {"l": "NaN"}, {"L": "many"}, {"S": "HOLD"}])
def test_a_report_that_cannot_be_true_is_an_error_and_no_fill(changed: dict[str, Any]) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        AccountReader("binance_spot", lambda name: True).execution(own_trade(1, **changed))


@pytest.mark.parametrize(
    "answer",
    [
        '{"id":"pmine","status":200,"result":null}',
        '{"id":"pmine","status":200,"result":{"orderId":"x"}}',
        '{"id":"pmine"}',
        '{"id":"pmine","status":400}',
        '{"id":"cmine","status":200,"result":{"symbol":"BTCUSDT","orderId":1,"transactTime":1}}',
        '{"id":"cmine","status":200,"result":{"symbol":"BTCUSDT","orderId":1,"transactTime":1,"executedQty":"many"}}',
    ],
)
def test_an_answer_that_cannot_be_read_leaves_the_fate_of_its_order_unknown(answer: str) -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("nonsense_frame", text=answer, kind="api")
        await until(lambda: trader.of(Unknown, "mine"))
        assert not trader.of(Rejected) and not trader.of(Accepted) and not trader.of(Cancelled)

    trade(check)


@pytest.mark.parametrize(("code", "status"), [(-1008, 503), (-1000, 400), (-1001, 400), (-1006, 400), (-1007, 408)])
def test_an_error_of_the_venues_own_leaves_the_fate_unknown(code: int, status: int) -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("refused_orders", code=code, message="Server is overloaded.", status=status)
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Unknown, "tw1"))
        assert not trader.of(Rejected)

    trade(check)


def test_an_authority_of_ones_own_is_trusted_over_rest_too(tmp_path: Path) -> None:
    async def check() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0, tls=True) as box:
            assert box.authority is not None
            (tmp_path / "authority.pem").write_bytes(box.authority.certificate)
            context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
            market = BinanceSpotMarketData(stream_url=box.stream_url, rest_url=box.rest_url, ssl_context=context)
            try:
                assert [one.symbol for one in await market.instruments(["BTCUSDT"])] == ["BTCUSDT"]
            finally:
                await market.close()

    asyncio.run(check())


def test_an_order_is_known_by_the_venues_number_although_its_client_id_comes_back_altered() -> None:
    reader = AccountReader("binance_spot", lambda name: name == "own1")
    reader.accepted("own1", "BTCUSDT", 1, 1)
    (fill,) = reader.execution(own_trade(1, c="OWN1"))
    assert isinstance(fill, Filled) and fill.client_id == "own1"


def test_an_order_is_ours_in_whatever_letters_the_venue_keeps_its_client_id() -> None:
    reader = AccountReader("binance_spot", lambda name: name.lower() == "own1")
    began, fill = reader.execution(own_trade(1, c="OWN1"))
    assert (began.client_id, fill.client_id, reader.number_of("own1")) == ("own1", "own1", 1)
    (foreign,) = reader.execution(own_trade(2, c="Web1", t=2, I=2))
    assert foreign.order.client_id == "Web1"


def test_an_order_whose_client_id_was_altered_is_found_among_all_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_PAGE", 2)

    async def check(trader: Trader) -> None:
        trader.faults.on("altered_client_id")
        trader.faults.on("lost_push")
        for number in range(5):
            trader.faults.on("timeout_accepted", occasions=1)
            trader.buy(f"tw{number}a", REST)
            await until(lambda number=number: trader.of(Unknown, f"tw{number}a"))
        ask, sent_ns = trader.execution, time.time_ns()
        assert await ask.order("tw4a", BTC) is None
        found = await ask.find_order("tw4a", BTC, sent_ns)
        assert found is not None and found.client_id == "tw4a"
        # From now on it is known by its number.
        assert await ask.order("tw4a", BTC) == found
        assert await ask.find_order("tw5a", BTC, sent_ns) is None
        assert await ask.find_order("tw4a", BTC, sent_ns - 3_600 * 10**9) is None
        trader.execution.cancel(CancelRequest("tw4a", BTC))
        await until(lambda: trader.of(Cancelled, "tw4a"))

    trade(check)


def test_an_order_goes_on_although_a_part_of_it_was_taken_back() -> None:
    reader = AccountReader("binance_spot", lambda name: True)
    for kind, status in [("TRADE_PREVENTION", "NEW"), ("REPLACED", "PARTIALLY_FILLED")]:
        told = reader.execution(own_trade(1, x=kind, X=status, t=-1, I=-1))
        assert isinstance(told[-1], Unknown) and not {Cancelled, Expired} & {type(one) for one in told}
    (end,) = reader.execution(own_trade(1, x="TRADE_PREVENTION", X="EXPIRED_IN_MATCH", z="0.4", t=-1))
    assert isinstance(end, Expired) and end.filled == Decimal("0.4")


def test_orders_of_two_symbols_that_have_one_number_are_two() -> None:
    reader = AccountReader("binance_spot", lambda name: name.startswith("own"))
    reader.accepted("own1", "BTCUSDT", 1, 1)
    (foreign,) = reader.execution(own_trade(1, s="ETHUSDT", c="web"))
    assert isinstance(foreign, Foreign)
    reader.accepted("own2", "ETHUSDT", 1, 2)
    (fill,) = reader.execution(own_trade(1, c="own1"))
    assert isinstance(fill, Filled) and (fill.client_id, fill.instrument) == ("own1", BTC)
    assert (reader.name_of("ETHUSDT", 1, "web"), reader.number_of("own2")) == ("own2", 1)


def test_an_order_of_another_symbol_with_the_number_of_ours_is_left_alone() -> None:
    async def check(trader: Trader) -> None:
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Accepted, "tw1"))
        trader.faults.on(
            "foreign_order", account=trader.account, symbol="ETHUSDT", side="BUY", quantity="0.1", price="1000"
        )
        await until(lambda: trader.of(Foreign))
        ours, theirs = trader.box.server.exchange.open_orders[trader.account].values()
        assert ours.id == theirs.id
        assert [one.client_id for one in await trader.execution.open_orders()] == ["tw1", theirs.client_id]

    trade(check, symbols=("BTCUSDT", "ETHUSDT"))


def test_of_an_order_that_has_ended_it_is_no_news_that_it_began() -> None:
    reader = AccountReader("binance_spot", lambda name: True)
    assert reader.cancelled("own1", 9, Decimal(0))
    assert reader.execution(own_trade(1, x="CANCELED", X="CANCELED", t=-1)) == []
    (late,) = reader.execution(own_trade(1, I=300))
    assert isinstance(late, Filled), "a fill is told whenever it comes"


def test_an_order_of_which_only_a_fill_was_told_began_when_it_was_made() -> None:
    began, _ = AccountReader("binance_spot", lambda name: True).execution(own_trade(1, T=9, O=4))
    assert isinstance(began, Accepted) and began.venue_time_ns == 4 * 10**6


def test_a_ban_that_comes_as_an_answer_to_an_order_is_waited_out() -> None:
    async def check(trader: Trader) -> None:
        until_ms = trader.execution.clock() // 10**6 + 60_000
        error = {"code": -1003, "msg": "banned", "data": {"serverTime": 1, "retryAfter": until_ms}}
        answer = {"id": "ptw0", "status": 418, "error": error}
        trader.faults.on("nonsense_frame", text=msgspec.json.encode(answer).decode(), kind="api")
        await until(lambda: trader.of(Rejected, "tw0"))
        trader.buy("tw1", REST)
        assert [one.code for one in trader.of(Rejected)] == ["rate_limited", "rate_limited"]
        assert not trader.box.server.exchange.open_orders[trader.account]

    trade(check)


def test_a_question_that_a_wrong_clock_spoiled_is_asked_again_with_a_right_one() -> None:
    async def check(trader: Trader) -> None:
        trader.faults.on("clock", seconds=-30.0)
        assert [one.asset for one in await trader.execution.balances()]

    trade(check)


def test_an_order_is_asked_for_and_cancelled_by_the_venues_number_once_it_is_known() -> None:
    async def check(trader: Trader) -> None:
        trader.buy("tw1", REST)
        await until(lambda: trader.of(Accepted, "tw1"))
        (order,) = trader.box.server.exchange.open_orders[trader.account].values()
        order.client_id = "TW1"
        assert [one.client_id for one in await trader.execution.open_orders()] == ["tw1"]
        found = await trader.execution.order("tw1", BTC)
        assert found is not None and found.client_id == "tw1"
        trader.execution.cancel(CancelRequest("tw1", BTC))
        await until(lambda: trader.of(Cancelled, "tw1"))

    trade(check)
