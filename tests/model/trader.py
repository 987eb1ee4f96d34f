"""A strategy that does several things at once, at random, and tells a tape of everything."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import tradewind as tw
from model.rows import MILLISECOND_NS
from model.tape import Act, Callback, Said, Seen, State, Tape, Terms
from tradewind._core import Bar, Context, Fill, Instrument, Order


@dataclass(frozen=True)
class Habits:
    """What a trader is likely to do."""

    seed: int = 0
    at_rows: float = 0.35
    at_reports: float = 0.06
    most_acts: int = 4
    kinds: tuple[str, ...] = (
        "order", "order", "limit", "limit", "target", "target", "limit_target",
        "close", "cancel", "cancel_all", "timer",
    )  # fmt: skip
    sizes: tuple[str, ...] = ("0.05", "0.1", "0.3", "0.3", "0.5", "1", "1.7", "3")
    reduce_only: float = 0.15
    # Venues and assets whose balances are looked at.
    wallets: tuple[tuple[str, str], ...] = (("synthetic", "USDT"),)


class Trader(tw.Strategy):
    """Acts at rows, and now and then at reports and timers."""

    habits: Habits = tw.param(None)
    tape: Tape

    def on_start(self, ctx: Context) -> None:
        self.chance = random.Random(f"{self.habits.seed} {self.name}")
        self.traded = list(ctx.instruments)
        self.handles: list[Order] = []
        for one in self.traded:
            for kind in ("book", "quotes", "trades", "marks", "funding"):
                if (one.name, kind) in self.available:
                    ctx.subscribe(getattr(one, kind))
            if (one.name, "trades" if self.builds_bars else "bars") in self.available:
                ctx.subscribe(one.bars(self.interval))

    available: frozenset[tuple[str, str]]
    interval: str
    builds_bars: bool

    def on_quote(self, ctx: Context, event: object) -> None:
        self.heard(ctx, Said(self.name, "row"), self.habits.at_rows)

    def on_book(self, ctx: Context, event: object) -> None:
        self.on_quote(ctx, event)

    def on_trade(self, ctx: Context, event: object) -> None:
        self.on_quote(ctx, event)

    def on_mark(self, ctx: Context, event: object) -> None:
        self.on_quote(ctx, event)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if (bar.instrument.name, "bars") in self.available:
            self.on_quote(ctx, bar)
            return
        assert bar.is_complete
        figures = (exact(one) for one in (bar.open, bar.high, bar.low, bar.close, bar.volume))
        self.heard(ctx, Said(self.name, "bar", fill=(bar.venue_time_ns, *figures)), self.habits.at_rows)

    def on_funding(self, ctx: Context, event: object) -> None:
        self.on_quote(ctx, event)

    def on_timer(self, ctx: Context, number: int) -> None:
        self.heard(ctx, Said(self.name, "timer"), self.habits.at_rows)

    def on_status(self, ctx: Context, status: Any) -> None:
        concerned = None if status.part is None else f"{status.part} {status.venue}"
        self.heard(ctx, Said(self.name, status.kind, reason=concerned), self.habits.at_reports)

    def on_stop(self, ctx: Context) -> None:
        self.heard(ctx, Said(self.name, "stop"), self.habits.at_rows)

    def on_order(self, ctx: Context, order: Order) -> None:
        filled = exact(order.filled)
        said = Said(self.name, "order", order.id, order.status, order.reason, filled, terms_of(order))
        self.heard(ctx, said, self.habits.at_reports)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        figures = (
            exact(fill.price), exact(fill.quantity), fill.liquidity == "maker", fill.fee, fill.fee_asset,
            fill.venue_time_ns,
        )  # fmt: skip
        self.heard(ctx, Said(self.name, "fill", fill.order_id, fill=figures), self.habits.at_reports)

    def state(self, ctx: Context) -> State:
        held = {one.name: ctx.position(one) for one in self.traded}
        return State(
            {name: (one.quantity, one.cost, one.realised) for name, one in held.items()},
            {(venue, asset): ctx.balance(asset, venue) for venue, asset in self.habits.wallets},
            tuple(Seen(order.id, order.status, exact(order.filled), terms_of(order)) for order in ctx.open_orders()),
            {one.name: ctx.price(one) for one in self.traded},
            {one.name: ctx.dust(one) for one in self.traded},
            {one.name: ctx.book(one) for one in self.traded if (one.name, "book") in self.available},
        )

    def heard(self, ctx: Context, said: Said, likely: float) -> None:
        callback = Callback(ctx.now_ns, said, self.state(ctx))
        self.tape.callbacks.append(callback)
        if self.chance.random() >= likely:
            return
        for _ in range(self.chance.randint(1, self.habits.most_acts)):
            act = self.act(ctx, self.chance.choice(self.habits.kinds), self.chance.choice(self.traded))
            if act is not None:
                callback.acts.append(act)

    def act(self, ctx: Context, kind: str, one: Instrument) -> Act | None:
        chance, name = self.chance, one.name
        size = Decimal(chance.choice(self.habits.sizes))
        match kind:
            case "order" | "limit":
                price = self.price(ctx, one) if kind == "limit" else None
                force: Any = chance.choice(
                    ["gtc", "gtc", "gtc", "ioc", "post_only"] if price is not None else ["gtc", "gtc", "ioc"]
                )
                reduce_only = chance.random() < self.habits.reduce_only
                place = chance.choice([ctx.buy, ctx.sell])
                order = place(one, size, price, time_in_force=force, reduce_only=reduce_only)
                assert order.status == "queued"
                self.handles.append(order)
                return Act("order", name, order.id, 1 if order.side == "buy" else -1, size, price, force, reduce_only)
            case "target" | "limit_target":
                price = self.price(ctx, one) if kind == "limit_target" else None
                wanted = size * chance.choice([0, 1, 1, -1, -1]) + Decimal(chance.choice(["0", "0", "0.0004"]))
                ctx.target(one, float(wanted), None if price is None else float(price))
                return Act("target", name, quantity=wanted, price=price)
            case "close":
                ctx.close(one)
                return Act("close", name)
            case "cancel":
                known = self.handles[-6:] + ctx.open_orders()
                if not known:
                    return None
                order = chance.choice(known)
                ctx.cancel(order)
                return Act("cancel", order.instrument.name, order.id)
            case "cancel_all":
                everywhere = chance.random() < 0.5
                ctx.cancel_all(None if everywhere else one)
                return Act("cancel_all", "" if everywhere else name)
            case _:
                after_ms = chance.choice([0, 0, 20, 250, 1_000])
                ctx.timer(after=after_ms / 1_000)
                return Act("timer", due_ns=ctx.now_ns + after_ms * MILLISECOND_NS)

    def price(self, ctx: Context, one: Instrument) -> Decimal:
        mark = ctx.price(one) or 100.0
        return exact(one.round_price(mark + self.chance.choice([-25, -5, -2, -1, 0, 0, 1, 2, 5, 25]) * 0.1))


def terms_of(order: Order) -> Terms:
    price = None if order.price is None else exact(order.price)
    sign = 1 if order.side == "buy" else -1
    return order.instrument.name, sign, exact(order.quantity), price, order.time_in_force, order.reduce_only


def exact(number: float) -> Decimal:
    """A float means its shortest decimal form (N2)."""
    return Decimal(repr(number))
