"""Mark prices and funding payments from tables, and what a position pays for them."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradewind as tw
from tradewind.data import FORM, Stream, funding, marks
from tradewind.errors import DataError
from tradewind.instruments import InstrumentFields

Define = Callable[..., InstrumentFields]
Reader = Callable[..., Stream]

COMMON = {"d": 0, "e": 0, "interval_ns": 0}
MARKS = pl.DataFrame({"time": [1_000, 2_000, 2_000, 3_000], "price": ["100.5", "100.51", "100", "99.97"]})
RATES = pl.DataFrame({"time": [1_000, 2_000, 3_000], "rate": ["0.0001", "-0.00004062", "0"]})


@pytest.fixture(scope="module")
def perpetual(define: Define) -> InstrumentFields:
    """A perpetual with a tick of 0.5 and prices of two decimals."""
    return define(
        kind="linear_perpetual", tick="0.5", price_decimals=2, initial_margin="0.01", maintenance_margin="0.005"
    )


def events(kind: int, times: list[int], values: list[int]) -> pl.DataFrame:
    columns = {"venue_time_ns": times, "arrival_time_ns": times, "kind": kind, "flags": 0, "a": values, "b": 0, "c": 0}
    return pl.DataFrame(columns | COMMON, schema=FORM)


MARK_EVENTS = events(1, [1_000, 2_000, 2_000, 3_000], [10050, 10051, 10000, 9997])
FUNDING_EVENTS = events(0, [1_000, 2_000, 3_000], [100_000, -40_620, 0])
BOTH = pytest.mark.parametrize(
    ("read", "table", "expected"),
    [(marks, MARKS, MARK_EVENTS), (funding, RATES, FUNDING_EVENTS)],
    ids=["marks", "funding"],
)


def problem(stream: Stream, instrument: InstrumentFields) -> DataError:
    with pytest.raises(DataError) as caught:
        stream.load(instrument)
    with pytest.raises(DataError):
        list(stream.chunks(instrument, 2))
    return caught.value


def rounded(stream: Stream) -> int:
    assert stream.report is not None
    return stream.report.rounded_values


@BOTH
class TestBoth:
    def test_sources(
        self, read: Reader, table: pl.DataFrame, expected: pl.DataFrame, perpetual: InstrumentFields, tmp_path: Path
    ) -> None:
        table.write_csv(tmp_path / "t.csv")
        table.write_parquet(tmp_path / "t.parquet")
        table.write_ipc(tmp_path / "t.feather")
        floats = table.with_columns(pl.col(table.columns[1]).cast(pl.Float64))
        plain = {name: floats[name].to_list() for name in floats.columns}
        files = [tmp_path / f"t.{name}" for name in ("csv", "parquet", "feather")]
        for source in (*files, table, floats, floats.lazy(), pd.DataFrame(plain), pa.table(plain)):
            stream = read(source, time_unit="ns")
            assert stream.load(perpetual).equals(expected), source
            assert rounded(stream) == 0
            for rows in (1, 3):
                assert pl.concat(stream.chunks(perpetual, rows)).equals(expected)

    def test_without_a_header_and_continued(
        self, read: Reader, table: pl.DataFrame, expected: pl.DataFrame, perpetual: InstrumentFields, tmp_path: Path
    ) -> None:
        table[:2].write_csv(tmp_path / "a.csv", include_header=False)
        table[2:].write_csv(tmp_path / "b.csv", include_header=False)
        columns = {name: place for place, name in enumerate(table.columns)}
        stream = read([tmp_path / "a.csv", tmp_path / "b.csv"], columns, time_unit="ns", header=False)
        assert stream.load(perpetual).equals(expected)

    def test_times(
        self, read: Reader, table: pl.DataFrame, expected: pl.DataFrame, perpetual: InstrumentFields
    ) -> None:
        """Latency, arrivals, alignment and sorting are those of all tables."""
        late = read(table, time_unit="ns", latency_ns=7).load(perpetual)
        assert (late["arrival_time_ns"] - late["venue_time_ns"] == 7).all()
        received = table.with_columns(arrival=pl.col("time") - 5)
        error = problem(read(received, time_unit="ns"), perpetual)
        assert (error.code, "by 5 ns or more" in error.hint) == ("arrival_before_venue_time", True)
        aligned = read(received, time_unit="ns", align=True, minimum_latency_ns=3)
        assert (aligned.load(perpetual)["arrival_time_ns"] - expected["venue_time_ns"] == 3).all()
        assert pl.concat(aligned.chunks(perpetual, 1)).equals(aligned.load(perpetual))
        mixed = table.reverse()
        assert problem(read(mixed, time_unit="ns"), perpetual).code == "unsorted_rows"
        ordered = read(mixed, time_unit="ns", sort=True).load(perpetual)
        assert ordered["venue_time_ns"].to_list() == expected["venue_time_ns"].to_list()
        assert problem(read(table), perpetual).code == "missing_setting"

    def test_what_is_missing_or_no_number(
        self, read: Reader, table: pl.DataFrame, expected: pl.DataFrame, perpetual: InstrumentFields
    ) -> None:
        value = table.columns[1]
        bad = pl.DataFrame({"time": [1, 2, 3, 4], value: [0.5, float("nan"), None, float("inf")]})
        error = problem(read(bad, time_unit="ns"), perpetual)
        assert error.code == "not_a_number"
        assert error.message == f"{value} is missing or not a number: data frame row 2: NaN; row 3: None; row 4: inf"
        words = table.with_columns(pl.Series(value, ["0.5", "x", "", "NaN"][: table.height]))
        assert problem(read(words, time_unit="ns"), perpetual).code == "not_a_number"
        huge = table.with_columns(pl.Series(value, ["1", "1e30", "1", "1"][: table.height]))
        assert problem(read(huge, time_unit="ns"), perpetual).code == "out_of_range"
        no_time = table.with_columns(time=pl.Series([1, None, 3, 4][: table.height]))
        assert problem(read(no_time, time_unit="ns"), perpetual).code == "wrong_type"
        for name in table.columns:
            error = problem(read(table.drop(name), time_unit="ns"), perpetual)
            assert (error.code, f"has no column '{name}'" in error.message) == ("missing_column", True)
        assert problem(read(table[:0], time_unit="ns"), perpetual).code == "empty_data"
        wrong = table.with_columns(pl.lit(value=True).alias(value))
        assert problem(read(wrong, time_unit="ns"), perpetual).code == "wrong_type"
        error = problem(read(table, {"quantity": value}, time_unit="ns"), perpetual)
        assert (error.code, error.hint) == ("bad_setting", f"our names are time, arrival, {value}")


class TestMarks:
    def test_marks_are_on_decimals_not_on_the_tick(self, perpetual: InstrumentFields) -> None:
        values = ["100.01", "100.004999999999999999999", "100.005", "100.01499", "61800.25734221"]
        for series in (pl.Series(values), pl.Series([float(value) for value in values])):
            frame = pl.DataFrame({"time": range(5), "price": series})
            stream = marks(frame, time_unit="ns")
            # The shortest decimal of the second as a float is 100.005.
            second = 10000 if series.dtype == pl.String else 10001
            assert stream.load(perpetual)["a"].to_list() == [10001, second, 10001, 10001, 6180026]
            assert rounded(stream) == 4
            assert stream.report is not None
            assert stream.report.off_step_values == 0

    def test_more_decimals_hold_marks_exactly(self, define: Define) -> None:
        fine = define(tick="0.5", price_decimals=8)
        stream = marks(pl.DataFrame({"time": [1], "price": [61800.25734221]}), time_unit="ns")
        assert stream.load(fine)["a"].to_list() == [6180025734221]
        assert rounded(stream) == 0

    @given(st.lists(st.decimals("0.01", 10**6, places=6), min_size=1))
    def test_floats_are_rounded_as_their_decimals(self, values: list[Decimal]) -> None:
        one = InstrumentFields(
            venue="test", symbol="X", kind="spot", base="X", quote="USD", tick="0.5", lot="1", price_decimals=3,
            minimum_quantity="1", minimum_notional="0", maker_fee="0", taker_fee="0",
        )  # fmt: skip
        expected = [(Fraction(value) * 1000 + Fraction(1, 2)).__floor__() for value in values]
        for series in (pl.Series([str(value) for value in values]), pl.Series([float(value) for value in values])):
            stream = marks(pl.DataFrame({"time": range(len(values)), "price": series}), time_unit="ns")
            assert stream.load(one)["a"].to_list() == expected
            assert rounded(stream) == sum(value % Decimal("0.001") != 0 for value in values)

    def test_marks_are_above_zero(self, perpetual: InstrumentFields) -> None:
        frame = pl.DataFrame({"time": [1, 2, 3, 4], "price": [0.006, -1.0, 0.0, 0.004]})
        error = problem(marks(frame, time_unit="ns"), perpetual)
        assert error.code == "negative_value"
        assert error.message.endswith("with 2 decimals: data frame row 2: -1.0; row 3: 0.0; row 4: 0.004")

    def test_a_price_beside_a_mark_price_is_not_guessed(self, perpetual: InstrumentFields) -> None:
        frame = MARKS.rename({"price": "markPrice"})
        assert marks(frame, time_unit="ns").load(perpetual).equals(MARK_EVENTS)
        # As Tardis has them.
        ticker = frame.rename({"markPrice": "mark_price"}).with_columns(last_price=pl.lit(1.0), index_price=pl.lit(2.0))
        assert marks(ticker, time_unit="ns").load(perpetual).equals(MARK_EVENTS)
        both = frame.with_columns(price=pl.lit(1.0))
        error = problem(marks(both, time_unit="ns"), perpetual)
        assert (error.code, "'price' or 'markPrice'" in error.message) == ("missing_setting", True)
        assert marks(both, {"price": "markPrice"}, time_unit="ns").load(perpetual).equals(MARK_EVENTS)

    def test_the_close_of_a_bar_is_not_known_at_its_open(self, perpetual: InstrumentFields) -> None:
        bars = pl.DataFrame({"open_time": [0, 60], "close": [100.0, 101.0], "close_time": [60, 120]})
        error = problem(marks(bars, {"price": "close"}, time_unit="s"), perpetual)
        assert error.code == "missing_setting"
        assert error.message == "data frame holds bars, whose prices are not known at 'open_time'"
        loaded = marks(bars, {"price": "close", "time": "close_time"}, time_unit="s").load(perpetual)
        assert loaded["venue_time_ns"].to_list() == [60 * 10**9, 120 * 10**9]


class TestFunding:
    def test_names_of_venues(self, perpetual: InstrumentFields) -> None:
        for time, rate in (("fundingTime", "fundingRate"), ("calc_time", "last_funding_rate")):
            frame = RATES.rename({"time": time, "rate": rate}).with_columns(symbol=pl.lit("X"), markPrice=pl.lit("1"))
            assert funding(frame, time_unit="ns").load(perpetual).equals(FUNDING_EVENTS)

    def test_rates_of_more_than_nine_decimals_are_rounded_and_counted(self, perpetual: InstrumentFields) -> None:
        texts = ["0.0001000005", "-0.0001000005", "0.00010000049", "1e-9", "-1e-10", "0.000100001"]
        for series in (pl.Series(texts), pl.Series([float(text) for text in texts])):
            stream = funding(pl.DataFrame({"time": range(6), "rate": series}), time_unit="ns")
            assert stream.load(perpetual)["a"].to_list() == [100_001, -100_000, 100_000, 1, 0, 100_001]
            assert rounded(stream) == 4
        assert "rounded_values 4" in str(stream.report)

    def test_rates_are_fractions(self, perpetual: InstrumentFields) -> None:
        frame = pl.DataFrame({"time": [1, 2, 3, 4], "rate": ["1", "-1", "1.000000001", "-61800"]})
        error = problem(funding(frame, time_unit="ns"), perpetual)
        assert str(error) == (
            "[out_of_range] rate is more than the whole value of a position: data frame row 3: 1.000000001; "
            "row 4: -61800\nhint: rates are fractions: 0.0001 for 0.01 %"
        )

    def test_a_payment_is_there_once(self, perpetual: InstrumentFields) -> None:
        frame = pl.concat([RATES, RATES[2:]])
        for sort in (False, True):
            for rows in (1, 2, 10):
                stream = funding(frame, time_unit="ns", sort=sort)
                with pytest.raises(DataError, match="together with the one before: data frame row 4") as caught:
                    list(stream.chunks(perpetual, rows))
                assert caught.value.code == "unsorted_rows"

    def test_spot_has_none(self, instrument: InstrumentFields) -> None:
        assert problem(funding(RATES, time_unit="ns"), instrument).code == "bad_setting"

    @pytest.mark.parametrize("name", ["adausdt", "btcusd"])
    def test_recorded_rates(self, name: str, recorded: Path, perpetual: InstrumentFields) -> None:
        path = recorded / f"bars/lean/cryptofuture/binance/margin_interest/{name}.csv"
        with path.open() as file:
            rows = list(csv.reader(file))
        form = {"time_format": "%Y%m%d %H:%M:%S", "zone": "UTC"}
        stream = funding(path, {"time": 0, "rate": 1}, header=False, **form)
        loaded = stream.load(perpetual)
        at = [dt.datetime.strptime(time, form["time_format"]).replace(tzinfo=dt.UTC) for time, _ in rows]
        times = [int(time.timestamp()) * 10**9 for time in at]
        assert loaded.equals(events(0, times, [int(Decimal(rate).scaleb(9)) for _, rate in rows]))
        assert pl.concat(stream.chunks(perpetual, 5)).equals(loaded)
        assert rounded(stream) == 0
        floats = pl.DataFrame({"time": at, "rate": [float(rate) for _, rate in rows]})
        assert funding(floats).load(perpetual).equals(loaded)


START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def second(*places: float) -> list[dt.datetime]:
    return [START + dt.timedelta(seconds=place) for place in places]


class Holds(tw.Strategy):
    """Holds a position from the first trade on, and remembers the marks and payments that it saw."""

    quantity: float = tw.param(1.0)

    def on_start(self, ctx: tw.Context) -> None:
        self.what = ctx.instruments[0]
        self.seen: list[tuple[float, str, float]] = []
        ctx.subscribe(self.what.trades, self.what.marks, self.what.funding)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        ctx.target(self.what, self.quantity)

    def on_mark(self, ctx: tw.Context, mark: tw.Mark) -> None:
        self.seen.append(((ctx.now - START).total_seconds(), "mark", mark.price))

    def on_funding(self, ctx: tw.Context, payment: tw.Funding) -> None:
        self.seen.append(((ctx.now - START).total_seconds(), "funding", payment.rate))


@pytest.mark.parametrize("quantity", ["2.345", "-0.777"])
@pytest.mark.parametrize("chunk_rows", [None, 1])
def test_a_position_pays_what_one_computes_by_hand(quantity: str, chunk_rows: int | None) -> None:
    perpetual = InstrumentFields(
        venue="my", symbol="COIN", kind="linear_perpetual", base="COIN", quote="USDT", tick="0.5", lot="0.001",
        price_decimals=4, minimum_quantity="0.001", minimum_notional="5", maker_fee="0.0002", taker_fee="0.0005",
        initial_margin="0.05", maintenance_margin="0.02",
    )  # fmt: skip
    trades = pl.DataFrame({"time": second(*range(1, 20)), "price": [100.0] * 19, "quantity": [10.0] * 19})
    prices = pl.DataFrame(
        {"time": second(0, 3, 8, 11, 16), "mark_price": ["100.1", "100.26715", "101.23456789", "99.99995", "98"]}
    )
    # The position is not there yet at the first; the third is due with a mark of 99.99995, and comes before it.
    rates = pl.DataFrame(
        {"time": second(0.5, 9, 11, 15), "rate": ["0.01", "0.000123456789", "-0.0003751234567", "0.00010000"]}
    )
    data = {perpetual.name: [tw.trades(trades), tw.marks(prices), tw.funding(rates, latency_ns=250_000_000)]}
    loaded = tw.load(data, [perpetual], chunk_rows=chunk_rows)
    assert [report.rpartition("; ")[2] for report in loaded.reports[1:]] == ["rounded_values 3", "rounded_values 2"]
    strategy = Holds(quantity=float(quantity))
    venues = {"my": tw.Simulated(latency="20ms")}
    result = tw.backtest(strategy, data=loaded, balances={"USDT": 10_000}, venues=venues)
    assert result.fills["quantity"].sum() == abs(Decimal(quantity)).__float__()

    # Marks with four decimals, rates with nine.
    due = [
        (9, Decimal("101.2346"), Decimal("0.000123457")),
        (11, Decimal("101.2346"), Decimal("-0.000375123")),
        (15, Decimal("100.0000"), Decimal("0.000100000")),
    ]
    expected = [
        (
            second(place)[0],
            (-mark * Decimal(quantity) * rate).quantize(Decimal("1e-8"), ROUND_HALF_EVEN),
        )
        for place, mark, rate in due
    ]
    posted: list[tuple[Any, Decimal]] = [
        (row["time"], row["amount"] if row["from"] == "funding" else -row["amount"])
        for row in result.ledger.iter_rows(named=True)
        if "funding" in (row["from"], row["to"])
    ]
    assert posted == expected
    fees = sum(result.fills["fee"].to_list())
    [wallet] = [Decimal(row["wallet"]) for row in result.metrics["assets"] if row["asset"] == "USDT"]
    assert wallet == 10_000 - fees + sum(amount for _, amount in expected)
    [position] = result.metrics["instruments"]
    assert (position["mark"], position["mark_source"]) == (98.0, "mark_price")
