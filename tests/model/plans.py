"""Random plans of runs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from helpers import BTC, ETH, SPOT

import tradewind as tw
from model.desk import Rules
from model.rows import Walk
from model.trader import Habits
from tradewind.instruments import InstrumentFields


def instrument(venue: str, symbol: str, base: str, quote: str, *, is_spot: bool) -> InstrumentFields:
    """One of two venues that are not packaged."""
    like = tw.instruments.load(SPOT if is_spot else BTC)
    of_its_own = {"venue": venue, "symbol": symbol, "base": base, "quote": quote, "settlement": quote}
    return InstrumentFields(**like.model_dump() | of_its_own)


# Prices in three assets, and pairs that lead from one to another, in either direction and at both venues.
PALETTE = {
    one.name: one
    for one in (
        instrument("east", "BTCUSDT", "BTC", "USDT", is_spot=True),
        instrument("east", "BTCUSDT-PERP", "BTC", "USDT", is_spot=False),
        instrument("east", "ETHBTC-PERP", "ETH", "BTC", is_spot=False),
        instrument("east", "ETHUSDT", "ETH", "USDT", is_spot=True),
        instrument("west", "BTCEUR", "BTC", "EUR", is_spot=True),
        instrument("west", "BTCEUR-PERP", "BTC", "EUR", is_spot=False),
        instrument("west", "BTCUSDT", "BTC", "USDT", is_spot=True),
        instrument("west", "BTCUSDT-PERP", "BTC", "USDT", is_spot=False),
        instrument("west", "ETHBTC", "ETH", "BTC", is_spot=True),
        instrument("west", "EURUSDT", "EUR", "USDT", is_spot=True),
    )
}


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
    # What the account holds; and its leverage.
    money: int = 1_000_000
    coins: int = 1_000
    leverage: int | None = None
    # Where there are several venues: what each account holds, and latencies that are not those above.
    balances: dict[str, dict[str, int]] = field(default_factory=dict)
    latencies: dict[str, tuple[int, int]] = field(default_factory=dict)
    currency: str = "USDT"
    # By which chance latencies are longer than that, and by how much.
    chance: Literal["", "uniform", "exponential", "measured"] = ""
    spread_ms: int = 0
    # How much later venues meet rows, where they do.
    lags_ms: dict[str, int] = field(default_factory=dict)
    # From when until when there is no connection to venues, in milliseconds.
    outages: dict[str, tuple[int, int]] = field(default_factory=dict)
    # From when until when instruments are halted, in milliseconds.
    halts: dict[str, tuple[int, int]] = field(default_factory=dict)
    # How long the bars are that are built from trades, in seconds.
    built_s: int | None = None
    # What is other than in the packaged specification of the first instrument.
    terms: dict[str, str | int] = field(default_factory=dict)
    # From when until when trading is off, in milliseconds.
    pause: tuple[int, int] | None = None
    # What may be lost on a day; how many orders may leave within how many milliseconds.
    daily_loss: Decimal | None = None
    order_rate: tuple[int, int] | None = None

    @property
    def wallets(self) -> dict[str, dict[str, int]]:
        """What the accounts hold at the start."""
        return self.balances or {
            "synthetic": {"USDT": self.money} | ({"BTC": self.coins} if SPOT in self.walks else {})
        }

    @property
    def instruments(self) -> list[InstrumentFields]:
        """The instruments of which something is other than in the package."""
        others = [InstrumentFields(**tw.instruments.load(BTC).model_dump() | self.terms)] if self.terms else []
        return others + [PALETTE[name] for name in self.walks if name in PALETTE]


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
    assets = {"USDT"} | {"BTC" for name in names if name == SPOT}
    wallets = tuple(("synthetic", asset) for asset in sorted(assets))
    return Plan(
        seed,
        dict.fromkeys(names, walk),
        chance.choice([("a",), ("a", "b"), ("a", "b", "c")]),
        latency_ms,
        chance.choice([latency_ms, 0, 30]),
        chance.random() < 0.3,
        habits=Habits(
            seed, at_rows=chance.choice([0.1, 0.35, 0.9]), at_reports=chance.choice([0, 0.06, 0.15]), wallets=wallets
        ),
        rules=random_rules(chance),
        pause=(3_333, 8_888) if chance.random() < 0.2 else None,
    )


def random_margined_plan(seed: int) -> Plan:
    """A random one with little money and a wild market, so that margin is short, called and used up."""
    plan, chance = random_plan(seed), random.Random(f"margin {seed}")
    walk = next(iter(plan.walks.values()))
    names = chance.choice([(BTC,), (BTC,), (BTC, ETH)])
    kinds = chance.choice([("quote",), ("trade",), ("quote", "trade"), ("quote", "quote", "mark")])
    if chance.random() < 0.5:
        kinds = (*kinds * 4, "funding")
    walk = replace(
        walk,
        kinds=kinds,
        step=chance.choice([12, 30, 60]),
        count=60,
        every_ms=chance.choice([250, 250, 250, 15_000]),
    )
    return replace(
        plan,
        walks=dict.fromkeys(names, walk),
        money=chance.choice([8, 16, 16, 33]),
        leverage=chance.choice([None, None, None, 20, 7, 3]),
        habits=replace(
            plan.habits,
            at_rows=chance.choice([0.03, 0.1, 0.35]),
            most_acts=chance.choice([1, 4]),
            kinds=("order", "order", "limit", "limit", "target", "target", "limit_target", "cancel_all", "timer"),
            sizes=("0.5", "1", "1.5", "3"),
            wallets=(("synthetic", "USDT"),),
        ),
    )


def random_plan_of_bars(seed: int) -> Plan:
    """A random one on bars, now and then with little money."""
    chance = random.Random(f"bars {seed}")
    plan = random_margined_plan(seed) if chance.random() < 0.3 else random_plan(seed)
    walk = replace(
        next(iter(plan.walks.values())), kinds=("bar",), count=30, interval_s=chance.choice([1, 3, 3, 7, 60])
    )
    return replace(plan, walks=dict.fromkeys(plan.walks, walk))


def random_plan_of_trades(seed: int) -> Plan:
    """A random one that builds bars from trades, which may come late."""
    plan, chance = random_plan(seed), random.Random(f"trades {seed}")
    walk = replace(
        next(iter(plan.walks.values())),
        kinds=chance.choice([("trade",), ("quote", "trade")]),
        delay_ms=chance.choice([0, 700, 3_000]),
    )
    return replace(plan, walks=dict.fromkeys(plan.walks, walk), built_s=chance.choice([1, 1, 2, 5]))


def random_mixed_plan(seed: int) -> Plan:
    """A random one whose marks come from several sources that are silent for minutes."""
    plan, chance = random_margined_plan(seed), random.Random(f"mixed {seed}")
    walk = replace(
        next(iter(plan.walks.values())),
        kinds=(
            chance.choice(("quote", "trade", "bar")),
            *chance.sample(("mark", "quote", "trade", "bar", "funding"), chance.choice([1, 2, 3])),
        ),
        interval_s=chance.choice([3, 60]),
        every_ms=15_000,
        count=40,
    )
    return replace(plan, walks=dict.fromkeys(plan.walks, walk))


def random_odd_plan(seed: int) -> Plan:
    """A random one with little money, of an instrument with a multiplier, other fees, margins and a coarse lot."""
    plan, chance = random_margined_plan(seed), random.Random(f"odd {seed}")
    multiplier = chance.choice(["0.1", "0.125", "10", "1000"])
    terms: dict[str, str | int] = {
        "multiplier": multiplier,
        "price_decimals": chance.choice([1, 3]),
        "quantity_decimals": 3,
        "lot": chance.choice(["0.001", "0.05"]),
        "minimum_notional": chance.choice(["0", "5"]),
        "maker_fee": chance.choice(["0.0002", "-0.0001"]),
        "taker_fee": "0.00075",
        "liquidation_fee": chance.choice(["0", "0.0123"]),
        "initial_margin": "0.03",
        "maintenance_margin": chance.choice(["0.017", "0.004"]),
    }
    return replace(plan, terms=terms, money=max(int(plan.money * Decimal(multiplier)), 1))


def random_spot_plan(seed: int) -> Plan:
    """A random one on spot, and now and then beside a perpetual, with little of everything."""
    plan, chance = random_plan(seed), random.Random(f"spot {seed}")
    walk = replace(next(iter(plan.walks.values())), step=chance.choice([3, 12, 30, 60]))
    return replace(
        plan,
        walks=dict.fromkeys(chance.choice([(SPOT,), (BTC, SPOT)]), walk),
        money=chance.choice([50, 100, 150]),
        coins=chance.choice([1, 3]),
        leverage=chance.choice([None, 3]),
        habits=replace(
            plan.habits,
            sizes=("0.05", "0.3", "0.48", "0.95", "1.4"),
            wallets=(("synthetic", "BTC"), ("synthetic", "USDT")),
        ),
    )


def random_plan_of_venues(seed: int) -> Plan:
    """A random one at two venues, where amounts are in several assets, rich or poor."""
    plan, chance = random_plan(seed), random.Random(f"venues {seed}")
    names = set(chance.sample(sorted(PALETTE), chance.choice([1, 2, 3])))
    assets = {asset for name in names for asset in (PALETTE[name].base, PALETTE[name].quote)}
    currency = chance.choice(sorted({PALETTE[name].quote for name in names}))
    if chance.random() < 0.8:
        pairs = [{asset, currency} for asset in assets]
        names |= {one.name for one in PALETTE.values() if one.kind == "spot" and {one.base, one.quote} in pairs}
    walk = next(iter(plan.walks.values()))
    kinds: list[tuple[str, ...]] = [("quote",), ("quote",), ("trade",), ("quote", "trade"), ("bar",), ("quote", "mark")]
    walks = {
        name: replace(walk, kinds=chance.choice(kinds), step=chance.choice([3, 12, 30]), count=30)
        for name in sorted(names)
    }
    for name in sorted(names):
        if PALETTE[name].kind != "spot" and chance.random() < 0.3:
            walks[name] = replace(walks[name], kinds=(*walks[name].kinds * 3, "funding"))
    balances: dict[str, dict[str, int]] = {}
    for name in sorted(names):
        one = PALETTE[name]
        for asset in sorted({one.base, one.quote} if one.kind == "spot" else {one.settlement}):
            balances.setdefault(one.venue, {})[asset] = chance.choice([2, 15, 40, 150, 1_000_000])
    return replace(
        plan,
        walks=walks,
        balances=balances,
        currency=currency,
        latencies={venue: (chance.choice([0, 20, 300]), chance.choice([0, 20, 300])) for venue in balances},
        leverage=chance.choice([None, None, 3]),
        habits=replace(
            plan.habits, wallets=tuple((venue, asset) for venue, held in balances.items() for asset in held)
        ),
    )


def random_plan_of_depth(seed: int) -> Plan:
    """A random one on order books, with quotes and trades beside them, rich or poor."""
    chance = random.Random(f"depth {seed}")
    plan = chance.choice([random_plan, random_plan, random_margined_plan, random_spot_plan])(seed)
    kinds = chance.choice(
        [("book",), ("book",), ("book", "book", "trade"), ("book", "quote"), ("book", "trade", "mark")]
    )
    walks = {
        name: replace(walk, kinds=kinds if "funding" not in walk.kinds else (*kinds * 4, "funding"), count=40)
        for name, walk in plan.walks.items()
    }
    return replace(plan, walks=walks, habits=replace(plan.habits, at_rows=plan.habits.at_rows / 4))


def random_limited_plan(seed: int) -> Plan:
    """A random one of several days or of seconds, with limits on what is lost on a day and on the rate of orders."""
    chance = random.Random(f"limited {seed}")
    plan = chance.choice([random_plan, random_margined_plan, random_plan_of_venues])(seed)
    every_ms = chance.choice([250, 250, 15_000, 1_800_000])
    walks = {
        name: replace(walk, every_ms=every_ms, step=chance.choice([3, 12]), interval_s=min(every_ms // 250, 3_600))
        for name, walk in plan.walks.items()
    }
    # A limit in a currency that not everything is priced in is refused.
    pairs = {frozenset((one.base, one.quote)) for one in PALETTE.values() if one.name in walks and one.kind == "spot"}
    held = {asset for name in walks if name in PALETTE for asset in (PALETTE[name].settlement, PALETTE[name].base)}
    is_known = all({asset, plan.currency} in pairs for asset in held - {plan.currency})
    return replace(
        plan,
        walks=walks,
        daily_loss=Decimal(chance.choice(["0.0317", "0.317", "3.17", "31.7"]))
        if is_known and chance.random() < 0.8
        else None,
        order_rate=(chance.choice([1, 3, 7]), chance.choice([1, 1_000, 10_000])) if chance.random() < 0.4 else None,
    )


def random_plan_of_bad_days(seed: int) -> Plan:
    """A random one whose venues meet rows late, and halt."""
    chance = random.Random(f"bad days {seed}")
    makes = [random_plan, random_margined_plan, random_plan_of_bars, random_plan_of_depth, random_plan_of_venues]
    plan = chance.choice(makes)(seed)
    halted = [name for name in plan.walks if chance.random() < 0.7]
    # Nobody says what a bar is worth to a venue that hears of it when it is over.
    has_bars = {name.split(":")[0] for name, walk in plan.walks.items() if "bar" in walk.kinds}
    lagging = [venue for venue in plan.wallets if chance.random() < 0.6 and venue not in has_bars]
    return replace(
        plan,
        lags_ms={venue: chance.choice([0, 40, 250, 700]) for venue in lagging},
        halts={name: (start := chance.randint(0, 15_000), start + chance.randint(1, 9_000)) for name in halted},
    )


def random_plan_of_chance(seed: int) -> Plan:
    """A random one where each message takes a time of its own."""
    chance = random.Random(f"chance {seed}")
    makes = [random_plan, random_margined_plan, random_plan_of_bars, random_plan_of_depth, random_plan_of_venues]
    plan = chance.choice([*makes, random_plan_of_bad_days, random_limited_plan])(seed)
    kind: Literal["uniform", "exponential", "measured"] = chance.choice(["uniform", "exponential", "measured"])
    return replace(plan, chance=kind, spread_ms=chance.choice([1, 30, 400, 2_000]))


def random_plan_of_outages(seed: int) -> Plan:
    """A random one that loses the connections to its venues."""
    chance = random.Random(f"outages {seed}")
    makes = [random_plan, random_plan, random_margined_plan, random_plan_of_bars, random_plan_of_venues]
    plan = chance.choice(makes)(seed)
    lost = [venue for venue in plan.wallets if chance.random() < 0.8]
    return replace(
        plan,
        outages={venue: (start := chance.randint(0, 9_000), start + chance.randint(1, 9_000)) for venue in lost},
        habits=replace(plan.habits, at_reports=0.02),
    )
