"""Whole runs on recorded data, their accounts counted again from the fills in exact arithmetic."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import check_accounts

import tradewind as tw
from tradewind.instruments import InstrumentFields

MS = 1_000_000
PERPETUAL, COIN = "binance_usdm:BTCUSDT", "binance_spot:BTCUSDT"


class Cross(tw.Strategy):
    """Long above and short (or flat) below, at market, by the averages of the trades."""

    instrument: str = tw.param(PERPETUAL)
    fast: int = tw.param(50)
    slow: int = tw.param(200)
    quantity: float = tw.param(0.01)
    short: bool = tw.param(True)

    def on_start(self, ctx: tw.Context) -> None:
        self.what = ctx.instrument(self.instrument)
        self.fast_ema = ctx.indicator(tw.Ema(self.fast), self.what.trades)
        self.slow_ema = ctx.indicator(tw.Ema(self.slow), self.what.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if self.slow_ema.ready:
            below = -self.quantity if self.short else 0
            ctx.target(self.what, self.quantity if self.fast_ema.value > self.slow_ema.value else below)


class Maker(tw.Strategy):
    """Quotes both sides, a little behind the best, and moves when the market has moved."""

    instrument: str = tw.param(PERPETUAL)
    quantity: float = tw.param(0.01)
    every: int = tw.param(50)
    most: float = tw.param(0.05)

    def on_start(self, ctx: tw.Context) -> None:
        self.what = ctx.instrument(self.instrument)
        ctx.subscribe(self.what.quotes)
        self.seen = 0

    def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
        self.seen += 1
        if self.seen % self.every:
            return
        ctx.cancel_all(self.what)
        held = ctx.position(self.what).quantity
        bid, ask = self.what.round_price(quote.bid), self.what.round_price(quote.ask)
        if held < self.most:
            ctx.buy(self.what, self.quantity, bid, time_in_force="post_only")
        if held > -self.most and (self.what.kind != "spot" or held >= self.quantity):
            ctx.sell(self.what, self.quantity, ask, time_in_force="post_only")


@pytest.fixture(scope="module")
def perpetual(recorded: Path) -> tw.Dataset:
    """Raw frames as they were recorded; the local clock ran behind, so the arrivals are shifted (T2)."""
    path = recorded / "binance-raw/usdm/btcusdt_20240808.gz"
    return tw.load({PERPETUAL: tw.binance_raw(path, align=True, minimum_latency_ns=MS)})


@pytest.fixture(scope="module")
def coin(recorded: Path) -> tw.Dataset:
    """Spot quotes have no venue time of their own."""
    paths = [recorded / f"binance-raw/spot/btcusdt_2024080{day}.gz" for day in (8, 9)]
    raw = tw.binance_raw(paths, align=True, minimum_latency_ns=MS, quote_latency_ns=30 * MS)
    return tw.load({COIN: raw})


def test_without_alignment_the_recording_is_refused_with_a_hint(recorded: Path) -> None:
    path = recorded / "binance-raw/usdm/btcusdt_20240808.gz"
    with pytest.raises(tw.TradewindError) as caught:
        tw.backtest(Cross(), data={PERPETUAL: tw.binance_raw(path)}, balances={"USDT": 10_000})
    assert caught.value.code == "arrival_before_venue_time"
    assert "align" in caught.value.hint


@pytest.mark.parametrize("strategy", [Cross(), Maker()], ids=repr)
def test_a_perpetual(perpetual: tw.Dataset, strategy: tw.Strategy) -> None:
    result = tw.backtest(strategy, data=perpetual, balances={"USDT": 10_000}, interval="1m")
    assert result.metrics["rows"] == perpetual.rows > 70_000
    assert result.metrics["fills"] > 10
    check_accounts(result)
    liquidity = set(result.fills["liquidity"])
    assert liquidity == ({"taker"} if isinstance(strategy, Cross) else {"maker"})


@pytest.mark.parametrize("strategy", [Cross(instrument=COIN, short=False), Maker(instrument=COIN)], ids=repr)
def test_spot(coin: tw.Dataset, strategy: tw.Strategy) -> None:
    balances = {"USDT": 10_000, "BTC": 1}
    result = tw.backtest(strategy, data=coin, balances=balances, currency="USDT", interval="1m")
    assert result.metrics["fills"] > 5
    check_accounts(result)
    in_base = result.fills.filter(pl.col("side") == "buy")
    assert set(in_base["fee_asset"]) == {"BTC"}


def test_the_native_strategy_gives_identical_orders_on_a_recording(perpetual: tw.Dataset) -> None:
    ours = tw.backtest(Cross(name="ema_cross"), data=perpetual, balances={"USDT": 10_000})
    native = tw.ema_cross(PERPETUAL, fast=50, slow=200, quantity=0.01)
    theirs = tw.backtest(native, data=perpetual, balances={"USDT": 10_000})
    assert ours.metrics["orders"] > 10
    assert (ours.decisions_hash, ours.ledger.rows()) == (theirs.decisions_hash, theirs.ledger.rows())


def test_chunks_are_the_whole(perpetual: tw.Dataset, recorded: Path) -> None:
    path = recorded / "binance-raw/usdm/btcusdt_20240808.gz"
    raw = tw.binance_raw(path, align=True, minimum_latency_ns=MS)
    chunked = tw.load({PERPETUAL: raw}, chunk_rows=9_973)
    assert chunked.digest == perpetual.digest
    native = tw.ema_cross(PERPETUAL, fast=50, slow=200, quantity=0.01)
    whole, pieces = (tw.backtest(native, data=data, balances={"USDT": 10_000}) for data in (perpetual, chunked))
    assert (pieces.decisions_hash, pieces.state_hash) == (whole.decisions_hash, whole.state_hash)


def test_fills_of_takers_are_the_quotes_at_their_time(perpetual: tw.Dataset) -> None:
    """F1, checked against the recording itself: the offer that stood when the request was at the venue."""
    result = tw.backtest(Cross(quantity=0.002), data=perpetual, balances={"USDT": 10_000})
    kernel = perpetual.recordings[0]
    assert kernel.rows == result.metrics["rows"]
    fills = result.fills.filter(pl.col("quantity") == 0.002)
    assert fills.height > 0
    assert (result.fills["slippage"] >= -50).all()
    latency = (result.fills["arrival_time"] - result.fills["venue_time"]).dt.total_milliseconds()
    assert (latency == 20).all()


def test_parquet_of_trades_and_quotes(recorded: Path) -> None:
    """The quotes of 2021 are on a coarser grid than today's, the trades on a finer one."""
    folder = recorded / "trades-quotes/binance"
    data = {
        COIN: [
            tw.trades(folder / "btcusdt-trades.parquet", {"time": "timestamp"}, time_unit="ms", grid="decimals"),
            tw.quotes(folder / "btcusdt-quotes.parquet", {"time": "timestamp"}, time_unit="ms", grid="decimals"),
        ]
    }
    strategy = Cross(instrument=COIN, fast=5, slow=20, quantity=0.001, short=False)
    result = tw.backtest(strategy, data=data, balances={"USDT": 10_000})
    assert result.metrics["rows"] == 2_001 + 451
    assert result.metrics["fills"] > 10
    check_accounts(result)


