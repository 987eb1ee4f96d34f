"""Declared state: saved with a session's snapshots and restored from them (D4)."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import BTC
from hypothesis import given
from hypothesis import strategies as st

import tradewind as tw
from tradewind import _core, instruments, memory
from tradewind.backtest import Settings
from tradewind.dataset import Dataset, definition
from tradewind.errors import TradewindWarning

SECOND_NS = 10**9


class Remembers(tw.Strategy):
    """Trades by what it remembers, and by chance."""

    size: float = tw.param(0.5, low=0.1, high=2)
    seen: int = tw.state(0)
    prices: list = tw.state([])
    average: Any = tw.state(np.zeros(3))

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        self.fast = ctx.indicator(tw.Ema(3), self.btc.trades)

    def on_trade(self, ctx: tw.Context, trade: Any) -> None:
        self.seen += 1
        self.prices = [*self.prices[-2:], trade.price]
        self.average = np.append(self.average[1:], trade.price)
        if self.seen % 2 and ctx.random.random() < 0.7:
            side = 1 if np.mean(self.average) < trade.price else -1
            ctx.target(self.btc, side * self.size * ctx.random.choice([1, 2]))


def session(*strategies: Any, risk: tw.Risk | None = None) -> tuple[_core.Session, _core.Index]:
    fields = (instruments.load(BTC),)
    index = _core.Index([definition(one) for one in fields])
    settings = Settings(
        balances={"USDT": 1_000_000}, venues={"synthetic": tw.Simulated("5ms", lag="10ms")}, risk=risk or tw.Risk()
    )
    run = settings.run(strategies, Dataset(index, fields, ()), keep="everything", journal=False)
    kernel = _core.Session({**run, "value_streams": None}, [(0, "trades")])
    kernel.set_streams([(0, "trades")])
    return kernel, index


def feed(kernel: _core.Session, index: _core.Index, seconds: range) -> None:
    inbox = _core.Inbox(index)
    for second in seconds:
        price = f"{100 + (second * 7919) % 23}"
        inbox.trade(BTC, second * SECOND_NS, second * SECOND_NS + 1_000_000, price, "5", "buy", second)
    kernel.take_rows(inbox)


@pytest.mark.parametrize("cut", [1, 17, 40, 59])
def test_a_session_that_goes_on_from_a_snapshot_remembers_everything(cut: int) -> None:
    whole, index = session(Remembers(size=1.5))
    whole.start(0, False)
    feed(whole, index, range(1, 60))
    first, index = session(Remembers(size=1.5))
    first.start(0, False)
    feed(first, index, range(1, cut))
    second, index = session(Remembers(size=1.5))
    second.restore(first.save())
    feed(second, index, range(cut, 60))
    for kernel in (whole, second):
        kernel.finish()
    assert whole.hashes == second.hashes
    assert whole.outcome()["orders"] > 10


def test_a_strategy_that_attaches_something_else_is_not_restored() -> None:
    class Changed(Remembers):
        def on_start(self, ctx: tw.Context) -> None:
            super().on_start(ctx)
            ctx.indicator(tw.Sma(4), self.btc.trades)

    first, index = session(Remembers())
    first.start(0, False)
    feed(first, index, range(1, 9))
    second, _ = session(Changed(name="Remembers"))
    with pytest.raises(tw.TradewindError, match="other indicators") as caught:
        second.restore(first.save())
    assert caught.value.code == "divergence"


def test_what_would_be_lost_is_named() -> None:
    class Forgets(Remembers):
        def on_trade(self, ctx: tw.Context, trade: Any) -> None:
            self.hidden = trade.price
            self.handle = ctx.buy(self.btc, 1, 1)

    kernel, index = session(Forgets())
    kernel.start(0, False)
    feed(kernel, index, range(1, 4))
    with pytest.warns(TradewindWarning, match="Forgets: hidden will be lost"):
        kernel.save()


class Leaks(tw.Strategy):
    """Keeps what it saw in its class."""

    seen: Any = []  # noqa: RUF012
    levels: Any = {"low": [99.0], "window": np.zeros(2), "key": len}  # noqa: RUF012
    windows: Any = [np.zeros(2)]  # noqa: RUF012

    def on_start(self, ctx: tw.Context) -> None:
        ctx.subscribe(ctx.instrument(BTC).trades)

    def on_trade(self, ctx: tw.Context, trade: Any) -> None:
        self.seen.append(trade.price)


def test_what_a_class_holds_is_not_changed_by_a_run() -> None:
    for _ in range(2):
        kernel, index = session(one := Leaks())
        kernel.start(0, False)
        with warnings.catch_warnings():
            warnings.simplefilter("error", TradewindWarning)
            kernel.save()
        feed(kernel, index, range(1, 4))
        assert Leaks.seen == [] and "seen" not in vars(one)
        # Now it is kept by the strategy, and a snapshot does not hold it.
        with pytest.warns(TradewindWarning, match="Leaks: seen will be lost"):
            kernel.save()


def test_each_strategy_has_a_copy_of_its_own() -> None:
    first, second = Remembers(), Remembers()
    first.prices.append(1.0)
    assert second.prices == []
    with pytest.raises(tw.TradewindError, match="cannot be saved"):
        tw.state(object())


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
    | st.timedeltas(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    again = memory.from_json(memory.encoded(value, "value"))
    assert again == value and repr(again) == repr(value)


def test_arrays_and_moments_come_back() -> None:
    value = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "b": (Decimal("1.10"), timedelta(hours=1))}
    again = memory.from_json(memory.encoded(value, "value"))
    assert again["a"].dtype == np.int32 and (again["a"] == value["a"]).all() and again["b"] == value["b"]
    assert memory.from_json(memory.encoded(datetime(2026, 1, 1, tzinfo=UTC), "t")) == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_parameter_is_set_while_a_session_runs() -> None:
    kernel, index = session(Remembers())
    kernel.start(0, False)
    feed(kernel, index, range(1, 5))
    kernel.parameter(10 * SECOND_NS, "Remembers", "size", "number", 2.0)
    with warnings.catch_warnings(), pytest.raises(tw.TradewindError, match="above 2"):
        kernel.parameter(11 * SECOND_NS, "Remembers", "size", "number", 3.0)
    # Whoever set it was told; the session goes on with what it had.
    before = kernel.hashes
    feed(kernel, index, range(12, 40))
    assert kernel.hashes != before


class OneInTwo:
    """A risk check that lets every second order pass."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, ctx: tw.Context, order: tw.Order) -> str | None:
        self.asked += 1
        return None if self.asked % 2 else "one in two"

    def save(self) -> dict[str, int]:
        return {"asked": self.asked}

    def restore(self, saved: dict[str, int]) -> None:
        self.asked = saved["asked"]


@pytest.mark.parametrize("cut", [17, 18, 19, 20, 40])
def test_a_risk_check_that_remembers_goes_on_from_a_snapshot(cut: int) -> None:
    whole, index = session(Remembers(size=1.5), risk=tw.Risk(checks=(OneInTwo(),)))
    whole.start(0, False)
    feed(whole, index, range(1, 60))
    first, index = session(Remembers(size=1.5), risk=tw.Risk(checks=(OneInTwo(),)))
    first.start(0, False)
    feed(first, index, range(1, cut))
    second, index = session(Remembers(size=1.5), risk=tw.Risk(checks=(OneInTwo(),)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TradewindWarning)
        second.restore(first.save())
    feed(second, index, range(cut, 60))
    assert second.hashes == whole.hashes
