"""Limits on a whole system: the rate of orders, and the loss of a day."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from helpers import BTC, ETH, RICH, SPOT, quote_rows, run

import tradewind as tw

DAY_MS = 86_400_000


Told = list[tuple[datetime, str]]


def acting(acts: Any, instrument: str = BTC, name: str = "acting", told: Told | None = None) -> tw.Strategy:
    """Does one thing at each quote of an instrument; `told` takes what it hears of the state."""

    class Acting(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.seen = 0
            self.held = ctx.instrument(instrument)
            ctx.subscribe(self.held.quotes)

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            act = acts.get(self.seen)
            self.seen += 1
            if act is not None:
                act(ctx, self.held)

        def on_status(self, ctx: tw.Context, status: tw.Status) -> None:
            if told is not None:
                told.append((ctx.now, status.kind))

    return Acting(name=name)


def scripted(acts: Any, risk: tw.Risk, data: Any, instrument: str = BTC, **settings: Any) -> tuple[Told, tw.Result]:
    told: Told = []
    return told, run(acting(acts, instrument, told=told), data, risk=risk, **settings)


def ended(result: tw.Result) -> list[tuple[str, str | None]]:
    frame = result.orders.sort("count")
    return list(zip(frame["status"].to_list(), frame["reason"].to_list(), strict=True))


def buy(quantity: float, price: float | None = None) -> Any:
    return lambda ctx, held: ctx.buy(held, quantity, price)


def sell(quantity: float) -> Any:
    return lambda ctx, held: ctx.sell(held, quantity)


FILLED = ("filled", None)
TOO_MANY = ("rejected", "risk_order_rate")
LOST = ("rejected", "risk_daily_loss")


def test_the_rate_of_orders_counts_within_a_moving_interval_and_lets_reductions_pass() -> None:
    acts = {at: buy(0.1) for at in (0, 1, 2, 3, 5, 6)} | {4: sell(0.1)}
    risk = tw.Risk(order_rate=tw.OrderRate(2, "3s"))
    _, result = scripted(acts, risk, quote_rows([100.0] * 10))
    # Quotes come once a second: those of 0 and 1 pass, 2 does not, that of 0 is out of the interval at 3. A sale
    # passes, and counts.
    assert ended(result) == [FILLED, FILLED, TOO_MANY, FILLED, FILLED, TOO_MANY, FILLED]
    assert result.metrics["total"]["orders_refused"] == 2


def test_the_rate_is_that_of_all_strategies_together() -> None:
    one, other = acting({0: buy(0.1), 2: buy(0.1)}, name="one"), acting({1: buy(0.1), 6: buy(0.1)}, name="other")
    result = run([one, other], quote_rows([100.0] * 10), risk=tw.Risk(order_rate=tw.OrderRate(2, "5s")))
    assert ended(result).count(TOO_MANY) == 1
    refused = result.orders.filter(pl.col("reason") == "risk_order_rate")
    assert refused["strategy"].to_list() == ["one"] and refused["count"].to_list() == [2]


def test_a_loss_ends_the_trading_of_a_day() -> None:
    # Ten bought at 100.1 are worth 91 at the mark of 90.05 + 5 % of fees; the limit of 80 is reached at 92.
    bids = [100.0, 99.0, 97.0, 95.0, 92.0, 91.0, 95.0, 95.0]
    acts = {0: buy(10), 1: buy(1, 50), 5: buy(1), 6: buy(1), 7: sell(10)}
    told, result = scripted(acts, tw.Risk(daily_loss=80), quote_rows(bids, quantity=100))
    loss = [10 * (100.1 - (bid + 0.05)) + 10 * 100.1 * 0.0005 for bid in bids]
    first = next(at for at, one in enumerate(loss) if one >= 80)
    assert first == 4
    reached = [time for time, kind in told if kind == "daily_loss_reached"]
    assert reached == [datetime(2026, 1, 1, 0, 0, first, tzinfo=UTC)]
    # The order that rested was cancelled; no more opening, also when prices have come back; the sale passes.
    assert ended(result) == [FILLED, ("cancelled", "requested"), LOST, LOST, FILLED]


def test_the_next_day_begins_anew() -> None:
    # A quote every eight hours: day 0 has rows 0 to 2, day 1 rows 3 to 5, day 2 rows 6 to 8.
    bids = [100.0, 100.0, 90.0, 90.0, 89.0, 89.0, 70.0, 70.0, 70.0]
    acts = {at: buy(10) if at == 0 else buy(0.1) for at in (0, 2, 3, 5, 6, 7)}
    data = quote_rows(bids, quantity=100, every_ms=DAY_MS // 3)
    told, result = scripted(acts, tw.Risk(daily_loss=80), data)
    assert ended(result) == [FILLED, LOST, FILLED, FILLED, LOST, LOST]
    assert [kind for _, kind in told if kind.startswith("daily")] == [
        "daily_loss_reached",
        "daily_loss_over",
        "daily_loss_reached",
    ]


def test_an_order_is_judged_by_the_price_of_its_own_moment() -> None:
    # Two quotes within a tenth of a second: the look of once a second does not see the second one in time.
    data = quote_rows([100.0, 90.0, 90.0], quantity=100, every_ms=100)
    _, result = scripted({0: buy(10), 1: buy(1)}, tw.Risk(daily_loss=80), data)
    assert ended(result) == [FILLED, LOST]


def test_what_earlier_runs_lost_on_the_day_counts() -> None:
    day = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) // 86_400
    data = quote_rows([100.0] * 4, quantity=100)
    kept: list[tuple[tuple[int, float, float | None], Any]] = [
        ((day, -79.0, None), FILLED),
        ((day, -80.0, None), LOST),
        ((day - 1, -80.0, None), FILLED),
        # The loss had reached its limit, and was less at the end of that run.
        ((day, -5.0, 80.0), LOST),
        ((day - 1, -5.0, 80.0), FILLED),
        # A larger limit was given since.
        ((day, -5.0, 20.0), FILLED),
    ]
    for carried, expected in kept:
        _, result = scripted({1: buy(1)}, tw.Risk(daily_loss=80, carried=carried), data)
        assert ended(result) == [expected], carried
        profit = result.metrics["final_equity"] - result.metrics["starting_equity"]
        before = carried[1] if carried[0] == day else 0.0
        assert result.metrics["day"][:2] == (day, pytest.approx(profit + before, abs=1e-9))
        assert (result.metrics["day"][2] is not None) == (expected == LOST)


def test_the_profit_of_the_day_is_that_of_the_equity_with_every_kind_of_fee() -> None:
    """Without money that was there before, what strategies earned is the change of what the account is worth."""
    chance = random.Random(3)
    bids = [round(100 + chance.uniform(-5, 5), 1) for _ in range(200)]
    acts = {at: buy(chance.randint(1, 50) / 10) if chance.random() < 0.5 else sell(0.3) for at in range(0, 200, 3)}
    for instrument in (BTC, SPOT):
        data = {instrument: quote_rows(bids, quantity=1000)}
        balances = {"synthetic": {"USDT": 100_000}}
        _, result = scripted(acts, tw.Risk(daily_loss=1e6), data, instrument, balances=balances, currency="USDT")
        change = result.metrics["final_equity"] - result.metrics["starting_equity"]
        assert result.metrics["fills"] > 20 and abs(change) > 1
        assert result.metrics["day"][1] == pytest.approx(change, abs=1e-6)


def test_holdings_from_before_do_not_count() -> None:
    """A fall of coins that the account held at the start is no loss of the strategy's (M3)."""
    data = {SPOT: quote_rows([100.0, 50.0, 50.0], quantity=100)}
    balances = {"synthetic": {"USDT": 10_000, "BTC": 100}}
    _, result = scripted({2: buy(1)}, tw.Risk(daily_loss=80), data, SPOT, balances=balances, currency="USDT")
    assert ended(result) == [FILLED]


