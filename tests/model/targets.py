"""What a target wants (O3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal


@dataclass
class Target:
    """A target that was stated, and what the strategy has ordered itself behind it."""

    quantity: Decimal
    price: Decimal | None
    behind: set[int] = field(default_factory=set)
    own: set[int] = field(default_factory=set)
    is_disturbed: bool = False


def on_grid(quantity: Decimal, lot: Decimal) -> Decimal:
    """Rounded towards zero to the lot."""
    return (quantity / lot).to_integral_value(ROUND_DOWN) * lot
