"""Books rebuilt by the decoder equal recorded best bids and offers at the same update."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tradewind as tw
from tradewind._core import BinanceDecoder, Inbox
from tradewind.dataset import definition

RAW = Path(os.environ.get("TRADEWIND_DATA") or Path(__file__).parents[3] / "shared" / "data") / "binance-raw"
SPOT = [RAW / "spot" / f"btcusdt_202408{day}.gz" for day in ("08", "09")]
USDM = [RAW / "usdm" / f"{symbol}_20240808.gz" for symbol in ("btcusdt", "ethusdt")]
NAME = "binance_spot:BTCUSDT"

pytestmark = pytest.mark.skipif(not all(path.exists() for path in SPOT + USDM), reason="no recorded frames")

FIRST, LAST, BUY = 4, 8, 1


class Rebuilt:
    """A book from the decoder's rows, kept in the simplest way."""

    def __init__(self, name: str = NAME, continuity: str = "first") -> None:
        self.inbox = Inbox(tw.Index([definition(tw.instruments.load(name))]))
        self.symbol = name.partition(":")[2]
        self.decoder = BinanceDecoder(self.inbox, [(self.symbol, name)], continuity)
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.gaps = 0
        self.applied = 0

    def read(self, frame: bytes) -> None:
        told = self.decoder.decode(frame, 2_000_000_000_000_000_000)
        self.gaps += told is not None and told[:2] == ("gap", "book")
        self.apply()

    def snapshot(self, body: bytes) -> str:
        fate = self.decoder.snapshot(self.symbol, body, 2_000_000_000_000_000_000)
        self.apply()
        return fate

    def apply(self) -> None:
        for kind, _, _, _, flags, values in self.inbox.rows():
            if kind == "book":
                if flags & FIRST:
                    self.sides = ({}, {})
                side = self.sides[0 if flags & BUY else 1]
                if values[1]:
                    side[values[0]] = values[1]
                else:
                    side.pop(values[0], None)
                self.applied += bool(flags & LAST)
        self.inbox.clear()

    def best(self) -> tuple[int, int, int, int]:
        bid, ask = max(self.sides[0]), min(self.sides[1])
        return bid, self.sides[0][bid], ask, self.sides[1][ask]


