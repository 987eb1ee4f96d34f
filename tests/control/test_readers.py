"""Which callbacks read a parameter, told from the code that runs."""

from __future__ import annotations

from typing import Any

import pytest

import tradewind as tw
from tradewind.control.readers import readers


def size_of(strategy: Any) -> float:
    return float(strategy.size)


class Base(tw.Strategy):
    fast: int = tw.param(5)
    slow: int = tw.param(10)
    size: float = tw.param(0.1)
    pace: float = tw.param(1.0)
    word: str = tw.param("calm")
    unused: int = tw.param(1)
    count: int = tw.state(0)

    def on_start(self, ctx: Any) -> None:
        self.ema = tw.Ema(self.fast)
        self._attach(ctx)

    def _attach(self, ctx: Any) -> None:
        self.other = tw.Ema(self.slow)

    def on_trade(self, ctx: Any, trade: Any) -> None:
        trade.unused = trade.fast  # of another object
        self.count += 1
        self.aim(ctx)

    def aim(self, ctx: Any) -> None:
        ctx.target("x", self.half)

    @property
    def half(self) -> float:
        return self.size / 2

    def on_timer(self, ctx: Any, number: int) -> None:
        later = [self.pace for _ in range(2)]
        ctx.timer(after=sum(later))


class Derived(Base):
    def on_trade(self, ctx: Any, trade: Any) -> None:
        super().on_trade(ctx, trade)
        self.said = self.word


class HandsItselfOn(Base):
    def on_quote(self, ctx: Any, quote: Any) -> None:
        ctx.target("x", size_of(self))


class TakesIt(Base):
    def set_parameter(self, name: str, value: Any) -> None:
        super().set_parameter(name, value)


class Mixed(tw.Strategy):
    size: float = tw.param(0.1)


class Mixin:
    def on_bar(self, ctx: Any, bar: Any) -> None:
        ctx.target("x", self.size)  # type: ignore[attr-defined]


class WithMixin(Mixed, Mixin):
    pass


@pytest.mark.parametrize(
    ("kind", "parameter", "found"),
    [
        (Base, "fast", ["on_start"]),
        (Base, "slow", ["on_start"]),
        (Base, "size", ["on_trade"]),
        (Base, "pace", ["on_timer"]),
        (Base, "unused", []),
        (Derived, "word", ["on_trade"]),
        (Derived, "size", ["on_trade"]),
        (Base, "word", []),
        (HandsItselfOn, "fast", ["on_quote", "on_start"]),
        (TakesIt, "fast", ["on_start", "set_parameter"]),
        (WithMixin, "size", ["on_bar"]),
    ],
)
def test_readers(kind: type[tw.Strategy], parameter: str, found: list[str]) -> None:
    assert sorted(readers(kind, parameter)) == found
