"""Raw Binance recordings: decoding, order, the venue's rules of the book."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradewind import instruments
from tradewind.data import FORM, binance_raw
from tradewind.data.binance import RawStreamKind
from tradewind.errors import DataError, TradewindWarning
from tradewind.instruments import InstrumentFields

MS = 1_000_000
ALL: tuple[RawStreamKind, ...] = ("trade", "quote", "book")
RECORDINGS = {
    "binance_usdm:BTCUSDT": (["usdm/btcusdt_20240808.gz"], 6547, 4, 629),
    "binance_usdm:ETHUSDT": (["usdm/ethusdt_20240808.gz"], 6581, 5, 551),
    "binance_spot:BTCUSDT": (["spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"], 6493, 2, 1072),
}


def frames(paths: list[Path]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Every frame with its line in its file and its receive time, read with the standard library."""
    for path in paths:
        with gzip.open(path, "rt") as file:
            for row, line in enumerate(file, 1):
                received, _, body = line.partition(" ")
                yield row, int(received), json.loads(body)


def units(text: str, decimals: int) -> int:
    return int(Decimal(text).scaleb(decimals))


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_trade_and_quote_in_the_recorded_order(name: str, recorded: Path) -> None:
    instrument = instruments.load(name)
    paths = [recorded / "binance-raw" / part for part in RECORDINGS[name][0]]
    stream = binance_raw(paths, align=True, minimum_latency_ns=MS, quote_latency_ns=30 * MS)
    events = stream.load(instrument)
    assert stream.report is not None
    shift, expected = stream.report.alignment_shift_ns, []
    price, quantity = instrument.price_decimals, instrument.quantity_decimals
    for _, received, frame in frames(paths):
        data, arrival = frame.get("data", {}), received + shift
        if frame.get("stream", "").endswith("@trade"):
            values = (units(data["p"], price), units(data["q"], quantity), data["t"], 0)
            expected.append((data["T"] * MS, arrival, 4, 2 if data["m"] else 1, *values))
        elif frame.get("stream", "").endswith("@bookTicker"):
            venue = data["T"] * MS if "T" in data else arrival - 30 * MS
            bid, ask = (
                (units(data["b"], price), units(data["B"], quantity)),
                (units(data["a"], price), units(data["A"], quantity)),
            )
            expected.append((venue, arrival, 3, 0, *bid, *ask))
    assert events.select(*list(FORM)[:4], *"abcd").rows() == expected
    assert 1.21e9 < shift < 1.29e9
    assert (events["arrival_time_ns"] - events["venue_time_ns"]).min() == MS
    assert stream.report.assumed_venue_times == (73_174 if "spot" in name else 0)
    assert pl.concat(stream.chunks(instrument, 7_001)).equals(events)


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_rebuilt_book_is_the_recorded_best_bid_and_offer(name: str, recorded: Path) -> None:
    parts, applied, stale, compared = RECORDINGS[name]
    instrument = instruments.load(name)
    paths = [recorded / "binance-raw" / part for part in parts]
    stream = binance_raw(paths, streams=["book"], align=True, quote_latency_ns=30 * MS)
    events = stream.load(instrument)
    assert stream.report is not None
    assert stream.report.stale_updates == stale
    assert stream.report.off_step_values == (7 if "spot" in name else 0)

    price, quantity = instrument.price_decimals, instrument.quantity_decimals
    quotes: dict[int, tuple[int, ...]] = {}
    updates: dict[int, list[int]] = {}
    for _, received, frame in frames(paths):
        data = frame.get("data", {})
        if frame.get("stream", "").endswith("@bookTicker"):
            quotes[data["u"]] = tuple(
                units(data[key], decimals) for key, decimals in zip("bBaA", (price, quantity) * 2, strict=True)
            )
        elif "@depth" in frame.get("stream", ""):
            updates.setdefault(received + stream.report.alignment_shift_ns, []).append(data["u"])

    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    messages, equal = 0, 0
    for arrival, flags, level, size in events.select("arrival_time_ns", "flags", "a", "b").iter_rows():
        if flags & 4:
            bids.clear()
            asks.clear()
            messages = 0
        side = bids if flags & 1 else asks
        side[level] = size
        if size == 0:
            del side[level]
        if flags & 8:
            messages += 1
            best = (max(bids), bids[max(bids)], min(asks), asks[min(asks)])
            assert best[0] < best[2]
            for update in updates.get(arrival, []) if messages > 1 else []:
                if update in quotes:
                    assert quotes[update] == best
                    equal += 1
    assert messages == applied + 1
    assert equal == compared
    assert events["flags"].to_list().count(5) + events["flags"].to_list().count(13) == 1


