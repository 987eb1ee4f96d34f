"""Bybit's public market data, against a server that replays the frames of its documentation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import pytest
from bybit_server import TICKER, TRADE, BybitServer, told
from ccxt_python import ask, interpreter

import tradewind as tw
from tradewind._core import Inbox
from tradewind.dataset import definition
from tradewind.venues import BybitMarketData, MarketSink, StreamName, StreamStatus, VenueClock, stream

Category = Literal["spot", "linear"]


async def read(server: BybitServer, category: Category, kinds: list[tuple[Any, str]]) -> tuple[list[Any], list[Any]]:
    """The events of these streams, and the changes of their states."""
    clock = VenueClock()
    data = BybitMarketData(
        category, stream_url=f"ws://{server.host}/v5/public", rest_url=f"http://{server.host}", clock=clock
    )
    try:
        fields = await data.instruments(["BTCUSDT"])
        inbox, statuses = Inbox(tw.Index([definition(one) for one in fields])), []
        await data.start(MarketSink(inbox, clock, on_status=statuses.append))
        data.subscribe([StreamName(f"bybit_{category}:BTCUSDT", kind, interval) for kind, interval in kinds])
        before = -1
        while before < len(inbox) or not len(inbox):
            before = len(inbox)
            await asyncio.sleep(0.3)
        return inbox.take_events(), statuses
    finally:
        await data.close()


def run(category: Category, kinds: list[tuple[Any, str]]) -> tuple[list[Any], list[Any], list[dict[str, Any]]]:
    async def main() -> tuple[list[Any], list[Any], list[dict[str, Any]]]:
        async with BybitServer() as server:
            return *(await read(server, category, kinds)), server.received

    return asyncio.run(main())


ALL = [("trades", ""), ("quotes", ""), ("book", ""), ("bars", "1m")]


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_every_stream_of_the_documentation(category: Category) -> None:
    more = [("marks", ""), ("funding", "")] if category == "linear" else []
    events, statuses, received = run(category, ALL + more)
    counts = Counter(type(event).__name__ for event in events)
    assert counts == {"Trade": 2, "Quote": 1, "BookUpdate": 8, "Bar": 1} | ({"Mark": 2} if more else {})
    bought, sold = (event for event in events if type(event).__name__ == "Trade")
    assert (bought.side, bought.price, bought.venue_time_ns) == ("buy", 16578.5, 1672304486865 * 10**6)
    assert (sold.side, sold.quantity, sold.id) == ("sell", 1.2, 2290000000000002 if category == "spot" else 0)
    (bar,) = (event for event in events if type(event).__name__ == "Bar")
    assert (bar.close, bar.volume, bar.interval) == (16677, 2.081, "1m")
    states = [one.state for one in statuses if isinstance(one, StreamStatus)]
    assert set(states) == {"connected"}
    asked = [one for one in received if one["op"] == "subscribe"]
    assert all(len(one["args"]) <= 10 for one in asked)


def test_specifications_and_history() -> None:
    async def main() -> None:
        async with BybitServer() as server:
            data = BybitMarketData("linear", rest_url=f"http://{server.host}")
            (fields,) = await data.instruments()
            assert (fields.kind, fields.tick, fields.lot) == ("linear_perpetual", Decimal("0.01"), Decimal("0.001"))
            assert (fields.initial_margin, fields.settlement) == (Decimal("0.01"), "USDT")
            inbox = Inbox(tw.Index([definition(fields)]))
            bars = StreamName("bybit_linear:BTCUSDT", "bars", "1m")
            await data.history(bars, 1670608800 * 10**9, 1670608920 * 10**9, MarketSink(inbox, VenueClock()))
            assert [event.open for event in inbox.take_events()] == [17070, 17071]
            with pytest.raises(tw.TradewindError, match=r"venue_refused.*10001"):
                await data.latest(StreamName("bybit_linear:BTCUSDT", "trades"))
            for interval in ("90s", "7m", "8h"):
                with pytest.raises(tw.TradewindError, match="no such bars"):
                    data.subscribe([StreamName("bybit_linear:BTCUSDT", "bars", interval)])
            await data.close()

    asyncio.run(main())


def streamed(
    frames: dict[str, list[dict[str, Any]]], pushed: list[Any], until: Callable[[list[Any]], bool], **wanted: Any
) -> tuple[list[Any], list[dict[str, Any]]]:
    """What is yielded where these frames come behind subscriptions and those are pushed later, and what was asked."""
    events: list[Any] = []

    async def collect(server: BybitServer) -> None:
        where = {"url": f"ws://{server.host}/v5/public", "rest_url": f"http://{server.host}"}
        async for event in stream("bybit_linear", **where, statuses=True, **wanted):
            events.append(event)  # noqa: PERF401  as they come

    async def main() -> list[dict[str, Any]]:
        async with BybitServer(frames) as server:
            task = asyncio.create_task(collect(server))
            async with asyncio.timeout(20):
                while "connected" not in [one.state for one in events if isinstance(one, StreamStatus)]:
                    await asyncio.sleep(0.02)
                await server.push(*pushed)
                while not until(events):
                    await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return server.received

    return events, asyncio.run(main())


def states(events: list[Any]) -> list[tuple[str, str]]:
    found = [one for one in events if isinstance(one, StreamStatus)]
    return [("" if one.stream is None else one.stream.kind, one.state) for one in found]


def levels(update: int, bids: list[list[str]], asks: list[list[str]], kind: str = "delta") -> dict[str, Any]:
    return told("orderbook.50.BTCUSDT", {"s": "BTCUSDT", "b": bids, "a": asks, "u": update}, kind)


@pytest.mark.parametrize(
    "bad",
    [levels(6, [["100", "0"], ["99.005", "1"]], []), levels(1, [["50.005", "1"]], [["51", "1"]], "snapshot"), "{"],
)
def test_a_book_is_begun_anew_behind_a_message_that_cannot_be_read(bad: Any) -> None:
    snapshot = levels(5, [["100", "1"]], [["101", "1"]], "snapshot")
    pushed = [bad, levels(7, [["98", "1"]], []), levels(8, [["97", "1"]], [])]
    events, received = streamed(
        {"orderbook.50.BTCUSDT": [snapshot]},
        pushed,
        lambda found: ("book", "resynced") in states(found),
        book=["BTCUSDT"],
    )
    assert states(events) == [("book", "connected"), ("", "error"), ("book", "gap"), ("book", "resynced")]
    asked = [one["op"] for one in received if one["op"] != "ping"]
    assert asked == ["subscribe", "unsubscribe", "subscribe"]
    shown = [(event.is_first, event.price) for event in events if type(event).__name__ == "BookUpdate"]
    assert shown == [(True, 100), (False, 101)] * 2, "no change comes before the snapshot"


def test_a_book_is_begun_anew_where_a_change_is_missing() -> None:
    snapshot = levels(5, [["100", "1"]], [["101", "1"]], "snapshot")
    changes = [levels(update, [[str(90 + update), "1"]], []) for update in (6, 6, 8, 9)]
    events, received = streamed(
        {"orderbook.50.BTCUSDT": [snapshot]},
        changes,
        lambda found: ("book", "resynced") in states(found),
        book=["BTCUSDT"],
    )
    assert states(events) == [("book", "connected"), ("book", "gap"), ("book", "resynced")]
    gap = next(one for one in events if isinstance(one, StreamStatus) and one.state == "gap")
    assert [gap.from_ns, gap.to_ns] == [one["cts"] * 10**6 for one in (changes[0], changes[2])]
    asked = [one["op"] for one in received if one["op"] != "ping"]
    assert asked == ["subscribe", "unsubscribe", "subscribe"]
    shown = [(event.is_first, event.price) for event in events if type(event).__name__ == "BookUpdate"]
    assert shown == [(True, 100), (False, 101), (False, 96), (True, 100), (False, 101)], "nothing behind the hole"


def test_a_trade_that_cannot_be_read_leaves_a_gap() -> None:
    def trades(*named: tuple[str, str]) -> dict[str, Any]:
        some = [TRADE | {"i": name, "p": price, "T": told("", [])["ts"]} for name, price in named]
        return told("publicTrade.BTCUSDT", some)

    events, _ = streamed(
        {"publicTrade.BTCUSDT": [trades(("a", "100"))]},
        [trades(("b", "101"), ("c", "101.001")), trades(("d", "102"))],
        lambda found: len([event for event in found if type(event).__name__ == "Trade"]) == 2,
        trades=["BTCUSDT"],
    )
    assert states(events) == [("trades", "connected"), ("", "error"), ("trades", "gap")]
    assert [event.price for event in events if type(event).__name__ == "Trade"] == [100, 102]
    assert (type(events[-1]).__name__, type(events[-2]).__name__) == ("Trade", "StreamStatus")


def test_a_gap_comes_before_the_row_behind_it() -> None:
    def bar(minute: int, close: str = "9") -> dict[str, Any]:
        one = {"interval": "1", "open": "9", "high": "9", "low": "9", "volume": "1", "confirm": True}
        return told("kline.1.BTCUSDT", [one | {"start": 60_000 * minute, "close": close}])

    events, _ = streamed(
        {"kline.1.BTCUSDT": [bar(10)]}, [bar(11), bar(13)], lambda found: names(found)["Bar"] == 3, bars=["BTCUSDT@1m"]
    )
    shown = [event for event in events if type(event).__name__ in ("Bar", "StreamStatus")]
    assert [getattr(event, "state", "row") for event in shown[-3:]] == ["row", "gap", "row"]
    assert shown[-2].to_ns == shown[-1].venue_time_ns


@pytest.mark.parametrize("kinds", [("marks", "funding"), ("marks",), ("funding",)])
def test_marks_and_funding_share_a_topic_and_each_is_told_of(kinds: tuple[str, ...]) -> None:
    def ticker(**fields: str) -> dict[str, Any]:
        return told("tickers.BTCUSDT", {"symbol": "BTCUSDT"} | fields, "delta")

    now_ms = told("", [])["ts"]
    events, received = streamed(
        {"tickers.BTCUSDT": [told("tickers.BTCUSDT", TICKER | {"nextFundingTime": str(now_ms - 1_000)})]},
        [ticker(nextFundingTime=str(now_ms + 10**7)), ticker(markPrice="17218.00"), "{", ticker(markPrice="17219")],
        lambda found: len(states(found)) == len(kinds) + 1 and ("marks" not in kinds or names(found)["Mark"] == 3),
        **{kind: ["BTCUSDT"] for kind in kinds},
    )
    assert states(events) == [*((kind, "connected") for kind in kinds), ("", "error")]
    assert names(events)["Mark"] == (3 if "marks" in kinds else 0)
    assert names(events)["Funding"] == ("funding" in kinds)
    assert [one["args"] for one in received if one["op"] == "subscribe"] == [["tickers.BTCUSDT"]]


def names(events: list[Any]) -> Counter[str]:
    return Counter(type(event).__name__ for event in events)


_SCRIPT = '''
import asyncio, json, sys
import ccxt.pro as ccxt

async def last(watch):
    """What stands when no more comes: ccxt tells of several messages once."""
    value = await watch()
    while True:
        try:
            value = await asyncio.wait_for(watch(), 1)
        except TimeoutError:
            return value

async def main():
    host, category = sys.argv[1:]
    exchange = ccxt.bybit({"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot", "linear"]}}})
    exchange.has["fetchCurrencies"] = False
    for name in exchange.urls["api"]:
        if name != "ws":
            exchange.urls["api"][name] = f"http://{host}"
    exchange.urls["api"]["ws"]["public"][category] = f"ws://{host}/v5/public/{category}"
    symbol = "BTC/USDT" if category == "spot" else "BTC/USDT:USDT"
    trades = await exchange.watch_trades(symbol)
    book = await last(lambda: exchange.watch_order_book(symbol, 50))
    found = {
        "trades": [[one["price"], one["amount"], one["side"], one["timestamp"]] for one in trades],
        "bids": book["bids"], "asks": book["asks"],
    }
    if category == "linear":
        await last(lambda: exchange.watch_ticker(symbol))
        found["mark"] = exchange.tickers[symbol]["markPrice"]
    await exchange.close()
    print(json.dumps(found))

asyncio.run(main())
'''


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_ccxt_reads_equal_values(category: Category) -> None:
    interpreter()

    async def main() -> tuple[list[Any], dict[str, Any]]:
        async with BybitServer() as server:
            more = [("marks", "")] if category == "linear" else []
            events, _ = await read(server, category, [("trades", ""), ("book", ""), *more])
            return events, await asyncio.to_thread(ask, _SCRIPT, server.host, category)

    events, theirs = asyncio.run(main())
    sides: dict[str, dict[float, float]] = {"buy": {}, "sell": {}}
    trades, marks = [], []
    for event in events:
        if type(event).__name__ == "BookUpdate":
            sides[event.side][event.price] = event.quantity
        elif type(event).__name__ == "Trade":
            trades.append([event.price, event.quantity, event.side, event.venue_time_ns // 10**6])
        else:
            marks.append(event.price)
    books = [sorted([price, size] for price, size in sides[side].items() if size) for side in ("buy", "sell")]
    assert trades == theirs["trades"]
    assert books == [sorted(theirs["bids"]), sorted(theirs["asks"])]
    if category == "linear":
        assert marks[-1] == theirs["mark"]
