"""Limits and checks: a refusal is an event with its reason, and the run goes on."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from helpers import BTC, ETH, check_refused, quote_rows, run

import tradewind as tw

Act = Callable[[tw.Context, tw.Instrument], Any]


def attempt(limits: Any, *acts: Act, data: Any = None) -> list[tuple[str, str | None, str | None]]:
    """Do one thing at each quote; status, reason and note of every order, in the order of the orders."""
    ended: dict[int, tuple[str, str | None, str | None]] = {}

    class Attempts(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.btc = ctx.instrument(BTC)
            ctx.subscribe(self.btc.quotes)
            self.waiting = list(acts)

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            if self.waiting:
                self.waiting.pop(0)(ctx, self.btc)

        def on_order(self, ctx: tw.Context, order: tw.Order) -> None:
            ended[order.id] = (order.status, order.reason, order.note)

    result = run(Attempts(), data, risk=limits)
    assert result.metrics["rows"] == 10
    refused = sum(reason is not None and reason.startswith("risk_") for _, reason, _ in ended.values())
    assert result.metrics["total"].get("orders_refused", 0) == refused
    assert result.metrics["orders"] == len(ended) - refused
    return [ended[number] for number in sorted(ended)]


FILLED = ("filled", None, None)


def refused(reason: str) -> tuple[str, str, None]:
    return ("rejected", reason, None)


def buy(quantity: float, price: float | None = None) -> Act:
    return lambda ctx, btc: ctx.buy(btc, quantity, price)


def sell(quantity: float, price: float | None = None) -> Act:
    return lambda ctx, btc: ctx.sell(btc, quantity, price)


@pytest.mark.parametrize("limit", [0.5, "0.5", Decimal("0.5")])
def test_order_quantity(limit: Any) -> None:
    ended = attempt(tw.Limits(order_quantity=limit), buy(0.5), buy(0.501), sell(0.501))
    assert ended == [FILLED, refused("risk_order_quantity"), refused("risk_order_quantity")]


def test_order_notional() -> None:
    ended = attempt(tw.Limits(order_notional=50), buy(0.5, 100), buy(0.5, 100.1), buy(0.501))
    assert ended[0][1] == "requested"
    assert ended[1:] == [refused("risk_order_notional"), refused("risk_order_notional")]


def test_position_counts_what_works_and_lets_reductions_pass() -> None:
    acts = [buy(0.6), buy(0.5), buy(0.4), sell(1), sell(1.0), sell(0.1)]
    deep = quote_rows([100.0] * 10, quantity=100.0)
    ended = attempt(tw.Limits(position=1), *acts, data=deep)
    assert ended == [FILLED, refused("risk_position"), FILLED, FILLED, FILLED, refused("risk_position")]


def test_position_counts_orders_that_rest() -> None:
    ended = attempt(tw.Limits(position=1), buy(0.6, 50), buy(0.6, 50))
    assert ended[1] == refused("risk_position")


def test_open_orders() -> None:
    ended = attempt(tw.Limits(open_orders=2), buy(1, 50), buy(1, 51), buy(1, 52))
    assert [reason for _, reason, _ in ended] == ["requested", "requested", "risk_open_orders"]


def test_price_collar() -> None:
    # Of the middle of 100 and 100.1: from 95.0475 to 105.0525.
    acts = [buy(1, 95.1), buy(1, 95), sell(1, 105), sell(1, 105.1), buy(1)]
    ended = attempt(tw.Limits(price_collar=0.05), *acts)
    assert [reason for _, reason, _ in ended] == [
        "requested",
        "risk_price_collar",
        "requested",
        "risk_price_collar",
        None,
    ]


def test_a_limit_that_needs_a_mark_refuses_without_one() -> None:
    ended: list[Any] = []

    class First(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.buy(ctx.instrument(BTC), 1)
            ctx.buy(ctx.instrument(BTC), 1, 100)

        def on_order(self, ctx: tw.Context, order: tw.Order) -> None:
            ended.append((order.id, order.reason))

    run(First(), risk=tw.Limits(order_notional=1_000))
    assert ended[0] == (1, "risk_no_mark")
    ended.clear()
    run(First(), risk=tw.Limits(price_collar=0.1))
    assert (2, "risk_no_mark") in ended


def test_limits_of_one_instrument_take_the_place_of_the_others() -> None:
    risk = tw.Risk(limits=tw.Limits(order_quantity=0.1), by_instrument={ETH: tw.Limits(order_quantity=5)})
    reasons: dict[str, str | None] = {}

    class Both(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.subscribe(*(one.quotes for one in ctx.instruments))
            self.done = False

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            if not self.done:
                self.done = True
                for one in ctx.instruments:
                    ctx.buy(one, 1)

        def on_order(self, ctx: tw.Context, order: tw.Order) -> None:
            reasons[order.instrument.name] = order.reason

    run(Both(), {BTC: quote_rows([100.0] * 5), ETH: quote_rows([50.0] * 5)}, risk=risk)
    assert reasons == {BTC: "risk_order_quantity", ETH: None}


def test_limits_of_an_unknown_instrument_are_an_error() -> None:
    with pytest.raises(tw.TradewindError) as caught:
        attempt(tw.Risk(by_instrument={"synthetic:DOGE": tw.Limits()}), buy(1))
    assert caught.value.code == "unknown_instrument"


@pytest.mark.parametrize("wrong", [{"order_quantity": "many"}, {"position": 0.00001}, {"price_collar": float("nan")}])
def test_limits_that_are_no_numbers_of_the_instrument_are_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(tw.TradewindError):
        attempt(tw.Limits(**wrong), buy(1))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"position": -1}, "position = -1 is not above zero"),
        ({"order_quantity": -1}, "order_quantity = -1 is not above zero"),
        ({"order_quantity": 0}, "order_quantity = 0 is not above zero"),
        ({"order_notional": "-0.5"}, "order_notional = '-0.5' is not above zero"),
        ({"price_collar": -0.1}, "price_collar = -0.1 is not above zero"),
        ({"price_collar": 5}, "price_collar = 5 is not below 1"),
        ({"open_orders": -1}, "open_orders = -1 is below 1"),
        ({"open_orders": "some"}, "open_orders = 'some' is not a whole number"),
        ({"open_orders": True}, "open_orders = True is not a whole number"),
        ({"open_orders": 2**32}, "open_orders = 4294967296 is larger than can be counted"),
        ({"position": "much"}, "position = 'much' is not a number"),
    ],
)
def test_limits_that_cannot_be_are_refused_where_they_are_written(wrong: dict[str, Any], said: str) -> None:
    check_refused(tw.Limits, wrong, said)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: tw.Risk({"position": 1}), "risk: limits = {'position': 1} is no tw.Limits"),
        (lambda: tw.Risk(by_instrument={BTC: {"position": 1}}), f"risk: {BTC} = {{'position': 1}} is no tw.Limits"),
        (lambda: tw.Risk(checks=len), "checks = <built-in function len> are no functions"),
        (lambda: run(tw.Strategy(), risk={"position": 1}), "risk = {'position': 1} is neither tw.Limits nor tw.Risk"),
    ],
)
def test_what_is_no_risk_is_refused_in_words(wrong: Callable[[], Any], said: str) -> None:
    with pytest.raises(tw.errors.SettingError) as caught:
        wrong()
    assert (caught.value.code, caught.value.message) == ("bad_setting", said)


class TestAnOwnCheck:
    def test_it_works_like_the_built_in_ones(self) -> None:
        seen: list[Any] = []

        def no_odd_lots(ctx: tw.Context, order: tw.Order) -> str | None:
            seen.append((order.side, order.quantity, order.status, ctx.position(order.instrument).quantity))
            return "an odd lot" if order.quantity % 1 else None

        ended = attempt(tw.Risk(checks=(no_odd_lots,)), buy(1), buy(0.5), sell(1))
        assert ended == [FILLED, ("rejected", "risk_user", "an odd lot"), FILLED]
        assert seen == [("buy", 1.0, "queued", 0.0), ("buy", 0.5, "queued", 1.0), ("sell", 1.0, "queued", 1.0)]

    def test_the_built_in_ones_come_first_and_checks_in_their_order(self) -> None:
        asked: list[str] = []

        def check(name: str, answer: str | None) -> Any:
            return lambda ctx, order: asked.append(name) or answer

        risk = tw.Risk(
            limits=tw.Limits(order_quantity=1), checks=(check("a", None), check("b", "no"), check("c", None))
        )
        ended = attempt(risk, buy(2), buy(1))
        assert ended == [refused("risk_order_quantity"), ("rejected", "risk_user", "no")]
        assert asked == ["a", "b"]

    def test_its_exception_reaches_the_user_as_itself(self) -> None:
        def broken(ctx: tw.Context, order: tw.Order) -> str | None:
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            attempt(tw.Risk(checks=(broken,)), buy(1))
        assert "raised in a risk check" in caught.value.__notes__[0]

    def test_an_answer_of_a_wrong_type_is_an_error(self) -> None:
        with pytest.raises(TypeError):
            attempt(tw.Risk(checks=(lambda ctx, order: True,)), buy(1))  # type: ignore[arg-type, return-value]

    def test_a_native_strategy_is_checked_too(self) -> None:
        risk = tw.Risk(checks=(lambda ctx, order: "never",))
        result = run(tw.ema_cross(BTC, fast=5, slow=20, quantity=0.1), tw.synthetic(events=2_000), risk=risk)
        assert result.metrics["orders"] == 0
        assert set(result.orders["note"]) == {"never"}


def test_a_cancel_is_never_refused() -> None:
    kept: list[tw.Order] = []
    acts: list[Act] = [
        lambda ctx, btc: kept.append(ctx.buy(btc, 1, 50)),
        lambda ctx, btc: ctx.cancel(kept[0]),
    ]
    assert attempt(tw.Limits(open_orders=1, order_quantity=1), *acts) == [("cancelled", "requested", None)]


def test_a_target_is_refused_like_any_order() -> None:
    ended = attempt(tw.Limits(position=1), lambda ctx, btc: ctx.target(btc, 2))
    assert ended == [refused("risk_position")]