def test_a_clock_behind_the_venues_is_refused_with_a_hint(recorded: Path) -> None:
    stream = binance_raw(recorded / "binance-raw/usdm/btcusdt_20240808.gz")
    with pytest.raises(DataError) as caught:
        stream.load(instruments.load("binance_usdm:BTCUSDT"))
    assert caught.value.code == "arrival_before_venue_time"
    assert "add align=True" in caught.value.hint


def test_spot_quotes_need_a_stated_latency(recorded: Path) -> None:
    stream = binance_raw(recorded / "binance-raw/spot/btcusdt_20240808.gz", align=True)
    with pytest.raises(DataError, match=r"\[missing_setting\] row has no venue time.*\nhint: state quote_latency_ns"):
        stream.load(instruments.load("binance_spot:BTCUSDT"))
    trades = binance_raw(recorded / "binance-raw/spot/btcusdt_20240808.gz", align=True, streams=["trade"])
    assert trades.load(instruments.load("binance_spot:BTCUSDT")).height == 9757


@pytest.mark.parametrize("kind", ALL)
def test_futures_are_not_taken_for_spot(kind: RawStreamKind, recorded: Path) -> None:
    stream = binance_raw(
        recorded / "binance-raw/usdm/btcusdt_20240808.gz", streams=[kind], align=True, quote_latency_ns=0
    )
    with pytest.raises(
        DataError, match=r" row \d+: btcusdt@\S+ is of futures, and binance_spot:BTCUSDT is spot"
    ) as caught:
        stream.load(instruments.load("binance_spot:BTCUSDT"))
    assert caught.value.code == "bad_setting"
    assert "binance_usdm:BTCUSDT" in caught.value.hint


def test_each_file_of_a_recording_tells_whether_it_is_of_futures(recorded: Path) -> None:
    files = [recorded / "binance-raw" / part for part in ("spot/btcusdt_20240808.gz", "usdm/btcusdt_20240808.gz")]
    with pytest.raises(DataError, match=r"usdm/btcusdt_20240808\.gz row .* is of futures"):
        binance_raw(files, align=True, quote_latency_ns=0).load(instruments.load("binance_spot:BTCUSDT"))


def test_files_in_the_wrong_order_are_to_be_given_in_theirs(recorded: Path) -> None:
    files = [recorded / "binance-raw/spot" / f"btcusdt_{day}.gz" for day in (20240809, 20240808)]
    with pytest.raises(DataError) as caught:
        binance_raw(files, align=True, quote_latency_ns=0).load(instruments.load("binance_spot:BTCUSDT"))
    assert caught.value.code == "unsorted_rows"
    assert "give its files in the order of their times" in caught.value.hint
    assert "sort" not in caught.value.hint


def test_all_kinds_in_one_recording(recorded: Path) -> None:
    instrument = instruments.load("binance_usdm:ETHUSDT")
    stream = binance_raw(recorded / "binance-raw/usdm/ethusdt_20240808.gz", streams=ALL, align=True)
    events = stream.load(instrument)
    assert events["arrival_time_ns"].is_sorted()
    kinds = dict(events.group_by("kind").len().iter_rows())
    assert (kinds[3], kinds[4]) == (53_992, 14_076)
    assert stream.report is not None
    assert stream.report.skipped_frames == {}


