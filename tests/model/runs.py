"""Runs of plans, and what their results must say."""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

import polars as pl
from helpers import BTC, SPOT, START

import tradewind as tw
from model.audit import Audit
from model.bars import Builder
from model.desk import Desk
from model.money import Books
from model.plans import Plan
from model.rows import MILLISECOND_NS, Row, rows, streams
from model.tape import Tape
from model.trader import Trader
from model.venue import Venue
from tradewind.instruments import InstrumentFields

INTERVAL_NS = 10**9


def market_of(plan: Plan) -> dict[str, list[Row]]:
    return {name: rows(walk, name, random.Random(f"{plan.seed} {name}")) for name, walk in plan.walks.items()}


def carried_out(plan: Plan) -> tuple[tw.Result, Tape, dict[str, list[Row]]]:
    """The run in the kernel."""
    tape, made = Tape(), market_of(plan)
    available = frozenset((name, row.stream) for name, held in made.items() for row in held)
    interval = f"{plan.built_s or next(iter(plan.walks.values())).interval_s}s"
    of_class = {"tape": tape, "available": available, "interval": interval, "builds_bars": plan.built_s is not None}
    cls = type("Gambler", (Trader,), of_class)
    limits = {name: value for name, value in vars(plan.rules).items() if value is not None}
    simulated = tw.Simulated(
        latency=f"{plan.latency_ms}ms",
        answer_latency=f"{plan.answer_ms}ms",
        resting="touch" if plan.touch else "through",
        leverage=plan.leverage,
    )
    result = tw.backtest(
        [cls(name=name, habits=plan.habits) for name in plan.traders],
        data={name: streams(held) for name, held in made.items()},
        instruments=instruments_of(plan),
        balances={"USDT": plan.money} | ({"BTC": plan.coins} if SPOT in plan.walks else {}),
        currency="USDT",
        interval="1s",
        venues={"synthetic": simulated},
        risk=tw.Limits(**limits),
        commands=commands_of(plan),
        seed=plan.seed,
    )
    return result, tape, made


def instruments_of(plan: Plan) -> list[InstrumentFields]:
    """The instruments of which something is other than in the package."""
    return [InstrumentFields(**tw.instruments.load(BTC).model_dump() | plan.terms)] if plan.terms else []


def commands_of(plan: Plan) -> list[tw.Command]:
    words: tuple[Literal["trading_off", "trading_on"], ...] = ("trading_off", "trading_on")
    at = [START + timedelta(milliseconds=offset) for offset in plan.pause or ()]
    return [tw.Command(time, word) for time, word in zip(at, words, strict=False)]


def audit_of(plan: Plan, result: tw.Result, made: dict[str, list[Row]]) -> Audit:
    """The model, at the start of the run."""
    wallets = {"USDT": Decimal(plan.money)} | ({"BTC": Decimal(plan.coins)} if SPOT in plan.walks else {})
    specifications = {one.name: one for one in result.data.instruments}
    books, theirs = (Books(specifications, dict(wallets)) for _ in range(2))
    everything = [row for held in made.values() for row in held]
    latency_ns, answer_ns = plan.latency_ms * MILLISECOND_NS, plan.answer_ms * MILLISECOND_NS
    venue = Venue(theirs, everything, latency_ns, answer_ns, touch=plan.touch, leverage=plan.leverage)
    builders = {
        name: Builder(plan.built_s * 10**9)
        for name, held in made.items()
        if plan.built_s and any(row.kind == "trade" for row in held)
    }
    return Audit.of(Desk(books, venue, plan.rules, tuple(sorted(plan.traders))), everything, builders)


def check_run(plan: Plan, result: tw.Result, tape: Tape, made: dict[str, list[Row]]) -> None:
    audit = audit_of(plan, result, made)
    audit.check(tape)
    check_result(audit.desk, result)
    assert result.metrics["late_trades"] == sum(one.late for one in audit.builders.values())
    check_curve(audit, result.equity)


