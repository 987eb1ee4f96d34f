"""The packaged specifications agree with the facts that they name."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from tradewind import instruments
from tradewind.errors import TradewindError

MAIN = [f"{asset}USDT" for asset in ("BTC", "ETH", "SOL", "BNB", "XRP", "DOGE", "ADA")]


def test_the_main_instruments_are_there() -> None:
    for venue in ("binance_spot", "binance_usdm"):
        assert {f"{venue}:{symbol}" for symbol in MAIN} <= set(instruments.names())


@pytest.mark.parametrize("name", instruments.names())
def test_specifications_are_whole(name: str) -> None:
    instrument = instruments.load(name)
    assert instrument.name == name
    assert instrument.source
    assert instrument.date is not None
    is_spot = name.startswith("binance_spot") or name.endswith("-SPOT")
    assert instrument.kind == ("spot" if is_spot else "linear_perpetual")
    assert instrument.symbol.removesuffix("-SPOT") == instrument.base + instrument.quote
    assert instrument.minimum_quantity == instrument.lot
    assert instrument.maker_fee <= instrument.taker_fee
    if instrument.initial_margin is not None and instrument.maintenance_margin is not None:
        assert instrument.maintenance_margin < instrument.initial_margin
        assert instrument.liquidation_fee > 0


def test_steps_are_those_of_the_symbol_database(recorded: Path) -> None:
    path = recorded / "reference-data/lean/symbol-properties-database.csv"
    kinds = {"crypto": "binance_spot", "cryptofuture": "binance_usdm"}
    with path.open() as file:
        rows = {
            f"{kinds[row[2]]}:{row[1]}": row
            for row in csv.reader(file)
            if len(row) > 7 and row[0] == "binance" and row[2] in kinds
        }
    for name in instruments.names():
        if name.startswith("synthetic:"):
            continue  # chosen by hand: no venue has them
        instrument, row = instruments.load(name), rows[name]
        assert (instrument.tick, instrument.lot) == (Decimal(row[6]), Decimal(row[7]))
        if instrument.kind == "spot":
            assert instrument.minimum_notional == Decimal(row[9])


def test_unknown_instruments() -> None:
    with pytest.raises(TradewindError) as caught:
        instruments.load("binance_usdm:BTCUSD")
    assert caught.value.code == "unknown_instrument"
    assert caught.value.hint.startswith("did you mean binance_usdm:BTCUSDT")
    assert "load_file" in caught.value.hint
    with pytest.raises(TradewindError, match=r"hint: for another instrument, write"):
        instruments.load("nyse:IBM")
