"""A tape held against the model, call by call."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from model.money import Books, Fill
from model.tape import Act, Callback, Tape, Terms
from model.targets import Target, on_grid
from model.venue import NOTHING, Answer, Placed, Venue

CLOSED = {"filled", "cancelled", "rejected", "expired"}
RESERVED_TOLERANCE = Decimal("1e-7")


@dataclass
class Life:
    """An order, as its strategy knows it."""

    placed: Placed
    status: str = "queued"
    by_target: bool = False
    was_sent: bool = False
    is_cancel_asked: bool = False
    reason: str | None = None
    filled: Decimal = NOTHING
    # How far its fills have moved the position, which on spot is less than was filled (M2).
    moved: Decimal = NOTHING

    @property
    def is_open(self) -> bool:
        return self.status not in CLOSED

    @property
    def working(self) -> Decimal:
        return self.placed.sign * (self.placed.quantity - self.filled) if self.is_open else NOTHING


@dataclass
class Rules:
    """The limits of a run, as the model needs them."""

    order_quantity: Decimal | None = None
    order_notional: Decimal | None = None
    position: Decimal | None = None
    open_orders: int | None = None
    price_collar: Decimal | None = None

    @property
    def is_any(self) -> bool:
        return any(value is not None for value in vars(self).values())


@dataclass
class Audit:
    """What the model knows at a point of the tape. A difference is an AssertionError that names the call."""

    books: Books
    venue: Venue
    rules: Rules = field(default_factory=Rules)
    lives: dict[int, Life] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    targets: dict[tuple[str, str], Target] = field(default_factory=dict)
    # Those that another one took the place of during this input: their orders may have been made already.
    former: list[tuple[tuple[str, str], Target]] = field(default_factory=list)
    # What targets must send before the next input.
    expected: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    dust: dict[tuple[str, str], Decimal | None] = field(default_factory=dict)
    is_trading: bool = True
    has_stopped: bool = False
    inputs: int = 0
    last: Callback | None = None
    marks: dict[str, float | None] = field(default_factory=dict)

    def check(self, tape: Tape) -> None:
        for place, callback in enumerate(tape.callbacks):
            try:
                self._hear(callback)
            except AssertionError as error:
                at_ms = (callback.now_ns - tape.callbacks[0].now_ns) / 1e6
                error.add_note(f"call {place}, {at_ms} ms: {callback}")
                raise
            for act in callback.acts:
                self._ask(callback, act)
            self.last = callback
        self._begin_input()
        self._finish()

    # Calls

    def _hear(self, call: Callback) -> None:
        if call.kind in ("order", "fill"):
            self._report(call)
        else:
            is_same_row = self.last is not None and self.last.kind == call.kind == "row" and (
                self.last.now_ns == call.now_ns and self.last.strategy < call.strategy
            )  # fmt: skip
            if not is_same_row:
                self._begin_input()
            self.venue.advance(call.now_ns - (call.kind != "timer"))
            self._drop_refused_cancels(call.now_ns)
            assert not self.venue.answers or self.venue.answers[0].due_ns >= call.now_ns, self.venue.answers[0]
            if call.kind == "trading_off":
                self.is_trading = False
            if call.kind == "trading_on":
                self.is_trading = True
            self.has_stopped |= call.kind == "stop"
            if call.kind == "row":
                self._check_orders(call)
        self.marks = call.state.marks
        for one in call.state.open_orders:
            if one.id not in self.lives:
                self._by_target(call.strategy, one.id, one.terms)
            # What an engine has done already, it tells later.
            self.lives[one.id].is_cancel_asked |= self.lives[one.id].by_target and one.status == "cancel_in_flight"
        self._check_money(call)

    def _begin_input(self) -> None:
        assert not self.expected, f"targets have not sent {self.expected}"
        self._settle()
        self.former.clear()
        self.inputs += 1

    def _check_money(self, call: Callback) -> None:
        for name, (quantity, cost, realised) in call.state.positions.items():
            held = self.books.position(call.strategy, name)
            ours = (float(held.quantity), float(held.cost), float(held.realised))
            assert (quantity, cost, realised) == ours, (name, ours)
        for asset, (total, reserved, free) in call.state.balances.items():
            assert total == self.books.wallets.get(asset, NOTHING), (asset, self.books.wallets)
            assert total - reserved == free

    def _check_orders(self, call: Callback) -> None:
        mine = {
            number: life
            for number, life in self.lives.items()
            if life.placed.strategy == call.strategy and life.is_open
        }
        seen = {one.id: (one.status, one.filled) for one in call.state.open_orders}
        assert seen == {number: (life.status, life.filled) for number, life in mine.items()}, mine
        for number, life in mine.items():
            assert not life.is_cancel_asked or life.status == "cancel_in_flight", (
                f"order {number} is not being cancelled"
            )
        for name, quantity in call.state.dust.items():
            left = self.dust.get((call.strategy, name), NOTHING)
            if (call.strategy, name) not in self.targets and left is not None:
                assert quantity == float(left), (name, left)
        if all(life.status != "queued" for life in self.lives.values()):
            for asset, (_, reserved, _) in call.state.balances.items():
                assert abs(reserved - self._reserved(asset, call.state.marks)) <= RESERVED_TOLERANCE, asset

    def _reserved(self, asset: str, marks: dict[str, float | None]) -> Decimal:
        """What open spot orders hold back: purchases their worth, sales what they sell."""
        held = NOTHING
        for life in self.lives.values():
            order = life.placed
            one = self.books.specifications[order.instrument]
            if one.kind != "spot" or not life.is_open:
                continue
            if order.sign < 0 and one.base == asset:
                held -= life.working
            elif order.sign > 0 and one.quote == asset:
                price = order.price if order.price is not None else Decimal(repr(marks[order.instrument] or 0.0))
                fee = max(one.taker_fee, one.maker_fee, NOTHING) if one.fee_asset == "quote" else NOTHING
                held += life.working * price * (1 + fee)
        return held

    # Reports

    def _report(self, call: Callback) -> None:
        life = self.lives.get(call.order_id)
        if call.kind == "order" and (life is None or life.status == "queued"):
            self._decided(call)
            return
        assert life is not None, "a report of an order that nobody knows"
        self.venue.advance(call.now_ns)
        self._drop_refused_cancels(call.now_ns)
        is_next = bool(self.venue.answers) and self.venue.answers[0].order_id == call.order_id
        is_news = is_next and self.venue.answers[0].due_ns == call.now_ns
        if call.kind == "order" and call.status == "cancel_in_flight" and life.status != "cancel_in_flight":
            self._cancel_sent(call, life)
        elif (
            self.last is not None
            and self.last.kind == "fill"
            and self.last.order_id == call.order_id
            and call.kind == "order"
        ):
            assert (call.status, call.filled) == (life.status, life.filled)
        elif not self.is_trading and call.reason == "end_of_run":
            life.status, life.reason = call.status, call.reason
            self.venue.end(call.order_id)
        else:
            assert is_news, f"the venue says {list(self.venue.answers)[:3]}"
            self._begin_input()
            self._answer(call, life, self.venue.answers.popleft())
            self._uncover(call)
            self.marks = call.state.marks
            # What is reached by now is, whatever is asked for in the call.
            self._settle(is_over=False)

    def _drop_refused_cancels(self, now_ns: int) -> None:
        """A cancel that came too late changes nothing, and nobody is told."""
        while (
            self.venue.answers and self.venue.answers[0].kind == "not_open" and self.venue.answers[0].due_ns <= now_ns
        ):
            assert not self.lives[self.venue.answers.popleft().order_id].is_open

    def _decided(self, call: Callback) -> None:
        """An order left, or was refused."""
        assert call.terms is not None
        if call.order_id not in self.lives:
            self._by_target(call.strategy, call.order_id, call.terms)
        life = self.lives[call.order_id]
        order = life.placed
        assert call.terms == (
            order.instrument, order.sign, order.quantity, order.price, order.time_in_force, order.reduce_only,
        )  # fmt: skip
        wrong = self._objections(life)
        if call.status == "in_flight":
            assert not wrong, f"it should be refused: {wrong}"
            life.status, life.was_sent = "in_flight", True
            self.venue.send(call.now_ns, order)
        elif call.status == "cancelled":
            assert (call.reason, life.is_cancel_asked or life.by_target) == ("requested", True)
            life.status = "cancelled"
        else:
            assert call.status == "rejected"
            assert call.reason in wrong, f"it should be refused because of {wrong}"
            life.status = "rejected"
            self._give_up(life)
            self._disturb(life)
        life.reason = call.reason

    def _by_target(self, strategy: str, number: int, terms: Terms) -> None:
        """An order that the strategy has not asked for is a target's."""
        name, sign, quantity, price, time_in_force, reduce_only = terms
        key = (strategy, name)
        stated = [target for other, target in [*self.targets.items(), *self.former] if other == key]
        is_bound = self.is_trading and not self.rules.is_any
        assert stated or not is_bound, f"order {number}, that nobody asked for"
        placed = Placed(number, strategy, name, sign, quantity, price, time_in_force, reduce_only)
        self.lives[number] = Life(placed, by_target=True)
        mine = [target for target in stated if target.price == price]
        assert mine or not is_bound, f"{price} is not the price of {stated}"
        for target in mine[-1:]:
            target.own.add(number)
        if key in self.expected:
            assert sign * quantity == self.expected.pop(key)
        assert (time_in_force, reduce_only) == ("gtc", False)

    def _cancel_sent(self, call: Callback, life: Life) -> None:
        is_due = life.is_cancel_asked or life.by_target or life.placed.reduce_only or self.has_stopped
        assert is_due, "a cancel that nobody asked for"
        life.status, life.is_cancel_asked = "cancel_in_flight", True
        self.venue.send(call.now_ns, call.order_id)

    def _answer(self, call: Callback, life: Life, answer: Answer) -> None:
        is_cancelling = life.status == "cancel_in_flight"
        if answer.kind == "fill":
            fill = answer.fill
            assert fill is not None
            fee, asset = self.books.fee(fill)
            venue_ns = answer.due_ns - self.venue.answer_ns
            expected = (fill.price, fill.quantity, fill.is_maker, fee, asset, venue_ns)
            assert call.kind == "fill"
            assert call.fill == expected, expected
            self.fills.append(fill)
            self.books.book(fill)
            in_base = asset == self.books.specifications[fill.instrument].base
            life.filled += fill.quantity
            life.moved += fill.sign * fill.quantity - (fee if in_base else NOTHING)
            if life.filled == life.placed.quantity:
                life.status = "filled"
            elif not is_cancelling:
                life.status = "partly_filled"
            return
        if answer.kind == "open":
            life.status = "cancel_in_flight" if is_cancelling else "open"
        else:
            life.status = answer.kind
        life.reason = answer.reason
        assert (call.kind, call.status, call.reason) == ("order", life.status, answer.reason), answer
        if not life.is_open and life.filled == 0 and not life.is_cancel_asked:
            self._give_up(life)

    def _uncover(self, call: Callback) -> None:
        """What may only reduce is cancelled where nothing is left to reduce (O4)."""
        seen = {one.id for one in call.state.open_orders if one.status == "cancel_in_flight"}
        for number, life in self.lives.items():
            order = life.placed
            if life.is_open and order.reduce_only and order.strategy == call.strategy and call.kind == "fill":
                held = self.books.position(order.strategy, order.instrument).quantity
                is_this = order.instrument == self.lives[call.order_id].placed.instrument
                if number in seen or (is_this and held * order.sign >= 0 and life.status != "queued"):
                    assert number in seen, f"order {number} may only reduce, and there is nothing left"
                    life.is_cancel_asked = True

    # Risk

    def _objections(self, life: Life) -> set[str]:
        """Why an order must be refused (O4)."""
        order, rules, wrong = life.placed, self.rules, set[str]()
        held = decimal(self.books.position(order.strategy, order.instrument).quantity)
        others = [
            one for one in self._mine(order.strategy, order.instrument) if one is not life and one.status != "queued"
        ]
        same_way = order.quantity + sum((abs(one.working) for one in others if one.placed.sign == order.sign), NOTHING)
        is_towards_zero = held * order.sign < 0
        reduces = is_towards_zero and same_way <= abs(held)
        if not self.is_trading and not reduces:
            wrong.add("trading_off")
        if order.reduce_only:
            is_spot = self.books.specifications[order.instrument].kind == "spot"
            most = abs(held) - (same_way - order.quantity if is_spot else NOTHING)
            if not is_towards_zero or order.quantity > most:
                wrong.add("reduce_only")
        mark = decimal_of(self.marks.get(order.instrument))
        price = order.price if order.price is not None else mark
        if rules.order_quantity is not None and order.quantity > rules.order_quantity:
            wrong.add("risk_order_quantity")
        worth = None if price is None else max(price, mark or NOTHING)
        if rules.order_notional is not None and worth is not None and worth * order.quantity > rules.order_notional:
            wrong.add("risk_order_notional")
        if rules.position is not None and not reduces and abs(held + order.sign * same_way) > rules.position:
            wrong.add("risk_position")
        if rules.open_orders is not None and len(others) >= rules.open_orders:
            wrong.add("risk_open_orders")
        collar = None if rules.price_collar is None or mark is None else rules.price_collar * mark
        if collar is not None and mark is not None and order.price is not None and abs(order.price - mark) > collar:
            wrong.add("risk_price_collar")
        needs_mark = rules.price_collar is not None if order.price is not None else rules.order_notional is not None
        if needs_mark and mark is None:
            wrong.add("risk_no_mark")
        return wrong

    # What is asked for

    def _ask(self, call: Callback, act: Act) -> None:
        key = (call.strategy, act.instrument)
        if act.kind == "cancel" and call.kind == "order":
            # The target may have counted the order already, and sent what was missing beside it.
            for target in [target for other, target in self.targets.items() if other[0] == call.strategy]:
                target.is_disturbed = True
        match act.kind:
            case "order":
                placed = Placed(
                    act.order_id, call.strategy, act.instrument, act.sign, act.quantity, act.price, act.time_in_force,
                    act.reduce_only,
                )  # fmt: skip
                self.lives[act.order_id] = Life(placed)
                if key in self.targets:
                    self.targets[key].behind.add(act.order_id)
            case "target":
                self._state(call, act)
            case "close":
                self._want_cancelled(call.strategy, act.instrument)
                self._state(call, act)
            case "cancel":
                self._ask_cancel(self.lives[act.order_id])
            case "cancel_all":
                self._want_cancelled(call.strategy, act.instrument)
                for other in [
                    other for other in self.targets if other[0] == call.strategy and act.instrument in ("", other[1])
                ]:
                    self.former.append((other, self.targets.pop(other)))

    def _state(self, call: Callback, act: Act) -> None:
        """A target is stated."""
        key, is_close = (call.strategy, act.instrument), act.kind == "close"
        one = self.books.specifications[key[1]]
        wanted = on_grid(act.quantity, one.lot)
        if key in self.targets:
            self.former.append((key, self.targets[key]))
        target = self.targets[key] = Target(max(wanted, NOTHING) if one.kind == "spot" else wanted, act.price)
        self.dust[key] = None
        # What was refused already, which is told later, does not count.
        counted = {one.id for one in call.state.open_orders} | {act.order_id for act in call.acts}
        mine = [life for life in self._mine(*key) if life.status != "queued" or life.placed.id in counted]
        is_open_ended = is_close or any(life.is_cancel_asked or life.status == "cancel_in_flight" for life in mine)
        works_otherwise = any(life.by_target and life.placed.price != act.price for life in mine)
        if not is_open_ended and not works_otherwise and not self._missing(key, target, mine)[0]:
            # It is reached when it is stated: nothing is left of it.
            del self.targets[key]
            self.dust[key] = NOTHING

    def _want_cancelled(self, strategy: str, instrument: str) -> None:
        for life in self.lives.values():
            if life.placed.strategy == strategy and instrument in ("", life.placed.instrument):
                self._ask_cancel(life)

    def _ask_cancel(self, life: Life) -> None:
        if life.is_open:
            life.is_cancel_asked = True

    # Targets

    def _mine(self, strategy: str, instrument: str) -> list[Life]:
        return [
            life for life in self.lives.values()
            if life.is_open and (life.placed.strategy, life.placed.instrument) == (strategy, instrument)
        ]  # fmt: skip

    def _give_up(self, life: Life) -> None:
        key = (life.placed.strategy, life.placed.instrument)
        if key in self.targets and life.placed.id in self.targets[key].own:
            del self.targets[key]
            self.dust[key] = None

    def _disturb(self, life: Life) -> None:
        """A target that took the place of another one in the same call may have counted an order that was refused."""
        key = (life.placed.strategy, life.placed.instrument)
        if key in self.targets and any(key == other for other, _ in self.former):
            self.targets[key].is_disturbed = True

    def _settle(self, *, is_over: bool = True) -> None:
        """After an input nothing is missing to any target, unless the outcome of a cancel is awaited (O3)."""
        for key, target in list(self.targets.items()):
            # While trading is off it may stay out of reach, and nothing is sent for it when trading is on again.
            target.is_disturbed |= not self.is_trading
            mine = self._mine(*key)
            if any(life.is_cancel_asked or life.status in ("queued", "cancel_in_flight") for life in mine):
                continue
            missing, sendable = self._missing(key, target, mine)
            is_dust = self._is_dust(key, target, sendable)
            # While trading is off only reductions pass, and within limits it goes in pieces: it may stay out of reach.
            is_bound = self.is_trading and not self.rules.is_any and not target.is_disturbed
            if (
                not is_over
                and is_bound
                and not is_dust
                and missing == sendable
                and not any(life.by_target for life in mine)
            ):
                one = self.books.specifications[key[1]]
                sent = self.expected[key] = on_grid(missing, one.lot)
                self.dust[key] = missing - sent
                self.former.append((key, self.targets.pop(key)))
                continue
            # While purchases work, it looks again when something becomes of an order, not when the mark moves.
            is_bound &= is_over and (missing == sendable or not self._is_dust(key, target, sendable * Decimal("0.8")))
            assert is_dust or not is_bound, f"{key}: {sendable} is missing to the target {target}"
            differs = [life for life in mine if life.by_target and life.placed.price != target.price]
            assert not differs or not is_bound, f"{key}: works at another price than {target}"
            # What could not be sold any more may have been reached before.
            target.is_disturbed |= is_dust and missing != sendable and self._is_dust(key, target, missing)
            if missing == sendable and is_dust and not differs:
                self.dust[key] = None if target.is_disturbed or self.rules.is_any else missing
                del self.targets[key]

    def _missing(self, key: tuple[str, str], target: Target, mine: list[Life]) -> tuple[Decimal, Decimal]:
        """What is missing to a target, and how much of it can be sent: on spot no more is sold than is held."""
        behind = sum((self.lives[number].moved + self.lives[number].working for number in target.behind), NOTHING)
        held = decimal(self.books.position(*key).quantity)
        missing = target.quantity + behind - held - sum((life.working for life in mine), NOTHING)
        if self.books.specifications[key[1]].kind != "spot" or missing >= 0:
            return missing, missing
        added = sum((self.lives[number].moved for number in target.behind), NOTHING)
        sales = sum((life.working for life in mine if life.placed.sign < 0), NOTHING)
        return missing, max(missing, -max(min(held, held - added) + sales, NOTHING))

    def _is_dust(self, key: tuple[str, str], target: Target, missing: Decimal) -> bool:
        """Whether it is less than a lot, or than the venue takes."""
        one = self.books.specifications[key[1]]
        size = on_grid(abs(missing), one.lot)
        price = target.price if target.price is not None else decimal_of(self.marks.get(key[1]))
        return size == 0 or size < one.minimum_quantity or (price is not None and size * price < one.minimum_notional)

    def _finish(self) -> None:
        """Nothing is left open, unheard or unpaid at the end."""
        self.venue.advance(2**63)
        self._drop_refused_cancels(2**63)
        assert not self.venue.answers, self.venue.answers
        assert not self.venue.open, self.venue.open
        assert not [number for number, life in self.lives.items() if life.is_open]


def decimal(value: Fraction) -> Decimal:
    """A quantity, which has a finite number of decimals."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def decimal_of(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(repr(number))