class TestMadeUp:
    """Recordings of a few lines."""

    USDM = instruments.load("binance_usdm:BTCUSDT")
    SPOT = instruments.load("binance_spot:BTCUSDT")

    def trade(self, at: int = 1, identity: int = 1, price: str = "10.0", symbol: str = "btcusdt") -> str:
        data = {"e": "trade", "E": at, "T": at, "t": identity, "p": price, "q": "1.000", "m": True}
        return f"{at * MS} " + json.dumps({"stream": f"{symbol}@trade", "data": data})

    def depth(self, at: int, first: int, last: int, before: int | None = None, **levels: list[list[str]]) -> str:
        data: dict[str, Any] = {"E": at, "U": first, "u": last, "b": levels.get("b", []), "a": levels.get("a", [])}
        if before is not None:
            data |= {"T": at, "pu": before}
        return f"{at * MS} " + json.dumps({"stream": "btcusdt@depth@0ms", "data": data})

    def snapshot(self, at: int, last: int) -> str:
        body = {"lastUpdateId": last, "T": at, "bids": [["10.0", "1.000"]], "asks": [["11.0", "2.000"]]}
        return f"{at * MS} " + json.dumps(body)

    def load(
        self, path: Path, *lines: str, instrument: InstrumentFields = USDM, streams: tuple[RawStreamKind, ...] = ALL
    ) -> pl.DataFrame:
        path = path / "recording.txt"
        path.write_text("\n".join(lines) + "\n")
        return binance_raw(path, streams=streams).load(instrument)

    def problem(self, path: Path, *lines: str, instrument: InstrumentFields = USDM) -> DataError:
        with pytest.raises(DataError) as caught:
            self.load(path, *lines, instrument=instrument)
        return caught.value

    def test_futures_updates_wait_for_their_snapshot(self, tmp_path: Path) -> None:
        events = self.load(
            tmp_path,
            self.depth(1, 1, 5, 0, b=[["9.0", "1.000"]]),
            self.depth(2, 8, 12, 5, b=[["10.0", "3.000"]], a=[["11.0", "0.000"]]),
            self.snapshot(3, 10),
            self.depth(4, 14, 15, 12, a=[["12.0", "5.000"]]),
        )
        assert events.select("arrival_time_ns", "flags", "a", "b").rows() == [
            (3 * MS, 1 | 4, 1000, 1000),
            (3 * MS, 2 | 8, 1100, 2000),
            (3 * MS, 1, 1000, 3000),
            (3 * MS, 2 | 8, 1100, 0),
            (4 * MS, 2 | 8, 1200, 5000),
        ]

    @pytest.mark.parametrize(
        ("numbers", "gap"),
        [
            ([(9, 10, 8), (11, 12, 10)], False),
            ([(12, 13, 10)], False),
            ([(12, 13, 11)], True),
            ([(9, 11, 8), (13, 14, 12)], True),
        ],
    )
    def test_futures_gaps(self, numbers: list[tuple[int, int, int]], gap: bool, tmp_path: Path) -> None:
        level = [["9.0", "1.000"]]
        updates = [self.depth(at, *ids, b=level) for at, ids in enumerate(numbers, 2)]
        if gap:
            error = self.problem(tmp_path, self.snapshot(1, 10), *updates)
            assert (error.code, f"row {len(numbers) + 1}:" in error.message) == ("book_gap", True)
        else:
            assert self.load(tmp_path, self.snapshot(1, 10), *updates).height == 2 + len(numbers)

    @pytest.mark.parametrize(
        ("numbers", "rows", "gap"),
        [
            ([(8, 10), (11, 12)], 1, False),
            ([(9, 12), (13, 14)], 2, False),
            ([(12, 13)], 0, True),
            ([(11, 12), (14, 15)], 0, True),
        ],
    )
    def test_spot_gaps(self, numbers: list[tuple[int, int]], rows: int, gap: bool, tmp_path: Path) -> None:
        level = [["9.0", "1.000"]]
        lines = [self.snapshot(1, 10), *(self.depth(at, *ids, b=level) for at, ids in enumerate(numbers, 2))]
        if gap:
            assert self.problem(tmp_path, *lines, instrument=self.SPOT).code == "book_gap"
        else:
            assert self.load(tmp_path, *lines, instrument=self.SPOT).height == 2 + rows

    def test_a_book_needs_a_snapshot(self, tmp_path: Path) -> None:
        error = self.problem(tmp_path, self.trade(), self.depth(2, 1, 2, 0, b=[["9.0", "1.000"]]))
        assert (error.code, "no depth snapshot" in error.message) == ("book_gap", True)

    def test_a_missing_frame_of_a_recording(self, tmp_path: Path, recorded: Path) -> None:
        with gzip.open(recorded / "binance-raw/usdm/btcusdt_20240808.gz", "rt") as file:
            lines = file.read().splitlines()[:2000]
        missing = next(at for at, line in enumerate(lines) if at > 500 and "@depth" in line)
        (tmp_path / "cut.txt").write_text("\n".join(lines[:missing] + lines[missing + 1 :]))
        with pytest.raises(DataError, match=r"\[book_gap\]"):
            binance_raw(tmp_path / "cut.txt", streams=ALL, align=True).load(self.USDM)
        assert binance_raw(tmp_path / "cut.txt", align=True).load(self.USDM).height > 1500

    def test_other_symbols_and_streams_are_skipped_and_counted(self, tmp_path: Path) -> None:
        (tmp_path / "r.txt").write_text(
            "\n".join([self.trade(), self.trade(2, 1, symbol="ethusdt"), '3 {"result":null}'])
        )
        stream = binance_raw(tmp_path / "r.txt")
        assert stream.load(self.USDM).height == 1
        assert stream.report is not None
        assert stream.report.skipped_frames == {"ethusdt@trade": 1, "other": 1}
        assert stream.report.symbols == ("BTCUSDT", "ETHUSDT")
        error = self.problem(tmp_path, self.trade(), self.trade(2, 1, symbol="ethusdt"), self.snapshot(3, 1))
        assert (error.code, "names no symbol" in error.message) == ("bad_setting", True)
        error = self.problem(tmp_path, self.trade(symbol="ethusdt"))
        assert (error.code, error.hint) == ("empty_data", "symbols in it: ETHUSDT")

    def test_microseconds(self, tmp_path: Path) -> None:
        at = 1_723_161_256_322_000
        line = self.trade(at).replace(f"{at * MS} ", f"{at * 1000 + 5} ")
        assert self.load(tmp_path, line).select("venue_time_ns", "arrival_time_ns").row(0) == (at * 1000, at * 1000 + 5)

    def test_bad_values(self, tmp_path: Path) -> None:
        error = self.problem(tmp_path, self.trade(1, 5, "-1.0"), self.trade(2, 5, "1.001"), self.trade(1, 6))
        assert "[negative_value] price is not above zero" in str(error)
        assert "[off_grid] price is not on the grid of steps of 0.1: " in str(error)
        assert "[repeated_trade_id]" in str(error)
        assert "[unsorted_rows]" in str(error)

    def test_broken_lines(self, tmp_path: Path) -> None:
        good = self.trade()
        for bad, words in (
            (good[:-10], "row 2: Input data was truncated"),
            ('7 {"stream":"btcusdt@trade","data":{"T":1}}', "row 2: Object missing required field `t`"),
            ("now " + good, "row 2: b'now' is not a receive time"),
            ("", "row 2: b'.*' is not a receive time"),
        ):
            with pytest.raises(DataError, match=words) as caught:
                self.load(tmp_path, good, bad)
            assert caught.value.code == "unreadable_file"

    def test_truncated_and_empty_files(self, tmp_path: Path) -> None:
        whole = gzip.compress("\n".join(self.trade(at, at) for at in range(1, 5000)).encode())
        (tmp_path / "r.gz").write_bytes(whole[: len(whole) // 2])
        stream = binance_raw(tmp_path / "r.gz")
        with pytest.warns(TradewindWarning, match="r.gz ends within a frame"):
            assert 1_000 < stream.load(self.USDM).height < 4_000
        assert stream.report is not None and stream.report.cut_off == (str(tmp_path / "r.gz"),)
        for content in (b"", gzip.compress(b"")):
            (tmp_path / "r.gz").write_bytes(content)
            with pytest.raises(DataError, match=r"\[empty_data\]"):
                binance_raw(tmp_path / "r.gz").load(self.USDM)
        with pytest.raises(DataError, match="does not exist"):
            binance_raw(tmp_path / "none.gz").load(self.USDM)
        with pytest.raises(DataError, match="bad_setting"):
            binance_raw(tmp_path / "r.gz", streams=["kline"])  # type: ignore[list-item]
        with pytest.raises(DataError, match="no file is named"):
            binance_raw([])
