"""A recording as the market: played in real time, repeated or ended, and equal to what was recorded."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from patience import PATIENCE_SECONDS

import tradewind as tw
from tradewind.data.form import BOOK, TRADE
from tradewind.errors import TradewindError
from tradewind.sandbox import Limits, Sandbox
from tradewind.sandbox.recording import recorded_streams, steps
from tradewind.sandbox.settings import Settings
from tradewind.sandbox.units import UNIT, parse

BEGIN_NS = 1_790_000_000_000_000_000
LIMIT = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1"}


def write(path: Path, frames: list[tuple[int, Any]]) -> Path:
    """A recording of frames, each some milliseconds after the begin."""
    lines = [f"{BEGIN_NS + at_ms * 1_000_000} {json.dumps(frame)}\n" for at_ms, frame in frames]
    path.write_text("".join(lines))
    return path


def depth(at_ms: int, first: int, last: int, bids: Any = (), asks: Any = (), symbol: str = "BTCUSDT") -> Any:
    time_ms = BEGIN_NS // 1_000_000 + at_ms
    data = {"e": "depthUpdate", "E": time_ms, "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    return at_ms, {"stream": f"{symbol.lower()}@depth@100ms", "data": data}


def trade(at_ms: int, number: int, price: str, quantity: str, *, buyer_took: bool, symbol: str = "BTCUSDT") -> Any:
    time_ms = BEGIN_NS // 1_000_000 + at_ms
    data = {"e": "trade", "E": time_ms, "T": time_ms, "s": symbol, "t": number, "p": price, "q": quantity}
    return at_ms, {"stream": f"{symbol.lower()}@trade", "data": {**data, "m": not buyer_took, "M": True}}


def quote(at_ms: int, bid: str, ask: str, symbol: str = "BTCUSDT") -> Any:
    data = {"u": at_ms, "s": symbol, "b": bid, "B": "2.00000000", "a": ask, "A": "3.00000000"}
    return at_ms, {"stream": f"{symbol.lower()}@bookTicker", "data": data}


SNAPSHOT = (0, {"lastUpdateId": 10, "bids": [["60000.00", "5"], ["59999.00", "5"]], "asks": [["60001.00", "5"]]})


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A second of trades, the last of which goes through 60000."""
    frames = [
        SNAPSHOT,
        trade(50, 1, "60001.00", "1", buyer_took=True),
        depth(100, 11, 12, bids=[["60000.00", "6"]], asks=[["60001.00", "4"], ["60002.00", "9"]]),
        depth(600, 13, 14, bids=[["60000.00", "0"], ["59999.00", "7"]]),
        trade(800, 2, "59999.00", "2", buyer_took=False),
        trade(1_000, 3, "59999.00", "1", buyer_took=False),
    ]
    return write(tmp_path / "short.txt", frames)


def test_a_recording_is_played_and_users_trade_in_it(tell: Any, short: Path) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        assert list(sandbox.server.exchange.markets) == ["BTCUSDT"]
        _, book = await client.get("/api/v3/depth", symbol="BTCUSDT")
        assert book["bids"][0] == ["60000.00000000", "5.00000000"]
        assert (await client.get("/api/v3/ticker/price", symbol="BTCUSDT"))[1]["price"] == "60000.50000000"
        _, resting = await client.ask("POST", "order", **LIMIT, side="BUY", price="59999.50")
        _, taking = await client.ask("POST", "order", **LIMIT, side="BUY", price="60001")
        assert (resting["status"], taking["status"]) == ("NEW", "FILLED")
        assert (await client.get("/api/v3/depth", symbol="BTCUSDT"))[1]["asks"] == [["60001.00000000", "4.00000000"]]
        sandbox.server.faults.off("quiet_market")
        await sandbox.finished()
        _, filled = await client.ask("GET", "order", symbol="BTCUSDT", orderId=resting["orderId"])
        assert (filled["status"], filled["cummulativeQuoteQty"]) == ("FILLED", "59999.50000000")
        _, trades = await client.get("/api/v3/trades", symbol="BTCUSDT")
        shown = [(row["price"][:-6], row["qty"][:-6], row["isBuyerMaker"]) for row in trades]
        assert shown == [
            ("60001.00", "1.00", False), ("60001.00", "1.00", False), ("59999.50", "1.00", True),
            ("59999.00", "1.00", True), ("59999.00", "1.00", True),
        ]  # fmt: skip
        _, book = await client.get("/api/v3/depth", symbol="BTCUSDT")
        assert book["bids"] == [["59999.00000000", "5.00000000"]]
        assert [row[1][:4] for row in book["asks"]] == ["4.00", "9.00"]
        exchange = sandbox.server.exchange
        assert all(exchange.total(asset) == paid for asset, paid in exchange.paid_in.items())

    quiet = {"faults": [{"name": "quiet_market", "at": 0}]}
    tell(story, recording=(short,), faults=quiet, speed=5)


