"""Runs of plans, and what their results must say."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

import polars as pl
from helpers import START

import tradewind as tw
from model.audit import Audit
from model.bars import Builder
from model.desk import Desk, System
from model.loss import DailyLoss, OrderRate
from model.money import Books
from model.plans import Plan
from model.rows import MILLISECOND_NS, START_NS, Row, by_arrival, rows, streams
from model.tape import Tape
from model.trader import Trader
from model.venue import Venue
from model.ways import Chance, Constant, Way, answers, requests
from tradewind.instruments import InstrumentFields
from tradewind.journal import MemoryStorage, query

INTERVAL_NS = 10**9


def market_of(plan: Plan) -> dict[str, list[Row]]:
    return {name: rows(walk, name, random.Random(f"{plan.seed} {name}")) for name, walk in plan.walks.items()}


def reports_of(storage: MemoryStorage) -> pl.DataFrame:
    """What venues said, and when, as the run's journal has it."""
    times = "cast(time as bigint) as time_ns, cast(venue_time as bigint) as venue_ns"
    return query(
        storage, f"select account, order_id, kind, code, {times} from account where kind <> 'deposit'"
    ).collect()


def carried_out(plan: Plan) -> tuple[tw.Result, Tape, dict[str, list[Row]]]:
    """The run in the kernel."""
    tape, made = Tape(), market_of(plan)
    storage = MemoryStorage() if plan.chance else None
    available = frozenset((name, row.stream) for name, held in made.items() for row in held)
    interval = f"{plan.built_s or next(iter(plan.walks.values())).interval_s}s"
    of_class = {"tape": tape, "available": available, "interval": interval, "builds_bars": plan.built_s is not None}
    cls = type("Gambler", (Trader,), of_class)
    result = tw.backtest(
        [cls(name=name, habits=plan.habits) for name in plan.traders],
        data={name: streams(held) for name, held in made.items()},
        instruments=plan.instruments,
        balances=plan.wallets,
        currency=plan.currency,
        interval="1s",
        venues={venue: simulated(plan, venue) for venue in plan.wallets},
        risk=risk_of(plan),
        commands=commands_of(plan),
        incidents=[
            *(tw.Halt(name, at(start), at(end)) for name, (start, end) in plan.halts.items()),
            *(tw.Outage(name, at(start), at(end)) for name, (start, end) in plan.outages.items()),
        ],
        seed=plan.seed,
        journal=storage,
    )
    tape.reports = None if storage is None else reports_of(storage)
    return result, tape, made


def risk_of(plan: Plan) -> tw.Risk:
    limits = {name: value for name, value in vars(plan.rules).items() if value is not None}
    rate = None if plan.order_rate is None else tw.OrderRate(plan.order_rate[0], f"{plan.order_rate[1]}ms")
    return tw.Risk(tw.Limits(**limits), order_rate=rate, daily_loss=plan.daily_loss)


def system_of(plan: Plan) -> System:
    """The same, as the model has it."""
    rate = None if plan.order_rate is None else OrderRate(plan.order_rate[0], plan.order_rate[1] * MILLISECOND_NS)
    return System(rate, None if plan.daily_loss is None else DailyLoss(plan.daily_loss))


def latencies_ms(plan: Plan, venue: str) -> tuple[int, int]:
    return plan.latencies.get(venue, (plan.latency_ms, plan.answer_ms))


def simulated(plan: Plan, venue: str) -> tw.Simulated:
    latency_ms, answer_ms = latencies_ms(plan, venue)
    return tw.Simulated(
        latency=latency_of(plan, latency_ms),
        answer_latency=latency_of(plan, answer_ms),
        resting="touch" if plan.touch else "through",
        leverage=plan.leverage,
        lag=f"{plan.lags_ms[venue]}ms" if venue in plan.lags_ms else None,
    )