def check_result(desk: Desk, result: tw.Result) -> None:
    """The frames and figures say what the model knows."""
    ours = [
        (number, life.placed.strategy, life.placed.instrument, float(life.filled), life.status, life.reason)
        for number, life in desk.lives.items()
    ]
    theirs = result.orders.sort("order_id").select("order_id", "strategy", "instrument", "filled", "status", "reason")
    assert theirs.rows() == ours
    fills = [
        (one.order_id, one.strategy, one.instrument, float(one.price), float(one.quantity), one.is_maker)
        for one in desk.fills
    ]
    is_maker = pl.col("liquidity") == "maker"
    columns = ("order_id", "strategy", "instrument", "price", "quantity")
    assert result.fills.select(*columns, is_maker).rows() == fills
    assert {row["asset"]: Decimal(row["wallet"]) for row in result.metrics["assets"]} == desk.books.wallets
    paid = {purpose: desk.books.payments.get(purpose, Decimal(0)) for purpose in ("funding", "insurance")}
    [money] = [row for row in result.metrics["assets"] if row["asset"] == "USDT"]
    assert {purpose: Decimal(money[purpose]) for purpose in paid} == paid
    assert Decimal(money["liquidation_fees"]) == -desk.books.payments.get("liquidation_fees", Decimal(0))
    for row in result.metrics["instruments"]:
        check_figures(desk, row)
    curve = result.equity["equity"]
    falls = (curve / curve.cum_max() - 1).min()
    assert isinstance(falls, float)
    assert abs(result.metrics["maximum_drawdown"] - min(falls, 0.0)) < 1e-12


def check_figures(desk: Desk, row: dict[str, Any]) -> None:
    """The figures of an instrument are those of the model's orders, fills and positions."""
    name, books = row["instrument"], desk.books
    multiplier = books.specifications[name].multiplier
    held = [one for (strategy, other), one in books.positions.items() if strategy and other == name]
    mark = desk.marks.prices.get(name)
    assert (row["position"], row["mark"]) == (float(sum(one.quantity for one in held)), mark and float(mark))
    assert abs(row["realised"] - float(sum(one.realised for one in held))) < 1e-6
    if mark is not None:
        assert abs(row["unrealised"] - float(sum(one.unrealised(mark) for one in held))) < 1e-6
    lives = [life for life in desk.lives.values() if life.placed.instrument == name]
    for status in ("filled", "cancelled", "rejected"):
        assert row[f"orders_{status}"] == sum(
            life.status == status and (life.was_sent or status != "rejected") for life in lives
        )
    assert row["orders_refused"] == sum(life.status == "rejected" and not life.was_sent for life in lives)
    assert row["orders"] == sum(life.was_sent for life in lives)
    fills = [fill for fill in desk.fills if fill.instrument == name]
    assert row["fills"] == len(fills)
    assert abs(row["volume"] - float(sum(fill.price * fill.quantity for fill in fills) * multiplier)) < 1e-6
    if name != SPOT:
        assert abs(row["exchange_fees"] - float(books.fees.get((name, "USDT"), Decimal(0)))) < 1e-9


def check_curve(audit: Audit, curve: pl.DataFrame) -> None:
    """A point at each boundary behind which something happened, of what everything was worth up to and with it."""
    times_ns = curve["time"].dt.epoch("ns").to_list()
    assert all(earlier < later for earlier, later in pairwise(times_ns))
    known = [(time_ns, worth) for time_ns, worth in audit.worth if worth is not None]
    changes_ns = [time_ns for time_ns, _ in known]
    for time_ns, equity in list(zip(times_ns, curve["equity"], strict=True))[1:]:
        _, now_worth = known[max(bisect_right(changes_ns, time_ns) - 1, 0)]
        assert abs(equity - float(now_worth)) < 1e-6, (time_ns, equity, now_worth)
    for (time_ns, worth), (later_ns, _) in pairwise(audit.worth):
        boundary_ns = -(-time_ns // INTERVAL_NS) * INTERVAL_NS
        is_passed = times_ns[0] <= time_ns and boundary_ns < later_ns
        assert worth is None or not is_passed or boundary_ns in times_ns, boundary_ns
