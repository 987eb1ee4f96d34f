"""Tables of trades and quotes: sources, checks, order, alignment, chunks."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.data import FORM, Stream, bars, binance_raw, quotes, trades
from tradewind.errors import DataError
from tradewind.instruments import InstrumentFields

Define = Callable[..., InstrumentFields]

TRADES = pl.DataFrame(
    {
        "time": [1_000, 2_000, 2_000, 3_000],
        "price": [100.5, 101.0, 101.0, 100.0],
        "quantity": [0.001, 2.0, 2.0, 0.5],
        "id": [7, 8, 9, 12],
        "side": ["buy", "SELL", "Sell", None],
    }
)
EVENTS = pl.DataFrame(
    {
        "venue_time_ns": [1_000, 2_000, 2_000, 3_000],
        "arrival_time_ns": [1_000, 2_000, 2_000, 3_000],
        "kind": 4,
        "flags": [1, 2, 2, 0],
        "a": [1005, 1010, 1010, 1000],
        "b": [1, 2000, 2000, 500],
        "c": [7, 8, 9, 12],
        "d": 0,
        "e": 0,
        "interval_ns": 0,
    },
    schema=FORM,
)


def problem(stream: Stream, instrument: InstrumentFields) -> DataError:
    with pytest.raises(DataError) as caught:
        stream.load(instrument)
    with pytest.raises(DataError):
        list(stream.chunks(instrument, 2))
    return caught.value


def changed(**columns: Any) -> pl.DataFrame:
    return TRADES.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "trades.parquet": lambda frame, path: frame.write_parquet(path),
    "trades.csv": lambda frame, path: frame.write_csv(path),
    "trades.csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())),
    "trades.feather": lambda frame, path: frame.write_ipc(path),
    "trades.arrow": lambda frame, path: frame.write_ipc(path, compression="zstd"),
}


class TestSources:
    @pytest.mark.parametrize("name", WRITERS)
    def test_files(self, name: str, tmp_path: Path, instrument: InstrumentFields) -> None:
        WRITERS[name](TRADES, tmp_path / name)
        stream = trades(tmp_path / name, time_unit="ns")
        assert stream.load(instrument).equals(EVENTS)
        assert pl.concat(stream.chunks(instrument, 3)).equals(EVENTS)
        assert stream.report is not None
        assert (stream.report.rows, stream.report.assumed_arrivals) == (4, 4)

    @pytest.mark.parametrize(
        "source",
        [
            TRADES,
            TRADES.lazy(),
            pd.DataFrame({name: TRADES[name].to_list() for name in TRADES.columns}),
            pd.DataFrame({name: TRADES[name].to_list() for name in TRADES.columns}).set_index("time"),
            pa.table({name: TRADES[name].to_list() for name in TRADES.columns}),
        ],
        ids=["polars", "lazy", "pandas", "pandas index", "pyarrow"],
    )
    def test_frames(self, source: Any, instrument: InstrumentFields) -> None:
        assert trades(source, time_unit="ns").load(instrument).equals(EVENTS)

    def test_files_that_continue_each_other(self, tmp_path: Path, instrument: InstrumentFields) -> None:
        TRADES[:3].write_csv(tmp_path / "a.csv")
        TRADES[3:].write_parquet(tmp_path / "b.parquet")
        stream = trades([tmp_path / "a.csv", str(tmp_path / "b.parquet")], time_unit="ns")
        assert stream.load(instrument).equals(EVENTS)
        assert pl.concat(stream.chunks(instrument, 2)).equals(EVENTS)
        backwards = trades([tmp_path / "b.parquet", tmp_path / "a.csv"], time_unit="ns")
        error = problem(backwards, instrument)
        assert error.code == "unsorted_rows"
        assert "a.csv row 1: 1970-01-01 00:00:00.000001" in error.message

    def test_csv_without_a_header(self, tmp_path: Path, instrument: InstrumentFields) -> None:
        TRADES.write_csv(tmp_path / "t.csv", include_header=False)
        columns: dict[str, str | int] = {"time": 0, "price": 1, "quantity": 2, "id": 3, "side": 4}
        stream = trades(tmp_path / "t.csv", columns, time_unit="ns", header=False)
        assert stream.load(instrument).equals(EVENTS)

    def test_text_is_exact_where_floats_are_not(self, tmp_path: Path, define: Define) -> None:
        (tmp_path / "t.csv").write_text("time,price,quantity\n0,123456789012.123456,1\n")
        fine = define(tick="0.000001", lot="1", minimum_quantity="1")
        assert trades(tmp_path / "t.csv", time_unit="ns").load(fine)["a"].to_list() == [123456789012123456]


class TestUnreadable:
    def check(self, source: Any, code: str, words: str, instrument: InstrumentFields) -> None:
        with pytest.raises(DataError, match=words) as caught:
            trades(source, time_unit="ns").load(instrument)
        assert caught.value.code == code
        with pytest.raises(DataError, match=words):
            list(trades(source, time_unit="ns").chunks(instrument))

    @pytest.mark.parametrize("name", ["trades.parquet", "trades.csv.gz", "trades.feather"])
    def test_truncated(self, name: str, tmp_path: Path, instrument: InstrumentFields) -> None:
        many = pl.concat([TRADES.drop("id")] * 1000)
        WRITERS[name](many, tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        for share in (0.1, 0.5, 0.99):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
            self.check(tmp_path / name, "unreadable_file", "cannot be read", instrument)

    def test_a_csv_cut_within_a_row(self, tmp_path: Path, instrument: InstrumentFields) -> None:
        (tmp_path / "t.csv").write_text("time,price,quantity\n1,100,1\n2,100")
        self.check(tmp_path / "t.csv", "not_a_number", "t.csv row 2", instrument)

    @pytest.mark.parametrize("name", WRITERS)
    def test_empty(self, name: str, tmp_path: Path, instrument: InstrumentFields) -> None:
        WRITERS[name](TRADES[:0], tmp_path / name)
        self.check(tmp_path / name, "empty_data", "holds no rows", instrument)
        (tmp_path / name).write_bytes(b"")
        self.check(tmp_path / name, "empty_data", "is an empty file", instrument)

    def test_not_there(self, tmp_path: Path, instrument: InstrumentFields) -> None:
        TRADES.write_csv(tmp_path / "trades.csv")
        self.check(tmp_path / "trade.csv", "unreadable_file", r"does not exist\nhint: did you mean", instrument)
        self.check(tmp_path, "unreadable_file", "is a folder", instrument)
        (tmp_path / "trades.xlsx").write_text("?")
        self.check(tmp_path / "trades.xlsx", "wrong_type", "kind of file is not known", instrument)
        self.check(5, "wrong_type", "cannot be read from int 5", instrument)
        self.check([], "wrong_type", "cannot be read from list", instrument)


class TestChecks:
    def test_many_mistakes_at_once(self, instrument: InstrumentFields) -> None:
        bad = changed(
            time=[1000, 900, 2000, 3000],
            price=[100.5, -1.0, 0.0, 100.3],
            quantity=[-1.0, None, 1.0, 2.0],
            id=[7, 8, 8, 9],
        )
        error = problem(trades(bad, time_unit="ns"), instrument)
        assert str(error).splitlines()[:-1] == [
            "[off_grid] price is not on the grid of steps of 0.5: data frame row 4: 100.3",
            "also [negative_value] price is not above zero: data frame row 2: -1.0; row 3: 0.0",
            "also [not_a_number] quantity is missing or not a number: data frame row 2: None",
            "also [negative_value] quantity is negative: data frame row 1: -1.0",
            "also [repeated_trade_id] trade id occurs for the second time: data frame row 3: 8",
            "also [unsorted_rows] row is earlier than the one before: "
            "data frame row 2: 1970-01-01 00:00:00.000000900 UTC",
        ]

    @pytest.mark.parametrize("sort", [False, True])
    def test_times_none_of_which_can_be_read(self, sort: bool, instrument: InstrumentFields) -> None:
        frame = pl.DataFrame({"time": ["01/02/2024 00:00"] * 2, "price": 100.5, "quantity": 1.0})
        stream = trades(frame, zone="UTC", sort=sort)
        for load in (stream.load, lambda one: list(stream.chunks(one, 1))):
            with pytest.raises(DataError, match=r"time is not a time that exists.* row 1: 01/02/2024 00:00") as caught:
                load(instrument)
            assert caught.value.code == "wrong_type" and "time_format=" in caught.value.hint

    @pytest.mark.parametrize(("label", "latency_ns"), [("start", 0), ("end", 5)])
    def test_a_bar_out_of_order_is_named_by_the_time_in_its_row(
        self, label: Any, latency_ns: int, instrument: InstrumentFields
    ) -> None:
        prices = dict.fromkeys(("open", "high", "low", "close"), 100.5)
        frame = pl.DataFrame({"time": ["2024-01-01 00:05", "2024-01-01 00:02"], **prices, "volume": 1.0})
        stream = bars(frame, interval="1m", label=label, zone="UTC", latency_ns=latency_ns)
        assert "data frame row 2: 2024-01-01 00:02:00" in problem(stream, instrument).message

    def test_what_is_neither_true_nor_false_does_not_align(self) -> None:
        wrong: Any = "1ms"
        for make, source in ((trades, TRADES), (binance_raw, "btcusdt.gz")):
            with pytest.raises(DataError, match="align = '1ms': must be True or False"):
                make(source, align=wrong)

    def test_five_rows_of_a_kind_are_named_and_all_are_counted(self, instrument: InstrumentFields) -> None:
        frame = pl.DataFrame({"time": range(100), "price": -1.0, "quantity": 1.0})
        with pytest.raises(DataError, match=r"row 4: -1.0; row 5: -1.0 \(100 rows in all\)"):
            trades(frame, time_unit="ns").load(instrument)

    def test_equal_rows_without_ids_are_kept(self, instrument: InstrumentFields) -> None:
        for frame in (TRADES.drop("id"), changed(id=[None, None, 0, 0]), changed(id=["", "", None, ""])):
            assert trades(frame, time_unit="ns").load(instrument)["c"].to_list() == [0] * 4

    def test_ids_that_are_text(self, instrument: InstrumentFields) -> None:
        stream = trades(changed(id=["a-1", "a-2", "a-3", "4"]), time_unit="ns")
        assert stream.load(instrument)["c"].to_list() == [0] * 4
        assert stream.report is not None
        assert stream.report.text_ids == 4
        error = problem(trades(changed(id=["a-1", "a-2", "a-3", "a-1"]), time_unit="ns"), instrument)
        assert (error.code, "row 4: a-1" in error.message) == ("repeated_trade_id", True)

    @given(ids=st.lists(st.integers(1, 60), min_size=1, max_size=40), rows=st.integers(1, 7))
    def test_repeated_ids_across_chunks(self, ids: list[int], rows: int, define: Define) -> None:
        frame = pl.DataFrame({"time": range(len(ids)), "price": 1.0, "quantity": 1.0, "id": ids})
        stream = trades(frame, time_unit="ns")
        if len(set(ids)) == len(ids):
            assert pl.concat(stream.chunks(define(), rows))["c"].to_list() == ids
        else:
            with pytest.raises(DataError, match="repeated_trade_id"):
                list(stream.chunks(define(), rows))
            seconds = [at + 1 for at, number in enumerate(ids) if number in ids[:at]]
            with pytest.raises(DataError, match="; ".join(f"row {row}: .*" for row in seconds[:5])):
                stream.load(define())

    def test_sides(self, instrument: InstrumentFields) -> None:
        for values in (["True", "false", "FALSE", None], [True, False, False, None], [1, 0, 0, None]):
            frame = TRADES.drop("side").with_columns(buyer_maker=pl.Series(values, strict=False))
            assert trades(frame, time_unit="ns").load(instrument)["flags"].to_list() == [2, 1, 1, 0]
        assert trades(TRADES.drop("side"), time_unit="ns").load(instrument)["flags"].to_list() == [0] * 4
        error = problem(trades(changed(side=["buy", "up", "sell", "sell"]), time_unit="ns"), instrument)
        assert (error.code, "row 2: up" in error.message) == ("wrong_type", True)
        error = problem(trades(TRADES.with_columns(buyer_maker=True), time_unit="ns"), instrument)
        assert error.code == "missing_setting"

    def test_missing_columns(self, instrument: InstrumentFields) -> None:
        error = problem(trades(TRADES.rename({"price": "prise", "time": "tim"}), time_unit="ns"), instrument)
        assert error.code == "missing_column"
        assert 'columns={"price": "prise"}' in error.hint
        error = problem(trades(TRADES.drop("time"), time_unit="ns"), instrument)
        assert error.message.startswith("data frame has no column 'time'")

    def test_settings(self, define: Define) -> None:
        for settings in (
            {"rounding": "up"}, {"grid": "tick"}, {"latency_ns": -1}, {"minimum_latency_ns": 5}, {"time_unit": "m"},
        ):  # fmt: skip
            with pytest.raises(DataError, match="bad_setting"):
                trades(TRADES, **settings)
        with pytest.raises(DataError, match="bad_setting"):
            next(trades(TRADES, time_unit="ns").chunks(define(), 0))


class TestTimes:
    def test_unsorted_rows_are_sorted_stably_when_asked(self, instrument: InstrumentFields) -> None:
        mixed = TRADES[[3, 1, 2, 0]]
        assert problem(trades(mixed, time_unit="ns"), instrument).code == "unsorted_rows"
        stream = trades(mixed, time_unit="ns", sort=True)
        assert stream.load(instrument).equals(EVENTS)
        assert pl.concat(stream.chunks(instrument, 3)).equals(EVENTS)

    def test_latency_fills_the_time_that_is_missing(self, instrument: InstrumentFields) -> None:
        events = trades(TRADES, time_unit="ns", latency_ns=500).load(instrument)
        assert (events["arrival_time_ns"] - events["venue_time_ns"]).to_list() == [500] * 4
        received = TRADES.rename({"time": "local_timestamp"})
        stream = trades(received, time_unit="ns", latency_ns=500)
        assert stream.load(instrument)["venue_time_ns"].to_list() == [500, 1500, 1500, 2500]
        assert stream.report is not None
        assert (stream.report.assumed_venue_times, stream.report.latency_ns) == (4, 500)
        error = problem(trades(received, time_unit="ns"), instrument)
        assert (error.code, "latency_ns" in error.hint) == ("missing_setting", True)

    def test_some_rows_lack_a_time(self, instrument: InstrumentFields) -> None:
        frame = TRADES.with_columns(
            time=pl.Series([1000, None, 2000, 3000]), arrival=pl.Series([1100, 1900, None, 3100])
        )
        events = trades(frame, time_unit="ns", latency_ns=50).load(instrument)
        assert events["venue_time_ns"].to_list() == [1000, 1850, 2000, 3000]
        assert events["arrival_time_ns"].to_list() == [1100, 1900, 2050, 3100]
        text = str(problem(trades(frame, time_unit="ns"), instrument))
        assert "[missing_setting] row has no venue time: data frame row 2: 1900" in text
        assert "also [missing_setting] row has no arrival time: data frame row 3: 2000" in text
        both = frame.with_columns(time=pl.Series([1000, None, 2000, 3000]), arrival=pl.Series([1100, None, 2100, 3100]))
        assert problem(trades(both, time_unit="ns", latency_ns=5), instrument).code == "wrong_type"

    def test_late_rows_keep_their_place_and_are_counted(self, instrument: InstrumentFields) -> None:
        frame = TRADES.with_columns(time=pl.Series([1000, 900, 950, 1100]), arrival=pl.Series([1200, 1300, 1300, 1400]))
        for rows in (1, 2, 4):
            stream = trades(frame, time_unit="ns")
            events = pl.concat(stream.chunks(instrument, rows))
            assert events["venue_time_ns"].to_list() == [1000, 900, 950, 1100]
            assert stream.report is not None
            assert stream.report.late_rows == 2

    def test_arrival_before_venue_time_needs_alignment(self, instrument: InstrumentFields) -> None:
        frame = TRADES.with_columns(arrival=pl.Series([900, 1950, 1990, 2700]))
        error = problem(trades(frame, time_unit="ns"), instrument)
        assert error.code == "arrival_before_venue_time"
        assert "row 1: 100; row 2: 50; row 3: 10; row 4: 300" in error.message
        assert "align=True to shift all arrivals (here by 300 ns or more)" in error.hint
        stream = trades(frame, time_unit="ns", align=True, minimum_latency_ns=20)
        events = stream.load(instrument)
        assert events["arrival_time_ns"].to_list() == [1220, 2270, 2310, 3020]
        assert pl.concat(stream.chunks(instrument, 1)).equals(events)
        assert stream.report is not None
        assert stream.report.alignment_shift_ns == 320

    def test_alignment_leaves_a_good_clock_alone(self, instrument: InstrumentFields) -> None:
        frame = TRADES.with_columns(arrival=pl.Series([1100, 2100, 2100, 3100]))
        stream = trades(frame, time_unit="ns", align=True, minimum_latency_ns=100)
        assert stream.load(instrument)["arrival_time_ns"].to_list() == [1100, 2100, 2100, 3100]

    def test_an_unreadable_time_is_told_once(self, instrument: InstrumentFields) -> None:
        error = problem(trades(changed(time=["1", "x", "3", "4"]), time_unit="ns"), instrument)
        assert str(error).splitlines()[0].endswith("data frame row 2: x")
        assert len(str(error).splitlines()) == 2


class TestQuotes:
    FRAME = pl.DataFrame(
        {"time": [1, 2, 3], "bid": [99.5, 100.0, 100.0], "ask": [100.0, 100.0, 100.5], "bid_size": 1.0, "ask_size": 2.0}
    )

    def test_locked_quotes_are_kept_and_counted(self, instrument: InstrumentFields) -> None:
        stream = quotes(self.FRAME, time_unit="ns")
        assert stream.load(instrument).select("kind", "flags", *"abcde").rows() == [
            (3, 0, 995, 1000, 1000, 2000, 0),
            (3, 0, 1000, 1000, 1000, 2000, 0),
            (3, 0, 1000, 1000, 1005, 2000, 0),
        ]
        assert stream.report is not None
        assert stream.report.locked_quotes == 1

    def test_crossed_quotes_are_refused(self, instrument: InstrumentFields) -> None:
        frame = self.FRAME.with_columns(bid=pl.Series([99.5, 101.0, 100.0]))
        error = problem(quotes(frame, time_unit="ns"), instrument)
        assert error.code == "crossed_quote"
        assert error.message == "bid is above ask: data frame row 2: bid 101.0, ask 100.0"

    def test_sizes_are_never_guessed(self, instrument: InstrumentFields) -> None:
        frame = self.FRAME.drop("bid_size", "ask_size")
        assert problem(quotes(frame, time_unit="ns"), instrument).code == "missing_column"
        events = quotes(frame, time_unit="ns", quantity="1.5").load(instrument)
        assert set(events["b"]) | set(events["d"]) == {1500}


def test_streams_say_what_they_are() -> None:
    assert repr(trades("btc.parquet")) == "TradeStream(btc.parquet)"
    assert repr(quotes(TRADES)) == "QuoteStream(DataFrame)"
    assert "btc.gz" in repr(binance_raw("btc.gz"))
