"""Specifications written by users: exact numbers, all mistakes at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import TradewindError
from tradewind.instruments import InstrumentFields, load_file

PERPETUAL: dict[str, Any] = {
    "venue": "my",
    "symbol": "BTCUSDT",
    "kind": "linear_perpetual",
    "base": "BTC",
    "quote": "USDT",
    "tick": "0.50",
    "lot": 0.001,
    "minimum_quantity": "0.001",
    "minimum_notional": "5",
    "maker_fee": "-0.0001",
    "taker_fee": "0.0005",
    "initial_margin": "0.01",
    "maintenance_margin": "0.005",
}


def problem(**fields: Any) -> TradewindError:
    with pytest.raises(TradewindError) as caught:
        InstrumentFields(**PERPETUAL | fields)
    assert caught.value.code == "bad_specification"
    return caught.value


def test_what_follows_is_filled_in() -> None:
    instrument = InstrumentFields(**PERPETUAL)
    assert (instrument.price_decimals, instrument.quantity_decimals, instrument.settlement) == (1, 3, "USDT")
    assert (instrument.tick_units, instrument.lot_units, int(instrument.multiplier)) == (5, 1, 1)
    assert instrument.lot == Decimal("0.001")


def test_all_mistakes_at_once() -> None:
    error = problem(tick="0", kind="option", base="", taker_fee="2", lot="abc", venue="a:b")
    for field in ("tick = '0'", "kind = 'option'", "base = ''", "taker_fee = '2'", "lot = 'abc'", "venue = 'a:b'"):
        assert field in error.message


def test_unknown_keys_name_the_nearest() -> None:
    error = problem(makerfee="0.1")
    assert (error.message, error.hint) == (
        "instrument my:BTCUSDT: makerfee: is not known", "did you mean maker_fee instead of makerfee?",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"price_decimals": 0}, "tick = 0.50: has more than 0 decimals"),
        ({"minimum_quantity": "0.0001"}, "minimum_quantity = 0.0001: has more than 3 decimals"),
        ({"maker_fee": "0.0000000001"}, "maker_fee = 1E-10: has more than 9 decimals"),
        ({"minimum_notional": "0.00001"}, "minimum_notional = 0.00001: has more than 4 decimals"),
        ({"price_decimals": 13}, "price_decimals = 13"),
        ({"kind": "spot"}, "a spot instrument has none"),
        ({"initial_margin": None}, "a perpetual needs both"),
    ],
)
def test_what_does_not_fit_together(fields: dict[str, Any], words: str) -> None:
    assert words in problem(**fields).message


def test_specifications_do_not_change() -> None:
    with pytest.raises(Exception, match="frozen"):
        setattr(InstrumentFields(**PERPETUAL), "tick", Decimal(1))  # noqa: B010


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "btc.toml"
    lines = [
        f"{name} = {value}" if isinstance(value, float) else f'{name} = "{value}"' for name, value in PERPETUAL.items()
    ]
    path.write_text("\n".join(lines))
    assert load_file(path) == InstrumentFields(**PERPETUAL)
    path.write_text("tick = ")
    with pytest.raises(TradewindError, match=r"\[unreadable_file\].*is not TOML"):
        load_file(path)
    path.write_bytes(b"\xff")
    with pytest.raises(TradewindError, match=r"\[unreadable_file\]"):
        load_file(path)
