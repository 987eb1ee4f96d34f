"""What a run did and said, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

# Instrument, sign, quantity, price, time in force, and whether it may only reduce.
Terms = tuple[str, int, Decimal, Decimal | None, str, bool]


@dataclass(frozen=True)
class Seen:
    """One of a strategy's own open orders."""

    id: int
    status: str
    filled: Decimal
    terms: Terms


@dataclass(frozen=True)
class State:
    """What a strategy can read in a callback."""

    positions: dict[str, tuple[float, float, float]]
    balances: dict[tuple[str, str], tuple[Decimal, Decimal, Decimal]]
    open_orders: tuple[Seen, ...]
    marks: dict[str, float | None]
    dust: dict[str, float]
    # The best ten bids and asks.
    books: dict[str, tuple[list[tuple[float, float]], list[tuple[float, float]]]]


@dataclass(frozen=True)
class Said:
    """What a strategy is told in a call."""

    strategy: str
    kind: str
    order_id: int = 0
    status: str = ""
    reason: str | None = None
    filled: Decimal = Decimal(0)
    terms: Terms | None = None
    # Price, quantity, whether it is a maker's, fee, its asset, and the venue's time; or a bar.
    fill: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Act:
    """What a strategy asked for."""

    kind: str
    instrument: str = ""
    order_id: int = 0
    sign: int = 0
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    time_in_force: str = "gtc"
    reduce_only: bool = False
    due_ns: int = 0


@dataclass
class Callback:
    """One call of a strategy, and what it asked for in it."""

    now_ns: int
    said: Said
    state: State
    acts: list[Act] = field(default_factory=list)

    @property
    def strategy(self) -> str:
        return self.said.strategy

    @property
    def kind(self) -> str:
        return self.said.kind


@dataclass
class Tape:
    """All calls of all strategies."""

    callbacks: list[Callback] = field(default_factory=list)
    # What venues said, where that is needed.
    reports: pl.DataFrame | None = None
