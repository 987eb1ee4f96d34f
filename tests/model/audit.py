"""A tape held against the model, call by call."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from model.bars import NEVER, Bar, Builder
from model.book import Book
from model.desk import Desk
from model.market import NOTHING
from model.rows import Row, by_arrival
from model.tape import Callback, Said, State, Tape
from model.venue import Answer

# What the venue says.
ANSWERS = ("order", "fill", "margin_call", "liquidation")


@dataclass
class Audit:
    """What the model expects at a point of the tape. A difference is an AssertionError that names the call."""

    desk: Desk
    rows: deque[Row]
    builders: dict[str, Builder]
    timers: list[tuple[int, str]] = field(default_factory=list)
    # What everything was worth from when on.
    worth: list[tuple[int, Fraction | None]] = field(default_factory=list)
    has_stopped: bool = False
    start_ns: int = 0
    # What a row's input says behind the calls that it leads to at once.
    statuses: list[Said] = field(default_factory=list)
    is_row_told: bool = True
    heard_ns: int = 0

    @classmethod
    def of(cls, desk: Desk, rows: Iterable[Row], builders: dict[str, Builder]) -> Audit:
        return cls(desk, by_arrival(rows), builders, start_ns=desk.now_ns)

    def check(self, tape: Tape) -> None:
        for place, call in enumerate(tape.callbacks):
            try:
                self._hear(call)
            except AssertionError as error:
                at_ms = (call.now_ns - tape.callbacks[0].now_ns) / 1e6
                error.add_note(f"call {place}, {at_ms} ms: {call}")
                raise
            for act in call.acts:
                if act.kind == "timer":
                    heapq.heappush(self.timers, (act.due_ns, call.strategy))
                else:
                    self.desk.ask(call.strategy, act)
        self._finish()

    def _hear(self, call: Callback) -> None:
        desk = self.desk
        self._settle()
        if not desk.notices:
            self._approach(call)
        if not desk.notices:
            self._begin(call)
        assert call.now_ns == desk.now_ns
        said = desk.notices.popleft()
        assert call.said == said, said
        self._check_state(call.strategy, call.state)

    def _settle(self) -> None:
        """When all was told, what was asked for meanwhile is carried out."""
        desk = self.desk
        if not desk.notices and not self.is_row_told:
            self.is_row_told = True
            desk.notices.extend(self.statuses)
            desk.finish_input()
        while desk.outbox and not desk.notices:
            desk.carry_out()

    def _approach(self, call: Callback) -> None:
        """Everything before the next input of which somebody is told."""
        desk, now_ns = self.desk, call.now_ns
        if self.heard_ns:
            self.worth.append((desk.now_ns, desk.equity()))
        assert now_ns >= desk.now_ns
        # Rows come before answers of their time, and these before commands and timers.
        is_row = call.kind in ("row", "bar") and self._next_row_ns() == now_ns
        for venue in desk.venues.values():
            venue.advance(now_ns - is_row)
        self._hear_silent(now_ns)

    def _begin(self, call: Callback) -> None:
        """The next input: an answer of the venue, a timer, a row or a command."""
        desk, now_ns = self.desk, call.now_ns
        if call.kind not in ANSWERS:
            said = self._next_answer()
            assert said is None or said.due_ns >= now_ns, said
        if self.rows:
            assert not self.timers or self.timers[0][0] >= now_ns, self.timers[0]
            assert all(one.due_ns >= now_ns for one in self.builders.values()), self.builders
        before_ns, self.heard_ns = self.heard_ns, now_ns
        desk.begin_input(now_ns)
        if call.kind in ("row", "bar"):
            self.statuses, self.is_row_told = list(desk.notices), False
            desk.notices.clear()
            self._meet(call)
            return
        match self._kind_of(call):
            case kind if kind in ANSWERS:
                if self.has_stopped and not any(one.answers or one.requests for one in desk.venues.values()):
                    for venue in desk.venues.values():
                        venue.end(before_ns)
                answer = self._take_answer()
                assert answer.due_ns == now_ns, answer
                desk.answer(answer)
            case "timer":
                due_ns, strategy = heapq.heappop(self.timers)
                assert due_ns == now_ns
                desk.notices.append(Said(strategy, "timer"))
            case "stop":
                self.has_stopped, desk.is_trading = True, False
                for strategy in desk.strategies:
                    desk.cancel_all(strategy)
                desk.notices.extend(Said(strategy, "stop") for strategy in desk.strategies)
                return
            case "trading_on" | "trading_off" as kind:
                desk.is_trading = kind == "trading_on"
                desk.notices.extend(Said(strategy, kind) for strategy in desk.strategies)
            case "halted" | "resumed" as kind:
                halts = [halt for venue in desk.venues.values() for halt in venue.halts.values()]
                assert now_ns in [max(halt[kind == "resumed"], self.start_ns) for halt in halts]
                desk.notices.extend(Said(strategy, kind) for strategy in desk.strategies)
            case "disconnected" | "connected" as kind:
                self._connect(call)
            case kind:
                raise AssertionError(f"nobody says {kind}")
        desk.finish_input()

    def _connect(self, call: Callback) -> None:
        """A connection is lost, or there again: that of market data, or that of orders."""
        desk, is_there = self.desk, call.kind == "connected"
        assert call.said.reason is not None
        part, name = call.said.reason.split()
        assert call.now_ns == max(desk.venues[name].outage[is_there], self.start_ns)
        without = desk.silent if part == "market_data" else desk.unreachable
        assert (name in without) == is_there
        (without.discard if is_there else without.add)(name)
        if is_there and part == "orders":
            desk.reconnect(name)
        desk.notices.extend(Said(strategy, call.kind, reason=call.said.reason) for strategy in desk.strategies)

    def _kind_of(self, call: Callback) -> str:
        """What an input is. Who is told of a day that has ended is told so before anything else."""
        if call.kind != "daily_loss_over":
            return call.kind
        said = self._next_answer()
        return "order" if said is not None and said.due_ns == call.now_ns else "timer"

    def _meet(self, call: Callback) -> None:
        """A row, or a bar that closes by itself."""
        desk, now_ns = self.desk, call.now_ns
        if self._next_row_ns() > now_ns:
            # Of those that close at once the one that could have before.
            builder = min(self.builders.values(), key=lambda one: (one.due_ns, one.ends_ns))
            assert builder.due_ns == now_ns
            self._tell(builder.close())
            return
        row = self.rows.popleft()
        assert row.arrival_ns == now_ns, row
        desk.marks.meet(row)
        if row.kind == "trade" and row.instrument in self.builders:
            self._tell(self.builders[row.instrument].meet(row))
        desk.notices.extend(Said(strategy, "row") for strategy in desk.strategies)

    def _next_row_ns(self) -> int:
        return self.rows[0].arrival_ns if self.rows else NEVER

    def _next_answer(self) -> Answer | None:
        """What is heard next; of one time that of the first venue."""
        said = [venue.answers[0] for venue in self.desk.venues.values() if venue.answers]
        return min(said, key=lambda answer: answer.due_ns, default=None)

    def _take_answer(self) -> Answer:
        answer = self._next_answer()
        assert answer is not None, "no venue says anything"
        return next(
            one.answers for one in self.desk.venues.values() if one.answers and one.answers[0] is answer
        ).popleft()

    def _tell(self, bar: Bar | None) -> None:
        """A bar has closed."""
        if bar is not None:
            self.desk.notices.extend(Said(strategy, "bar", fill=bar) for strategy in self.desk.strategies)

    def _hear_silent(self, now_ns: int) -> None:
        """A cancel that came too late changes nothing, a payment the books alone: nobody is told."""
        desk = self.desk
        while (said := self._next_answer()) is not None and desk.is_silent(said) and said.due_ns <= now_ns:
            answer = self._take_answer()
            self.heard_ns = answer.due_ns
            desk.begin_input(answer.due_ns)
            if answer.kind == "paid":
                desk.answer(answer)
                self.worth.append((answer.due_ns, desk.equity()))
            else:
                assert not desk.lives[answer.order_id].is_open
            desk.finish_input()
            if desk.notices:
                return

    def _check_state(self, strategy: str, state: State) -> None:
        desk, books = self.desk, self.desk.books
        for name, figures in state.positions.items():
            held = books.position(strategy, name)
            assert figures == (float(held.quantity), float(held.cost), float(held.realised)), (name, held)
            assert state.dust[name] == float(desk.dust.get((strategy, name), 0)), name
            mark = desk.marks.prices.get(name)
            assert state.marks[name] == (None if mark is None else float(mark)), name
        for asset, balance in state.balances.items():
            total, reserved = books.wallets.get(asset, NOTHING), desk.reserved(asset)
            assert balance == (total, reserved, total - reserved), asset
        for name, sides in state.books.items():
            book = desk.marks.books.get(name, Book())
            assert sides == tuple(
                [(float(price), float(size)) for price, size in book.side(side)[:10]] for side in (1, -1)
            )
        mine = [(life.placed.id, life.status, life.filled, life.placed.terms) for life in desk.mine(strategy)]
        assert [(one.id, one.status, one.filled, one.terms) for one in state.open_orders] == mine, mine

    def _finish(self) -> None:
        """Nothing is left open, unheard or unpaid at the end."""
        desk = self.desk
        self._settle()
        self.worth.append((desk.now_ns, desk.equity()))
        assert not desk.notices
        assert not self.rows
        for venue in desk.venues.values():
            venue.advance(2**63)
        self._hear_silent(2**63)
        for venue in desk.venues.values():
            assert not venue.answers, venue.answers
            assert not venue.open, venue.open
        assert not desk.open