def frames(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with gzip.open(path) as lines:
            for line in lines:
                yield line.partition(b" ")[2].strip()


def payload(frame: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(frame)
    data: dict[str, Any] = document.get("data", document)
    return data


def quote(data: dict[str, Any], decimals: int) -> tuple[int, ...]:
    return tuple(int(Decimal(data[letter]).scaleb(decimals)) for letter in ("b", "B", "a", "A"))


def compare(all_frames: list[bytes], name: str, continuity: str) -> tuple[int, int, Rebuilt]:
    """How many recorded quotes have the number of a book's state, how many differ, and the book."""
    book = Rebuilt(name, continuity)
    fields = tw.instruments.load(name)
    quotes: dict[int, tuple[int, ...]] = {}
    states: dict[int, tuple[int, ...]] = {}
    for frame in all_frames:
        data = payload(frame)
        if "lastUpdateId" in data:
            book.snapshot(json.dumps(data).encode())
        elif data.get("e") == "depthUpdate":
            before = book.applied
            book.read(frame)
            if book.applied > before:
                states[data["u"]] = book.best()
        elif "B" in data:
            bid, bid_quantity, ask, ask_quantity = (data[letter] for letter in ("b", "B", "a", "A"))
            prices = [int(Decimal(text).scaleb(fields.price_decimals)) for text in (bid, ask)]
            sizes = [int(Decimal(text).scaleb(fields.quantity_decimals)) for text in (bid_quantity, ask_quantity)]
            quotes[data["u"]] = (prices[0], sizes[0], prices[1], sizes[1])
    both = states.keys() & quotes.keys()
    return len(both), sum(states[u] != quotes[u] for u in both), book


def test_spot_books_equal_recorded_quotes() -> None:
    compared, wrong, book = compare(list(frames(SPOT)), NAME, "first")
    assert (compared, wrong, book.gaps) == (1_072, 0, 0)


@pytest.mark.parametrize(("path", "count"), [(USDM[0], 629), (USDM[1], 551)], ids=["btc", "eth"])
def test_futures_books_equal_recorded_quotes(path: Path, count: int) -> None:
    name = f"binance_usdm:{path.name[:7].upper()}"
    compared, wrong, book = compare(list(frames([path])), name, "previous")
    assert (compared, wrong, book.gaps) == (count, 0, 0)


@pytest.mark.parametrize("mutation", ["drop", "duplicate", "reorder"])
@pytest.mark.parametrize("place", [100, 1_000, 4_000])
def test_a_lost_repeated_or_moved_change_is_a_gap_and_never_a_wrong_book(mutation: str, place: int) -> None:
    original = list(frames(SPOT))
    depth = [at for at, frame in enumerate(original) if b'"depthUpdate"' in frame]
    snapshot = next(at for at, frame in enumerate(original) if b"lastUpdateId" in frame)
    at, behind = [one for one in depth if one > snapshot + 50][place : place + 2]
    mutated = list(original)
    if mutation == "drop":
        del mutated[at]
    elif mutation == "duplicate":
        mutated.insert(behind, original[at])
    else:
        mutated[at], mutated[behind] = mutated[behind], mutated[at]
    compared, wrong, book = compare(mutated, NAME, "first")
    assert wrong == 0
    assert book.gaps == (0 if mutation == "duplicate" else 1)
    assert compared == 1_072 if mutation == "duplicate" else compared < 1_072
    assert book.decoder.is_live("BTCUSDT") == (mutation == "duplicate")


def change(first: int, last: int, bids: list[list[str]], asks: list[list[str]] | None = None) -> bytes:
    fields = {"e": "depthUpdate", "E": 1_000 + last, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks or []}
    return json.dumps(fields).encode()


def whole(last: int, bids: list[list[str]], asks: list[list[str]]) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


BIDS, ASKS = [["100", "1"], ["99", "2"]], [["101", "1"]]


def test_after_a_gap_a_snapshot_and_what_waited_make_the_book_whole() -> None:
    book = Rebuilt()
    assert book.snapshot(whole(10, BIDS, ASKS)) == "taken"
    book.read(change(11, 12, [["100", "5"]]))
    book.read(change(14, 15, [["98", "1"]]))
    book.read(change(16, 17, [["100", "0"]]))
    assert book.gaps == 1
    assert book.best()[:2] == (100 * 10**8, 5 * 10**8), "the rows of the gap are kept back"
    assert book.snapshot(whole(12, BIDS, ASKS)) == "too_old"
    assert book.snapshot(whole(15, BIDS, ASKS)) == "taken"
    assert book.best()[0] == 99 * 10**8
    assert book.snapshot(whole(20, BIDS, ASKS)) == "not_needed"


def test_what_waits_may_have_a_hole_of_its_own() -> None:
    book = Rebuilt()
    for one in (change(5, 6, [["98", "1"]]), change(9, 10, [["97", "1"]])):
        book.read(one)
    assert book.snapshot(whole(5, BIDS, ASKS)) == "too_old"
    assert len(book.inbox) == 0
    assert book.snapshot(whole(9, BIDS, ASKS)) == "taken"
    assert 97 * 10**8 in book.sides[0]
    assert 98 * 10**8 not in book.sides[0]


def test_odd_books() -> None:
    book = Rebuilt()
    with pytest.raises(tw.TradewindError, match="crossed_quote"):
        book.snapshot(whole(1, [["102", "1"]], ASKS))
    assert book.snapshot(whole(10, [], [])) == "taken"
    assert book.sides == ({}, {})
    book.read(change(11, 11, [["100", "0"]]))
    assert book.sides == ({}, {}), "a level that nobody knows may go"
    book.read(change(12, 12, []))
    book.read(change(13, 13, [["100", "1"]]))
    assert book.gaps == 0
    with pytest.raises(tw.TradewindError, match="bad_frame"):
        book.read(change(15, 14, []))
    with pytest.raises(tw.TradewindError, match="negative_value"):
        book.read(change(14, 14, [["100", "-1"]]))
    book.read(change(15, 15, []))
    assert book.gaps == 1, "what could not be read is missing"
