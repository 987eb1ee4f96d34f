"""Instruments and recorded data for the tests of loading."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tradewind.instruments import InstrumentFields


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded market data, or a skip."""
    folder = Path(os.environ.get("TRADEWIND_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}: set TRADEWIND_DATA")
    return folder


@pytest.fixture(scope="session")
def define() -> Callable[..., InstrumentFields]:
    """A function that makes a spot instrument, with some fields of one's own."""
    common: dict[str, object] = {
        "venue": "test",
        "symbol": "BTCUSDT",
        "kind": "spot",
        "base": "BTC",
        "quote": "USDT",
        "tick": "0.01",
        "lot": "0.001",
        "minimum_quantity": "0.001",
        "minimum_notional": "5",
        "maker_fee": "0.001",
        "taker_fee": "0.001",
    }
    return lambda **fields: InstrumentFields.model_validate(common | fields)


@pytest.fixture(scope="session")
def instrument(define: Callable[..., InstrumentFields]) -> InstrumentFields:
    """An instrument with a tick of 0.5 and a lot of 0.001."""
    return define(tick="0.5")
