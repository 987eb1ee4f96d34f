"""Ids of trades: each may occur once in a stream."""

from __future__ import annotations

import polars as pl

from tradewind.data.numbers import Converter


class TradeIds:
    """The ids seen so far, held as runs of consecutive numbers.

    Venues count their trades, so a day of them is one run, whatever the number of trades.
    """

    def __init__(self) -> None:
        self._starts = pl.Series(dtype=pl.Int64)
        self._ends = pl.Series(dtype=pl.Int64)
        self._texts = pl.Series(dtype=pl.String)

    def read(self, frame: pl.DataFrame, convert: Converter) -> pl.Series:
        """The column ``id`` as numbers, zero where there is none; repeats are noted as problems."""
        column = frame["id"]
        if column.dtype in (pl.String, pl.Categorical, pl.Enum):
            texts = column.cast(pl.String).str.strip_chars()
            texts = texts.zip_with(texts != "", pl.Series([None], dtype=pl.String))
            numbers = texts.cast(pl.Int64, strict=False)
            if (numbers.is_null() & texts.is_not_null()).any():
                self._note(frame, self._repeated_texts(texts), convert)
                convert.report.text_ids += len(texts) - texts.null_count()
                return pl.zeros(frame.height, dtype=pl.Int64, eager=True)
        else:
            numbers = column.cast(pl.Int64, strict=False)
            lost = numbers.is_null() & column.is_not_null()
            what = "id is not a whole number of 64 bits"
            convert.problems.add("wrong_type", what, frame.filter(lost), column.filter(lost))
        numbers = numbers.fill_null(0)
        self._note(frame, self._repeated(numbers), convert)
        return numbers

    def _note(self, frame: pl.DataFrame, repeated: pl.Series, convert: Converter) -> None:
        bad = frame.filter(repeated)
        hint = "remove the repeated rows; rows without an id may be equal"
        convert.problems.add("repeated_trade_id", "trade id occurs for the second time", bad, bad["id"], hint)

    def _repeated(self, numbers: pl.Series) -> pl.Series:
        known = numbers != 0
        rising = bool((numbers.diff() > 0).all()) and bool(known.all())
        repeated = pl.repeat(False, len(numbers), eager=True) if rising else ~numbers.is_first_distinct() & known
        if len(self._starts) and not (rising and numbers[0] > self._ends[-1]):
            run = self._starts.search_sorted(numbers, side="right").cast(pl.Int64) - 1
            inside = numbers <= self._ends.gather(run.clip(0))
            repeated |= (run >= 0) & inside & known
        self._remember(numbers.filter(known) if not rising else numbers, rising)
        return repeated

    def _remember(self, numbers: pl.Series, rising: bool) -> None:
        numbers = numbers if rising else numbers.unique().sort()
        if numbers.is_empty():
            return
        breaks = (numbers.diff().fill_null(0) != 1).arg_true()
        ends = pl.concat([breaks.slice(1).cast(pl.Int64) - 1, pl.Series([len(numbers) - 1])])
        runs = pl.DataFrame(
            {
                "start": pl.concat([self._starts, numbers.gather(breaks)]),
                "end": pl.concat([self._ends, numbers.gather(ends)]),
            }
        ).sort("start", "end")
        group = (pl.col("start") > pl.col("end").cum_max().shift(1) + 1).fill_null(value=True).cum_sum()
        merged = runs.group_by(group.alias("run"), maintain_order=True).agg(pl.min("start"), pl.max("end"))
        self._starts, self._ends = merged["start"], merged["end"]

    def _repeated_texts(self, texts: pl.Series) -> pl.Series:
        known = texts.is_not_null()
        repeated = (~texts.is_first_distinct() | texts.is_in(self._texts.to_list())) & known
        self._texts = pl.concat([self._texts, texts.drop_nulls()]).unique()
        return repeated
