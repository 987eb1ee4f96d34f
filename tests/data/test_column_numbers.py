"""Numbers in columns become exact integers (N1, N2)."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.data.numbers import TOLERANCE, Converter, Grid, GridChoice, Rounding
from tradewind.data.problems import Problems
from tradewind.data.report import LoadReport
from tradewind.errors import DataError


def converter(decimals: int = 2, step: int = 1, rounding: Rounding = None, choice: GridChoice = "step") -> Converter:
    grid = {"price": Grid(decimals, step)}
    return Converter(grid, rounding, choice, Problems(["table"]), LoadReport(("table",)))


def read(convert: Converter, values: pl.Series) -> list[int | None]:
    frame = pl.DataFrame({"file": 0, "row": range(1, len(values) + 1), "x": values})
    return convert.convert(frame, "x", "price").to_list()


def message(convert: Converter) -> str:
    with pytest.raises(DataError) as caught:
        convert.problems.raise_if_any()
    return str(caught.value)


@given(st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=50), st.integers(0, 8))
def test_floats_of_decimals_come_back(units: list[int], decimals: int) -> None:
    convert = converter(decimals)
    floats = [float(Decimal(unit).scaleb(-decimals)) for unit in units]
    assert read(convert, pl.Series(floats)) == units
    assert convert.report.rounded_values == 0


@given(
    st.lists(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9), min_size=1),
    st.integers(0, 12),
    st.sampled_from([1, 5, 10]),
)
def test_text_is_exact(values: list[Decimal], decimals: int, step: int) -> None:
    expected: list[int | None] = []
    for value in values:
        units = Fraction(value) * 10**decimals
        nearest = math.floor(units / step + Fraction(1, 2)) * step
        is_near = abs(units - nearest) <= Fraction(TOLERANCE) * step
        expected.append(nearest if is_near and abs(nearest) < 2**63 else None)
    assert read(converter(decimals, step), pl.Series([str(value) for value in values])) == expected


def test_noise_in_text_is_noise_as_in_floats() -> None:
    texts = pl.Series(["0.00031099999999999997", "18.595075000000003", "0.000311"])
    convert = converter(6)
    assert read(convert, texts) == [311, 18595075, 311]
    assert convert.report.rounded_values == 2


@given(st.lists(st.decimals(places=6, min_value=-1000, max_value=1000), min_size=1), st.sampled_from([1, 5, 10]))
def test_nearest_step_is_the_same_for_text_floats_and_long_text(values: list[Decimal], step: int) -> None:
    expected = [int((Fraction(value) * 100 / step + Fraction(1, 2)).__floor__()) * step for value in values]
    for texts in ([str(value) for value in values], [f"{value}00000000000000000000" for value in values]):
        assert read(converter(2, step, "nearest"), pl.Series(texts)) == expected
    nearly = read(converter(2, step, "nearest"), pl.Series([float(value) for value in values]))
    assert all(got is not None and abs(got - want) <= step for got, want in zip(nearly, expected, strict=True))


def test_a_float_near_a_step_is_that_step_and_is_counted() -> None:
    convert = converter(2, 50)
    assert read(convert, pl.Series([61800.5, 61800.5000004, 61800.4999996, 0.1 + 0.2 + 0.2])) == [6180050] * 3 + [50]
    assert convert.report.rounded_values == 2
    assert read(convert, pl.Series([61800.500001])) == [None]
    assert message(convert) == (
        "[off_grid] x is not on the grid of steps of 0.5: table row 1: 61800.500001\n"
        'hint: was the step another one when these data were made? grid="decimals" keeps finer values that fit the '
        'instrument\'s decimals, rounding="nearest" moves them to the nearest step'
    )


def test_long_text_is_counted_once() -> None:
    convert = converter(2, rounding="nearest")
    assert read(convert, pl.Series(["100.004999999999999999999", None, " 1.005 ", "1.01"])) == [10000, None, 101, 101]
    assert convert.report.rounded_values == 2


def test_finer_values_are_kept_when_asked() -> None:
    for values in (pl.Series([61800.5, 61800.25]), pl.Series(["61800.5", "61800.25"])):
        convert = converter(2, 50, choice="decimals")
        assert read(convert, values) == [6180050, 6180025]
        assert convert.report.off_step_values == 1
        assert read(convert, values[:1].cast(pl.String) + "01") == [None]


def test_noise_on_a_coarse_step_is_noise_on_fine_decimals_too() -> None:
    convert = converter(8, 10**6, choice="decimals")
    assert read(convert, pl.Series([39436.200000000004, 0.12345678])) == [3943620000000, 12345678]
    assert (convert.report.rounded_values, convert.report.off_step_values) == (1, 1)


def test_all_kinds_of_unusable_numbers_are_told_at_once() -> None:
    convert = converter()
    assert read(convert, pl.Series(["1.5", None, "", "abc", "0.001", "1e300", "NaN", "1_0", " 2.5 "])) == [
        150, None, None, None, None, None, None, None, 250,
    ]  # fmt: skip
    text = message(convert)
    assert "[not_a_number] x is missing or not a number: table row 2: None; row 3: ; row 4: abc; row 7: NaN" in text
    assert "also [off_grid] x is not on the grid of steps of 0.01: table row 5: 0.001" in text
    assert "also [out_of_range] x is too large to be held exactly: table row 6: 1e300" in text


def test_floats_that_are_no_numbers() -> None:
    convert = converter()
    assert read(convert, pl.Series([1.0, float("nan"), None, float("inf"), 1e20])) == [100, None, None, None, None]
    text = message(convert)
    assert "[not_a_number] x is missing or not a number: table row 2: nan; row 3: None; row 4: inf" in text
    assert "[out_of_range] x is too large to be held exactly: table row 5: 1e+20" in text


@pytest.mark.parametrize("values", [pl.Series([1e12]), pl.Series(["1e12"]), pl.Series([10**12])])
def test_a_coarse_step_does_not_hide_what_is_too_large(values: pl.Series) -> None:
    convert = converter(8, 10**6)
    assert read(convert, values) == [None]
    assert message(convert).startswith("[out_of_range]")
    assert read(converter(8, 10**6), pl.Series([9e10])) == [9 * 10**18]


def test_other_types_of_numbers() -> None:
    assert read(converter(), pl.Series([3, None])) == [300, None]
    assert read(converter(), pl.Series([2**63 - 1])) == [None]
    assert read(converter(), pl.Series([Decimal("1.25")])) == [125]
    assert read(converter(), pl.Series(["1.25"], dtype=pl.Categorical)) == [125]
    assert read(converter(), pl.Series([0.5], dtype=pl.Float32)) == [50]
    with pytest.raises(DataError, match=r"\[wrong_type\] column 'x' is Boolean"):
        read(converter(), pl.Series([True]))
