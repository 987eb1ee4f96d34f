"""The kernel against an independent model of it (tests/model), and what the model would notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from model import bars, book, desk, loss, margin, market, marks, money, path, runs, venue
from model.plans import (
    Plan,
    random_limited_plan,
    random_margined_plan,
    random_mixed_plan,
    random_odd_plan,
    random_plan,
    random_plan_of_bad_days,
    random_plan_of_bars,
    random_plan_of_chance,
    random_plan_of_depth,
    random_plan_of_outages,
    random_plan_of_trades,
    random_plan_of_venues,
    random_spot_plan,
)
from model.rows import Row
from model.runs import audit_of, carried_out, check_run
from model.tape import Callback, Tape
from model.venue import decimal

import tradewind as tw

SAMPLE = range(40)
# Targets whose queued order made way for a cancel, and were lost with it.
FOUND = (47, 109, 117)
# Margin calls, liquidations, insurance and funding, of one and of several strategies.
MARGINED = (*range(4), 16, 19, 22, 24, 39, 41, 45, 48, 55, 57)
# The last has an order that is cut to the position, and another that gets what it leaves.
BARS = (*range(10), 31)
OF_TRADES = range(6)
MIXED = range(10)
ODD = range(6)
# The last has a fill that cannot be paid.
POOR = (*range(5), 69)
VENUES = range(8)
LIMITED = range(10)
DEPTH = range(6)
BAD_DAYS = range(8)
CHANCE = range(8)
# The last has a cancel that does not get through, and is sent again.
OUTAGES = (*range(8), 67)
# One that does a bit of everything.
TELLING = random_plan(0)


@cache
def run_of(make: Callable[[int], Plan], seed: int) -> tuple[Plan, tw.Result, Tape, dict[str, list[Row]]]:
    return make(seed), *carried_out(make(seed))


SEEDS: tuple[tuple[Callable[[int], Plan], Iterable[int]], ...] = (
    (random_plan, (*SAMPLE, *FOUND)),
    (random_margined_plan, MARGINED),
    (random_plan_of_bars, BARS),
    (random_plan_of_trades, OF_TRADES),
    (random_mixed_plan, MIXED),
    (random_odd_plan, ODD),
    (random_spot_plan, POOR),
    (random_plan_of_venues, VENUES),
    (random_limited_plan, LIMITED),
    (random_plan_of_depth, DEPTH),
    (random_plan_of_bad_days, BAD_DAYS),
    (random_plan_of_chance, CHANCE),
    (random_plan_of_outages, OUTAGES),
)


@pytest.mark.parametrize(("make", "seed"), [(make, seed) for make, seeds in SEEDS for seed in seeds])
def test_the_kernel_does_what_the_model_says(make: Callable[[int], Plan], seed: int) -> None:
    check_run(*run_of(make, seed))


MANY = [(make, first) for make, _ in SEEDS for first in range(1_000, 2_500 if make is random_plan else 1_500, 100)]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "first"), MANY)
def test_it_does_so_whatever_is_asked_of_it(make: Callable[[int], Plan], first: int) -> None:
    for seed in range(first, first + 100):
        check_run(make(seed), *carried_out(make(seed)))


def test_margin_is_used_up_in_the_sample() -> None:
    """It would be of no use where nothing happens."""
    runs = [run_of(random_margined_plan, seed) for seed in MARGINED]
    told = [call.said for _, _, tape, _ in runs for call in tape.callbacks]
    assert {"margin_call", "liquidation"} <= {said.kind for said in told}
    assert {"insufficient_funds", "liquidation"} <= {said.reason for said in told}
    paid = {place for _, result, _, _ in runs for place in (*result.ledger["from"], *result.ledger["to"])}
    assert {"funding", "insurance", "liquidation_fees"} <= paid


def first(tape: Tape, which: Callable[[Callback], bool]) -> Callback:
    return next(call for call in tape.callbacks if which(call))


def changed_fill(place: int, by: Any) -> Callable[[Tape], None]:
    def change(tape: Tape) -> None:
        call = first(tape, lambda call: call.kind == "fill")
        assert call.said.fill is not None
        figures = tuple(figure + by if place == at else figure for at, figure in enumerate(call.said.fill))
        call.said = replace(call.said, fill=figures)

    return change


def without(kind: str, *statuses: str) -> Callable[[Tape], None]:
    def change(tape: Tape) -> None:
        tape.callbacks.remove(
            first(tape, lambda call: call.kind == kind and (not statuses or call.said.status in statuses))
        )

    return change


def later(tape: Tape) -> None:
    """An answer that comes a nanosecond late."""
    first(tape, lambda call: call.said.status == "open").now_ns += 1


def refused(tape: Tape) -> None:
    """A refusal for another reason."""
    call = first(tape, lambda call: call.said.reason == "reduce_only")
    call.said = replace(call.said, reason="trading_off")


def let_through(tape: Tape) -> None:
    """An order that should be refused."""
    call = first(tape, lambda call: call.said.reason == "reduce_only")
    call.said = replace(call.said, status="in_flight", reason=None)


def larger(tape: Tape) -> None:
    """An order of a target that is a lot larger than what is missing."""
    own = {act.order_id for call in tape.callbacks for act in call.acts if act.kind == "order"}
    number = first(tape, lambda call: call.kind == "order" and call.said.order_id not in own).said.order_id

    def grown(terms: Any) -> Any:
        return (*terms[:2], terms[2] + Decimal("0.1"), *terms[3:])

    for call in tape.callbacks:
        if call.kind == "order" and call.said.order_id == number:
            call.said = replace(call.said, terms=grown(call.said.terms))
        seen = [replace(one, terms=grown(one.terms)) if one.id == number else one for one in call.state.open_orders]
        call.state = replace(call.state, open_orders=tuple(seen))


def held(place: int) -> Callable[[Tape], None]:
    def change(tape: Tape) -> None:
        call = tape.callbacks[-1]
        name, figures = next(iter(call.state.positions.items()))
        wrong = tuple(figure + 0.001 * (place == at) for at, figure in enumerate(figures))
        call.state.positions[name] = (wrong[0], wrong[1], wrong[2])

    return change


def paid(tape: Tape) -> None:
    """A hundred-millionth is gone."""
    balances = tape.callbacks[-1].state.balances
    total, reserved, free = balances["synthetic", "USDT"]
    balances["synthetic", "USDT"] = (total - Decimal("1e-8"), reserved, free - Decimal("1e-8"))


def reserves_nothing(tape: Tape) -> None:
    for call in tape.callbacks:
        for wallet, (total, _, _) in call.state.balances.items():
            call.state.balances[wallet] = (total, Decimal(0), total)


LIES = {
    "price": changed_fill(0, Decimal("0.1")),
    "size": changed_fill(1, Decimal("0.001")),
    "fee": changed_fill(3, Decimal("1e-8")),
    "time of a fill": changed_fill(5, -1),
    "time of an answer": later,
    "no fill": without("fill"),
    "no acceptance": without("order", "open"),
    "no cancel": without("order", "cancelled"),
    "no cancel sent": without("order", "cancel_in_flight"),
    "no row": without("row"),
    "no timer": without("timer"),
    "another reason": refused,
    "no refusal": let_through,
    "a target that sends too much": larger,
    "quantity": held(0),
    "cost": held(1),
    "realised": held(2),
    "balance": paid,
    "reservation": reserves_nothing,
}


@pytest.mark.parametrize("lie", LIES)
def test_what_the_kernel_would_say_wrong_shows(lie: str) -> None:
    result, tape, made = carried_out(TELLING)
    LIES[lie](tape)
    with pytest.raises(AssertionError):
        audit_of(TELLING, result, tape, made).check(tape)


def of_other_fees(books: Any, fill: Any) -> Any:
    return RIGHT_FEE(books, replace(fill, is_maker=not fill.is_maker))


def on_row_at_once(self: Any, now_ns: int, request: Any) -> None:
    self.requests.append((now_ns + self.there.least_ns - 1, request))


def all_of_it(self: Any, key: Any, target: Any, mine: Any, missing: Any) -> Any:
    return missing


def as_at_the_venue(self: Any, order: Any) -> bool:
    """What may only reduce is looked at beside what the account holds alone."""
    return bool(order.reduce_only and decimal(self.books.position("", order.instrument).quantity) * order.sign >= 0)


def ahead(self: Any, key: Any, quantity: Any, price: Any) -> None:
    """A target keeps the turn of the one before."""
    waits = key in self.outbox
    RIGHT_WANT(self, key, quantity, price)
    if waits:
        self.outbox.insert(0, self.outbox.pop())


def whole(self: Any, row: Any) -> None:
    RIGHT_MEET(self, row)
    for name, mark in self.prices.items():
        self.prices[name] = mark.quantize(Decimal("0.1"), ROUND_DOWN)


RIGHT_FEE, RIGHT_ROUND, RIGHT_WANT, RIGHT_MISSING, RIGHT_MEET = (
    money.Books.fee, desk.on_grid, desk.Desk._want, desk.Desk._missing, marks.Marks.meet
)  # fmt: skip
WRONG_MODELS: dict[str, tuple[Any, str, Any]] = {
    "fees of the other role": (money.Books, "fee", of_other_fees),
    "a fee in the base moves the cost (M2)": (money.Position, "lose", lambda self, fee: self.apply(-fee, Decimal(0))),
    "cost is not cut (N3)": (money.Position, "_cut", lambda self, value: value + self.unit),
    "a request fills on its own row (T3)": (venue.Venue, "send", on_row_at_once),
    "a touch fills (F3)": (market.Placed, "is_passed_by", lambda self, price, *, touch: self.accepts(price)),
    "targets round up (O3)": (desk, "on_grid", lambda quantity, lot: RIGHT_ROUND(quantity, lot) + lot),
    "what was taken is forgotten (F2)": (
        market.Market, "take", lambda self, sign, price, quantity: None
    ),
    "a mark is a whole price (N4)": (marks.Marks, "meet", whole),
    "dust is sent (O3)": (desk.Desk, "_sent", lambda self, key, target, wanted: wanted),
    "nothing is reserved": (desk.Desk, "reserved", lambda self, wallet: Decimal(0)),
    "what is behind a target is part of it (O3)": (
        desk.Desk, "_missing",
        lambda self, key, target, mine: RIGHT_MISSING(self, key, replace(target, since=2**63, added=Decimal(0)), mine),
    ),
    "a target is looked at before what was asked for (O3)": (desk.Desk, "_want", ahead),
    "a close is said again (O3)": (desk.Desk, "_is_closing", lambda self, key: False),
    "what others hold is sold (M3)": (desk.Desk, "_sendable", all_of_it),
    "pieces are not needed (O3)": (desk.Desk, "_piece", lambda self, key, target, wanted: wanted),
    "zero is no halt (O3)": (desk.Desk, "_let_through", lambda self, key, target, wanted: wanted),
    "reduce-only is the account's (O4)": (desk.Desk, "_is_uncovered", as_at_the_venue),
    "reduce-only is forgotten (O4)": (venue.Venue, "_reducible", lambda self, order: order.quantity),
}  # fmt: skip


def free_of_charge(self: Any, amount: Decimal, purpose: str, wallet: money.Wallet) -> None:
    if purpose != "liquidation_fees":
        RIGHT_PAY(self, amount, purpose, wallet)


def uninsured(self: Any, amount: Decimal, purpose: str, wallet: money.Wallet) -> None:
    if purpose != "insurance":
        RIGHT_PAY(self, amount, purpose, wallet)


def half_as_much(self: Any, marks: Any) -> Any:
    return RIGHT_MAINTENANCE(self, marks) / 2


def by_orders_alone(self: Any, name: str, added: Any = None) -> Any:
    """What other orders wait for is forgotten."""
    held = self.books.position("", name).quantity
    return abs(held) if added is None else abs(held + added.sign * Fraction(added.quantity))


def of_long(self: Any, row: Row) -> None:
    """Who is short pays, too."""
    mark, held = self.marks.prices.get(row.instrument), self.books.position("", row.instrument).quantity
    if mark is not None and held:
        paid = money.rounded(abs(decimal(held)) * mark * row.price)
        self._pay(-paid, "funding", ("synthetic", "USDT"))


RIGHT_PAY, RIGHT_MAINTENANCE = venue.Venue._pay, margin.Margin.maintenance
WRONG_MARGINS: dict[str, tuple[Any, str, Any]] = {
    "a margin call is sent at three fifths (F5)": (venue, "CALL", Fraction(3, 5)),
    "maintenance is half as much (F5)": (margin.Margin, "maintenance", half_as_much),
    "leverage does not matter": (margin.Margin, "rate", lambda self, name: Fraction(1, 20)),
    "profit that is open is no equity": (
        margin.Margin, "equity", lambda self, marks: Fraction(self.account.wallets[self.wallet])
    ),
    "open orders need no margin": (venue.Venue, "_largest", by_orders_alone),
    "a liquidation is free": (venue.Venue, "_pay", free_of_charge),
    "insurance does not pay": (venue.Venue, "_pay", uninsured),
    "short pays funding like long": (venue.Venue, "_fund", of_long),
    "a source that was silent speaks on (N4)": (marks, "FRESH_NS", 10**15),
}  # fmt: skip


def high_first(self: Any, sign: int) -> None:
    self.is_low_first = False


def without_hole(self: Any, market: Any, before: Any) -> None:
    is_opening = market.path.next == 1 and market.path.at_ns == market.path.row.time_ns
    RIGHT_PASS(self, market, market.last if is_opening else before)


RIGHT_OFFER, RIGHT_PASS = path.Path.offer, venue.Venue._pass
WRONG_BARS: dict[str, tuple[Any, str, Any]] = {
    "the high always comes first (F4)": (path.Path, "choose", high_first),
    "a taker gets the better tick": (path.Path, "offer", lambda self, sign: RIGHT_OFFER(self, -sign)),
    "a bar's volume does not limit": (market.Market, "take", lambda self, sign, price, quantity: None),
    "points are a quarter of the bar apart": (
        path.Path, "_time_ns", lambda self, point: self.row.time_ns + self.row.interval_ns * point // 4
    ),
    "what lies between two bars fills nobody": (venue.Venue, "_pass", without_hole),
    "a touch fills (F3)": (market.Placed, "is_passed_by", lambda self, price, *, touch: self.accepts(price)),
}  # fmt: skip


def in_one_currency(self: Any, asset: str, amount: Fraction) -> Fraction:
    return amount


def of_the_first_venue(self: Any, wallet: money.Wallet, amount: Decimal) -> None:
    """All venues have one account."""
    RIGHT_ADD(self, (min(self.wallets)[0], wallet[1]), amount)


def from_midnight(self: Any, now_ns: int, earned: Any) -> bool:
    """What was earned on days before is of this day, too."""
    was_reached, self.before = RIGHT_DAY(self, now_ns, earned), Fraction(0)
    return was_reached


def told_again(self: Any, row: Row) -> bool:
    """Whatever is told of a level shows its whole size."""
    self.taken = {level: taken for level, taken in self.taken.items() if level != (row.level[0], row.price)}
    return RIGHT_LEVEL(self, row)


def lost(self: Any, order: Any, price: Decimal, offered: Decimal, *, is_maker: bool) -> Decimal:
    """What an order that is cut was offered is gone."""
    RIGHT_FILL(self, order, price, offered, is_maker=is_maker)
    return offered


def slower(*given: Any) -> tuple[Any, Any]:
    """Messages take a millisecond longer."""
    there, back = RIGHT_WAYS(*given)
    return replace(there, least_ns=there.least_ns + 10**6), replace(back, least_ns=back.least_ns + 10**6)


def without_fees(self: Any, fill: Any) -> None:
    """Fees are no loss."""
    RIGHT_BOOK(self, fill)
    self.fees.clear()


RIGHT_ADD, RIGHT_DAY, RIGHT_LEVEL = money.Books.add, loss.DailyLoss.begin, book.Book.meet
RIGHT_FILL, RIGHT_BOOK, RIGHT_LOSS = venue.Venue._fill, money.Books.book, loss.DailyLoss.is_lost
RIGHT_WAYS: Any = runs.ways
Wrong = tuple[Any, str, Any]
WRONG_ELSEWHERE: dict[str, tuple[Callable[[int], Plan], Iterable[int], Wrong]] = {
    "every asset is worth as much": (random_plan_of_venues, VENUES, (desk.Desk, "_worth_of", in_one_currency)),
    "venues share an account (M4)": (random_plan_of_venues, VENUES, (money.Books, "add", of_the_first_venue)),
    "a loss is that of all days": (random_limited_plan, LIMITED, (loss.DailyLoss, "begin", from_midnight)),
    "fees are no loss": (random_limited_plan, LIMITED, (money.Books, "book", without_fees)),
    "a loss counts twice": (
        random_limited_plan, LIMITED,
        (loss.DailyLoss, "is_lost", lambda self, earned: RIGHT_LOSS(self, earned and 2 * earned - self.before)),
    ),
    "no rate is too high": (random_limited_plan, LIMITED, (loss.OrderRate, "is_used_up", lambda self, now_ns: False)),
    "a level that is told again is whole (F2)": (random_plan_of_depth, DEPTH, (book.Book, "meet", told_again)),
    "only the best level is there": (
        random_plan_of_depth, DEPTH, (market.Market, "offers", lambda self, sign: self.book.offers(sign)[:1])
    ),
    "what a cut order leaves is lost": (random_plan_of_bars, BARS, (venue.Venue, "_fill", lost)),
    "a halt matches (V3)": (random_plan_of_bad_days, BAD_DAYS, (venue.Venue, "_matched", lambda _, one: [*one.orders])),
    "a halt takes orders": (random_plan_of_bad_days, BAD_DAYS, (venue.Venue, "_is_halted", lambda self, name: False)),
    "answers do not wait for rows (F6)": (
        random_plan_of_bad_days, BAD_DAYS,
        (venue.Venue, "_heard_ns", lambda self: self.back.arrival_ns(self.now_ns, 0)),
    ),
    "messages take longer": (random_plan_of_chance, CHANCE, (runs, "ways", slower)),
    "requests get out in an outage": (random_plan_of_outages, OUTAGES, (venue.Venue, "is_out", lambda *_: False)),
    "a cancel that was lost is forgotten (O4)": (
        random_plan_of_outages, OUTAGES, (desk.Desk, "_cancel_again", lambda self, life: None)
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_ELSEWHERE)
def test_what_it_would_do_wrong_elsewhere_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, seeds, change = WRONG_ELSEWHERE[wrong]
    monkeypatch.setattr(*change)
    assert differs(make, seeds), f"nothing shows that {wrong}"


def never_late(self: Any, row: Row) -> Any:
    return RIGHT_BAR(self, replace(row, time_ns=max(row.time_ns, self.opens_ns)))


WRONG_FUNDS: dict[str, tuple[Any, str, Any]] = {
    "what orders hold back is free": (venue.Venue, "_reserved", lambda self, wallet, by_market_orders=True: Decimal(0)),
    "a fill need not be paid": (venue.Venue, "_can_pay", lambda self, order, price, quantity: True),
    "margin pays for coins": (venue.Venue, "_needed", lambda self, wallet, without="": Fraction(0)),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_FUNDS)
def test_what_it_would_pay_wrong_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*WRONG_FUNDS[wrong])
    assert differs(random_spot_plan, POOR), f"nothing shows that {wrong}"


RIGHT_BAR = bars.Builder.meet
WRONG_TRADES: dict[str, tuple[Any, str, Any]] = {
    "a bar closes at its end (V5)": (bars, "GRACE_NS", 0),
    "late trades are taken (V5)": (bars.Builder, "meet", never_late),
    "bars are cut by arrival (V5)": (
        bars.Builder, "meet", lambda self, row: RIGHT_BAR(self, replace(row, time_ns=row.arrival_ns))
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_TRADES)
def test_what_it_would_build_wrong_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*WRONG_TRADES[wrong])
    assert differs(random_plan_of_trades, OF_TRADES), f"nothing shows that {wrong}"


@pytest.mark.parametrize("fresh_s", [0, 59, 75, 10**6])
def test_how_long_a_source_of_the_mark_counts_shows(fresh_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "FRESH_NS", fresh_s * 10**9)
    assert differs(random_mixed_plan, MIXED)


@pytest.mark.parametrize("wrong", WRONG_MODELS)
def test_what_the_kernel_would_do_wrong_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model with one rule changed differs from the kernel, as a kernel with that rule broken would."""
    monkeypatch.setattr(*WRONG_MODELS[wrong])
    assert differs(random_plan, SAMPLE), f"nothing shows that {wrong}"


@pytest.mark.parametrize("wrong", WRONG_MARGINS)
def test_what_it_would_do_wrong_with_margin_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*WRONG_MARGINS[wrong])
    assert differs(random_margined_plan, MARGINED), f"nothing shows that {wrong}"


@pytest.mark.parametrize("wrong", WRONG_BARS)
def test_what_it_would_do_wrong_with_bars_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*WRONG_BARS[wrong])
    assert differs(random_plan_of_bars, BARS), f"nothing shows that {wrong}"


def differs(make: Callable[[int], Plan], seeds: Iterable[int]) -> bool:
    for seed in seeds:
        try:
            check_run(*run_of(make, seed))
        except AssertionError:
            return True
    return False
