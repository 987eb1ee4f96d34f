"""Columns are recognised, and what is missing or unclear is told at once."""

from __future__ import annotations

import pytest

from tradewind.data import columns as names
from tradewind.data.columns import resolve
from tradewind.errors import DataError

FIELDS = [names.TIME, names.PRICE, names.QUANTITY]


def test_common_names_in_any_case() -> None:
    assert resolve("t", ["Trade Price", "QTY", "DateTime"], FIELDS, FIELDS, {}) == {
        "time": "DateTime", "price": "Trade Price", "quantity": "QTY",
    }  # fmt: skip


def test_our_own_name_wins() -> None:
    assert resolve("t", ["time", "date", "price", "quantity", "volume"], FIELDS, FIELDS, {})["time"] == "time"


def test_two_candidates_are_an_error() -> None:
    with pytest.raises(DataError) as caught:
        resolve("t", ["timestamp", "date", "price", "amount", "volume"], FIELDS, FIELDS, {})
    assert str(caught.value) == (
        "[missing_setting] t: column 'time' could be 'timestamp' or 'date'; 'quantity' could be 'amount' or 'volume'\n"
        'hint: state columns={"time": "timestamp"}, columns={"quantity": "amount"}'
    )
    stated: dict[str, str | int] = {"time": "date", "quantity": 4}
    assert resolve("t", ["timestamp", "date", "price", "amount", "volume"], FIELDS, FIELDS, stated) == {
        "time": "date", "price": "price", "quantity": "volume",
    }  # fmt: skip


def test_all_missing_columns_with_their_nearest() -> None:
    with pytest.raises(DataError) as caught:
        resolve("t.csv", ["time", "prize", "colour"], FIELDS, FIELDS, {"quantity": "amuont"})
    assert str(caught.value) == (
        "[missing_column] t.csv has no column 'price', 'amuont' for 'quantity' (it has 'time', 'prize', 'colour')\n"
        'hint: did you mean columns={"price": "prize"}?; state columns={"quantity": ...}'
    )


def test_unknown_fields() -> None:
    with pytest.raises(DataError, match=r"\[bad_setting\] columns: unknown 'prise'\nhint: our names are time, price"):
        resolve("t", ["price"], FIELDS, FIELDS, {"prise": "price"})