def test_at_its_end_a_recording_is_repeated_or_says_so(
    tell: Any, short: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def twice(sandbox: Any, client: Any) -> None:
        market = sandbox.server.exchange.markets["BTCUSDT"]
        ended = asyncio.ensure_future(sandbox.finished())
        while len(market.trades) < 7:
            await asyncio.sleep(0.001)
        assert not ended.done()
        assert [trade.price // UNIT for trade in market.trades][:6] == [60_001, 59_999, 59_999] * 2
        assert "end" not in caplog.text
        ended.cancel()

    async def once(sandbox: Any, client: Any) -> None:
        await sandbox.finished()
        assert caplog.messages == ["the recording is at its end"]
        assert len(sandbox.server.exchange.markets["BTCUSDT"].trades) == 3
        assert (await client.get("/api/v3/ping"))[0] == 200

    caplog.set_level(logging.WARNING)
    tell(twice, recording=(short,), repeat=True, speed=50)
    caplog.clear()
    tell(once, recording=(short,), speed=50)


def test_time_stands_still_while_a_market_is_closed(tell: Any, short: Path) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        ended = asyncio.ensure_future(sandbox.finished())
        await asyncio.sleep(0.3)
        assert not sandbox.server.exchange.markets["BTCUSDT"].trades
        assert not ended.done()
        sandbox.server.faults.off("maintenance")
        await ended

    tell(story, recording=(short,), faults={"faults": [{"name": "maintenance", "at": 0}]}, speed=50)


def test_best_prices_do_where_there_is_no_depth_and_symbols_keep_step(tell: Any, tmp_path: Path) -> None:
    rows = [quote(0, "60000.00", "60001.00"), quote(5, "3000.00", "3001.00", "ETHUSDT")]
    rows += [trade(50, 1, "3001.00", "1", buyer_took=True, symbol="ETHUSDT")]
    rows += [quote(100, "60005.00", "60006.00"), trade(150, 1, "60006.00", "1", buyer_took=True)]
    path = write(tmp_path / "both.txt", rows)

    async def story(sandbox: Any, client: Any) -> None:
        first, second = sandbox.server.exchange.markets.values()
        assert (first.symbol.name, second.symbol.name) == ("BTCUSDT", "ETHUSDT")
        await sandbox.finished()
        assert first.book.levels(True) == [(60_005 * UNIT, 2 * UNIT)]
        assert first.book.levels(False) == [(60_006 * UNIT, 2 * UNIT)]
        assert second.book.levels(False) == [(3_001 * UNIT, 2 * UNIT)]
        assert second.trades[-1].time_ns <= first.trades[-1].time_ns

    tell(story, recording=(path,), symbols=("BTCUSDT", "ETHUSDT"), speed=50)


def test_tables_are_recordings_too(tell: Any) -> None:
    times = [BEGIN_NS, BEGIN_NS + 10_000_000]
    prices = tw.quotes(
        pl.DataFrame({"time": times, "bid": [99.0, 100.0], "ask": [101.0, 102.0]}), quantity=1, time_unit="ns"
    )
    trades = tw.trades(pl.DataFrame({"time": times, "price": [101.0, 100.0], "quantity": [0.5, 0.25]}), time_unit="ns")

    async def story(sandbox: Any, client: Any) -> None:
        await sandbox.finished()
        market = sandbox.server.exchange.markets["BTCUSDT"]
        assert [(one.price // UNIT, one.buyer_is_maker) for one in market.trades] == [(101, False), (100, True)]

    tell(story, recording={"BTCUSDT": (prices, trades)}, speed=10)


def test_what_cannot_be_played_is_an_error(tmp_path: Path, short: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("hello\n")
    row = {"time": [BEGIN_NS], "open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0], "volume": [1.0]}
    at_ms, of_spot = trade(0, 1, "60000.0", "1", buyer_took=True)
    futures = write(
        tmp_path / "futures.txt", [(at_ms, {**of_spot, "data": {**of_spot["data"], "X": "MARKET"}}), quote(1, "1", "2")]
    )
    bars = tw.bars(pl.DataFrame(row), interval="1m", label="start", time_unit="ns")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"recording": (tmp_path / "nothing.txt",)}, "nothing.txt does not exist"),
        ({"recording": (empty,)}, "names no stream"),
        (
            {"recording": (short,), "symbols": ("ETHUSDT",)},
            "there is no recording of ETHUSDT\nhint: there is one of BTCUSDT",
        ),
        ({"recording": {"BTCUSDT": (bars,)}}, "has rows that are no trade, quote, book"),
        ({"recording": {"BTCUSDT": ("x",)}}, "recording"),
        ({"recording": (futures,)}, "btcusdt@trade is of futures, and binance_spot:BTCUSDT is spot"),
        ({"symbols": ("FOOBAR",)}, "sandbox: FOOBAR is not packaged\nhint: there are .*BTCUSDT, "),
    ]
    for given, message in cases:
        with pytest.raises(TradewindError, match=message):
            Sandbox(**given)


def test_open_orders_of_another_process_meet_the_recorded_book(short: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"recording": (short,), "state": tmp_path / "state.jsonl", "speed": 0}

    async def place() -> None:
        async with Sandbox(**given) as sandbox:
            keys, exchange = sandbox.new_account({"USDT": 1_000_000}), sandbox.server.exchange
            from tradewind.sandbox.order import OrderRequest

            request = OrderRequest(
                symbol="BTCUSDT", buy=True, kind="LIMIT", client_id="c", quantity=UNIT, price=60_000 * UNIT
            )
            exchange.submit(exchange.accounts[keys.account], request, sandbox.server.clock.now_ns())

    async def look() -> None:
        async with Sandbox(**given) as sandbox:
            assert sandbox.server.exchange.markets["BTCUSDT"].book.best(True) == (60_000 * UNIT, 6 * UNIT)

    asyncio.run(place())
    asyncio.run(look())


def test_the_command_ends_with_the_recording(short: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.txt", [depth(1_100, 15, 16), trade(1_200, 4, "59998.00", "1", buyer_took=False)])
    command = [
        sys.executable,
        "-m",
        "tradewind",
        "sandbox",
        "--recording",
        str(short),
        str(more),
        "--port",
        "0",
        "--speed",
        "50",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=os.environ, check=False
    )
    assert (done.returncode, done.stdout[:4]) == (0, "REST"), done.stderr
    assert "the recording is at its end" in done.stderr


def _levels(path: Path) -> Iterator[tuple[dict[str, dict[int, int]], list[Any]]]:
    """Books after each change, by the rule of the venue's documentation, and the trades so far."""
    book: dict[str, dict[int, int]] = {"b": {}, "a": {}}
    trades: list[Any] = []
    waiting: list[Any] = []
    last = 0
    with gzip.open(path, "rt") as file:
        for line in file:
            frame = json.loads(line.partition(" ")[2])
            data = frame.get("data", frame)
            if "lastUpdateId" in data:
                last = data["lastUpdateId"]
                for name, side in (("b", "bids"), ("a", "asks")):
                    book[name] = {parse(price): parse(quantity) for price, quantity in data[side]}
                yield book, trades
            elif data.get("e") == "depthUpdate":
                waiting.append(data)
            elif data.get("e") == "trade":
                trades.append((parse(data["p"]), parse(data["q"]), data["m"]))
            if not last:
                continue
            events, waiting = waiting, []
            for event in events:
                if event["u"] <= last - ("pu" in event):
                    continue
                assert event["U"] <= last + 1 or event["pu"] == last
                last = event["u"]
                for name in "ba":
                    book[name].update({parse(price): parse(quantity) for price, quantity in event[name]})
                if event["b"] or event["a"]:
                    yield book, trades


def test_a_trade_that_arrives_after_the_book_that_tells_of_it_is_played_before(tmp_path: Path) -> None:
    late, early = trade(90, 1, "60001.00", "1", buyer_took=True), depth(100, 11, 12, asks=[["60001.00", "4"]])
    path = write(tmp_path / "late.txt", [SNAPSHOT, (100, early[1]), (130, late[1]), depth(200, 13, 14)])
    played = steps(recorded_streams(Settings(recording=(path,))))
    assert [(step.kind, step.is_whole) for step in played] == [(BOOK, True), (TRADE, False), (BOOK, False)]


def test_a_real_recording_gives_its_book_and_its_trades(recorded: Path) -> None:
    path = recorded / "binance-raw/spot/btcusdt_20240808.gz"
    settings = Settings(recording=(path,))
    server = Sandbox(settings).server
    (player,), market = server._players, server.exchange.markets["BTCUSDT"]
    everybody = player._everybody["BTCUSDT"]  # type: ignore[union-attr]
    everybody.leave(1)
    market.trades.clear()
    wanted = _levels(path)
    shown: list[Any] = []
    compared = 0
    for step in steps(recorded_streams(settings)):
        player._play(step)  # type: ignore[union-attr]
        shown += [(one.price, one.quantity, one.buyer_is_maker) for one in market.trades]
        market.trades.clear()
        if step.kind != BOOK:
            continue
        book, trades = next(wanted)
        if compared % 50 == 0:
            for side, buy in (("b", True), ("a", False)):
                assert dict(market.book.levels(buy)) == {price: size for price, size in book[side].items() if size}
        compared += 1
    assert compared > 3_000
    assert next(wanted, None) is None
    assert len(shown) >= len(trades) > 9_000
    assert shown[: len(trades)] == trades


def test_a_real_recording_in_real_time(tell: Any, recorded: Path) -> None:
    path = recorded / "binance-raw/spot/btcusdt_20240808.gz"

    async def story(sandbox: Any, client: Any) -> None:
        _, book = await client.get("/api/v3/depth", symbol="BTCUSDT", limit=5)
        assert len(book["bids"]) == len(book["asks"]) == 5
        price = book["bids"][0][0]
        await client.ask("POST", "order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01")
        _, order = await client.ask("POST", "order", **{**LIMIT, "quantity": "0.01"}, side="BUY", price=price)
        async with client.http.ws_connect(f"{sandbox.stream_url}/ws/btcusdt@trade") as socket:
            seen = [json.loads((await socket.receive(PATIENCE_SECONDS)).data) for _ in range(200)]
        assert [one["t"] for one in seen] == list(range(seen[0]["t"], seen[0]["t"] + 200))
        while order["status"] != "FILLED":
            await asyncio.sleep(0.05)
            _, order = await client.ask("GET", "order", symbol="BTCUSDT", orderId=order["orderId"])
        assert order["price"] == price

    tell(story, recording=(path,), speed=20, limits=Limits.raised())