def test_a_run_with_limits_replays_identically(tmp_path: Any) -> None:
    bids = [100.0, 99.0, 97.0, 95.0, 92.0, 91.0, 95.0, 95.0]
    risk = tw.Risk(order_rate=tw.OrderRate(3, timedelta(seconds=2)), daily_loss=Decimal(80))
    acts = {0: buy(10), 1: buy(1, 50), 5: buy(1), 6: buy(1), 7: sell(10)}
    scripted(acts, risk, quote_rows(bids, quantity=100), journal=tmp_path)
    assert tw.journal.replay(tmp_path, strategies=[acting(acts)]).identical


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        (lambda: tw.OrderRate(0, "1s"), "order_rate: orders = 0 is below 1"),
        (lambda: tw.OrderRate(1.5, "1s"), "order_rate: orders = 1.5 is not a whole number"),
        (lambda: tw.OrderRate(1, "0s"), "order_rate: interval = '0s' is not above zero"),
        (lambda: tw.Risk(order_rate=(1, "1s")), "is no tw.OrderRate"),
        (lambda: tw.Risk(daily_loss=0), "daily_loss = 0 is not above zero"),
        (lambda: tw.Risk(daily_loss=float("nan")), "daily_loss = nan is not a finite number"),
    ],
)
def test_impossible_limits(risk: Any, said: str) -> None:
    with pytest.raises(tw.TradewindError, match=said) as raised:
        risk()
    assert raised.value.code == "bad_setting" and raised.value.hint


