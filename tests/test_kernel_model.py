"""The kernel against an independent model of it (tests/model), and what the model would notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from model import audit, money, venue
from model.audit import Rules
from model.runs import audit_of, carried_out, check_run, random_plan
from model.tape import Callback, Tape

SAMPLE = range(40)
# One that does a bit of everything, while targets are bound.
TELLING = replace(random_plan(0), rules=Rules(), pause=None)


@pytest.mark.parametrize("seed", SAMPLE)
def test_the_kernel_does_what_the_model_says(seed: int) -> None:
    check_run(random_plan(seed))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000, 2_500, 100))
def test_it_does_so_whatever_is_asked_of_it(first: int) -> None:
    for seed in range(first, first + 100):
        check_run(random_plan(seed))


def first(tape: Tape, which: Callable[[Callback], bool]) -> int:
    return next(place for place, call in enumerate(tape.callbacks) if which(call))


def changed_fill(place: int, by: Any) -> Callable[[Tape], None]:
    def change(tape: Tape) -> None:
        call = tape.callbacks[first(tape, lambda call: call.kind == "fill")]
        call.fill = (*call.fill[:place], call.fill[place] + by, *call.fill[place + 1 :])

    return change


def without(kind: str, *statuses: str) -> Callable[[Tape], None]:
    def change(tape: Tape) -> None:
        del tape.callbacks[first(tape, lambda call: call.kind == kind and (not statuses or call.status in statuses))]

    return change


def later(tape: Tape) -> None:
    """An answer that comes a nanosecond late."""
    tape.callbacks[first(tape, lambda call: call.status == "open")].now_ns += 1


def refused(tape: Tape) -> None:
    """A refusal for another reason."""
    tape.callbacks[first(tape, lambda call: call.reason == "reduce_only")].reason = "trading_off"


def let_through(tape: Tape) -> None:
    """An order that should be refused."""
    call = tape.callbacks[first(tape, lambda call: call.reason == "reduce_only")]
    call.status, call.reason = "in_flight", None


def larger(tape: Tape) -> None:
    """An order of a target that is a lot larger than what is missing."""
    own = {act.order_id for call in tape.callbacks for act in call.acts if act.kind == "order"}
    number = next(call.order_id for call in tape.callbacks if call.kind == "order" and call.order_id not in own)
    more = Decimal("0.1")

    def grown(terms: Any) -> Any:
        return (*terms[:2], terms[2] + more, *terms[3:])

    for call in tape.callbacks:
        if call.kind == "order" and call.order_id == number:
            call.terms = grown(call.terms)
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
    total, reserved, free = balances["USDT"]
    balances["USDT"] = (total - Decimal("1e-8"), reserved, free - Decimal("1e-8"))


def reserves_nothing(tape: Tape) -> None:
    for call in tape.callbacks:
        for asset, (total, _, _) in call.state.balances.items():
            call.state.balances[asset] = (total, Decimal(0), total)


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
        audit_of(TELLING, result, made).check(tape)


def of_other_fees(books: Any, fill: Any) -> Any:
    return RIGHT_FEE(books, replace(fill, is_maker=not fill.is_maker))


def on_row_at_once(self: Any, now_ns: int, request: Any) -> None:
    self.requests.append((now_ns + self.latency_ns - 1, request))


RIGHT_FEE, RIGHT_ROUND, RIGHT_TAKE = money.Books.fee, audit.on_grid, venue.Venue._take
WRONG_MODELS: dict[str, tuple[Any, str, Any]] = {
    "fees of the other role": (money.Books, "fee", of_other_fees),
    "a fee in the base moves the cost (M2)": (money.Position, "lose", lambda self, fee: self.apply(-fee, Decimal(0))),
    "cost is not cut (N3)": (money.Position, "_cut", lambda self, value: value + self.unit),
    "a request fills on its own row (T3)": (venue.Venue, "send", on_row_at_once),
    "a touch fills (F3)": (venue.Placed, "is_passed_by", lambda self, price, *, touch: self.accepts(price)),
    "targets round up (O3)": (audit, "on_grid", lambda quantity, lot: RIGHT_ROUND(quantity, lot) + lot),
    "what was taken is forgotten (F2)": (
        venue.Market, "shown", lambda self, sign: self.row and ((self.row.ask, self.row.ask_size) if sign > 0
                                                                else (self.row.bid, self.row.bid_size)),
    ),
    "dust is nothing": (audit.Audit, "_is_dust", lambda self, key, target, missing: missing == 0),
    "nothing is reserved": (audit.Audit, "_reserved", lambda self, asset, marks: Decimal(0)),
    "what is behind a target is part of it (O3)": (
        audit.Audit, "_missing",
        lambda self, key, target, mine: RIGHT_MISSING(self, key, replace(target, behind=set()), mine),
    ),
    "reduce-only is forgotten (O4)": (venue.Venue, "_reducible", lambda self, order: order.quantity),
}  # fmt: skip
RIGHT_MISSING = audit.Audit._missing


@pytest.mark.parametrize("wrong", WRONG_MODELS)
def test_what_the_kernel_would_do_wrong_shows(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model with one rule changed differs from the kernel, as a kernel with that rule broken would."""
    monkeypatch.setattr(*WRONG_MODELS[wrong])
    for seed in SAMPLE:
        try:
            check_run(random_plan(seed))
        except AssertionError:
            return
    pytest.fail(f"nothing shows that {wrong}")
