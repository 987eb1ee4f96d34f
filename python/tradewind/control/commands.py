"""Carrying out what was asked of a session: every change is an input, and in the journal before it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind._core import NativeStrategy
from tradewind.control import requests
from tradewind.control.readers import readers
from tradewind.control.status import OrderStatus, order_status
from tradewind.data.values import row_of
from tradewind.errors import TradewindError, exception
from tradewind.strategy import Strategy
from tradewind.times import to_ns

if TYPE_CHECKING:
    from tradewind.session.session import Session

_NEWEST = 1_000
"""So many closed orders are looked through for what was refused: one event leads to no more."""


class Done(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a change.

    Parameters
    ----------
    sequence
        The entry of the journal up to which it is written; the change and what followed at once are in there.
    strategies
        Those that received a value.
    orders
        The numbers of the orders that are cancelled.
    positions
        The positions that are being closed, as strategy and instrument.
    refused
        The orders that were to close a position and were refused: it stays as it is.
    order
        The order that was opened.
    readers
        The callbacks of the strategy that read the parameter that was set; one that only ``on_start`` reads has no
        effect.
    is_taken
        False where the strategy has a ``set_parameter`` of its own after which the parameter is not what was asked for.

    """

    sequence: int
    strategies: list[str] | None = None
    orders: list[int] | None = None
    positions: list[tuple[str, str]] | None = None
    refused: list[OrderStatus] | None = None
    order: OrderStatus | None = None
    readers: list[str] | None = None
    is_taken: bool = True