def test_a_loss_in_a_currency_that_nothing_is_priced_in_is_refused() -> None:
    data = {ETH: quote_rows([100.0] * 3)}
    with pytest.raises(tw.TradewindError, match="no instrument says what USDT is worth in it"):
        run(acting({}, ETH), data, risk=tw.Risk(daily_loss=1), currency="ETH", balances={"USDT": 1})


def closing(target: float | None = None) -> Any:
    return lambda ctx, held: ctx.close(held) if target is None else ctx.target(held, target)


@pytest.mark.parametrize("instrument", [BTC, SPOT])
def test_a_position_larger_than_an_order_may_be_is_closed_in_pieces(instrument: str) -> None:
    acts = {at: buy(1.0) for at in range(3)} | {5: closing()}
    data = {instrument: quote_rows([100.0] * 20, quantity=100)}
    for limits in (tw.Limits(order_quantity=1.2), tw.Limits(order_notional=121)):
        _, result = scripted(acts, tw.Risk(limits), data, instrument, balances=RICH)
        assert ended(result) == [FILLED] * 6
        sizes = result.orders.sort("count")["quantity"].to_list()[3:]
        assert all(size <= 1.2 for size in sizes)
        assert sum(result.fills.filter(side="sell")["quantity"]) == pytest.approx(sum(sizes))
        held = result.positions.filter(instrument=instrument)["position"].to_list()
        # On spot the fee was paid in what was bought, and less than a lot of that is dust.
        assert all(abs(one) < 0.001 for one in held)


def test_a_position_that_has_grown_beyond_an_order_can_be_closed() -> None:
    data = quote_rows([100.0] * 4 + [103.0] * 10, quantity=100)
    _, result = scripted({0: buy(1.0), 6: closing()}, tw.Risk(tw.Limits(order_notional=101)), data)
    assert ended(result) == [FILLED] * 3
    assert result.positions["position"].to_list() == [0.0]


def test_pieces_wait_for_each_other() -> None:
    # At a price that nobody pays yet: the first piece rests, and the next one does not follow before it is filled.
    acts = {0: buy(1.0), 1: buy(1.0), 4: lambda ctx, held: ctx.target(held, 0, price=105.0)}
    data = quote_rows([100.0] * 10 + [106.0] * 10, quantity=100)
    _, result = scripted(acts, tw.Risk(tw.Limits(order_quantity=1.0)), data)
    orders = result.orders.sort("count")
    assert ended(result) == [FILLED] * 4 and orders["quantity"].to_list()[2:] == [1.0, 1.0]
    assert orders["decided"][3] > orders["decided"][2] + timedelta(seconds=5)


def test_a_limit_below_what_the_venue_takes_refuses_and_is_told() -> None:
    _, result = scripted(
        {0: buy(1.0), 4: closing()},
        tw.Risk(tw.Limits(order_notional=101)),
        quote_rows([100.0] * 4 + [2e5] * 6, quantity=100),
    )
    assert ended(result) == [FILLED, ("rejected", "risk_order_notional")]


def test_what_is_held_beyond_the_limit_does_not_become_as_much_on_the_other_side() -> None:
    acts = {0: buy(0.2), 1: lambda ctx, held: ctx.sell(held, 0.55)}
    limits = tw.Limits(position=0.2)
    _, result = scripted(acts, tw.Risk(limits), quote_rows([100.0] * 6, quantity=100))
    assert ended(result) == [FILLED, ("rejected", "risk_position")]


def test_a_target_below_zero_on_spot_sells_no_more_than_the_strategy_has() -> None:
    one = acting({0: buy(1.0), 8: closing()}, SPOT, name="one")
    other = acting({0: buy(0.5), 3: closing(-0.9)}, SPOT, name="other")
    result = run([one, other], {SPOT: quote_rows([100.0] * 14, quantity=100)}, balances=RICH)
    sold = result.fills.filter(side="sell").group_by("strategy").agg(pl.col("quantity").sum()).sort("strategy")
    assert sold["quantity"].to_list() == [pytest.approx(1.0, abs=0.01), pytest.approx(0.5, abs=0.01)]
    assert set(result.orders["status"]) == {"filled"}
