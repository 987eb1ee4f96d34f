"""Instruments and recorded data for the tests of loading."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tradewind.instruments import InstrumentFields


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

    def defined(**fields: object) -> InstrumentFields:
        stated = common | fields
        # As fine as the lot, so that rows in tests are short; for spot it would be at least 8.
        decimals = max(-int(Decimal(str(stated["lot"])).normalize().as_tuple().exponent), 0)
        return InstrumentFields.model_validate({"quantity_decimals": decimals} | stated)

    return defined


@pytest.fixture(scope="session")
def instrument(define: Callable[..., InstrumentFields]) -> InstrumentFields:
    """An instrument with a tick of 0.5 and a lot of 0.001."""
    return define(tick="0.5")