class Commands:
    """What a running session does when it is asked.

    Parameters
    ----------
    session
        The session.
    strategies
        Its strategies.

    """

    def __init__(self, session: Session, strategies: Sequence[Strategy | NativeStrategy]) -> None:
        self._session = session
        self._kernel = session.kernel
        self._strategies = {one.name: one for one in strategies}

    @property
    def names(self) -> Mapping[str, Sequence[str]]:
        """What requests may name."""
        instruments = [instrument.name for instrument in self._session.index.instruments]
        return {"strategy": list(self._strategies), "instrument": instruments}

    def value(self, asked: requests.Value) -> Done:
        """Give a value to the strategies that named its stream."""
        now_ns = self._session.stamp()
        time_ns = now_ns if asked.time is None else to_ns(asked.time)
        if time_ns > now_ns:
            hint = "state when it was true, or leave it out"
            raise exception("bad_setting", f"the time {asked.time} of {asked.name} is in the future", hint)
        if time_ns < 0:
            hint = "state when it was true, or leave it out"
            raise exception("bad_setting", f"the time {asked.time} of {asked.name} is before 1970", hint)
        row = row_of(asked.name, time_ns, now_ns, asked.value, asked.kind, asked.name)
        receivers = [strategy for strategy, name in self._kernel.named_values() if name == asked.name]
        return Done(self._carry_out(lambda: self._kernel.value(row)), strategies=receivers)

    def trading(self, asked: requests.Trading) -> Done:
        """Allow strategies to open positions, or not."""
        word = "trading_on" if asked.on else "trading_off"
        return Done(self._carry_out(lambda: self._kernel.command(self._session.stamp(), word)))

    def cancel(self, asked: requests.Cancel) -> Done:
        """Cancel one order, or those of a filter."""
        if asked.order is not None:
            number = asked.order
            if self._kernel.known_order(number) is None:
                raise exception("unknown_order", f"no order has the number {number}", "see tradewind ctl RUN status")
            found = [one["order_id"] for one in self._cancellable() if one["order_id"] == number]
            return Done(self._carry_out(lambda: self._kernel.cancel_order(self._session.stamp(), number)), orders=found)
        found = [
            one["order_id"]
            for one in self._cancellable()
            if asked.strategy in (None, one["strategy"]) and asked.instrument in (None, one["instrument"].name)
        ]
        return Done(self._filtered("cancel_all", asked.strategy, asked.instrument), orders=found)

    def close(self, asked: requests.Close) -> Done:
        """Close the positions of a filter, their orders cancelled before; what is refused stays as it is."""
        held = {(strategy, instrument) for strategy, instrument, _ in self._kernel.positions()}
        known = [*self._kernel.open_orders(), *self._kernel.closed_orders(1)]
        before = max((one["order_id"] for one in known), default=0)
        sequence = self._filtered("close_all", asked.strategy, asked.instrument)
        refused: dict[tuple[str, str], OrderStatus] = {}
        for one in self._kernel.closed_orders(_NEWEST):
            order = order_status(one)
            if order.number > before and order.status == "rejected" and (order.strategy, order.instrument) in held:
                # The first one closes; what follows is how the strategy takes it.
                refused[order.strategy, order.instrument] = order
        # What cannot be ordered, as it is too little, is not to be closed any more.
        closing = [
            (strategy, instrument)
            for strategy, instrument in self._kernel.positions_to_close()
            if (strategy, instrument) in held - refused.keys()
            and asked.strategy in (None, strategy)
            and asked.instrument in (None, instrument)
        ]
        return Done(sequence, positions=closing, refused=list(refused.values()))

    def open(self, asked: requests.Open) -> Done:
        """Open an order in the name of a strategy; risk looks at it as at any other."""
        number = 0

        def act() -> None:
            nonlocal number
            number = self._kernel.open_order(
                self._session.stamp(),
                asked.strategy,
                self._session.index.instrument(asked.instrument),
                asked.side,
                asked.quantity,
                asked.price,
                asked.time_in_force,
            )

        sequence = self._carry_out(act)
        order = self._kernel.known_order(number)
        return Done(sequence, order=None if order is None else order_status(order))

    def set_parameter(self, asked: requests.Parameter) -> Done:
        """Set a parameter of a strategy; one that it does not take changes nothing."""
        strategy = self._strategies[asked.strategy]
        if not isinstance(strategy, Strategy):
            raise exception("bad_strategy", f"{strategy.name} is native: its parameters are set when a run begins")
        value = strategy.checked_parameter(asked.name, asked.value)
        kind, number, text = _as_data(value)
        sequence = self._carry_out(
            lambda: self._kernel.parameter(self._session.stamp(), strategy.name, asked.name, kind, number, text)
        )
        is_taken = strategy.parameters[asked.name] == value
        return Done(sequence, readers=readers(type(strategy), asked.name), is_taken=is_taken)

    def stop(self, asked: requests.Stop) -> Done:
        """End the session in order."""
        self._session.stop()
        return Done(self._session.audit.last)

    def _cancellable(self) -> list[dict[str, Any]]:
        """Open orders of which no cancel is under way."""
        return [one for one in self._kernel.open_orders() if one["status"] != "cancel_in_flight"]

    def _filtered(self, word: str, strategy: str | None, instrument: str | None) -> int:
        held = None if instrument is None else self._session.index.instrument(instrument)
        return self._carry_out(lambda: self._kernel.command(self._session.stamp(), word, strategy, held))

    def _carry_out(self, act: Callable[[], Any]) -> int:
        """Feed the kernel; gives the last entry that is then in the journal."""
        if not self._session.is_running:
            hint = "look at its state: tradewind ctl RUN status"
            raise exception("not_running", "the session has not started yet, or is ending", hint)
        refused: list[TradewindError] = []

        def attempt() -> None:
            try:
                act()
            except TradewindError as error:
                # A mistake of whoever asks; what came due meanwhile goes its way.
                if self._kernel.is_failed:
                    raise
                refused.append(error)

        self._session.act(attempt)
        self._session.write()
        if self._session.failure is not None:
            raise exception("not_running", f"the session ends by this: {self._session.failure}")
        if refused:
            raise refused[0]
        return self._session.audit.last


def _as_data(value: Any) -> tuple[str, float | None, str | None]:
    """A parameter as a value of the stream, so that it comes back as the same type."""
    if isinstance(value, float):
        return "number", value, None
    if isinstance(value, str):
        return "text", None, value
    return "json", None, json.dumps(value)
