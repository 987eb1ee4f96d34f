"""Limits on what strategies may do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tradewind import risk
from tradewind.config.base import InstrumentName, Lasting, Positive, Reference, Section, Share, Whole
from tradewind.config.code import load_check


class Limits(Section):
    """Limits on the orders of an instrument; what is not stated does not limit. Cancels are never refused (O4)."""

    order_quantity: Positive | None = None
    """The largest quantity of an order, in units of the instrument. Default: none; live needs one."""
    order_notional: Positive | None = None
    """The largest value of an order, in the quote asset. Default: none; live needs one."""
    position: Positive | None = None
    """The largest position, long or short, if all orders of the strategy were filled. Default: none."""
    open_orders: Annotated[Whole, Field(gt=0)] | None = None
    """The most orders that a strategy may have working in the instrument. Default: none."""
    price_collar: Share | None = None
    """How far a limit price may be from the mark, as a fraction of it: "0.05" is 5 %. Default: none."""


class OrderRate(Section):
    """At most so many orders within so much time."""

    orders: Annotated[Whole, Field(gt=0)]
    """How many. Required."""
    interval: Lasting
    """Within how much time, such as "10s". Required."""


class Risk(Limits):
    """Limits of every instrument, with exceptions, and limits of the system as a whole."""

    order_rate: OrderRate | None = None
    """The most new orders of all strategies within an interval: { orders = 10, interval = "10s" }; orders that reduce a
    position pass. Default: none; live needs one."""
    daily_loss: Positive | None = None
    """The loss of all strategies within a UTC day, in the currency of the totals, at which trading ends until the day
    does: orders that could open a position are cancelled and refused. Default: none; live needs one."""
    checks: tuple[Reference, ...] = ()
    """Your own checks, as "file.py:function" or "package.module:function": `check(ctx, order)` returns why an order is
    refused, or None. Default: none."""
    instruments: dict[InstrumentName, Limits] = Field(default_factory=dict)
    """Limits of single instruments; what one does not state is that of all. Default: none."""

    def whole(self, folder: Path) -> risk.Risk:
        """All checks of the system."""
        return replace(self.limits, checks=tuple(load_check(one, folder) for one in self.checks))

    @property
    def limits(self) -> risk.Risk:
        """The checks that are stated as numbers."""
        rate = self.order_rate
        return risk.Risk(
            self.limits_of(""),
            {name: self.limits_of(name) for name in self.instruments} or None,
            order_rate=None if rate is None else risk.OrderRate(rate.orders, rate.interval),
            daily_loss=self.daily_loss,
        )

    def limits_of(self, instrument: str) -> risk.Limits:
        """The limits of an instrument."""
        own = self.instruments.get(instrument)
        stated = {} if own is None else own.model_dump(exclude_none=True)
        general = self.model_dump(include=set(Limits.model_fields), exclude_none=True)
        return risk.Limits(**general | stated)
