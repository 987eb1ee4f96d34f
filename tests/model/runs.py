"""Random runs, and what their results must say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import polars as pl
from helpers import BTC, ETH, SPOT, START

import tradewind as tw
from model.audit import Audit, Rules
from model.money import Books, Position
from model.rows import MILLISECOND_NS, Row, Walk, rows, streams
from model.tape import Tape
from model.trader import Habits, Trader
from model.venue import Venue


@dataclass(frozen=True)
class Plan:
    """All that decides a run."""

    seed: int
    walks: dict[str, Walk] = field(default_factory=lambda: {BTC: Walk()})
    traders: tuple[str, ...] = ("a",)
    latency_ms: int = 20
    answer_ms: int = 20
    touch: bool = False
    rules: Rules = field(default_factory=Rules)
    habits: Habits = field(default_factory=Habits)
    # From when until when trading is off, in milliseconds.
    pause: tuple[int, int] | None = None


def random_rules(chance: random.Random) -> Rules:
    """Mostly none; else some that are met now and then."""
    if chance.random() < 0.7:
        return Rules()
    return Rules(
        chance.choice([None, Decimal(1)]),
        chance.choice([None, Decimal(60)]),
        chance.choice([None, Decimal("1.5")]),
        chance.choice([None, 3]),
        chance.choice([None, Decimal("0.01")]),
    )


def random_plan(seed: int) -> Plan:
    chance = random.Random(seed)
    kinds = chance.choice([("quote",), ("quote",), ("trade",), ("quote", "trade")])
    walk = Walk(
        kinds, count=chance.choice([30, 60]), step=chance.choice([1, 3, 12]), delay_ms=chance.choice([0, 0, 40, 700])
    )
    names = chance.choice([(BTC,), (BTC,), (SPOT,), (BTC, ETH), (BTC, SPOT)])
    latency_ms = chance.choice([0, 20, 20, 300, 1_500])
    assets = tuple(sorted({"USDT"} | {"BTC" for name in names if name == SPOT}))
    return Plan(
        seed,
        dict.fromkeys(names, walk),
        chance.choice([("a",), ("a", "b"), ("a", "b", "c")]),
        latency_ms,
        chance.choice([latency_ms, 0, 30]),
        chance.random() < 0.3,
        habits=Habits(
            seed, at_rows=chance.choice([0.1, 0.35, 0.9]), at_reports=chance.choice([0, 0.06, 0.15]), assets=assets
        ),
        rules=random_rules(chance),
        pause=(3_333, 8_888) if chance.random() < 0.2 else None,
    )


def market_of(plan: Plan) -> dict[str, list[Row]]:
    return {name: rows(walk, name, random.Random(f"{plan.seed} {name}")) for name, walk in plan.walks.items()}


def carried_out(plan: Plan, **settings: Any) -> tuple[tw.Result, Tape, dict[str, list[Row]]]:
    """The run in the kernel."""
    tape, made = Tape(), market_of(plan)
    available = frozenset((name, f"{row.kind}s") for name, held in made.items() for row in held)
    cls = type("Gambler", (Trader,), {"tape": tape, "available": available})
    limits = {name: value for name, value in vars(plan.rules).items() if value is not None}
    simulated = tw.Simulated(
        latency=f"{plan.latency_ms}ms",
        answer_latency=f"{plan.answer_ms}ms",
        resting="touch" if plan.touch else "through",
    )
    given: dict[str, Any] = {
        "balances": {"USDT": 1_000_000, "BTC": 1_000} if SPOT in plan.walks else {"USDT": 1_000_000},
        "currency": "USDT",
        "interval": "1777ms",
        "venues": {"synthetic": simulated},
        "risk": tw.Limits(**limits),
        "commands": commands_of(plan),
        "seed": plan.seed,
    }
    result = tw.backtest(
        [cls(name=name, habits=plan.habits) for name in plan.traders],
        data={name: streams(held) for name, held in made.items()},
        **{**given, **settings},
    )
    return result, tape, made


def commands_of(plan: Plan) -> list[tw.Command]:
    words: tuple[Literal["trading_off", "trading_on"], ...] = ("trading_off", "trading_on")
    at = [START + timedelta(milliseconds=offset) for offset in plan.pause or ()]
    return [tw.Command(time, word) for time, word in zip(at, words, strict=False)]


def audit_of(plan: Plan, result: tw.Result, made: dict[str, list[Row]]) -> Audit:
    """The model, at the start of the run."""
    specifications = {one.name: one for one in result.data.instruments}
    wallets = {"USDT": Decimal(1_000_000)} | ({"BTC": Decimal(1_000)} if SPOT in plan.walks else {})
    books = Books(specifications, wallets)
    everything = [row for held in made.values() for row in held]
    venue = Venue(
        books, everything, plan.latency_ms * MILLISECOND_NS, plan.answer_ms * MILLISECOND_NS, touch=plan.touch
    )
    return Audit(books, venue, replace(plan.rules))


def check_run(plan: Plan, **settings: Any) -> Audit:
    result, tape, made = carried_out(plan, **settings)
    audit = audit_of(plan, result, made)
    audit.check(tape)
    check_result(audit, result)
    return audit


def check_result(audit: Audit, result: tw.Result) -> None:
    """The frames say what the model knows."""
    ours = [
        (number, life.placed.strategy, life.placed.instrument, float(life.filled), life.status, life.reason)
        for number, life in sorted(audit.lives.items())
    ]
    theirs = result.orders.sort("order_id").select("order_id", "strategy", "instrument", "filled", "status", "reason")
    assert theirs.rows() == ours
    fills = [
        (
            one.order_id,
            one.strategy,
            one.instrument,
            float(one.price),
            float(one.quantity),
            "maker" if one.is_maker else "taker",
        )
        for one in audit.fills
    ]
    assert result.fills.select("order_id", "strategy", "instrument", "price", "quantity", "liquidity").rows() == fills
    wallets = {row["asset"]: Decimal(row["wallet"]) for row in result.metrics["assets"]}
    assert wallets == {asset: amount for asset, amount in audit.books.wallets.items() if asset in wallets}
    for row in result.metrics["instruments"]:
        check_figures(audit, result, row)
    held = {name: audit.books.position("", name) for name in audit.books.specifications}
    marks = {row["instrument"]: row["mark"] for row in result.metrics["instruments"]}
    if None not in marks.values():
        equity = sum(
            float(amount) * (marks[SPOT] if asset == "BTC" else 1) for asset, amount in audit.books.wallets.items()
        )
        equity += sum(value_of(position, marks[name]) for name, position in held.items() if name != SPOT)
        assert abs(result.metrics["final_equity"] - equity) < 1e-5
    curve = result.equity["equity"]
    falls = (curve / curve.cum_max() - 1).min()
    assert isinstance(falls, float)
    assert abs(result.metrics["maximum_drawdown"] - min(falls, 0.0)) < 1e-12
    assert result.equity["time"].is_sorted()
    assert result.fills.filter(pl.col("quantity") <= 0).is_empty()


def value_of(position: Position, mark: float) -> float:
    """What is not realised of a position."""
    return float(position.quantity * Fraction(repr(mark)) - position.cost)


def check_figures(audit: Audit, result: tw.Result, row: dict[str, Any]) -> None:
    """The figures of an instrument are those of the model's orders, fills and positions."""
    name = row["instrument"]
    held = [one for (strategy, other), one in audit.books.positions.items() if strategy and other == name]
    assert row["position"] == float(sum(one.quantity for one in held))
    assert abs(row["realised"] - float(sum(one.realised for one in held))) < 1e-6
    if row["mark"] is not None:
        assert abs(row["unrealised"] - sum(value_of(one, row["mark"]) for one in held)) < 1e-6
    lives = [life for life in audit.lives.values() if life.placed.instrument == name]
    ended = {status: sum(life.status == status for life in lives) for status in ("filled", "cancelled", "rejected")}
    assert (row["orders_filled"], row["orders_cancelled"]) == (ended["filled"], ended["cancelled"])
    # Whether an order that may only reduce was refused or rejected, the counts do not tell.
    assert row["orders_refused"] + row["orders_rejected"] == ended["rejected"]
    assert row["orders"] == sum(life.was_sent for life in lives)
    fills = [fill for fill in audit.fills if fill.instrument == name]
    assert row["fills"] == len(fills)
    assert abs(row["volume"] - float(sum(fill.price * fill.quantity for fill in fills))) < 1e-6
    if name != SPOT:
        assert abs(row["exchange_fees"] - float(audit.books.fees.get((name, "USDT"), Decimal(0)))) < 1e-9
