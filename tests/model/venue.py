"""What a venue must answer, and when (T1, T3, F1 to F5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Literal

from model.margin import CALL, Margin
from model.market import NOTHING, Market, Placed
from model.marks import Marks
from model.money import ASSET_STEP, Books, Fill, Wallet, rounded
from model.path import Path
from model.rows import Row
from model.ways import Way
from tradewind.instruments import InstrumentFields

# Open, rejected, cancelled and fill are of an order, or of a liquidation; what is paid is heard by the books alone.
Kind = Literal["open", "rejected", "cancelled", "fill", "not_open", "not_sent", "margin_call", "paid"]


@dataclass(frozen=True)
class Answer:
    """What the venue says of an order or of the account, when it happened and when it is heard."""

    at_ns: int
    due_ns: int
    kind: Kind
    order_id: int = 0
    reason: str | None = None
    fill: Fill | None = None
    amount: Decimal = NOTHING
    purpose: str = ""
    wallet: Wallet = ("", "")

    @property
    def is_silent(self) -> bool:
        """Whether no strategy is told: of a cancel that came too late, and of payments."""
        return self.kind in ("not_open", "paid")


NEVER = 2**64


class Venue:
    """A simulated venue, fed with rows in its order and requests after their latency. It keeps books of its own."""

    def __init__(
        self,
        books: Books,
        rows: Iterable[Row],
        there: Way,
        back: Way,
        *,
        touch: bool,
        leverage: int | None = None,
    ) -> None:
        self.books, self.specifications = books, books.specifications
        margined = [one for one in self.specifications.values() if one.kind != "spot"]
        wallets = [(one.venue, one.settlement) for one in margined]
        self.margins = {wallet: Margin(books, leverage, wallet) for wallet in wallets}
        self.marks, self.called = Marks(), set[Wallet]()
        self.rows = deque(rows)
        self.there, self.back, self.touch = there, back, touch
        self.markets = {name: Market() for name in self.specifications}
        for name, market in self.markets.items():
            kinds = {row.kind for row in self.rows if row.instrument == name}
            market.source = next((kind for kind in ("book", "quote", "trade", "bar") if kind in kinds), "")
        self.requests = deque[tuple[int, Placed | int]]()
        self.answers = deque[Answer]()
        self.open: dict[int, Placed] = {}
        self.now_ns = 0
        self.has_ended = False
        # How long after their time rows are known; what is said is not heard before (F6).
        self.lag_ns = 0
        # From when until when no new orders are taken and nothing is matched, by instrument.
        self.halts: dict[str, tuple[int, int]] = {}
        # From when until when nothing reaches it, and nothing comes from it.
        self.outage = (0, 0)

    def send(self, now_ns: int, request: Placed | int) -> None:
        """An order, or the number of one that is to be cancelled."""
        number = request.id if isinstance(request, Placed) else request
        if self.is_out(now_ns):
            self._fail(now_ns, request)
            return
        self.requests.append((self.there.arrival_ns(now_ns, number), request))

    def is_out(self, time_ns: int) -> bool:
        return self.outage[0] <= time_ns < self.outage[1]

    def _fail(self, now_ns: int, request: Placed | int) -> None:
        """A request that cannot leave is told to be so at once, before what comes later."""
        if isinstance(request, Placed):
            failure = Answer(now_ns, now_ns, "rejected", request.id, "venue_disconnected")
        else:
            failure = Answer(now_ns, now_ns, "not_sent", request, "venue_disconnected")
        place = sum(answer.due_ns <= now_ns for answer in self.answers)
        self.answers.insert(place, failure)

    def advance(self, now_ns: int) -> None:
        """Everything whose answer is heard up to a time: rows, then points of bars' paths, then requests (T3)."""
        limit_ns = now_ns - max(self.back.least_ns, self.lag_ns)
        while True:
            row_ns = self.rows[0].time_ns if self.rows else NEVER
            point_ns, name = min(
                ((one.next_ns, name) for name, one in self.markets.items() if one.next_ns is not None),
                default=(NEVER, ""),
            )
            request_ns = self.requests[0][0] if self.requests else NEVER
            if row_ns <= min(limit_ns, point_ns, request_ns):
                self.now_ns = row_ns
                self._meet(self.rows.popleft())
                self._look_after_margin()
            elif point_ns <= min(limit_ns, request_ns):
                self.now_ns = point_ns
                self._go_on(name)
                self._look_after_margin()
            elif request_ns <= limit_ns:
                self.now_ns = request_ns
                request = self.requests.popleft()[1]
                if isinstance(request, Placed):
                    self._place(request)
                else:
                    self._cancel(request)
                self._look_after_margin()
            else:
                return

    def end(self, now_ns: int) -> None:
        """The run is over: what is here is cancelled, and what still comes rejected (O6)."""
        self.now_ns, self.has_ended = now_ns - self.lag_ns, True
        for market in self.markets.values():
            for order in list(market.orders):
                self._end(order, "end_of_run")

    def _say(self, kind: Kind, order_id: int = 0, reason: str | None = None, fill: Fill | None = None) -> None:
        self.answers.append(Answer(self.now_ns, self._heard_ns(), kind, order_id, reason, fill))

    def _heard_ns(self) -> int:
        """When what is said now is heard: in an outage when that is over."""
        heard_ns = max(self.back.arrival_ns(self.now_ns, 0), self.now_ns + self.lag_ns)
        return self.outage[1] if self.is_out(heard_ns) else heard_ns

    def _pay(self, amount: Decimal, purpose: str, wallet: Wallet) -> None:
        """What is nothing is said, too."""
        self.books.pay(amount, purpose, wallet)
        said = Answer(self.now_ns, self._heard_ns(), "paid", amount=amount, purpose=purpose, wallet=wallet)
        self.answers.append(said)

    # Requests

    def _place(self, order: Placed) -> None:
        market, one = self.markets[order.instrument], self.specifications[order.instrument]
        self._split(order)
        reason = self._objection(order, market, one)
        if reason is not None:
            self._say("rejected", order.id, reason)
            return
        self._say("open", order.id)
        self.open[order.id] = order
        order.is_maker = not market.takes(order)
        market.orders.append(order)
        if market.source == "trade" and not order.is_maker:
            return
        if not order.is_maker:
            self._take(order, market)
        if order.id in self.open:
            if order.time_in_force == "ioc":
                self._end(order, "immediate_or_cancel" if order.filled else "no_liquidity")
            order.is_maker = not market.takes(order)

    def _objection(self, order: Placed, market: Market, one: InstrumentFields) -> str | None:
        if self.has_ended:
            return "end_of_run"
        if self._is_halted(order.instrument):
            return "market_halted"
        price = order.price if order.price is not None else self._expected(order, market)
        if order.quantity < one.minimum_quantity:
            return "below_minimum_quantity"
        if order.time_in_force == "post_only" and market.takes(order):
            return "would_take"
        is_reducing = order.reduce_only and one.kind != "spot"
        if is_reducing and order.quantity > self._reducible(order):
            return "reduce_only"
        if price is None:
            return "no_liquidity"
        if price * order.quantity * one.multiplier < one.minimum_notional and not is_reducing:
            return "below_minimum_notional"
        is_lacking = self._lacks_funds(order, price) if one.kind == "spot" else self._lacks_margin(order, price)
        return "insufficient_funds" if is_lacking else None

    def _is_halted(self, name: str) -> bool:
        halt = self.halts.get(name)
        return halt is not None and halt[0] <= self.now_ns < halt[1]

    def _matched(self, market: Market) -> list[Placed]:
        """The orders that meet what happens: none in a halt."""
        return [order for order in market.orders if not self._is_halted(order.instrument)]

    def _expected(self, order: Placed, market: Market) -> Decimal | None:
        """What a market order will trade at, as far as is known."""
        best = market.best(order.sign) if market.source in ("book", "quote") else None
        if best is not None:
            return best
        return market.last if market.last is not None else self.marks.prices.get(order.instrument)

    def _reducible(self, order: Placed) -> Decimal:
        """How much an order of the account may still reduce."""
        held = self.books.position("", order.instrument).quantity
        return decimal(max(-order.sign * held, Fraction(0)))

    def _cancel(self, order_id: int) -> None:
        if order_id in self.open:
            self._split(self.open[order_id])
        order = self.open.get(order_id)
        if order is None:
            self._say("not_open", order_id)
        else:
            self._end(order, "requested")

    def _end(self, order: Placed, reason: str) -> None:
        self._forget(order)
        self._say("cancelled", order.id, reason)

    def _forget(self, order: Placed) -> None:
        del self.open[order.id]
        self.markets[order.instrument].orders.remove(order)

    # Funds: the law says no more than that an account must be able to pay

    def _cost(self, order: Placed, quantity: Decimal, price: Decimal) -> tuple[Wallet, Decimal]:
        """What a spot order takes out of which wallet."""
        one = self.specifications[order.instrument]
        if order.sign < 0:
            return (one.venue, one.base), quantity
        return (one.venue, one.quote), (quantity * price).quantize(ASSET_STEP, ROUND_CEILING)

    def _reserved(self, wallet: Wallet, *, by_market_orders: bool = True) -> Decimal:
        """What open spot orders hold back."""
        held = NOTHING
        for order in self.open.values():
            if self.specifications[order.instrument].kind != "spot" or (order.price is None and not by_market_orders):
                continue
            price = order.price or self._expected(order, self.markets[order.instrument]) or NOTHING
            whose, amount = self._cost(order, order.remaining, price)
            held += amount if whose == wallet else NOTHING
        return held

    def _lacks_funds(self, order: Placed, price: Decimal) -> bool:
        """Whether what is free of a wallet is not enough: not what other orders hold back, nor what is margin."""
        wallet, amount = self._cost(order, order.quantity, price)
        free = Fraction(self.books.wallets.get(wallet, 0))
        if wallet in self.margins:
            free = min(free, self.margins[wallet].equity(self.marks.prices) - self._needed(wallet))
        return free - Fraction(self._reserved(wallet)) < amount

    def _can_pay(self, order: Placed, price: Decimal, quantity: Decimal) -> bool:
        """Whether there is enough at a fill, too. What limit orders hold back is not a market order's."""
        wallet, amount = self._cost(order, quantity, price)
        others = self._reserved(wallet, by_market_orders=False) if order.price is None else NOTHING
        return self.books.wallets.get(wallet, 0) - others >= amount

    # Margin

    def _lacks_margin(self, order: Placed, price: Decimal) -> bool:
        """Whether the account cannot have the largest position that an order could lead to (F5), and pay its fee.

        The law does not say at which price: what the order trades at, and not less than the mark. Nor whether what is
        large already must be paid for anew: it need not.
        """
        one, mark = self.specifications[order.instrument], self._whole_mark(order.instrument)
        before, after = self._largest(order.instrument), self._largest(order.instrument, order)
        if after <= before:
            return False
        price = price if mark is None else max(price, mark)
        wallet = (one.venue, one.settlement)
        margin = self.margins[wallet]
        needed = self._needed(wallet, order.instrument) + margin.initial(order.instrument, after, price)
        needed += Fraction(self._reserved(wallet))
        fee = max(rounded(price * order.quantity * one.multiplier * one.taker_fee), NOTHING)
        return needed + Fraction(fee) > margin.equity(self.marks.prices)

    def _needed(self, wallet: Wallet, without: str = "") -> Fraction:
        """The initial margin of all that is held and wanted, but of one instrument."""
        margin = self.margins[wallet]
        names = [name for name in self.marks.prices if name != without and margin.has(name)]
        return sum((margin.initial(name, self._largest(name), self._whole_mark(name)) for name in names), Fraction(0))

    def _largest(self, name: str, added: Placed | None = None) -> Fraction:
        """The largest position, of either side, that open orders lead to."""
        held = self.books.position("", name).quantity
        orders = self.markets[name].orders + ([] if added is None else [added])
        sides = {sign: sum((one.remaining for one in orders if one.sign == sign), NOTHING) for sign in (1, -1)}
        return max(abs(held + sign * Fraction(wanted)) for sign, wanted in sides.items())

    def _whole_mark(self, name: str) -> Decimal | None:
        return self.marks.whole(self.specifications[name])

    def _look_after_margin(self) -> None:
        """A margin call when maintenance reaches four fifths of the equity; below the maintenance all is closed."""
        for wallet, margin in self.margins.items():
            equity, maintenance = margin.equity(self.marks.prices), margin.maintenance(self.marks.prices)
            is_short = maintenance > 0 and equity < maintenance
            is_called = maintenance > 0 and not is_short and maintenance >= CALL * equity
            if is_short:
                self._liquidate(wallet)
            elif is_called and wallet not in self.called:
                self._say("margin_call")
            (self.called.add if is_called else self.called.discard)(wallet)

    def _liquidate(self, wallet: Wallet) -> None:
        """Cancels all orders, closes all positions at the mark, charges for it, and lets insurance pay the rest.

        The law does not say in which order: it is done for one instrument behind the other, and the fee of a
        liquidation comes before its fill.
        """
        for name, one in self.specifications.items():
            if not self.margins[wallet].has(name):
                continue
            for order in list(self.markets[name].orders):
                self._end(order, "liquidation")
            held, price = self.books.position("", name).quantity, self._whole_mark(name)
            if not held or price is None:
                continue
            quantity = decimal(abs(held))
            self._pay(-rounded(price * quantity * one.multiplier * one.liquidation_fee), "liquidation_fees", wallet)
            fill = Fill(0, "", name, -1 if held > 0 else 1, price, quantity, is_maker=False)
            self.books.book(fill)
            self._say("fill", fill=fill)
        if self.books.wallets[wallet] < 0:
            self._pay(-self.books.wallets[wallet], "insurance", wallet)

    # Rows

    def _meet(self, row: Row) -> None:
        market = self.markets[row.instrument]
        if row.kind == "funding":
            self._fund(row)
            return
        if row.kind == "bar" and market.source == "bar":
            self._open(row, market)
            return
        if row.kind == "bar":
            market.bar = row
            return
        self.marks.meet(row)
        if row.kind == "mark":
            return
        if row.kind == "book":
            if market.book.meet(row):
                for order in self._matched(market):
                    self._cross(order, market)
            return
        if row.kind == "trade":
            market.last = row.price
            self._trade(row, market)
            return
        before, market.row = market.row, row
        if before is None or (before.bid, before.bid_size) != (row.bid, row.bid_size):
            market.taken[-1] = NOTHING
        if before is None or (before.ask, before.ask_size) != (row.ask, row.ask_size):
            market.taken[1] = NOTHING
        if market.source == "quote":
            for order in self._matched(market):
                self._cross(order, market)

    # Bars

    def _open(self, row: Row, market: Market) -> None:
        """A bar begins. A hole between its open and the close before is gone through at once."""
        assert row.bar is not None
        market.path = Path(row, self.specifications[row.instrument].tick)
        first = self._hurt(row.instrument) or (market.orders[0].sign if market.orders else 0)
        if first:
            market.path.choose(first)
        before, market.last = market.last, row.bar[0]
        self.marks.speak(row.instrument, "bar", row.time_ns, market.last)
        self._pass(market, market.last if before is None else before)

    def _go_on(self, name: str) -> None:
        """Along a bar's path, or to the close of one beside better data."""
        market = self.markets[name]
        if market.bar is None:
            self._go(name)
        else:
            close = (market.bar.bid + market.bar.ask) / 2
            market.bar = None
            self.marks.speak(name, "bar", self.now_ns, close)

    def _hurt(self, name: str) -> int:
        """The side of an order that would close what is held."""
        held = self.books.position("", name).quantity
        return (held < 0) - (held > 0)

    def _split(self, order: Placed) -> None:
        """What rests already has met the path up to a request."""
        market = self.markets[order.instrument]
        if market.path is not None:
            market.path.choose(self._hurt(order.instrument) or order.sign)
            self._go(order.instrument)

    def _go(self, name: str) -> None:
        """Along the path to now, which is its next point or before it."""
        market = self.markets[name]
        path, before = market.path, market.last
        assert path is not None and before is not None
        is_point = self.now_ns == path.next_ns
        market.last = path.go(self.now_ns)
        if is_point:
            self.marks.speak(name, "bar", self.now_ns, market.last)
        self._pass(market, before)
        if path.is_over:
            market.path = None

    def _pass(self, market: Market, before: Decimal) -> None:
        """What waits takes at the price that is reached; what rests fills where the price has gone through it."""
        path, last = market.path, market.last
        assert path is not None and last is not None
        for order in self._matched(market):
            if not order.is_maker:
                order.is_maker = not order.accepts(last)
                if not order.is_maker:
                    market.take(
                        order.sign, last, self._fill(order, last, min(order.remaining, path.left), is_maker=False)
                    )
            elif order.is_passed_by((min if order.sign > 0 else max)(before, last), touch=self.touch):
                assert order.price is not None
                filled = self._fill(order, order.price, min(order.remaining, path.left), is_maker=True)
                market.take(order.sign, order.price, filled)

    def _fund(self, row: Row) -> None:
        """A payment on the position at the mark; above zero, who is long pays."""
        mark, one = self.marks.prices.get(row.instrument), self.specifications[row.instrument]
        held = decimal(self.books.position("", row.instrument).quantity)
        if mark is not None and held:
            paid = rounded(held * mark * one.multiplier * row.price)
            self._pay(-paid, "funding", (one.venue, one.settlement))

    def _cross(self, order: Placed, market: Market) -> None:
        if not order.is_maker:
            self._take(order, market)
            self._rest(order, market)
            return
        crossed = [one for one in market.offers(order.sign) if order.is_passed_by(one[0], touch=self.touch)]
        if crossed:
            assert order.price is not None
            offered = sum((left for _, left in crossed), NOTHING)
            filled = self._fill(order, order.price, min(order.remaining, offered), is_maker=True)
            for price, left in crossed:
                market.take(order.sign, price, min(left, filled))
                filled -= min(left, filled)

    def _rest(self, order: Placed, market: Market) -> None:
        """A limit order rests where its price is not met; before, it takes at the prices that come (F1)."""
        best = market.best(order.sign)
        order.is_maker = order.price is not None and (best is None or not order.accepts(best))

    def _take(self, order: Placed, market: Market) -> None:
        for price, left in market.offers(order.sign):
            if order.id in self.open and order.accepts(price):
                market.take(order.sign, price, self._fill(order, price, min(order.remaining, left), is_maker=False))

    def _trade(self, row: Row, market: Market) -> None:
        left = row.size
        for order in self._matched(market):
            if order.is_maker:
                if order.is_passed_by(row.price, touch=self.touch):
                    assert order.price is not None
                    quantity = min(order.remaining, left)
                    left -= self._fill(order, order.price, quantity, is_maker=True)
            elif market.source == "trade":
                if order.accepts(row.price):
                    quantity = min(order.remaining, left)
                    left -= self._fill(order, row.price, quantity, is_maker=False)
                elif order.price is not None:
                    order.is_maker = True
                if order.time_in_force == "ioc" and order.id in self.open:
                    self._end(order, "immediate_or_cancel")

    def _fill(self, order: Placed, price: Decimal, offered: Decimal, *, is_maker: bool) -> Decimal:
        """Fill an order; gives how much it took."""
        one = self.specifications[order.instrument]
        most = self._reducible(order) if order.reduce_only and one.kind != "spot" else offered
        quantity = min(offered, most)
        if not offered:
            return NOTHING
        if one.kind == "spot" and not self._can_pay(order, price, quantity):
            self._end(order, "insufficient_funds")
            return NOTHING
        if quantity:
            order.filled += quantity
            fill = Fill(order.id, order.strategy, order.instrument, order.sign, price, quantity, is_maker)
            self.books.book(fill)
            self._say("fill", order.id, fill=fill)
        if not order.remaining:
            self._forget(order)
        elif order.reduce_only and one.kind != "spot" and quantity == most:
            self._end(order, "reduce_only")
        return quantity


def decimal(value: Fraction) -> Decimal:
    """A quantity, which has a finite number of decimals."""
    return Decimal(value.numerator) / Decimal(value.denominator)
