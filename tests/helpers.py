"""Small markets and an independent accounting, for tests of whole runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

import tradewind as tw
from tradewind.instruments import InstrumentFields

BTC = "synthetic:BTCUSDT"
ETH = "synthetic:ETHUSDT"
SPOT = "synthetic:BTCUSDT-SPOT"
START = datetime(2026, 1, 1, tzinfo=UTC)
RICH = {"USDT": 1_000_000}
ASSET_STEP = Decimal("1e-8")
NOTHING = (Fraction(0), Fraction(0))


def times(count: int, every_ms: int = 1_000) -> list[datetime]:
    return [START + timedelta(milliseconds=every_ms * place) for place in range(count)]


def trade_rows(prices: Sequence[float], quantity: float = 1.0, every_ms: int = 1_000) -> tw.data.Stream:
    """Trades at these prices, one after another."""
    count = len(prices)
    table = pl.DataFrame({"time": times(count, every_ms), "price": prices, "quantity": [quantity] * count})
    return tw.trades(table)


def quote_rows(
    bids: Sequence[float], spread: float = 0.1, quantity: float = 1.0, every_ms: int = 1_000
) -> tw.data.Stream:
    """Best bids, with offers above them, one after another."""
    table = pl.DataFrame(
        {"time": times(len(bids), every_ms), "bid": bids, "ask": [round(bid + spread, 2) for bid in bids]}
    )
    return tw.quotes(table, quantity=str(quantity))


def run(strategies: Any, data: Any = None, **settings: Any) -> tw.Result:
    """A run over a short market; `data` is that of the perpetual, or by instrument."""
    if data is None:
        data = quote_rows([100.0] * 10)
    by_name = data if isinstance(data, dict | tw.Dataset) else {BTC: data}
    return tw.backtest(strategies, data=by_name, **{"balances": RICH, **settings})


def check_refused(make: Callable[..., Any], wrong: dict[str, Any], said: str) -> None:
    """A setting is refused with these words, and a hint."""
    with pytest.raises(tw.errors.SettingError) as caught:
        make(**wrong)
    assert (caught.value.code, caught.value.message) == ("bad_setting", said)
    assert caught.value.hint


def recount(result: tw.Result) -> dict[str, Decimal]:
    """What the wallets must hold, from deposits, fills and funding, in exact arithmetic of its own.

    Fills are floats in the frame: their shortest decimals are the exact numbers. The cost that a reduction takes is
    its share of the cost, cut at the last decimal of values, as documented for positions.
    """
    fields = {one.name: one for one in result.data.instruments}
    wallets: dict[str, Decimal] = {}
    positions: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}

    def add(asset: str, amount: Decimal) -> None:
        wallets[asset] = wallets.get(asset, Decimal(0)) + amount

    for row in result.ledger.filter(pl.col("from").is_in(["external", "insurance"])).iter_rows(named=True):
        add(row["asset"], row["amount"])
    for row in result.ledger.filter((pl.col("from") == "funding") | (pl.col("to") == "funding")).iter_rows(named=True):
        add(row["asset"], row["amount"] if row["from"] == "funding" else -row["amount"])
    for row in result.ledger.filter(pl.col("to") == "liquidation_fees").iter_rows(named=True):
        add(row["asset"], -row["amount"])
    for fill in result.fills.iter_rows(named=True):
        one = fields[fill["instrument"]]
        price, size = Decimal(repr(fill["price"])), Decimal(repr(fill["quantity"]))
        signed = size if fill["side"] == "buy" else -size
        value = price * signed * one.multiplier
        fee_rate = one.maker_fee if fill["liquidity"] == "maker" else one.taker_fee
        in_base = one.kind == "spot" and fill["side"] == "buy" and one.fee_asset == "received"
        fee = rounded((size if in_base else abs(value)) * fee_rate)
        assert (fill["fee"], fill["fee_asset"]) == (fee, one.base if in_base else one.quote), fill
        add(fill["fee_asset"], -fee)
        if one.kind == "spot":
            add(one.base, signed)
            add(one.quote, -rounded(value))
            continue
        unit = value_unit(one)
        parts = Fraction(signed), Fraction(value), unit
        # The wallet sees the account's position, a strategy its own (M4).
        held, cost, realised = booked(*positions.get((one.name, ""), NOTHING), *parts)
        positions[one.name, ""] = (held, cost)
        add(one.settlement, rounded(exact(realised)))
        key = (one.name, fill["strategy"])
        held, cost, realised = booked(*positions.get(key, NOTHING), *parts)
        positions[key] = (held, cost)
        assert abs(float(realised) - fill["realised"]) <= 1e-9 * max(1.0, abs(fill["realised"])), fill
    return wallets


def value_unit(one: InstrumentFields) -> Fraction:
    exponent = one.multiplier.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return Fraction(1, 10 ** (one.price_decimals + one.quantity_decimals + max(-exponent, 0)))


def booked(
    held: Fraction, cost: Fraction, signed: Fraction, value: Fraction, unit: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """A position after a fill: what is held, what it cost, and what was realised."""
    if held * signed >= 0:
        return held + signed, cost + value, Fraction(0)
    if abs(signed) <= abs(held):
        share = cut(cost * -signed / held, unit)
        return held + signed, cost - share, -value - share
    closing = cut(value * -held / signed, unit)
    return held + signed, value - closing, -closing - cost


def exact(value: Fraction) -> Decimal:
    """Values have a finite number of decimals."""
    with localcontext(prec=60):
        return Decimal(value.numerator) / Decimal(value.denominator)


def cut(value: Fraction, unit: Fraction) -> Fraction:
    """Rounded down to a unit."""
    return (value // unit) * unit


def rounded(value: Decimal) -> Decimal:
    with localcontext(prec=60):
        return value.quantize(ASSET_STEP, ROUND_HALF_EVEN)


def check_accounts(result: tw.Result) -> None:
    """The books of a run: they balance, they are what the fills say, and equity is cash and positions at the mark."""
    ledger = result.ledger
    wallets = {row["asset"]: Decimal(row["wallet"]) for row in result.metrics["assets"]}
    into = ledger.filter(pl.col("to") == "wallet").group_by("asset").agg(pl.col("amount").sum())
    out = ledger.filter(pl.col("from") == "wallet").group_by("asset").agg(pl.col("amount").sum())
    booked_wallets = {asset: Decimal(0) for asset in wallets}
    for row in into.iter_rows():
        booked_wallets[row[0]] += row[1]
    for row in out.iter_rows():
        booked_wallets[row[0]] -= row[1]
    assert booked_wallets == wallets
    assert (ledger["amount"] > 0).all()
    counted = recount(result)
    assert {asset: amount for asset, amount in counted.items() if amount} == {k: v for k, v in wallets.items() if v}
    check_equity(result, wallets)


def check_equity(result: tw.Result, wallets: dict[str, Decimal]) -> None:
    """Final equity is the wallets at their prices, and what is not realised (law 5)."""
    currency = result.settings.resolved_currency
    marks = {row["instrument"]: row["mark"] for row in result.metrics["instruments"]}
    prices = {
        one.base: marks[one.name] for one in result.data.instruments if one.kind == "spot" and one.quote == currency
    }
    unrealised = [
        row["unrealised"]
        for row, one in zip(result.metrics["instruments"], result.data.instruments, strict=True)
        if one.kind != "spot"
    ]
    known = all(asset == currency or prices.get(asset) is not None for asset, amount in wallets.items() if amount)
    if not known or None in unrealised:
        return
    worth = sum(
        float(amount) * (1.0 if asset == currency else prices[asset]) for asset, amount in wallets.items() if amount
    )
    assert result.metrics["final_equity"] == close(worth + sum(unrealised))


def close(value: float) -> Any:

    return pytest.approx(value, rel=1e-12, abs=1e-9)
