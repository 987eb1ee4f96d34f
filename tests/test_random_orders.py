"""Strategies that order at random, sensibly and not: the rules of orders and money hold whatever they do."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from helpers import BTC, SPOT, check_accounts, run, times
from hypothesis import given, settings
from hypothesis import strategies as st

import tradewind as tw
from tradewind._core import error_codes

CODES = {code for code, _ in error_codes()}
MISTAKES = {"bad_quantity", "bad_price", "off_grid", "out_of_range", "unknown_instrument", "bad_setting"}
CLOSED = {"filled", "cancelled", "rejected", "expired"}
NAN = float("nan")

good_quantities = st.one_of(st.integers(1, 3_000).map(lambda units: units / 1_000), st.sampled_from([0.5, 1, 2, 3]))
quantities = st.one_of(
    good_quantities,
    good_quantities,
    good_quantities,
    st.sampled_from([0, -1, -0.5, NAN, float("inf"), 0.0001, 0.1234567, 1e300, "x", None]),
    st.sampled_from([50_000.0, "1.5", Decimal("0.25"), 2]),
)
wrong_prices = st.sampled_from(["zero", "negative", "nan", "off_grid", "far"])
offsets = st.one_of(st.none(), st.none(), st.integers(-30, 30), st.integers(-3, 3), wrong_prices)
ways = st.sampled_from(["gtc", "gtc", "gtc", "gtc", "ioc", "ioc", "post_only", "fok"])
sides, reduces = st.sampled_from(["buy", "sell"]), st.sampled_from([False, False, False, True])
orders = st.tuples(sides, quantities, offsets, ways, reduces)
acts = st.one_of(
    orders,
    orders,
    st.tuples(st.just("target"), st.one_of(st.floats(-3, 3), st.sampled_from([NAN, 1e300, -0.0004]))),
    st.sampled_from([("close",), ("cancel_all",), ("cancel",), ("cancel_any",), ("unknown",), ("timer",)]),
)
scripts = st.dictionaries(st.integers(1, 60), st.lists(acts, min_size=1, max_size=4), max_size=25)
kinds, steps = st.sampled_from(["quotes", "trades", "both"]), st.sampled_from([1, 5, 40, 150])
markets = st.tuples(st.integers(0, 2**32), steps, kinds)
latencies = st.sampled_from([0, "20ms", "900ms", tw.Exponential("1ms", "400ms")])
limits = st.one_of(
    st.just(tw.Limits()), st.just(tw.Limits(order_quantity=2, position=2.5, open_orders=3, price_collar=0.02))
)
runs = st.fixed_dictionaries(
    {
        "script": scripts,
        "market": markets,
        "latency": latencies,
        "limits": limits,
        "reacts": st.sampled_from(["never", "once", "always"]),
        "money": st.sampled_from([20, 150, 1_000, 1_000_000]),
        "resting": st.sampled_from(["through", "touch"]),
        "spot": st.booleans(),
    }
)


def market(seed: int, step: int, kind: str, every_ms: int = 500) -> list[tw.data.Stream]:
    """A random walk around 100."""
    chance = random.Random(seed)
    mid, bids, sizes = 1_000, [], []
    for _ in range(60):
        mid = max(100, mid + chance.randint(-step, step))
        bids.append(mid / 10)
        sizes.append(chance.choice([0.1, 0.5, 2.0, 10.0]))
    at = times(60, every_ms)
    asks = [round(bid + 0.1, 1) for bid in bids]
    prices = [chance.choice(sides) for sides in zip(bids, asks, strict=True)]
    sides = {"bid": bids, "ask": asks, "bid_quantity": sizes, "ask_quantity": sizes}
    quotes = tw.quotes(pl.DataFrame({"time": at, **sides}))
    trades = tw.trades(pl.DataFrame({"time": at, "price": prices, "quantity": sizes}))
    return {"quotes": [quotes], "trades": [trades], "both": [quotes, trades]}[kind]


class Random(tw.Strategy):
    """Does what the script says, and checks what it is told."""

    plan: dict[str, Any] = tw.param(None)

    def on_start(self, ctx: tw.Context) -> None:
        type(self).codes = []
        self.what = ctx.instruments[0]
        self.script, self.reacts = self.plan["script"], self.plan["reacts"]
        self.lot = Decimal("0.00001" if self.what.kind == "spot" else "0.001")
        ctx.subscribe(self.what.trades if self.plan["market"][2] == "trades" else self.what.quotes)
        self.row, self.held, self.reacted, self.handles = 0, Decimal(0), False, []
        self.last: dict[int, str] = {}
        self.filled: dict[int, Decimal] = {}

    def on_quote(self, ctx: tw.Context, event: object) -> None:
        self.row += 1
        self.check(ctx)
        for act in self.script.get(self.row, []):
            self.attempt(ctx, act)

    on_trade = on_quote

    def attempt(self, ctx: tw.Context, act: tuple[Any, ...]) -> None:
        """A mistake raises at the call, and leaves nothing behind (O1)."""
        before = [order.id for order in ctx.open_orders()]
        try:
            self.act(ctx, act)
        except tw.TradewindError as error:
            assert error.code in MISTAKES, error
            assert [order.id for order in ctx.open_orders()] == before
            self.codes.append(error.code)
        else:
            assert not self.is_mistake(act), act

    def is_mistake(self, act: tuple[Any, ...]) -> bool:
        if act[0] == "target":
            return act[1] != act[1] or abs(act[1]) > 1e12
        if act[0] not in ("buy", "sell"):
            return act[0] == "unknown"
        _, quantity, offset, time_in_force, _ = act
        number = Decimal("nan") if quantity in ("x", None) else Decimal(str(quantity))
        bad = not number.is_finite() or number <= 0 or number > 10**12 or number % self.lot != 0
        bad_price = offset in ("zero", "negative", "nan", "off_grid")
        return bad or bad_price or time_in_force == "fok" or (time_in_force == "post_only" and offset is None)

    def act(self, ctx: tw.Context, act: tuple[Any, ...]) -> None:
        match act:
            case ("buy" | "sell" as side, quantity, offset, time_in_force, reduce_only):
                place: Any = getattr(ctx, side)
                price = self.price(ctx, offset)
                handle = place(self.what, quantity, price, time_in_force=time_in_force, reduce_only=reduce_only)
                assert handle.status == "queued"
                self.handles.append(handle)
            case ("target", quantity):
                ctx.target(self.what, quantity)
            case ("close",):
                ctx.close(self.what)
            case ("cancel_all",):
                ctx.cancel_all()
            case ("cancel",):
                for order in ctx.open_orders()[:1]:
                    ctx.cancel(order)
            case ("cancel_any",):
                for order in self.handles[-1:]:
                    ctx.cancel(order)
            case ("unknown",):
                ctx.instrument("synthetic:NOTHING")
            case ("timer",):
                ctx.timer(after=1)

    def price(self, ctx: tw.Context, offset: Any) -> Any:
        mark = ctx.price(self.what) or 100.0
        if isinstance(offset, int):
            return self.what.round_price(mark + offset / 10)
        special = {None: None, "zero": 0, "negative": -5, "nan": NAN, "off_grid": 100.123, "far": 5.0}
        return special[offset]

    def on_timer(self, ctx: tw.Context, number: int) -> None:
        self.check(ctx)

    def on_order(self, ctx: tw.Context, order: tw.Order) -> None:
        assert self.last.get(order.id) not in CLOSED, "an order that was closed has changed"
        assert order.reason is None or order.reason in CODES
        assert 0 <= order.filled <= order.quantity
        self.last[order.id] = order.status

    def on_fill(self, ctx: tw.Context, fill: tw.Fill) -> None:
        size = Decimal(repr(fill.quantity))
        self.held += size if fill.side == "buy" else -size
        if fill.fee_asset == "BTC":
            self.held -= fill.fee
        self.check(ctx)
        if fill.order_id and (self.reacts == "always" or (self.reacts == "once" and not self.reacted)):
            self.reacted = True
            other = ctx.sell if fill.side == "buy" else ctx.buy
            other(self.what, max(self.what.round_quantity(fill.quantity), 0.001))

    def check(self, ctx: tw.Context) -> None:
        """The position changes by fills alone (O2); nothing is spent that is not there."""
        assert Decimal(repr(ctx.position(self.what).quantity)) == self.held
        for asset in ("USDT", "BTC") if self.what.kind == "spot" else ("USDT",):
            total, reserved, free = ctx.balance(asset)
            assert total - reserved == free
            assert reserved >= 0
            # A liquidation may leave less than nothing, until the venue's insurance has paid.
            assert total >= 0 or self.what.kind != "spot"

    codes: list[str]


def go(plan: dict[str, Any], **more: Any) -> tw.Result:
    spot = plan["spot"]
    latency = plan["latency"]
    return run(
        Random(plan=plan),
        {SPOT if spot else BTC: market(*plan["market"])},
        balances={"USDT": plan["money"], "BTC": 1} if spot else {"USDT": plan["money"]},
        currency="USDT",
        interval="5s",
        venues={"synthetic": tw.Simulated(latency=latency, resting=plan["resting"])},
        risk=plan["limits"],
        **more,
    )


def check_orders(result: tw.Result) -> None:
    orders, fills = result.orders, result.fills.filter(pl.col("order_id") > 0)
    assert orders["order_id"].is_unique().all()
    assert set(orders["status"]) <= CLOSED
    assert set(orders["reason"].drop_nulls()) <= CODES
    assert (orders["filled"] <= orders["quantity"]).all()
    whole = orders["filled"] == orders["quantity"]
    assert ((orders["status"] == "filled") == whole).all()
    assert orders.filter((pl.col("status") != "filled") & pl.col("reason").is_null()).is_empty()
    assert orders.filter((pl.col("status") == "rejected") & (pl.col("filled") > 0)).is_empty()
    summed = fills.group_by("order_id").agg(pl.col("quantity").sum().round(9)).sort("order_id")
    stated = orders.filter(pl.col("filled") > 0).select("order_id", pl.col("filled").round(9)).sort("order_id")
    assert summed.rows() == stated.rows()
    key = fills.select("instrument", "trade_id", "order_id")
    assert key.is_unique().all()
    limited = fills.join(orders.select("order_id", limit="price"), on="order_id").drop_nulls("limit")
    worse = (pl.col("price") - pl.col("limit")) * pl.when(pl.col("side") == "buy").then(1).otherwise(-1) > 0
    assert limited.filter(worse).is_empty()
    refused = orders.filter(pl.col("reason").str.starts_with("risk_") | (pl.col("reason") == "trading_off"))
    never_sent = orders.filter(
        pl.col("reason").is_in(["requested", "reduce_only"]) & (pl.col("closed") == pl.col("decided"))
    )
    sent = orders.height - refused.height
    assert sent - never_sent.height <= result.metrics["orders"] <= sent
    assert result.metrics["fills"] == result.fills.height


@settings(max_examples=400)
@given(runs)
def test_whatever_a_strategy_orders_the_books_are_right(plan: dict[str, Any]) -> None:
    try:
        result = go(plan)
    except tw.TradewindError as error:
        assert (error.code, plan["reacts"]) == ("endless_decisions", "always")
        return
    assert result.metrics["rows"] == (120 if plan["market"][2] == "both" else 60)
    check_orders(result)
    check_accounts(result)


@settings(max_examples=60)
@given(runs)
def test_a_run_of_random_orders_is_the_same_again(plan: dict[str, Any]) -> None:
    plan = {**plan, "reacts": "once"}
    first = go(plan)
    for more in ({}, {"keep": "metrics"}, {"progress": lambda rows: None}):
        again = go(plan, **more)
        assert (again.decisions_hash, again.state_hash) == (first.decisions_hash, first.state_hash)
        # Reasons are counted from the orders, which a run that keeps figures only does not keep.
        assert again.metrics == first.metrics


@pytest.mark.slow
@settings(max_examples=5_000)
@given(runs)
def test_many_more_of_them(plan: dict[str, Any]) -> None:
    test_whatever_a_strategy_orders_the_books_are_right.hypothesis.inner_test(plan)  # type: ignore[attr-defined]


def test_gamblers_are_liquidated_and_the_books_are_right() -> None:
    """Nearly all money in one position, in a wild market: forced closes, their fees, and the insurance."""
    liquidated = insured = 0
    for seed in range(60):
        size = random.Random(seed).choice([-3, -2, 2, 3])
        plan = {
            "script": {2: [("target", size)], 30: [("target", -size)]},
            "market": (seed, 150, "quotes"),
            **{"latency": "20ms", "limits": tw.Limits(), "reacts": "never", "money": 20, "resting": "through"},
            "spot": False,
        }
        result = go(plan)
        check_orders(result)
        check_accounts(result)
        forced = result.fills.filter(pl.col("order_id") == 0)
        liquidated += not forced.is_empty()
        insured += (result.ledger["from"] == "insurance").any()
        assert (result.metrics["total"].get("liquidation_fees", 0) > 0) == (not forced.is_empty())
    assert liquidated > 10
    assert insured > 2
