"""Frames that are good, odd, broken and hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tradewind as tw
from tradewind._core import BinanceDecoder, BybitDecoder, Inbox
from tradewind.dataset import definition

NAME = "binance_spot:BTCUSDT"
NOW = 1_800_000_000_000_000_000
MS = 1_000_000
TRADE = {"e": "trade", "E": 5, "s": "BTCUSDT", "t": 7, "p": "61800.20000000", "q": "0.5", "T": 4, "m": True, "M": True}
QUOTE = {"u": 3, "s": "BTCUSDT", "b": "100.1", "B": "2", "a": "100.2", "A": "3"}
KLINE = {
    "t": 60_000,
    "T": 119_999,
    "s": "BTCUSDT",
    "i": "1m",
    "o": "1",
    "c": "2",
    "h": "3",
    "l": "0.5",
    "v": "9",
    "x": True,
}


def parts() -> tuple[Inbox, BinanceDecoder]:
    inbox = Inbox(tw.Index([definition(tw.instruments.load(NAME))]), latency_ns=2 * MS)
    return inbox, BinanceDecoder(inbox, [("BTCUSDT", NAME)])


def frame(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def test_a_trade() -> None:
    inbox, decoder = parts()
    assert decoder.decode(frame(TRADE), NOW) is None
    assert (
        decoder.decode(frame({"stream": "btcusdt@trade", "data": TRADE | {"t": 8, "m": False, "new": {"x": [1]}}}), NOW)
        is None
    )
    sold, bought = inbox.take_events()
    assert (sold.price, sold.quantity, sold.side, sold.id) == (61800.2, 0.5, "sell", 7)
    assert (sold.venue_time_ns, sold.arrival_time_ns) == (4 * MS, NOW)
    assert bought.side == "buy"
    assert decoder.arrival_ns("BTCUSDT", "trades") == NOW
    assert decoder.arrival_ns("BTCUSDT", "quotes") is None
    assert decoder.progress("BTCUSDT", "trades", 0) == [8]


def test_trades_come_once_and_a_hole_in_their_numbers_is_told() -> None:
    inbox, decoder = parts()
    for number in (7, 8, 8, 7, 9):
        assert decoder.decode(frame(TRADE | {"t": number}), NOW) is None
    assert decoder.decode(frame(TRADE | {"t": 12, "T": 9}), NOW) == ("gap", "trades", NAME, 4 * MS, 9 * MS)
    assert [event.id for event in inbox.take_events()] == [7, 8, 9, 12]
    decoder.forget("BTCUSDT", "trades")
    assert decoder.decode(frame(TRADE | {"t": 99}), NOW) is None


def test_a_quote_has_no_time_of_its_own() -> None:
    inbox, decoder = parts()
    for one in (QUOTE, QUOTE, QUOTE | {"u": 2}, QUOTE | {"u": 4, "a": "100.3"}):
        assert decoder.decode(frame(one), NOW) is None
    quotes = inbox.take_events()
    assert [quote.ask for quote in quotes] == [100.2, 100.3]
    assert quotes[0].venue_time_ns == NOW - 2 * MS
    with pytest.raises(tw.TradewindError, match="crossed_quote"):
        decoder.decode(frame(QUOTE | {"u": 5, "b": "101"}), NOW)


def test_only_closed_bars_come_once_each() -> None:
    inbox, decoder = parts()
    for fields in (KLINE | {"x": False}, KLINE, KLINE, KLINE | {"x": False}):
        assert decoder.decode(frame({"e": "kline", "E": 1, "s": "BTCUSDT", "k": fields}), NOW) is None
    (bar,) = inbox.take_events()
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.interval) == (1, 3, 0.5, 2, 9, "1m")
    assert bar.venue_time_ns == 60_000 * MS
    later = {"e": "kline", "E": 1, "s": "BTCUSDT", "k": KLINE | {"t": 240_000}}
    assert decoder.decode(frame(later), NOW) == ("gap", "bars", NAME, 60_000 * MS, 240_000 * MS)


def test_partial_depth_is_named_by_its_stream() -> None:
    inbox, decoder = parts()
    partial = {"stream": "btcusdt@depth5", "data": {"lastUpdateId": 3, "bids": [["1", "2"]], "asks": [["3", "4"]]}}
    assert decoder.decode(frame(partial), NOW) is None
    assert [(row[4] & 4, row[4] & 8, row[5][:2]) for row in inbox.rows()] == [
        (4, 0, [10**8, 2 * 10**8]),
        (0, 8, [3 * 10**8, 4 * 10**8]),
    ]


def test_arrival_is_never_before_the_venue_time() -> None:
    inbox, decoder = parts()
    decoder.decode(frame(TRADE | {"T": 10_000}), 9_000 * MS)
    (trade,) = inbox.take_events()
    assert trade.arrival_time_ns == trade.venue_time_ns == 10_000 * MS
    assert inbox.clamped == 1


@pytest.mark.parametrize(
    "message", [{"result": None, "id": 1}, {"e": "serverShutdown", "E": 1}, {"e": "24hrTicker", "s": "X"}, {}]
)
def test_what_is_no_data_is_handed_back(message: dict[str, Any]) -> None:
    _, decoder = parts()
    told = decoder.decode(frame(message), NOW)
    assert told is not None
    assert told[0] == "control"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("bad_frame", {"p": 61800.2}),
        ("bad_frame", {"p": None}),
        ("bad_frame", {"t": "seven"}),
        ("bad_frame", {"t": 1e3}),
        ("bad_frame", {"t": 2**63}),
        ("bad_frame", {"m": "true"}),
        ("bad_frame", {"s": "ETHUSDT"}),
        ("bad_frame", {"s": 3}),
        ("bad_frame", {"T": -4}),
        ("out_of_range", {"T": 2**62}),
        ("not_a_number", {"p": ""}),
        ("not_a_number", {"p": "NaN"}),
        ("negative_value", {"p": "0"}),
        ("negative_value", {"q": "-1"}),
        ("out_of_range", {"q": "99999999999999999999"}),
        ("out_of_range", {"q": "90000000000"}),
        ("off_grid", {"p": "1.000000001"}),
    ],
)
def test_what_cannot_be_read_has_a_code_and_no_row(code: str, change: dict[str, Any]) -> None:
    inbox, decoder = parts()
    with pytest.raises(tw.TradewindError) as raised:
        decoder.decode(frame(TRADE | change), NOW)
    assert raised.value.code == code
    assert len(inbox) == 0
    assert decoder.decode(frame(TRADE), NOW) is None
    assert len(inbox) == 1


def test_a_truncated_frame_is_no_frame() -> None:
    inbox, decoder = parts()
    whole = frame({"stream": "btcusdt@trade", "data": TRADE})
    for length in range(len(whole)):
        with pytest.raises(tw.TradewindError):
            decoder.decode(whole[:length], NOW)
    with pytest.raises(tw.TradewindError):
        decoder.decode(whole + b"}", NOW)
    assert len(inbox) == 0


LINEAR = "bybit_linear:BTCUSDT"


def bybit() -> tuple[Inbox, BybitDecoder]:
    fields = tw.instruments.load("binance_usdm:BTCUSDT").model_copy(update={"venue": "bybit_linear"})
    inbox = Inbox(tw.Index([definition(fields)]))
    return inbox, BybitDecoder(inbox, [("BTCUSDT", LINEAR)])


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["1", "-1", "1e5", "BTCUSDT", "Buy"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=8,
)
books = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 1, "u": 2, "b": [["1", "2"]], "a": []}
tops = {"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": 1, "cts": 1, "data": {"b": [], "a": [], "u": 1}}
seeds = [
    TRADE,
    QUOTE,
    books,
    {"e": "kline", "s": "BTCUSDT", "k": KLINE},
    tops,
    {"topic": "publicTrade.BTCUSDT", "data": []},
]


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.tuples(
            st.sampled_from(seeds),
            st.dictionaries(st.sampled_from("estTpqmUubaBAkx") | st.sampled_from(["data", "type", "topic"]), values),
        ).map(lambda pair: frame(pair[0] | pair[1])),
        values.map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for inbox, decoder in (parts(), bybit()):
        try:
            told = decoder.decode(data, NOW)
        except tw.TradewindError as error:
            assert error.code in {
                "bad_frame",
                "out_of_range",
                "not_a_number",
                "negative_value",
                "off_grid",
                "crossed_quote",
                "inconsistent_bar",
            }
            assert len(inbox) == 0
        else:
            assert told is None or told[0] in ("control", "gap")
        for row in inbox.rows():
            assert all(value >= 0 for value in row[5][:2])


def test_deep_and_large_frames() -> None:
    _, decoder = parts()
    for deep in (b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"):
        with pytest.raises(tw.TradewindError):
            decoder.decode(deep, NOW)
    levels = [["1.5", "2"]] * 50_000
    assert decoder.decode(frame(books | {"b": levels}), NOW) is None


def test_bybit_trades_books_and_tickers() -> None:
    inbox, decoder = bybit()
    trade = {
        "T": 5,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "0.001",
        "p": "16578.50",
        "L": "PlusTick",
        "i": "20f43950-d8dd-5b31-9112-a178eb6023af",
        "BT": False,
    }
    trades = {
        "topic": "publicTrade.BTCUSDT",
        "type": "snapshot",
        "ts": 6,
        "data": [trade, trade | {"S": "Sell", "i": "b"}],
    }
    for _ in range(2):
        assert decoder.decode(frame(trades), NOW) is None
    assert [(one.side, one.price) for one in inbox.take_events()] == [("buy", 16578.5), ("sell", 16578.5)]

    assert decoder.progress("BTCUSDT", "trades", 0) == [5 * MS], "comparable with what the venue tells"

    def book(kind: str, update: int, bids: Any, asks: Any) -> bytes:
        data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": update}
        return frame({"ts": 9, "type": kind, "topic": "orderbook.50.BTCUSDT", "data": data, "cts": 8})

    told = decoder.decode(book("delta", 4, [["1", "1"]], []), NOW)
    assert told is not None
    assert told[0] == "gap", "a change without a snapshot"
    assert decoder.decode(book("snapshot", 5, [["100", "1"]], [["101", "1"]]), NOW) is None
    assert decoder.decode(book("delta", 6, [["100", "0"]], []), NOW) is None
    assert decoder.decode(book("delta", 6, [["100", "7"]], []), NOW) is None
    assert decoder.decode(book("delta", 1, [["90", "1"]], [["91", "1"]]), NOW) is None
    rows = [(bool(row[4] & 4), row[5][0], row[5][1]) for row in inbox.rows()]
    assert rows == [
        (True, 10_000, 1000),
        (False, 10_100, 1000),
        (False, 10_000, 0),
        (True, 9_000, 1000),
        (False, 9_100, 1000),
    ]
    inbox.clear()

    def ticker(kind: str, **fields: str) -> bytes:
        return frame(
            {"topic": "tickers.BTCUSDT", "type": kind, "data": {"symbol": "BTCUSDT"} | fields, "cs": 1, "ts": 12}
        )

    for one in (
        ticker("snapshot", markPrice="17217.30", fundingRate="-0.000212", nextFundingTime="1000"),
        ticker("delta", fundingRate="", lastPrice="1"),
        ticker("delta", markPrice="17217.30"),
        ticker("delta", markPrice="17218.0", nextFundingTime="2000", fundingRate="0.0001"),
    ):
        assert decoder.decode(one, NOW) is None
    marks = [(type(event).__name__, getattr(event, "price", None) or event.rate) for event in inbox.take_events()]
    assert marks == [("Mark", 17217.3), ("Mark", 17218.0), ("Funding", -0.000212)]


def test_what_breaks_trades_or_a_book_of_bybit_is_a_gap() -> None:
    inbox, decoder = bybit()
    trade = {"T": 5, "S": "Buy", "v": "1", "p": "100", "i": "a"}

    def trades(*some: dict[str, Any]) -> bytes:
        return frame({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 6, "data": list(some)})

    def book(kind: str, update: int, bids: Any, asks: Any, depth: int = 50) -> bytes:
        data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update}
        return frame({"ts": 9, "type": kind, "topic": f"orderbook.{depth}.BTCUSDT", "data": data, "cts": 8})

    def broken(message: bytes) -> list[tuple[str, str, int, int]]:
        before = len(inbox)
        with pytest.raises(tw.TradewindError):
            decoder.decode(message, NOW)
        assert len(inbox) == before
        return decoder.take_broken()

    snapshot = book("snapshot", 5, [["100", "1"]], [["101", "1"]])
    book_gap, trades_gap = ("book", LINEAR, 8 * MS, NOW), ("trades", LINEAR, 5 * MS, NOW)
    assert decoder.decode(trades(trade), NOW) is None
    assert broken(trades(trade | {"i": "b"}, trade | {"i": "c", "p": "100.001"})) == [trades_gap]
    for bad in (
        book("delta", 6, [["100", "0"], ["99.005", "1"]], []),
        book("snapshot", 1, [["50.005", "1"]], [["51", "1"]]),
    ):
        assert decoder.decode(snapshot, NOW) is None
        assert decoder.is_live("BTCUSDT")
        assert broken(bad) == [book_gap]
        assert not decoder.is_live("BTCUSDT")
        rows = len(inbox)
        told = decoder.decode(book("delta", 7, [["98", "1"]], []), NOW)
        assert told is not None
        assert told[0] == "gap"
        assert len(inbox) == rows, "nothing is added to a book that is not known"
    assert decoder.decode(snapshot, NOW) is None
    assert broken(book("snapshot", 3, [["100.001", "1"]], [["101", "1"]], depth=1)) == [], "the next quote is whole"
    assert broken(frame({"topic": "publicTrade.ETHUSDT", "data": []})) == [], "nobody asked for it"
    assert broken(b'{"topic":"orderbook.50.BTCUSDT","type"') == [book_gap]
    assert broken(b"\x00") == [trades_gap, book_gap], "it may have been anything"


def test_a_bar_of_bybit_that_was_undone_is_missing() -> None:
    inbox, decoder = bybit()

    def bars(*closes: str) -> bytes:
        one = {"interval": "1", "open": "9", "high": "10", "low": "8", "volume": "1", "confirm": True}
        first = 60_000 * (int(closes[0]) - 8)
        data = [one | {"start": first + 60_000 * at, "close": close} for at, close in enumerate(closes)]
        return frame({"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": 6, "data": data})

    assert decoder.decode(bars("8"), NOW) is None
    with pytest.raises(tw.TradewindError, match="inconsistent_bar"):
        decoder.decode(bars("9", "11"), NOW)
    told = decoder.decode(bars("10"), NOW)
    assert told is not None
    assert told[:2] == ("gap", "bars")
    assert len(inbox) == 2


def test_a_payment_of_bybit_falls_due_once_and_marks_are_moved_to_a_unit() -> None:
    inbox, decoder = bybit()

    def ticker(now: int, due: int, rate: str = "0.001", **more: str) -> bytes:
        data = {"symbol": "BTCUSDT", "fundingRate": rate, "nextFundingTime": str(due)} | more
        return frame({"topic": "tickers.BTCUSDT", "type": "snapshot", "data": data, "ts": now})

    for message in (
        ticker(0, 3_000, markPrice="17217.335"),
        ticker(1, 60_000, "0.002"),  # put off
        ticker(60_001, 120_000, "0.003", markPrice="17217.345"),
        ticker(60_002, 60_000),  # a subscription that is a little behind
        ticker(60_003, 120_000),
    ):
        assert decoder.decode(message, 61_000 * MS) is None
    found = [(type(event).__name__, getattr(event, "price", None) or event.rate) for event in inbox.take_events()]
    assert found == [("Mark", 17217.34), ("Mark", 17217.35), ("Funding", 0.002)]
    decoder.forget("BTCUSDT", "marks")
    assert decoder.decode(ticker(120_001, 180_000), 121_000 * MS) is None
    assert [type(event).__name__ for event in inbox.take_events()] == ["Funding"]
