"""Limits on what strategies may do. One check written in Python works like the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict

from tradewind.checks import need_above_zero, need_count
from tradewind.errors import exception
from tradewind.simulation import Duration
from tradewind.times import duration_ns

if TYPE_CHECKING:
    from tradewind._core import Context, Index, Order

Number = float | int | Decimal | str
Check = Callable[["Context", "Order"], "str | None"]

_HINTS = {
    "order_quantity": "the largest quantity of an order; leave it out for no limit, and turn trading off to stop",
    "order_notional": "the largest value of an order, in the quote asset; leave it out for no limit",
    "position": "the largest position, long or short; leave it out for no limit, and turn trading off to stop",
    "price_collar": "a fraction of the mark: 0.05 is 5 %; leave it out for no limit",
}


@dataclass(frozen=True)
class Limits:
    """Limits of every instrument, or of one; what is not stated does not limit.

    A refusal reaches the strategy through `on_order`, with its reason. Cancels are never refused (O4).

    Parameters
    ----------
    order_quantity
        The largest quantity of an order.
    order_notional
        The largest value of an order, in the quote asset.
    position
        The largest position, long or short, if all of the strategy's orders were filled.
    open_orders
        The most orders that a strategy may have working in the instrument.
    price_collar
        How far a limit price may be from the mark, as a fraction of it.

    Examples
    --------
    >>> Limits(order_quantity=2, price_collar=0.05)
    Limits(order_quantity=2, price_collar=0.05)

    """

    order_quantity: Number | None = None
    order_notional: Number | None = None
    position: Number | None = None
    open_orders: int | None = None
    price_collar: Number | None = None

    def __post_init__(self) -> None:
        for name, hint in _HINTS.items():
            value = getattr(self, name)
            if value is not None:
                need_above_zero(name, value, hint, below=1 if name == "price_collar" else None)
        if self.open_orders is not None:
            need_count("open_orders", self.open_orders, "the most orders that may work; leave it out for no limit")

    def __repr__(self) -> str:
        stated = ((name, value) for name, value in asdict(self).items() if value is not None)
        return f"Limits({', '.join(f'{name}={value}' for name, value in stated)})"


@dataclass(frozen=True)
class OrderRate:
    """At most so many orders of all strategies within an interval; those that reduce a position pass (O4).

    Parameters
    ----------
    orders
        How many.
    interval
        Within how much time, such as ``"10s"``.

    """

    orders: int
    interval: Duration

    def __post_init__(self) -> None:
        hint = 'write how many orders, within how much time: tw.OrderRate(10, "10s")'
        need_count("order_rate: orders", self.orders, hint)
        if duration_ns(self.interval) <= 0:
            raise exception("bad_setting", f"order_rate: interval = {self.interval!r} is not above zero", hint)


class SystemValues(TypedDict):
    """The limits of a whole system, as the kernel takes them and a journal keeps them."""

    order_rate: tuple[int, int] | None
    daily_loss: tuple[str, float] | None
    carried: tuple[int, float, float | None] | None


@dataclass(frozen=True)
class Risk:
    """All checks of a run.

    Parameters
    ----------
    limits
        For every instrument.
    by_instrument
        For single instruments, in the place of `limits`.
    checks
        Functions ``check(ctx, order)`` that return why an order is refused, or None.
    order_rate
        The most orders of all strategies within an interval; more are refused (``risk_order_rate``).
    daily_loss
        The loss of all strategies within a UTC day, in the currency of the totals, open positions at the mark, after
        fees and funding. Once it is reached (looked at with every order, and once a second), orders that could open
        a position are cancelled, and further ones refused (``risk_daily_loss``) until the day ends; strategies hear
        ``daily_loss_reached`` and ``daily_loss_over`` in `on_status`. What the account held before does not count (M3).
    carried
        The UTC day, counted from 1970, the profit on it of earlier runs, which counts towards `daily_loss`, and the
        limit that its loss has reached, if it has: that stays so for the day, unless a larger limit is given.

    Examples
    --------
    >>> Risk(order_rate=OrderRate(10, "1s"), daily_loss=250).daily_loss
    250

    """

    limits: Limits = Limits()
    by_instrument: Mapping[str, Limits] | None = None
    checks: tuple[Check, ...] = ()
    order_rate: OrderRate | None = None
    daily_loss: Number | None = None
    carried: tuple[int, float, float | None] | None = None

    def __post_init__(self) -> None:
        for name, one in {"limits": self.limits, **dict(self.by_instrument or {})}.items():
            if not isinstance(one, Limits):
                raise exception("bad_setting", f"risk: {name} = {one!r} is no tw.Limits", "write tw.Limits(position=2)")
        if self.order_rate is not None and not isinstance(self.order_rate, OrderRate):
            message = f"order_rate = {self.order_rate!r} is no tw.OrderRate"
            raise exception("bad_setting", message, 'write tw.OrderRate(10, "10s")')
        if not isinstance(self.checks, Iterable) or not all(callable(check) for check in self.checks):
            hint = "write functions in a tuple: checks=(no_odd_lots,)"
            raise exception("bad_setting", f"checks = {self.checks!r} are no functions", hint)
        if self.daily_loss is not None:
            need_above_zero("daily_loss", self.daily_loss, "state it in the currency of the totals")

    def values(self, index: Index, currency: str) -> dict[str, Any]:
        """All checks, as the kernel takes them; the loss of a day is counted in a currency."""
        return {
            "limits": self.limit_values(index),
            "system": self.system_values(currency),
            "checks": list(self.checks),
        }

    def limit_values(self, index: Index) -> list[dict[str, Any]]:
        """The limits by instrument, as the kernel takes them."""
        own = dict(self.by_instrument or {})
        for name in own:
            index.instrument(name)
        return [asdict(own.get(instrument.name, self.limits)) for instrument in index.instruments]

    def system_values(self, currency: str) -> SystemValues:
        """The limits of the whole system, as the kernel takes them."""
        rate = self.order_rate
        return {
            "order_rate": None if rate is None else (rate.orders, duration_ns(rate.interval)),
            "daily_loss": None if self.daily_loss is None else (currency, float(self.daily_loss)),
            "carried": self.carried,
        }


def as_risk(risk: Risk | Limits | None) -> Risk:
    """Limits, limits with checks, or nothing, as all checks of a run.

    Examples
    --------
    >>> as_risk(Limits(position=2)).limits
    Limits(position=2)

    """
    if risk is None or isinstance(risk, Limits):
        return Risk(limits=risk or Limits())
    if not isinstance(risk, Risk):
        hint = "write risk=tw.Limits(position=2), or tw.Risk(...)"
        raise exception("bad_setting", f"risk = {risk!r} is neither tw.Limits nor tw.Risk", hint)
    return risk
