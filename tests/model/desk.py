"""What an engine makes of what its strategies ask for: orders, cancels and targets (O1 to O4)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from fractions import Fraction
from math import ceil

from model.loss import DailyLoss, OrderRate
from model.market import NOTHING, Placed
from model.marks import Marks
from model.money import Books, Fill, Wallet
from model.tape import Act, Said
from model.venue import Answer, Venue, decimal

CLOSED = {"filled", "cancelled", "rejected"}
# A strategy's name, and an instrument's.
Key = tuple[str, str]


@dataclass
class Life:
    """An order, as its strategy knows it."""

    placed: Placed
    by_target: bool = False
    status: str = "queued"
    reason: str | None = None
    filled: Decimal = NOTHING
    was_sent: bool = False
    was_accepted: bool = False
    is_cancel_asked: bool = False

    @property
    def is_open(self) -> bool:
        return self.status not in CLOSED

    @property
    def working(self) -> Decimal:
        return self.placed.sign * (self.placed.quantity - self.filled) if self.is_open else NOTHING


@dataclass
class Target:
    """A position that is wanted, and how far what the strategy ordered itself behind it has moved the position."""

    quantity: Decimal
    price: Decimal | None
    since: int
    added: Decimal = NOTHING
    own: set[int] = field(default_factory=set)


@dataclass
class Rules:
    """The limits of a run."""

    order_quantity: Decimal | None = None
    order_notional: Decimal | None = None
    position: Decimal | None = None
    open_orders: int | None = None
    price_collar: Decimal | None = None


@dataclass
class System:
    """The limits of all strategies together."""

    order_rate: OrderRate | None = None
    daily_loss: DailyLoss | None = None


@dataclass
class Desk:
    """All orders and targets. What is asked for is carried out when all that was to be told has been told (O2)."""

    books: Books
    venues: dict[str, Venue]
    rules: Rules
    strategies: tuple[str, ...]
    currency: str = "USDT"
    system: System = field(default_factory=System)
    lives: dict[int, Life] = field(default_factory=dict)
    open: dict[int, Life] = field(default_factory=dict)
    targets: dict[Key, Target] = field(default_factory=dict)
    dust: dict[Key, Decimal] = field(default_factory=dict)
    marks: Marks = field(default_factory=Marks)
    outbox: list[int | Key | Placed] = field(default_factory=list)
    notices: deque[Said] = field(default_factory=deque)
    fills: list[Fill] = field(default_factory=list)
    is_trading: bool = True
    # Venues that orders do not reach, and those of which nothing is heard.
    unreachable: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    now_ns: int = 0
    # Whether the loss of the day is looked at behind the input.
    is_looking: bool = False

    # Inputs

    def begin_input(self, now_ns: int) -> None:
        """Before an input: a new day may begin with it."""
        loss, self.now_ns = self.system.daily_loss, now_ns
        self.is_looking = loss is not None and now_ns >= loss.look_ns
        if loss is not None and self.is_looking and loss.begin(now_ns, self.earned()):
            self._tell_all("daily_loss_over")

    def finish_input(self) -> None:
        """What follows from an input by itself is done before anybody is told of it.

        Once the day's loss has reached its limit, what could open a position is cancelled at every look.
        """
        loss = self.system.daily_loss
        if loss is not None and self.is_looking:
            if not loss.is_reached and loss.is_lost(self.earned()):
                loss.is_reached = True
                self._tell_all("daily_loss_reached")
            if loss.is_reached:
                mine = [life for strategy in self.strategies for life in self.mine(strategy)]
                opening = [life for life in mine if not is_ending(life) and not self._reduces(life.placed)]
                self.outbox += [life.placed.id for life in opening]
        self.is_looking = False
        self.carry_out()

    # What is asked for

    def ask(self, strategy: str, act: Act) -> None:
        key = (strategy, act.instrument)
        match act.kind:
            case "order":
                assert act.order_id == len(self.lives) + 1
                self._queue(key, act.sign, act.quantity, act.price, act.time_in_force, reduce_only=act.reduce_only)
            case "target":
                one = self.books.specifications[act.instrument]
                wanted = on_grid(act.quantity, one.lot)
                if one.kind == "spot":
                    wanted = max(wanted, NOTHING)
                if wanted == self._held(key) and not self.mine(*key):
                    self.targets.pop(key, None)
                    self.dust.pop(key, None)
                else:
                    self._want(key, wanted, act.price)
            case "close":
                if not self._is_closing(key):
                    self.cancel_all(*key)
                    self._want(key, NOTHING, None)
            case "cancel":
                self._want_cancelled(self.lives[act.order_id])
            case "cancel_all":
                self.cancel_all(*key)

    def cancel_all(self, strategy: str, instrument: str = "") -> None:
        for life in self.mine(strategy, instrument):
            self._want_cancelled(life)
        for key in list(self.targets):
            if key[0] == strategy and instrument in ("", key[1]):
                del self.targets[key]

    def _want_cancelled(self, life: Life) -> None:
        if life.is_open and life.status != "cancel_in_flight":
            life.is_cancel_asked = True
            self.outbox.append(life.placed.id)

    def _want(self, key: Key, quantity: Decimal, price: Decimal | None) -> None:
        """A target takes the place of the one before, and is looked at behind all that was asked for until now."""
        self.targets[key] = Target(quantity, price, len(self.lives) + 1)
        self.outbox = [other for other in self.outbox if other != key]
        self.outbox.append(key)

    def _is_closing(self, key: Key) -> bool:
        """Whether all that is on its way closes the position at market already."""
        mine, target = self.mine(*key), self.targets.get(key)
        if not mine or any(not life.by_target or life.placed.price is not None or is_ending(life) for life in mine):
            return False
        if target is not None:
            return (target.quantity, target.price, target.added) == (NOTHING, None, NOTHING)
        return self._held(key) + sum(life.working for life in mine) == 0

    def _queue(self, key: Key, sign: int, quantity: Decimal, price: Decimal | None, time_in_force: str = "gtc", *,
               reduce_only: bool = False, by_target: bool = False) -> int:  # fmt: skip
        number = len(self.lives) + 1
        placed = Placed(number, *key, sign, quantity, price, time_in_force, reduce_only)
        self.lives[number] = self.open[number] = Life(placed, by_target)
        self.outbox.append(placed)
        return number

    # What becomes of it

    def carry_out(self) -> None:
        """One round of what was asked for, in the order of asking."""
        decisions, self.outbox = self.outbox, []
        for decision in decisions:
            if isinstance(decision, Placed):
                self._place(self.lives[decision.id])
            elif isinstance(decision, int):
                self._cancel(self.lives[decision])
            else:
                self._pursue(decision)

    def report(self, life: Life, status: str, reason: str | None = None) -> None:
        """An order has come to a status. A target whose own order failed is given up; another looks again (O3)."""
        self.tell(life, status, reason)
        order = life.placed
        key = (order.strategy, order.instrument)
        is_in_vain = status == "rejected" or (status == "cancelled" and not life.filled and not life.is_cancel_asked)
        if key in self.targets:
            if is_in_vain and order.id in self.targets[key].own:
                del self.targets[key]
            else:
                self.outbox.append(key)

    def tell(self, life: Life, status: str, reason: str | None) -> None:
        order = life.placed
        life.status, life.reason = status, reason or life.reason
        if not life.is_open:
            del self.open[order.id]
        self.notices.append(Said(order.strategy, "order", order.id, status, life.reason, life.filled, order.terms))

    def answer(self, answer: Answer) -> None:
        """The venue has said something."""
        if answer.kind == "paid":
            self.books.pay(answer.amount, answer.purpose, answer.wallet)
            return
        if answer.kind == "margin_call":
            self._tell_all("margin_call")
            return
        if not answer.order_id:
            assert answer.fill is not None
            self._liquidated(answer.fill, answer.at_ns)
            return
        life = self.lives[answer.order_id]
        if answer.fill is not None:
            life.filled += answer.fill.quantity
            self._fill(answer.fill, answer.at_ns)
            status = "partly_filled" if life.filled < life.placed.quantity else "filled"
        else:
            status = answer.kind
        life.was_accepted |= status == "open"
        if status == "not_sent":
            status = "unknown" if not life.was_accepted else "partly_filled" if life.filled else "open"
            self.tell(life, status, answer.reason)
            return
        is_still_ending = life.status == "cancel_in_flight" and status in ("open", "partly_filled")
        self.report(life, life.status if is_still_ending else status, answer.reason)
        if life.is_open and self.venue_name(life.placed.instrument) not in self.unreachable:
            self._cancel_again(life)

    def is_silent(self, answer: Answer) -> bool:
        """Whether no strategy is told: of a cancel that came too late, or could not be sent then, and of payments."""
        return answer.is_silent or (answer.kind == "not_sent" and not self.lives[answer.order_id].is_open)

    def reconnect(self, venue: str) -> None:
        """Orders reach a venue again, and so do cancels that did not get through (O4)."""
        self.unreachable.discard(venue)
        for strategy in self.strategies:
            for life in self.mine(strategy):
                if self.venue_of(life) is self.venues[venue]:
                    self._cancel_again(life)
        self.outbox += [
            key for strategy in self.strategies for key in self.targets
            if key[0] == strategy and self.venue_name(key[1]) == venue
        ]  # fmt: skip

    def _cancel_again(self, life: Life) -> None:
        """An order that rests although its cancel was asked for."""
        if life.is_cancel_asked and life.status in ("open", "partly_filled"):
            self.outbox.append(life.placed.id)

    def _place(self, life: Life) -> None:
        if life.status != "queued":
            return
        wrong = self.objections(life.placed)
        if wrong:
            self.report(life, "rejected", wrong[0])
            return
        self.report(life, "in_flight")
        life.was_sent = True
        if self.system.order_rate is not None:
            self.system.order_rate.sent_ns.append(self.now_ns)
        self.venue_of(life).send(self.now_ns, life.placed)

    def _cancel(self, life: Life) -> None:
        if not life.is_open or life.status == "cancel_in_flight":
            return
        life.is_cancel_asked = True
        if life.status == "queued":
            self.report(life, "cancelled", "requested")
            return
        self.report(life, "cancel_in_flight")
        self.venue_of(life).send(self.now_ns, life.placed.id)

    def _fill(self, fill: Fill, venue_ns: int) -> None:
        key = (fill.strategy, fill.instrument)
        before = self._held(key)
        self.fills.append(fill)
        self.books.book(fill)
        said = (fill.price, fill.quantity, fill.is_maker, *self.books.fee(fill), venue_ns)
        self.notices.append(Said(fill.strategy, "fill", fill.order_id, fill=said))
        by_target = self.lives[fill.order_id].by_target
        if key in self.targets and not by_target and fill.order_id >= self.targets[key].since:
            self.targets[key].added += self._held(key) - before
        is_spot = self.books.specifications[fill.instrument].kind == "spot"
        for name in self.strategies:
            if before * fill.sign < 0 if name == fill.strategy else not is_spot:
                uncovered = [one for one in self.mine(name, fill.instrument) if self._is_uncovered(one.placed)]
                self.outbox += [one.placed.id for one in uncovered]

    def _liquidated(self, fill: Fill, venue_ns: int) -> None:
        """The venue has closed a position of the account: every strategy's share is closed.

        The law does not say who pays the fee: the first of those that held something.
        """
        self.books.book(fill)
        self._tell_all("liquidation")
        fee, asset = self.books.fee(fill)
        for strategy in self.strategies:
            held = self._held((strategy, fill.instrument))
            if not held:
                continue
            share = replace(fill, strategy=strategy, sign=-1 if held > 0 else 1, quantity=abs(held))
            value = held * fill.price * self.books.specifications[fill.instrument].multiplier
            self.books.position(strategy, fill.instrument).apply(-held, -value)
            self.fills.append(share)
            said = (share.price, share.quantity, False, fee, asset, venue_ns)
            self.notices.append(Said(strategy, "fill", 0, fill=said))
            fee = NOTHING

    def _tell_all(self, kind: str) -> None:
        self.notices.extend(Said(strategy, kind) for strategy in self.strategies)

    # Risk

    def objections(self, order: Placed) -> list[str]:
        """Why an order must be refused (O4), in the order in which it is looked at."""
        rules, mark = self.rules, self.marks.prices.get(order.instrument)
        held = self._held((order.strategy, order.instrument))
        wrong = [] if self.is_trading or self._reduces(order) else ["trading_off"]
        venue = self.venue_name(order.instrument)
        if venue in self.unreachable:
            wrong.append("venue_disconnected")
        if venue in self.silent and not self._reduces(order):
            wrong.append("risk_stale_data")
        if self._is_uncovered(order):
            wrong.append("reduce_only")
        if not self._reduces(order):
            wrong += self._system_objections()
        if rules.order_quantity is not None and order.quantity > rules.order_quantity:
            wrong.append("risk_order_quantity")
        if rules.order_notional is not None:
            worth = self._worth(order.instrument, order.price)
            if worth is None or worth * order.quantity > rules.order_notional:
                wrong.append("risk_no_mark" if worth is None else "risk_order_notional")
        reached = abs(held + order.sign * self._same_way(order))
        if rules.position is not None and reached > rules.position and not self._reduces(order):
            wrong.append("risk_position")
        if rules.open_orders is not None and len(self._earlier(order)) >= rules.open_orders:
            wrong.append("risk_open_orders")
        if rules.price_collar is not None and order.price is not None:
            if mark is None:
                wrong.append("risk_no_mark")
            elif abs(order.price - mark) > rules.price_collar * mark:
                wrong.append("risk_price_collar")
        return wrong

    def _system_objections(self) -> list[str]:
        """Why nothing may leave that could open a position."""
        rate, loss = self.system.order_rate, self.system.daily_loss
        wrong = ["risk_order_rate"] if rate is not None and rate.is_used_up(self.now_ns) else []
        if loss is not None and (loss.is_reached or loss.is_lost(self.earned())):
            wrong.append("risk_daily_loss")
        elif loss is not None and self.earned() is None:
            wrong.append("risk_no_mark")
        return wrong

    def _earlier(self, order: Placed) -> list[Life]:
        """The strategy's other orders there, but those whose turn comes later."""
        mine = self.mine(order.strategy, order.instrument)
        return [
            one for one in mine if one.placed.id < order.id or (one.placed.id > order.id and one.status != "queued")
        ]

    def _same_way(self, order: Placed) -> Decimal:
        """How much an order and the earlier ones of its side still want."""
        life = self.lives.get(order.id)
        wanted = order.quantity if life is None else abs(life.working)
        return wanted + sum(abs(one.working) for one in self._earlier(order) if one.placed.sign == order.sign)

    def _reduces(self, order: Placed) -> bool:
        held = self._held((order.strategy, order.instrument))
        return held * order.sign < 0 and self._same_way(order) <= abs(held)

    def _is_uncovered(self, order: Placed) -> bool:
        """Whether it may only reduce, and could do more. A margined venue looks after it where nobody else is there."""
        if not order.reduce_only:
            return False
        held = self._held((order.strategy, order.instrument))
        of_others = self._held(("", order.instrument)) - held
        if self.books.specifications[order.instrument].kind == "spot" or of_others * order.sign < 0:
            return not self._reduces(order)
        is_new = self.lives[order.id].status == "queued"
        return held * order.sign >= 0 or (is_new and order.quantity > abs(held))

    def _worth(self, instrument: str, price: Decimal | None) -> Decimal | None:
        """What a unit of an order is valued at: its limit, and not less than the mark."""
        known = [one for one in (price, self.whole_mark(instrument)) if one is not None]
        return max(known) * self.books.specifications[instrument].multiplier if known else None

    # Targets

    def _pursue(self, key: Key) -> None:
        """Cancels what earlier targets have sent, waits for what becomes of it, and sends the difference (O3)."""
        target = self.targets.get(key)
        if target is None:
            return
        mine = self.mine(*key)
        missing = self._missing(key, target, mine)
        if any(is_ending(life) for life in mine):
            if missing:
                self._cancel_earlier(mine)
            return
        differs = any(life.by_target and life.placed.price != target.price for life in mine)
        if differs and self._cancel_earlier(mine):
            return
        free = self._sendable(key, target, mine, missing)
        wanted = self._piece(key, target, self._let_through(key, target, free))
        size = self._sent(key, target, wanted)
        if wanted == missing:
            self.dust[key] = missing - size
        if size and self._cancel_earlier(mine):
            return
        # On spot a sale waits for purchases: those of targets are not wanted any more.
        if free != missing and self._cancel_earlier([life for life in mine if life.placed.sign > 0]):
            return
        if wanted == missing:
            del self.targets[key]
        if size:
            target.own.add(self._queue(key, 1 if size > 0 else -1, abs(size), target.price, by_target=True))

    def _cancel_earlier(self, mine: list[Life]) -> bool:
        earlier = [life for life in mine if life.by_target and life.status not in ("cancel_in_flight", "unknown")]
        for life in earlier:
            self._cancel(life)
        return bool(earlier)

    def _missing(self, key: Key, target: Target, mine: list[Life]) -> Decimal:
        """What the strategy ordered itself behind the target comes on top of it."""
        counted = [life for life in mine if life.by_target or life.placed.id < target.since]
        return target.quantity + target.added - self._held(key) - sum(life.working for life in counted)

    def _sendable(self, key: Key, target: Target, mine: list[Life], missing: Decimal) -> Decimal:
        """On spot no more is sold than is held, and not what was bought behind the target (M3)."""
        if self.books.specifications[key[1]].kind != "spot" or missing >= 0:
            return missing
        held = self._held(key)
        sales = sum(life.working for life in mine if life.placed.sign < 0)
        return max(missing, -max(min(held, held - target.added) + sales, NOTHING))

    def _let_through(self, key: Key, target: Target, wanted: Decimal) -> Decimal:
        """Where what goes through zero is refused, what closes the position is sent first (O4)."""
        held, working = abs(self._held(key)), self._works(key, wanted)
        if self._held(key) * wanted >= 0 or abs(wanted) + working <= held:
            return wanted
        if target.own and working:
            return NOTHING
        size = self._sent(key, target, wanted)
        order = Placed(len(self.lives) + 1, *key, 1 if size > 0 else -1, abs(size), target.price, "gtc", False)
        if not size or not self.objections(order):
            return wanted
        return max(held - working, NOTHING).copy_sign(wanted)

    def _piece(self, key: Key, target: Target, wanted: Decimal) -> Decimal:
        """What reduces a position that is larger than an order may be is sent in pieces, one behind another."""
        one, limit, whole = self.books.specifications[key[1]], self.rules.order_notional, abs(wanted)
        if self._held(key) * wanted >= 0 or whole > abs(self._held(key)):
            return wanted
        working = self._works(key, wanted)
        whole += working
        most = whole if self.rules.order_quantity is None else min(whole, self.rules.order_quantity)
        worth = self._worth(key[1], target.price)
        if limit is not None and worth is not None and worth * most > limit:
            most = limit / worth
        if most == whole or on_grid(most, one.lot) < max(one.minimum_quantity, one.lot):
            return wanted
        most = on_grid(most, one.lot)
        even = ceil(whole / ceil(whole / most) / one.lot) * one.lot
        return NOTHING if working else min(even, most).copy_sign(wanted)

    def _works(self, key: Key, wanted: Decimal) -> Decimal:
        """How much orders of targets still want of a side."""
        return abs(sum((one.working for one in self.mine(*key) if one.by_target and one.working * wanted > 0), NOTHING))

    def _sent(self, key: Key, target: Target, wanted: Decimal) -> Decimal:
        """What an order over it would be: nothing, if it is less than a lot or than the venue takes."""
        one = self.books.specifications[key[1]]
        size, price = on_grid(wanted, one.lot), target.price or self.whole_mark(key[1])
        is_dust = abs(size) < one.minimum_quantity or (
            price is not None and abs(size) * price * one.multiplier < one.minimum_notional
        )
        return NOTHING if is_dust else size

    # What is known

    def mine(self, strategy: str, instrument: str = "") -> list[Life]:
        """The open orders of a strategy, in an instrument or in all."""
        return [
            life for life in self.open.values()
            if life.placed.strategy == strategy and instrument in ("", life.placed.instrument)
        ]  # fmt: skip

    def venue_of(self, life: Life) -> Venue:
        return self.venues[self.venue_name(life.placed.instrument)]

    def venue_name(self, instrument: str) -> str:
        return self.books.specifications[instrument].venue

    def _held(self, key: Key) -> Decimal:
        return decimal(self.books.position(*key).quantity)

    def whole_mark(self, instrument: str) -> Decimal | None:
        """The mark as a price that an order can have."""
        return self.marks.whole(self.books.specifications[instrument])

    def reserved(self, wallet: Wallet) -> Decimal:
        """What open spot orders hold back: purchases their worth, sales what they sell."""
        held = NOTHING
        for life in self.open.values():
            order, one = life.placed, self.books.specifications[life.placed.instrument]
            if one.kind == "spot" and order.sign < 0 and (one.venue, one.base) == wallet:
                held -= life.working
            elif one.kind == "spot" and order.sign > 0 and (one.venue, one.quote) == wallet:
                worth = life.working * (order.price or self.whole_mark(order.instrument) or NOTHING)
                held += worth.quantize(Decimal("1e-8"), ROUND_CEILING)
        return held

    def equity(self) -> Fraction | None:
        """The worth of everything, unless something has no price."""
        worth = [self._worth_of(asset, Fraction(amount)) for (_, asset), amount in self.books.wallets.items()]
        for name, one in self.books.specifications.items():
            held, mark = self.books.position("", name), self.marks.prices.get(name)
            if one.kind != "spot" and held.quantity:
                worth.append(None if mark is None else self._worth_of(one.settlement, held.unrealised(mark)))
        known = [one for one in worth if one is not None]
        return sum(known, Fraction(0)) if len(known) == len(worth) else None

    def earned(self) -> Fraction | None:
        """What strategies have earned, open positions at the mark, after fees and funding; not what insurance paid.

        The law does not say at which rate what was earned in another asset counts: it is that of now.
        """
        by_asset: dict[str, Fraction] = {}
        for (strategy, name), held in self.books.positions.items():
            mark, one = self.marks.prices.get(name), self.books.specifications[name]
            if strategy and held.quantity and mark is None:
                return None
            if strategy:
                profit = held.realised + (held.unrealised(mark) if held.quantity and mark is not None else -held.cost)
                by_asset[one.settlement] = by_asset.get(one.settlement, Fraction(0)) + profit
        for (name, asset), fee in self.books.fees.items():
            if asset == self.books.specifications[name].settlement:
                by_asset[asset] = by_asset.get(asset, Fraction(0)) - Fraction(fee)
        for ((_, asset), purpose), paid in self.books.payments.items():
            if purpose != "insurance":
                by_asset[asset] = by_asset.get(asset, Fraction(0)) + Fraction(paid)
        worth = [self._worth_of(asset, amount) for asset, amount in by_asset.items()]
        known = [one for one in worth if one is not None]
        return sum(known, Fraction(0)) if len(known) == len(worth) else None

    def _worth_of(self, asset: str, amount: Fraction) -> Fraction | None:
        """What an amount is worth in the currency of the totals, by a declared pair (N4). Nothing needs none."""
        rate = self.rate(asset)
        return Fraction(0) if not amount else None if rate is None else amount * rate

    def rate(self, asset: str) -> Fraction | None:
        """The price of an asset. The law does not say which pair counts: one with it as its base, and the first."""
        if asset == self.currency:
            return Fraction(1)
        pairs = {
            (one.base, one.quote): name
            for name, one in reversed(self.books.specifications.items())
            if one.kind == "spot"
        }
        times, over = (
            self.marks.prices.get(pairs.get(pair, "")) for pair in ((asset, self.currency), (self.currency, asset))
        )
        if (asset, self.currency) in pairs:
            return None if times is None else Fraction(times)
        return None if over is None else 1 / Fraction(over)


def is_ending(life: Life) -> bool:
    return life.is_cancel_asked or life.status == "cancel_in_flight"


def on_grid(quantity: Decimal, lot: Decimal) -> Decimal:
    """Rounded towards zero to the lot."""
    return (quantity / lot).to_integral_value(ROUND_DOWN) * lot
