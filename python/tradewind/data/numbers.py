"""Columns of numbers become fixed-point integers on an instrument's grid (N1, N2)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import polars as pl

from tradewind.data.problems import Problems
from tradewind.data.report import LoadReport
from tradewind.errors import DataError

Rounding = Literal["nearest"] | None
"""What happens to a number between two steps: an error, or the nearest step."""

GridChoice = Literal["step", "decimals"]
"""Whether data must be on the instrument's tick and lot, or only on its decimals."""

TOLERANCE = 1e-6
"""How far from a step a number may be, in steps, to be that step (N2)."""

_EXACT_STEPS = 2.0**50
_LARGEST = 2**63 - 1
_TEXT_DECIMALS = 18
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Grid:
    """The numbers that a price or a quantity can be.

    Parameters
    ----------
    decimals
        Decimals of the fixed-point integer.
    step
        Distance between two neighbours, in units of the last decimal: the tick or the lot.

    """

    decimals: int
    step: int

    def __str__(self) -> str:
        return f"{Decimal(self.step).scaleb(-self.decimals).normalize():f}"


@dataclass
class Converter:
    """Turns columns into integers, counts what it moves and notes what it cannot use."""

    grids: dict[str, Grid]
    rounding: Rounding
    choice: GridChoice
    problems: Problems
    report: LoadReport

    def convert(self, frame: pl.DataFrame, field: str, quantity: str) -> pl.Series:
        """Read column ``field`` of ``frame`` on the grid named ``quantity``; null where that is impossible.

        ``frame`` has the columns ``file`` and ``row`` for the messages.
        """
        column, grid = frame[field], self.grids[quantity]
        if column.dtype.is_float():
            integers = self._floats(column.cast(pl.Float64), grid)
        elif column.dtype.is_integer():
            integers = self._integers(column, grid)
        elif column.dtype.is_decimal() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            integers = self._texts(column.cast(pl.String), grid)
        else:
            raise DataError("wrong_type", f"column {field!r} is {column.dtype}: numbers or text are needed")
        if integers.null_count():
            self._note_unusable(frame, field, integers, grid)
        return integers.alias(field)

    def _floats(self, column: pl.Series, grid: Grid) -> pl.Series:
        scale = 10**grid.decimals
        # The steps in one whole: an exact divisor wherever the step divides a power of ten.
        per_whole = scale // grid.step if scale % grid.step == 0 else scale / grid.step
        value, steps = pl.col("value"), pl.col("steps")
        usable = value.is_finite() & (steps.abs() < min(_EXACT_STEPS, _LARGEST // grid.step))
        # A column, since polars divides by a scalar as it multiplies by the inverse, which is not exact.
        divisor = pl.repeat(float(per_whole), len(column), eager=True)
        table = pl.DataFrame({"value": column, "divisor": divisor}).lazy()
        table = table.with_columns(steps=(value * per_whole).round())
        table = table.with_columns(exact=steps / pl.col("divisor") == value)
        if self.rounding is None:
            usable &= pl.col("exact") | ((value * per_whole - steps).abs() <= TOLERANCE)
        units = pl.when(usable).then(steps).cast(pl.Int64) * grid.step
        result = table.select(units=units, moved=(usable & ~pl.col("exact")).sum()).collect()
        self.report.rounded_values += int(result["moved"][0]) if result.height else 0
        if self.choice == "decimals" and grid.step > 1 and self.rounding is None:
            return self._keep_off_step(column, result["units"], grid)
        return result["units"]

    def _keep_off_step(self, column: pl.Series, on_step: pl.Series, grid: Grid) -> pl.Series:
        off_step = on_step.is_null()
        if not off_step.any():
            return on_step
        units = self._floats(column.filter(off_step), Grid(grid.decimals, 1))
        self.report.off_step_values += len(units) - units.null_count()
        return on_step.scatter(off_step.arg_true(), units)

    def _integers(self, column: pl.Series, grid: Grid) -> pl.Series:
        factor = pl.lit(10**grid.decimals, dtype=pl.Int128)
        wide = pl.DataFrame({"value": column}).select(pl.col("value").cast(pl.Int128) * factor)
        return self._units(wide.to_series(), grid, 1)

    def _texts(self, column: pl.Series, grid: Grid) -> pl.Series:
        values = column.str.to_decimal(scale=_TEXT_DECIMALS).to_physical()
        # Longer texts may hold more decimals than a wide integer; nulls may be numbers with spaces around them.
        odd = (column.str.len_bytes() > _TEXT_DECIMALS + 1) | (values.is_null() & column.is_not_null())
        # They are read by themselves, and must not be counted here too.
        values = values.zip_with(~odd, pl.Series([None], dtype=values.dtype))
        units = self._units(values, grid, 10 ** (_TEXT_DECIMALS - grid.decimals))
        if odd.any():
            places = odd.arg_true()
            units = units.scatter(places, [self._text(text, grid) for text in column.gather(places)])
        return units

    def _units(self, values: pl.Series, grid: Grid, per_unit: int) -> pl.Series:
        """Fixed-point integers of wide integers that count ``per_unit`` to the last decimal."""
        value, step = pl.col("value"), per_unit * grid.step
        exact = pl.when(value % step == 0).then(value // per_unit)
        units = pl.DataFrame({"value": values}).select(exact.cast(pl.Int64, strict=False)).to_series()
        off = units.is_null() & values.is_not_null()
        if off.any():
            places = off.arg_true()
            units = units.scatter(places, self._off_step(values.gather(places), grid, per_unit))
        return units

    def _off_step(self, values: pl.Series, grid: Grid, per_unit: int) -> pl.Series:
        """The same for values that are on no step: a step nearby, or what was asked for."""
        value, nearest = pl.col("value"), pl.col("nearest")
        step = per_unit * grid.step
        table = pl.DataFrame({"value": values}).with_columns(nearest=(value * 2 + step) // (2 * step) * step)
        close = (value - nearest).abs() <= int(step * TOLERANCE)
        moved = close if self.rounding is None else pl.lit(value=True)
        kept = value % per_unit == 0 if self.choice == "decimals" and self.rounding is None else pl.lit(value=False)
        table = table.select(
            units=pl.when(moved).then(nearest).when(kept).then(value).floordiv(per_unit).cast(pl.Int64, strict=False),
            moved=moved,
        )
        used = table["units"].is_not_null()
        self.report.rounded_values += int((used & table["moved"]).sum())
        self.report.off_step_values += int((used & ~table["moved"]).sum())
        return table["units"]

    def _text(self, text: str, grid: Grid) -> int | None:
        """The same for one number of any length."""
        text = text.strip()
        if not _NUMBER.fullmatch(text):
            return None
        exact = Fraction(text) * 10**grid.decimals
        units = math.floor(exact / grid.step + Fraction(1, 2)) * grid.step
        if exact != units:
            if self.rounding == "nearest" or abs(exact - units) <= Fraction(TOLERANCE) * grid.step:
                self.report.rounded_values += 1
            elif self.choice == "decimals" and exact.denominator == 1:
                self.report.off_step_values += 1
                units = int(exact)
            else:
                return None
        return units if abs(units) <= _LARGEST else None

    def _note_unusable(self, frame: pl.DataFrame, field: str, integers: pl.Series, grid: Grid) -> None:
        bad = frame.filter(integers.is_null())
        text = bad[field].cast(pl.String).fill_null("").str.strip_chars()
        number = text.str.contains(f"^({_NUMBER.pattern})$")
        size = text.cast(pl.Float64, strict=False).abs() * 10**grid.decimals / grid.step
        most = _LARGEST // grid.step
        small = size < (min(_EXACT_STEPS, most) if bad[field].dtype.is_float() else most)
        kinds = (
            ("not_a_number", f"{field} is missing or not a number", ~number, ""),
            (
                "off_grid",
                f"{field} is not on the grid of steps of {grid}",
                number & small,
                'was the step another one when these data were made? grid="decimals" keeps finer values that fit the '
                'instrument\'s decimals, rounding="nearest" moves them to the nearest step',
            ),
            ("out_of_range", f"{field} is too large to be held exactly", number & ~small, ""),
        )
        for code, what, chosen, hint in kinds:
            self.problems.add(code, what, bad.filter(chosen), bad[field].filter(chosen), hint)