def latency_of(plan: Plan, least_ms: int) -> tw.simulation.Latency:
    least, most = f"{least_ms}ms", f"{least_ms + plan.spread_ms}ms"
    match plan.chance:
        case "uniform":
            return tw.Uniform(least, most)
        case "exponential":
            return tw.Exponential(least, f"{plan.spread_ms}ms")
        case "measured":
            return tw.Measured.of([(least_ms + plan.spread_ms * part // 3) * MILLISECOND_NS for part in range(4)])
        case _:
            return least


def ways(plan: Plan, venue: str, reports: pl.DataFrame | None) -> tuple[Way, Way]:
    """Both directions, as the model has them."""
    least_ns = [latency_ms * MILLISECOND_NS for latency_ms in latencies_ms(plan, venue)]
    if reports is None:
        return Constant(least_ns[0]), Constant(least_ns[1])
    more_ns = 2**63 if plan.chance == "exponential" else plan.spread_ms * MILLISECOND_NS
    own, lag_ns = reports.filter(account=venue), plan.lags_ms.get(venue, 0) * MILLISECOND_NS
    there = Chance(least_ns[0], least_ns[0] + more_ns, requests(own))
    return there, Chance(least_ns[1], max(least_ns[1] + more_ns, lag_ns), answers(own))


def at(offset_ms: int) -> datetime:
    return START + timedelta(milliseconds=offset_ms)


def commands_of(plan: Plan) -> list[tw.Command]:
    words: tuple[Literal["trading_off", "trading_on"], ...] = ("trading_off", "trading_on")
    times = [at(offset) for offset in plan.pause or ()]
    return [tw.Command(time, word) for time, word in zip(times, words, strict=False)]


def audit_of(plan: Plan, result: tw.Result, tape: Tape, made: dict[str, list[Row]]) -> Audit:
    """The model, at the start of the run."""
    specifications = {one.name: one for one in result.data.instruments}
    everything = [row for held in made.values() for row in held]
    venues = {
        venue: venue_of(plan, venue, specifications, everything, ways(plan, venue, tape.reports))
        for venue in sorted(plan.wallets)
    }
    wallets = {wallet: amount for venue in venues.values() for wallet, amount in venue.books.wallets.items()}
    builders = {
        name: Builder(plan.built_s * 10**9)
        for name, held in made.items()
        if plan.built_s and any(row.kind == "trade" for row in held)
    }
    books, strategies = Books(specifications, wallets), tuple(sorted(plan.traders))
    desk = Desk(books, venues, plan.rules, strategies, plan.currency, system_of(plan))
    # The accounts' money is there when the first row is met.
    lagging = {name for name, one in specifications.items() if one.venue in plan.lags_ms}
    desk.begin_input(min(row.arrival_ns if row.instrument in lagging else row.time_ns for row in everything))
    # Rows come before what is known of connections at their time.
    lost = {name: [max(time_ns, desk.now_ns) for time_ns in venue.outage] for name, venue in venues.items()}
    arriving = [
        row for row in everything
        if not lost[row.instrument.split(":")[0]][0] < row.arrival_ns <= lost[row.instrument.split(":")[0]][1]
    ]  # fmt: skip
    return Audit.of(desk, arriving, builders)


def venue_of(
    plan: Plan, name: str, specifications: dict[str, InstrumentFields], made: list[Row], both: tuple[Way, Way]
) -> Venue:
    """A venue, with the account that it keeps of us."""
    wallets = {(name, asset): Decimal(amount) for asset, amount in plan.wallets[name].items()}
    own = {one.name: one for one in specifications.values() if one.venue == name}
    rows = sorted((row for row in made if row.instrument in own), key=lambda row: row.key)
    lag_ns = plan.lags_ms.get(name, 0) * MILLISECOND_NS
    if name in plan.lags_ms:
        # What comes later than the bound happens when it comes, less the bound, behind what has come before.
        late = [replace(row, time_ns=max(row.time_ns, row.arrival_ns - lag_ns)) for row in by_arrival(rows)]
        rows = sorted(late, key=lambda row: row.time_ns)
    venue = Venue(Books(own, wallets), rows, *both, touch=plan.touch, leverage=plan.leverage)
    venue.lag_ns = lag_ns
    if name in plan.outages:
        venue.outage = moments(plan.outages[name])
    for halted, halt in plan.halts.items():
        if halted in own:
            venue.halts[halted] = moments(halt)
    return venue


def moments(offsets_ms: tuple[int, int]) -> tuple[int, int]:
    start_ms, end_ms = offsets_ms
    return START_NS + start_ms * MILLISECOND_NS, START_NS + end_ms * MILLISECOND_NS


def check_run(plan: Plan, result: tw.Result, tape: Tape, made: dict[str, list[Row]]) -> None:
    audit = audit_of(plan, result, tape, made)
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
    assert {(row["account"], row["asset"]) for row in result.metrics["assets"]} == set(desk.books.wallets)
    for row in result.metrics["assets"]:
        check_asset(desk, row)
    for row in result.metrics["instruments"]:
        check_figures(desk, row)
    check_total(desk, result.metrics)
    check_day(desk, result.metrics["day"])
    curve = result.equity["equity"]
    falls, stated = (curve / curve.cum_max() - 1).min(), result.metrics["maximum_drawdown"]
    if isinstance(falls, float):
        assert abs(stated - min(falls, 0.0)) < 1e-12
    else:
        assert stated is None


def check_asset(desk: Desk, row: dict[str, Any]) -> None:
    """What an account holds of an asset, and what it paid and received beside fills."""
    wallet = (row["account"], row["asset"])
    assert Decimal(row["wallet"]) == desk.books.wallets[wallet], wallet
    for purpose, sign in (("funding", 1), ("insurance", 1), ("liquidation_fees", -1)):
        assert Decimal(row[purpose]) == sign * desk.books.payments.get((wallet, purpose), Decimal(0)), (wallet, purpose)


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
    one = books.specifications[name]
    if one.kind != "spot":
        assert abs(row["exchange_fees"] - float(books.fees.get((name, one.settlement), Decimal(0)))) < 1e-9


def check_total(desk: Desk, metrics: dict[str, Any]) -> None:
    """The total is that of the instruments in the currency of the totals; unknown while a rate of one is (N4)."""
    rates = [desk.rate(row["settlement"]) for row in metrics["instruments"]]
    if None in rates:
        return
    for key in ("realised", "fees", "funding", "net_realised", "volume"):
        expected = sum(row[key] * float(rate or 0) for row, rate in zip(metrics["instruments"], rates, strict=True))
        assert abs(metrics["total"][key] - expected) < 1e-6 + 1e-9 * abs(expected), (key, expected)


def check_day(desk: Desk, stated: tuple[int, float, float | None] | None) -> None:
    """The last day, its profit, and the limit that it has reached."""
    loss, earned = desk.system.daily_loss, desk.earned()
    if loss is None:
        assert stated is None
    elif earned is not None:
        assert stated is not None
        day, profit, reached = stated
        assert (day, reached) == (loss.day, float(loss.limit) if loss.is_reached else None)
        assert abs(profit - float(earned - loss.before)) < 1e-6


def check_curve(audit: Audit, curve: pl.DataFrame) -> None:
    """A point at each boundary behind which something happened, of what everything was worth up to and with it."""
    times_ns = curve["time"].dt.epoch("ns").to_list()
    assert all(earlier < later for earlier, later in pairwise(times_ns))
    known = [(time_ns, worth) for time_ns, worth in audit.worth if worth is not None]
    if not times_ns:
        assert not known
        return
    changes_ns = [time_ns for time_ns, _ in known]
    for time_ns, equity in list(zip(times_ns, curve["equity"], strict=True))[1:]:
        _, now_worth = known[max(bisect_right(changes_ns, time_ns) - 1, 0)]
        assert abs(equity - float(now_worth)) < 1e-6 + 1e-12 * abs(equity), (time_ns, equity, now_worth)
    for (time_ns, worth), (later_ns, _) in pairwise(audit.worth):
        boundary_ns = -(-time_ns // INTERVAL_NS) * INTERVAL_NS
        is_passed = times_ns[0] <= time_ns and boundary_ns < later_ns
        assert worth is None or not is_passed or boundary_ns in times_ns, boundary_ns
