"""Limits on what strategies may do. One check written in Python works like the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradewind._core import Context, Index, Order

Number = float | int | Decimal | str
Check = Callable[["Context", "Order"], "str | None"]


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

    def __repr__(self) -> str:
        stated = ((name, value) for name, value in asdict(self).items() if value is not None)
        return f"Limits({', '.join(f'{name}={value}' for name, value in stated)})"


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

    """

    limits: Limits = Limits()
    by_instrument: Mapping[str, Limits] | None = None
    checks: tuple[Check, ...] = ()

    def values(self, index: Index) -> list[dict[str, Any]]:
        """The limits by instrument, as the kernel takes them."""
        own = dict(self.by_instrument or {})
        for name in own:
            index.instrument(name)
        return [asdict(own.get(instrument.name, self.limits)) for instrument in index.instruments]


def as_risk(risk: Risk | Limits | None) -> Risk:
    """Limits, limits with checks, or nothing, as all checks of a run.

    Examples
    --------
    >>> as_risk(Limits(position=2)).limits
    Limits(position=2)

    """
    return Risk(limits=risk) if isinstance(risk, Limits) else risk or Risk()
