"""How venues are simulated, as the settings say (F1 to F4, T1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from helpers import BTC, START, check_refused, quote_rows, run, times, trade_rows

import tradewind as tw
from tradewind.instruments import InstrumentFields


class BuysOnce(tw.Strategy):
    """Buys at the first row."""

    quantity: float = tw.param(1.0)
    price: float = tw.param(0.0)
    kind: str = tw.param("quotes")

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        ctx.subscribe(self.btc.bars("1m") if self.kind == "bars" else getattr(self.btc, self.kind))
        self.done = False

    def act(self, ctx: tw.Context, event: object) -> None:
        if not self.done:
            self.done = True
            ctx.buy(self.btc, self.quantity, self.price or None)

    on_quote = on_trade = on_bar = act


def fills(result: tw.Result) -> list[tuple[float, float, str]]:
    return result.fills.select("price", "quantity", "liquidity").rows()


def test_latency_delays_the_request_and_the_answer() -> None:
    venues = {"synthetic": tw.Simulated(latency="5ms", answer_latency=timedelta(milliseconds=70))}
    fill = run(BuysOnce(), venues=venues).fills.row(0, named=True)
    assert fill["venue_time"] - START == timedelta(milliseconds=5)
    assert fill["arrival_time"] - START == timedelta(milliseconds=75)


@pytest.mark.parametrize("latency", [tw.Uniform("1ms", "5ms"), tw.Exponential("1ms", "2ms")])
def test_random_latencies_come_from_the_seed(latency: Any) -> None:
    def sent(seed: int) -> list[datetime]:
        venues = {"synthetic": tw.Simulated(latency=latency)}
        strategy = tw.ema_cross(BTC, fast=5, slow=20, quantity=0.01)
        result = run(strategy, tw.synthetic(events=3_000), venues=venues, seed=seed)
        return result.fills["venue_time"].to_list()

    first = sent(1)
    assert first == sent(1)
    assert first != sent(2)


@pytest.mark.parametrize(
    "wrong",
    [{"latency": -1}, {"latency": tw.Uniform(2, 1)}, {"latency": 0, "leverage": 0}, {"latency": 0, "resting": "maybe"}],
)
def test_impossible_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(tw.TradewindError) as caught:
        run(BuysOnce(), venues={"synthetic": tw.Simulated(**wrong)})
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"latency": -1}, "latency = -1 is below zero"),
        ({"latency": 0, "answer_latency": "2d"}, "answer_latency = '2d' is more than a day"),
        (
            {"latency": tw.Uniform("2ms", "1ms")},
            "latency = Uniform(low='2ms', high='1ms'): the lower bound is above the higher",
        ),
        ({"latency": tw.Exponential("1ms", -1)}, "latency = Exponential(minimum='1ms', mean=-1) is below zero"),
        ({"latency": 0, "leverage": 0}, "leverage = 0 is below 1"),
        ({"latency": 0, "leverage": 1.5}, "leverage = 1.5 is not a whole number"),
        ({"latency": 0, "leverage": "5"}, "leverage = '5' is not a whole number"),
    ],
)
def test_impossible_settings_are_refused_in_the_words_they_were_stated_in(wrong: dict[str, Any], said: str) -> None:
    check_refused(tw.Simulated, wrong, said)


@pytest.mark.parametrize(
    ("latency", "text"),
    [
        (5, "5s"),
        (0, "0s"),
        (0.02, "20ms"),
        ("1.5ms", "1.5ms"),
        (timedelta(minutes=1), "1m"),
        (tw.Uniform(0.001, "2ms"), "Uniform(1ms to 2ms)"),
        (tw.Exponential(0.001, 0.0005), "Exponential(1ms and 500us more in the mean)"),
    ],
)
def test_a_latency_is_shown_with_its_unit(latency: Any, text: str) -> None:
    shown = repr(tw.Simulated(latency=latency, answer_latency="1s", lag=0.25))
    assert shown == f"Simulated(latency {text}, answers 1s, next_trades, through, lag 250ms)"


@pytest.mark.parametrize("wrong", ["5", "five ms", float("nan"), float("inf"), None, True])
def test_durations_that_are_none(wrong: Any) -> None:
    with pytest.raises(tw.TradewindError):
        run(BuysOnce(), venues={"synthetic": tw.Simulated(latency=wrong)})


class TestTakingOnTrades:
    """F2: where only trades are known."""

    prices = (100.0, 101.0, 102.0, 103.0)

    def taken(self, way: Any, quantity: float = 1.5) -> list[tuple[float, float, str]]:
        venues = {"synthetic": tw.Simulated(latency="20ms", taking_on_trades=way)}
        return fills(run(BuysOnce(kind="trades", quantity=quantity), trade_rows(self.prices), venues=venues))

    def test_next_trades_takes_at_most_their_sizes(self) -> None:
        assert self.taken("next_trades") == [(101.0, 1.0, "taker"), (102.0, 0.5, "taker")]

    def test_next_trade_whole(self) -> None:
        assert self.taken("next_trade_whole") == [(101.0, 1.5, "taker")]

    def test_last_trade_whole(self) -> None:
        assert self.taken("last_trade_whole") == [(100.0, 1.5, "taker")]

    def test_a_market_order_never_fills_on_the_row_that_caused_it(self) -> None:
        """T3, even without latency."""
        venues = {"synthetic": tw.Simulated(latency=0)}
        result = run(BuysOnce(kind="trades"), trade_rows(self.prices), venues=venues)
        assert fills(result) == [(101.0, 1.0, "taker")]


@pytest.mark.parametrize(("resting", "filled"), [("through", 0), ("touch", 1)])
def test_a_touch_fills_only_where_it_is_asked_for(resting: Any, filled: int) -> None:
    venues = {"synthetic": tw.Simulated(latency="20ms", resting=resting)}
    rows = trade_rows([100.0, 100.0, 99.0, 99.0, 100.0])
    result = run(BuysOnce(kind="trades", price=99.0), rows, venues=venues)
    assert result.metrics["fills"] == filled


def test_quotes_decide_before_trades() -> None:
    """F1: the price is the offer's, not the trade's."""
    result = run(BuysOnce(), [quote_rows([100.0] * 5), trade_rows([150.0] * 5, every_ms=999)])
    assert fills(result) == [(100.1, 1.0, "taker")]


class TestBars:
    """F4: a recorded bar is an open, a path, and a close."""

    def rows(self) -> Any:
        starts = times(3, every_ms=60_000)
        table = pl.DataFrame(
            {"time": starts, "open": [100.0, 104.0, 110.0], "high": [105.0, 112.0, 111.0], "low": [95.0, 101.0, 90.0],
             "close": [103.0, 110.0, 100.0], "volume": [10.0, 10.0, 10.0]}
        )  # fmt: skip
        return tw.bars(table, "1m", "start")

    def test_a_market_order_fills_in_the_next_bar(self) -> None:
        result = run(BuysOnce(kind="bars"), self.rows())
        ((price, quantity, _),) = fills(result)
        assert quantity == 1.0
        assert 104.0 <= price <= 112.0
        assert result.fills["venue_time"][0] - START == timedelta(seconds=60, milliseconds=20)

    def test_a_limit_order_fills_where_the_path_goes_through_it(self) -> None:
        result = run(BuysOnce(kind="bars", price=95.0), self.rows())
        assert fills(result) == [(95.0, 1.0, "maker")]
        assert result.fills["venue_time"][0] >= times(3, 60_000)[2]

    def test_a_bar_is_seen_when_it_has_closed(self) -> None:
        seen: list[Any] = []

        class Watch(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                ctx.subscribe(ctx.instrument(BTC).bars("1m"))

            def on_bar(self, ctx: tw.Context, bar: tw.Bar) -> None:
                seen.append((ctx.now - START, bar.venue_time - START, bar.close))

        run(Watch(), self.rows())
        minute = timedelta(minutes=1)
        assert seen == [(minute, 0 * minute, 103.0), (2 * minute, minute, 110.0), (3 * minute, 2 * minute, 100.0)]


def test_a_leverage_that_the_instrument_does_not_allow_is_refused() -> None:
    with pytest.raises(tw.TradewindError, match="allows at most 20") as caught:
        run(BuysOnce(quantity=1), venues={"synthetic": tw.Simulated(latency=0, leverage=21)})
    assert (caught.value.code, "leverage=20" in caught.value.hint) == ("bad_setting", True)


def test_leverage_limits_what_can_be_bought() -> None:
    """1,000 USDT at 5 times pays for 50 of 100, less the fee."""

    def status(quantity: float, leverage: int | None) -> str:
        venues = {"synthetic": tw.Simulated(latency="20ms", leverage=leverage)}
        rows = quote_rows([100.0] * 5, quantity=1_000.0)
        result = run(BuysOnce(quantity=quantity), rows, balances={"USDT": 1_000}, venues=venues)
        return str(result.orders["status"][0])

    assert [status(49, 5), status(50, 5), status(50, None), status(197, None), status(200, None)] == [
        "filled", "rejected", "filled", "filled", "rejected",
    ]  # fmt: skip


def test_arrivals_in_another_order_than_venue_times() -> None:
    """T1: the venue fills by its own clock, the strategy sees rows by theirs."""
    at = times(4)
    table = pl.DataFrame(
        {
            "time": at,
            "arrival": [at[0], at[3], at[3], at[3]],
            "bid": [100.0, 101.0, 102.0, 103.0],
            "ask": [100.1, 101.1, 102.1, 103.1],
        }
    )
    venues = {"synthetic": tw.Simulated(latency="1500ms", answer_latency=0)}
    result = run(BuysOnce(), tw.quotes(table, quantity=1), venues=venues)
    # The request is at the venue 1.5 s later, where the second quote rules, which the strategy has not seen yet.
    assert fills(result) == [(101.1, 1.0, "taker")]


def late_quotes() -> tw.data.Stream:
    """Quotes that rise by one each second, and arrive 600 ms late."""
    at, bids = times(6), [100.0 + place for place in range(6)]
    late = [time + timedelta(milliseconds=600) for time in at]
    table = pl.DataFrame({"time": at, "arrival": late, "bid": bids, "ask": [bid + 0.1 for bid in bids]})
    return tw.quotes(table, quantity=1)


@pytest.mark.parametrize(("lag", "price"), [(None, 101.1), ("0ms", 100.1), ("500ms", 100.1), ("600ms", 101.1)])
def test_a_venue_that_lags_meets_what_is_later_than_the_bound_when_it_has_arrived(lag: Any, price: float) -> None:
    """F6: bought at 0.6 s, at the venue at 1.05 s: the quote of 1 s is there, unless it counts from its arrival on."""
    venues = {"synthetic": tw.Simulated(latency="450ms", answer_latency=0, lag=lag)}
    assert fills(run(BuysOnce(), late_quotes(), venues=venues)) == [(price, 1.0, "taker")]


def test_the_lag_of_one_venue_is_not_that_of_another() -> None:
    other = InstrumentFields(**tw.instruments.load(BTC).model_dump() | {"venue": "other"})
    result = run(
        BuysOnce(),
        {BTC: late_quotes(), other.name: late_quotes()},
        instruments=[other],
        balances={venue: {"USDT": 1_000} for venue in ("synthetic", "other")},
        venues={
            "synthetic": tw.Simulated(latency="450ms", answer_latency=0),
            "other": tw.Simulated(latency=0, lag="100ms"),
        },
    )
    assert fills(result) == [(101.1, 1.0, "taker")]