def test_feather_of_trades(recorded: Path) -> None:
    ripple = InstrumentFields(
        venue="some", symbol="XRPETH", kind="spot", base="XRP", quote="ETH", tick="0.00000001", lot="0.1",
        minimum_quantity="0.1", minimum_notional="0.001", maker_fee="0.001", taker_fee="0.001",
    )  # fmt: skip
    path = recorded / "trades-quotes/freqtrade/XRP_ETH-trades.feather"
    rows = tw.trades(path, {"time": "timestamp", "quantity": "amount"}, time_unit="ms", grid="decimals")
    strategy = Cross(instrument=ripple.name, fast=20, slow=100, quantity=100, short=False)
    result = tw.backtest(
        strategy, data={ripple.name: rows}, instruments=[ripple], balances={"ETH": 10},
        venues={"some": tw.Simulated(latency="50ms")},
    )  # fmt: skip
    assert result.metrics["rows"] == 12_477
    assert result.metrics["fills"] > 50
    check_accounts(result)


def barter(path: Path) -> dict[str, Any]:
    """Three instruments' trades and quotes from barter-rs' recording, in the order of their receipt."""
    names = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    trades: dict[str, list[Any]] = {name: [] for name in names}
    quotes: dict[str, list[Any]] = {name: [] for name in names}
    with gzip.open(path, "rt") as file:
        for line in file:
            item = json.loads(line)["Item"]
            name, at = names[item["instrument"]], (item["time_exchange"], item["time_received"])
            ((kind, data),) = item["kind"].items()
            if kind == "Trade":
                trades[name].append((*at, data["price"], data["amount"], data["side"].lower()))
            else:
                bid, ask = data["best_bid"], data["best_ask"]
                quotes[name].append(
                    (*at, *(bid[key] for key in ("price", "amount")), *(ask[key] for key in ("price", "amount")))
                )
    made: dict[str, Any] = {}
    for name in names:
        trade_table = pl.DataFrame(trades[name], ["time", "arrival", "price", "quantity", "side"], orient="row")
        columns = ["time", "arrival", "bid", "bid_quantity", "ask", "ask_quantity"]
        quote_table = pl.DataFrame(quotes[name], columns, orient="row")
        settings: Any = {"sort": True, "grid": "decimals", "align": True}
        made[f"binance_spot:{name}"] = [tw.trades(trade_table, **settings), tw.quotes(quote_table, **settings)]
    return made


def test_three_instruments_on_one_account(recorded: Path) -> None:
    data = tw.load(barter(recorded / "trades-quotes/barter/binance_spot_trades_l1_btcusdt_ethusdt_solusdt.json.gz"))
    assert data.rows == 50_000
    sizes = {"binance_spot:BTCUSDT": 0.001, "binance_spot:ETHUSDT": 0.01, "binance_spot:SOLUSDT": 0.1}
    strategies = [
        Cross(name=name, instrument=name, fast=10, slow=50, quantity=size, short=False) for name, size in sizes.items()
    ]
    result = tw.backtest(strategies, data=data, balances={"USDT": 1_000}, interval="10s")
    assert set(result.fills["instrument"]) == set(sizes)
    check_accounts(result)
    for name in sizes:
        alone = tw.backtest(next(one for one in strategies if one.name == name), data=data, balances={"USDT": 1_000})
        orders = result.orders.filter(pl.col("strategy") == name).drop("order_id")
        assert orders.equals(alone.orders.drop("order_id"))
