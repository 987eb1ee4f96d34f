"""The context: state as strategies read it, and orders as they ask for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import BTC, SPOT, START, check_accounts, quote_rows, run, times, trade_rows

import tradewind as tw

Act = Callable[[tw.Context, tw.Instrument], Any]


class Scripted(tw.Strategy):
    """Does at each quote what `script` says, and notes what happens; tests make a subclass of it."""

    script: dict[int, Act]
    instrument = BTC

    def on_start(self, ctx: tw.Context) -> None:
        type(self).notes = []
        type(self).made = {}
        self.what = ctx.instrument(self.instrument)
        ctx.subscribe(self.what.quotes)
        self.row = 0

    def on_quote(self, ctx: tw.Context, quote: object) -> None:
        self.row += 1
        if self.row in self.script:
            self.made[self.row] = self.script[self.row](ctx, self.what)

    def on_order(self, ctx: tw.Context, order: tw.Order) -> None:
        self.notes.append((order.id, order.status, order.reason))

    def on_fill(self, ctx: tw.Context, fill: tw.Fill) -> None:
        self.notes.append((fill.order_id, fill.side, fill.quantity, fill.price, fill.liquidity))

    notes: list[Any]
    made: dict[int, Any]


def scripted(script: dict[int, Act], data: Any = None, instrument: str = BTC, **settings: Any) -> tuple[Any, tw.Result]:
    """Run a script; gives the strategy's class, with its notes, and the result."""
    cls = type("Script", (Scripted,), {"script": script, "instrument": instrument})
    rows = data if data is not None else quote_rows([100.0] * 12)
    return cls, run(cls(), {instrument: rows}, **settings)


class TestOutsideOfACallback:
    def uses(self) -> dict[str, Callable[[tw.Context, tw.Instrument], Any]]:
        return {
            "now": lambda ctx, btc: ctx.now,
            "now_ns": lambda ctx, btc: ctx.now_ns,
            "is_trading": lambda ctx, btc: ctx.is_trading,
            "price": lambda ctx, btc: ctx.price(btc),
            "quote": lambda ctx, btc: ctx.quote(btc),
            "book": lambda ctx, btc: ctx.book(btc),
            "position": lambda ctx, btc: ctx.position(btc),
            "balance": lambda ctx, btc: ctx.balance("USDT"),
            "open_orders": lambda ctx, btc: ctx.open_orders(),
            "buy": lambda ctx, btc: ctx.buy(btc, 1),
            "sell": lambda ctx, btc: ctx.sell(btc, 1, 100),
            "target": lambda ctx, btc: ctx.target(btc, 1),
            "close": lambda ctx, btc: ctx.close(btc),
            "cancel_all": lambda ctx, btc: ctx.cancel_all(),
            "timer": lambda ctx, btc: ctx.timer(after=1),
            "subscribe": lambda ctx, btc: ctx.subscribe(btc.quotes),
            "random": lambda ctx, btc: ctx.random,
        }

    def test_every_use_is_an_error_with_a_code(self) -> None:
        kept: list[Any] = []

        class Keeps(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                kept.extend([ctx, ctx.instrument(BTC)])

        run(Keeps())
        for name, use in self.uses().items():
            with pytest.raises(tw.TradewindError) as caught:
                use(*kept)
            assert caught.value.code == "context_outside_callback", name

    def test_an_indicator_too(self) -> None:
        kept: list[Any] = []

        class Keeps(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                kept.append(ctx.indicator(tw.Sma(2), ctx.instrument(BTC).quotes))

        run(Keeps())
        with pytest.raises(tw.TradewindError) as caught:
            _ = kept[0].value
        assert caught.value.code == "context_outside_callback"

    def test_the_run_itself_cannot_be_read_from_a_callback(self) -> None:
        """A result exists only when the run has ended; an order shows what became of it."""
        kept: list[tw.Order] = []
        scripted({1: lambda ctx, btc: kept.append(ctx.buy(btc, 1))})
        assert (kept[0].status, kept[0].filled, kept[0].quantity) == ("filled", 1.0, 1.0)


class TestMistakesRaiseAtTheCall:
    """O1: what does not depend on state."""

    @pytest.mark.parametrize(
        ("quantity", "price", "code"),
        [
            (0, None, "bad_quantity"),
            (-1, None, "bad_quantity"),
            (float("nan"), None, "bad_quantity"),
            (float("inf"), None, "bad_quantity"),
            ("one", None, "bad_quantity"),
            (None, None, "bad_quantity"),
            (True, None, "bad_quantity"),
            (0.0001, None, "off_grid"),
            (0.1 + 0.2 + 1e-9, None, "off_grid"),
            (1e300, None, "out_of_range"),
            (10**25, None, "out_of_range"),
            (10**16, None, "out_of_range"),
            (1, 0, "bad_price"),
            (1, -5, "bad_price"),
            (1, float("nan"), "bad_price"),
            (1, 100.05, "off_grid"),
            (1, Decimal("100.01"), "off_grid"),
            (9_000_000_000_000, 9_000_000_000_000, "out_of_range"),
        ],
    )
    def test_numbers(self, quantity: Any, price: Any, code: str) -> None:
        def act(ctx: tw.Context, btc: tw.Instrument) -> str:
            with pytest.raises(tw.TradewindError) as caught:
                ctx.buy(btc, quantity, price)
            return caught.value.code

        cls, result = scripted({2: act})
        assert cls.made == {2: code}
        assert result.metrics["orders"] == 0
        assert cls.notes == []

    def test_an_unknown_instrument(self) -> None:
        def act(ctx: tw.Context, btc: tw.Instrument) -> str:
            with pytest.raises(tw.TradewindError, match="BTCUSD") as caught:
                ctx.instrument("synthetic:BTCUSD")
            return caught.value.code

        assert scripted({1: act})[0].made == {1: "unknown_instrument"}

    def test_an_instrument_must_be_one(self) -> None:
        def act(ctx: Any, btc: tw.Instrument) -> None:
            with pytest.raises(TypeError):
                ctx.buy("synthetic:BTCUSDT", 1)

        scripted({1: act})

    def test_words_that_are_not_known(self) -> None:
        def act(ctx: Any, btc: tw.Instrument) -> list[str]:
            codes = []
            for use in (
                lambda: ctx.buy(btc, 1, time_in_force="fok"),
                lambda: ctx.buy(btc, 1, time_in_force="post_only"),
                ctx.timer,
                lambda: ctx.timer(START, after=1),
                lambda: ctx.balance("EUR"),
                lambda: ctx.balance("USDT", "nowhere"),
            ):
                with pytest.raises(tw.TradewindError) as caught:
                    use()
                codes.append(caught.value.code)
            return codes

        wanted = ["bad_setting", "bad_price", "bad_setting", "bad_setting", "unknown_asset", "unknown_venue"]
        assert scripted({1: act})[0].made[1] == wanted

    def test_a_mistake_that_is_not_caught_ends_the_run_as_itself(self) -> None:
        with pytest.raises(tw.TradewindError, match="quantity 0 is not above zero") as caught:
            scripted({3: lambda ctx, btc: ctx.buy(btc, 0)})
        assert "raised in on_quote" in caught.value.__notes__[0]
        assert isinstance(caught.value, ValueError)

    def test_a_hint_says_what_to_do(self) -> None:
        with pytest.raises(tw.TradewindError, match=r"price 100\.05 has more than 1 decimal") as caught:
            scripted({1: lambda ctx, btc: ctx.buy(btc, 1, 100.05)})
        assert "instrument.round_price" in caught.value.hint


class TestNumbers:
    @pytest.mark.parametrize("quantity", [0.3, 0.1 + 0.2, "0.3", Decimal("0.3"), Decimal("0.300")])
    def test_a_float_means_its_shortest_decimal_and_text_and_decimals_are_exact(self, quantity: Any) -> None:
        """N2, with the noise of one addition forgiven."""
        if quantity == 0.1 + 0.2:
            quantity = round(quantity, 12)
        cls, _ = scripted({1: lambda ctx, btc: ctx.buy(btc, quantity).quantity})
        assert cls.made == {1: 0.3}

    def test_rounding_helpers(self) -> None:
        def act(ctx: tw.Context, btc: tw.Instrument) -> list[float]:
            quantities = [btc.round_quantity(value) for value in (1.2349, -1.2349, 0.1 + 0.2, 0.0004)]
            return [*quantities, btc.round_price(100.04), btc.round_price(100.06)]

        assert scripted({1: act})[0].made == {1: [1.234, -1.234, 0.3, 0.0, 100.0, 100.1]}

    def test_instruments_are_equal_by_name_and_can_be_keys(self) -> None:
        def act(ctx: tw.Context, btc: tw.Instrument) -> Any:
            again = ctx.instrument(BTC)
            return again == btc, {btc: 1}[again], [one.name for one in ctx.instruments], btc == "synthetic:BTCUSDT"

        assert scripted({1: act})[0].made == {1: (True, 1, [BTC], False)}


class TestOrders:
    def test_a_market_order_takes_the_quote(self) -> None:
        cls, result = scripted({2: lambda ctx, btc: ctx.buy(btc, 0.5)})
        assert cls.notes == [
            (1, "in_flight", None),
            (1, "open", None),
            (1, "buy", 0.5, 100.1, "taker"),
            (1, "filled", None),
        ]
        row = result.orders.row(0, named=True)
        assert (row["status"], row["average_price"], row["filled"]) == ("filled", 100.1, 0.5)
        assert row["decided"] == times(2)[-1]
        assert row["closed"] - row["decided"] == timedelta(milliseconds=40)

    def test_a_taker_gets_what_is_shown_and_waits_for_the_next_quote(self) -> None:
        bids = [100.0, 100.0, 100.0, 101.0, 102.0]
        cls, _ = scripted({1: lambda ctx, btc: ctx.buy(btc, 2.5)}, quote_rows(bids))
        fills = [note[1:4] for note in cls.notes if len(note) == 5]
        assert fills == [("buy", 1.0, 100.1), ("buy", 1.0, 101.1), ("buy", 0.5, 102.1)]

    def test_a_resting_order_fills_when_it_is_crossed_not_when_it_is_touched(self) -> None:
        bids = [100.0, 100.0, 99.9, 99.8, 99.0]
        cls, _ = scripted({1: lambda ctx, btc: ctx.buy(btc, 1, 99.9)}, quote_rows(bids))
        # The offers are 100.1, 100.1, 100.0, 99.9 (it crosses the order), 99.1.
        assert cls.notes[2] == (1, "buy", 1.0, 99.9, "maker")

    def test_post_only_is_rejected_where_it_would_take(self) -> None:
        cls, result = scripted({1: lambda ctx, btc: ctx.buy(btc, 1, 100.1, time_in_force="post_only")})
        assert cls.notes == [(1, "in_flight", None), (1, "rejected", "would_take")]
        assert result.metrics["total"]["orders_rejected"] == 1

    def test_immediate_or_cancel_takes_what_is_there_and_ends(self) -> None:
        cls, _ = scripted({1: lambda ctx, btc: ctx.buy(btc, 3, 100.1, time_in_force="ioc")})
        assert cls.notes[2:] == [
            (1, "buy", 1.0, 100.1, "taker"),
            (1, "partly_filled", None),
            (1, "cancelled", "immediate_or_cancel"),
        ]

    def test_a_cancel(self) -> None:
        kept: list[tw.Order] = []
        script: dict[int, Act] = {
            1: lambda ctx, btc: kept.append(ctx.buy(btc, 1, 50)),
            3: lambda ctx, btc: ctx.cancel(kept[0]),
            4: lambda ctx, btc: ctx.cancel(kept[0]),
        }
        cls, _ = scripted(script)
        assert cls.notes == [
            (1, "in_flight", None),
            (1, "open", None),
            (1, "cancel_in_flight", None),
            (1, "cancelled", "requested"),
        ]

    def test_a_handle_shows_the_order_as_it_is(self) -> None:
        kept: list[tw.Order] = []
        script: dict[int, Act] = {
            1: lambda ctx, btc: (kept.append(ctx.buy(btc, 2.5)), kept[0].status)[1],
            2: lambda ctx, btc: (kept[0].status, kept[0].filled, kept[0].remaining, kept[0].average_price),
            4: lambda ctx, btc: (kept[0].status, kept[0].is_closed, kept[0].average_price),
        }
        cls, _ = scripted(script, quote_rows([100.0, 101.0, 102.0, 103.0, 104.0]))
        assert cls.made[1] == "queued"
        assert cls.made[2] == ("partly_filled", 1.0, 1.5, 100.1)
        assert cls.made[4] == ("filled", True, pytest.approx((100.1 + 101.1 + 51.05) / 2.5))
        assert (kept[0].side, kept[0].order_type, kept[0].time_in_force, kept[0].price) == (
            "buy",
            "market",
            "gtc",
            None,
        )

    def test_open_orders_are_listed_oldest_first_and_cancelled_together(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: [ctx.buy(btc, 1, 50), ctx.sell(btc, 1, 200), ctx.buy(btc, 2, 40)],
            3: lambda ctx, btc: ([order.price for order in ctx.open_orders(btc)], ctx.cancel_all(btc)),
            5: lambda ctx, btc: ctx.open_orders(),
        }
        cls, _ = scripted(script)
        assert cls.made[3][0] == [50.0, 200.0, 40.0]
        assert cls.made[5] == []

    def test_what_still_works_at_the_end_is_cancelled(self) -> None:
        cls, result = scripted({1: lambda ctx, btc: ctx.buy(btc, 1, 50)})
        assert cls.notes[-1] == (1, "cancelled", "requested")
        assert result.orders["status"].to_list() == ["cancelled"]

    def test_reduce_only(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.sell(btc, 1, reduce_only=True),
            3: lambda ctx, btc: ctx.buy(btc, 1),
            5: lambda ctx, btc: ctx.sell(btc, 2, reduce_only=True),
            7: lambda ctx, btc: ctx.sell(btc, 1, reduce_only=True),
        }
        _, result = scripted(script)
        assert result.orders["status"].to_list() == ["rejected", "filled", "rejected", "filled"]
        assert result.orders["reason"].to_list() == ["reduce_only", None, "reduce_only", None]

    def test_rejections_of_the_venues_rules_come_back_with_a_code(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.buy(btc, 0.001),
            2: lambda ctx, btc: ctx.buy(btc, 1_000_000),
        }
        _, result = scripted(script)
        assert result.orders["reason"].to_list() == ["below_minimum_notional", "insufficient_funds"]
        assert result.metrics["rows"] == 12

    def test_an_endless_loop_from_its_own_fills_ends_the_run(self) -> None:
        class Endless(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                self.btc = ctx.instrument(BTC)
                ctx.subscribe(self.btc.quotes)
                self.begun = False

            def on_quote(self, ctx: tw.Context, quote: object) -> None:
                if not self.begun:
                    self.begun = True
                    ctx.buy(self.btc, 0.1)

            def on_fill(self, ctx: tw.Context, fill: tw.Fill) -> None:
                (ctx.sell if fill.side == "buy" else ctx.buy)(self.btc, 0.1)

        rows = quote_rows([100.0] * 3, quantity=1_000_000.0)
        for latency in (0, "10us"):
            with pytest.raises(tw.TradewindError, match="more than 1000 rounds") as caught:
                run(Endless(), rows, venues={"synthetic": tw.Simulated(latency=latency)})
            assert caught.value.code == "endless_decisions"

    def test_a_timer_that_is_due_at_once_without_end_is_named(self) -> None:
        class Endless(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                ctx.subscribe(ctx.instrument(BTC).quotes)

            def on_quote(self, ctx: tw.Context, quote: object) -> None:
                ctx.timer(after=0)

            def on_timer(self, ctx: tw.Context, number: int) -> None:
                ctx.timer(after=0)

        with pytest.raises(tw.TradewindError) as caught:
            run(Endless())
        assert caught.value.code == "endless_decisions"
        assert "a timer that is due at once" in caught.value.hint


class TestTarget:
    def position(self, ctx: tw.Context, btc: tw.Instrument) -> float:
        return ctx.position(btc).quantity

    def test_it_is_idempotent(self) -> None:
        script: dict[int, Act] = dict.fromkeys(range(1, 8), lambda ctx, btc: ctx.target(btc, 0.5))
        cls, result = scripted({**script, 9: self.position})
        assert cls.made[9] == 0.5
        assert result.metrics["orders"] == 1

    def test_a_new_target_sends_the_difference(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.target(btc, 0.5),
            4: lambda ctx, btc: ctx.target(btc, -0.25),
            8: self.position,
        }
        cls, result = scripted(script)
        assert cls.made[8] == -0.25
        assert result.orders["quantity"].to_list() == [0.5, 0.75]

    def test_a_new_target_cancels_the_earlier_target_order(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.target(btc, 0.5, 50),
            4: lambda ctx, btc: ctx.target(btc, 0.75),
            8: self.position,
        }
        cls, result = scripted(script)
        assert cls.made[8] == 0.75
        assert result.orders["status"].to_list() == ["cancelled", "filled"]

    def test_it_rounds_towards_zero_to_the_lot(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.target(btc, 0.12399999),
            4: self.position,
            5: lambda ctx, btc: ctx.target(btc, -0.12399999),
            8: self.position,
        }
        assert scripted(script)[0].made == {1: None, 4: 0.123, 5: None, 8: -0.123}

    def test_dust_counts_as_reached(self) -> None:
        """What is left is worth less than the smallest notional of 5."""
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.target(btc, 1),
            4: lambda ctx, btc: ctx.target(btc, 0.96),
            8: self.position,
        }
        cls, result = scripted(script)
        assert cls.made[8] == 1.0
        assert result.metrics["orders"] == 1

    def test_dust_is_what_the_last_target_left(self) -> None:
        """The fee in the coin leaves less than a lot of it; another target leaves nothing."""
        script: dict[int, Act] = {
            1: lambda ctx, coin: ctx.buy(coin, 0.12345),
            3: lambda ctx, coin: ctx.close(coin),
            6: lambda ctx, coin: (ctx.dust(coin) + ctx.position(coin).quantity, ctx.dust(coin) != 0),
            7: lambda ctx, coin: ctx.target(coin, ctx.position(coin).quantity + 1),
            9: lambda ctx, coin: ctx.target(coin, 1),
            11: lambda ctx, coin: (ctx.dust(coin), ctx.position(coin).quantity < 1.00001),
        }
        cls, _ = scripted(script, instrument=SPOT, balances={"USDT": 1_000})
        assert cls.made[6] == (0.0, True)
        assert cls.made[11][1]

    @pytest.mark.parametrize(
        ("calls", "expected"),
        [
            ([("close",), ("sell", 1)], -1),
            ([("close",), ("buy", 1)], 1),
            ([("target", 0), ("sell", 1)], -1),
            ([("target", 2), ("buy", 1)], 3),
            ([("buy", 1), ("target", 3)], 3),
        ],
    )
    def test_calls_of_one_callback_count_in_their_order(self, calls: list[Any], expected: float) -> None:
        """Law 4: one behind the other, as in callbacks of their own."""

        def act(ctx: tw.Context, btc: tw.Instrument) -> None:
            for name, *given in calls:
                getattr(ctx, name)(btc, *given)

        rows = quote_rows([100.0] * 12, quantity=100)
        cls, _ = scripted({1: lambda ctx, btc: ctx.buy(btc, 1), 4: act, 10: self.position}, rows)
        assert cls.made[10] == expected

    @pytest.mark.parametrize("is_off", [False, True])
    def test_a_position_is_closed_where_no_order_may_go_through_zero(self, is_off: bool) -> None:
        """A bid of the strategy's own counts as coming (O3); what closes the position goes first (O4)."""
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.buy(btc, 5),
            2: lambda ctx, btc: ctx.buy(btc, 5),
            3: lambda ctx, btc: ctx.buy(btc, 1, 50),
            5: lambda ctx, btc: ctx.target(btc, 0),
            11: self.position,
        }
        off = tw.Command(START + timedelta(seconds=3.5), "trading_off")
        rows = quote_rows([100.0] * 12, quantity=100)
        cls, _ = scripted(script, rows, risk=tw.Limits(order_quantity=6), commands=[off] if is_off else [])
        # With trading off nothing more is sold against the bid.
        assert cls.made[11] == (0.0 if is_off else -1.0)

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "half", None, True])
    def test_a_target_must_be_a_number(self, wrong: Any) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            scripted({1: lambda ctx, btc: ctx.target(btc, wrong)})
        assert caught.value.code == "bad_quantity"

    @pytest.mark.parametrize(
        ("quantity", "held"),
        [
            (Decimal("0.2999999999999999999999999999999999999999999"), 0.299),
            (Decimal("0.12345"), 0.123),
            (Decimal("1e-6"), 0.0),
            ("-0.99999999999999999999", -0.999),
            (1, 1.0),
            (np.int64(-1), -1.0),
        ],
    )
    def test_a_target_is_rounded_towards_zero_from_what_is_written(self, quantity: Any, held: float) -> None:
        """A Decimal is not made a float on the way, which would round the first to 0.3."""
        kept: list[float] = []
        script: dict[int, Act] = {
            1: lambda ctx, btc: ctx.target(btc, quantity),
            8: lambda ctx, btc: kept.append(ctx.position(btc).quantity),
        }
        scripted(script)
        assert kept == [held]

    def test_close_cancels_and_flattens(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, btc: (ctx.buy(btc, 0.5), ctx.buy(btc, 1, 50)),
            4: lambda ctx, btc: ctx.close(btc),
            8: lambda ctx, btc: (self.position(ctx, btc), ctx.open_orders()),
        }
        cls, result = scripted(script)
        assert cls.made[8] == (0.0, [])
        assert sorted(result.orders["status"].to_list()) == ["cancelled", "filled", "filled"]


class TestKeptOrders:
    @pytest.mark.parametrize("others", [0, 300])
    def test_a_kept_order_shows_how_it_ended(self, others: int) -> None:
        """However many others there were since, of whichever strategy: the engine remembers so many."""
        kept: list[tw.Order] = []

        def flood(ctx: tw.Context, btc: tw.Instrument) -> None:
            for _ in range(others):
                ctx.buy(btc, 0.1, 60)
            ctx.cancel_all()

        rows = quote_rows([100.0] * 4 + [90.0] + [100.0] * 7)
        patient: dict[int, Act] = {
            1: lambda ctx, btc: kept.extend([ctx.buy(btc, 1, 95), ctx.buy(btc, 1, 50)]),
            2: lambda ctx, btc: [order.status for order in kept],
            7: lambda ctx, btc: ctx.cancel(kept[1]),
            10: lambda ctx, btc: [(order.status, order.filled, order.is_closed) for order in kept],
        }
        first = type("First", (Scripted,), {"script": patient})
        second = type("Second", (Scripted,), {"script": {8: flood, 9: flood}})
        run([first(), second()], {BTC: rows})
        assert first.made[2] == ["open", "open"]
        assert first.made[10] == [("filled", 1.0, True), ("cancelled", 0.0, True)]


class TestPositionsAndBalances:
    def test_a_position_of_a_perpetual(self) -> None:
        def look(ctx: tw.Context, btc: tw.Instrument) -> Any:
            held = ctx.position(btc)
            return bool(held), held.side, held.quantity, held.average_price, held.cost, held.unrealised, held.realised

        script: dict[int, Act] = {
            1: look,
            2: lambda ctx, btc: ctx.sell(btc, 1),
            4: look,
            5: lambda ctx, btc: ctx.buy(btc, 1),
            7: look,
        }
        cls, result = scripted(script, quote_rows([100.0, 100.0, 100.0, 90.0, 90.0, 90.0, 90.0, 90.0]))
        assert cls.made[1] == (False, None, 0.0, None, 0.0, 0.0, 0.0)
        # The mark is the middle of 90 and 90.1: half a price unit counts.
        assert cls.made[4] == (True, "short", -1.0, 100.0, -100.0, 9.95, 0.0)
        assert cls.made[7][-1] == pytest.approx(100 - 90.1)
        check_accounts(result)

    def test_it_changes_only_by_fills(self) -> None:
        """O2: not when the order is placed, but when its fill has come back."""
        script: dict[int, Act] = {
            1: lambda ctx, btc: (ctx.buy(btc, 1), ctx.position(btc).quantity)[1],
            2: lambda ctx, btc: ctx.position(btc).quantity,
        }
        assert scripted(script)[0].made == {1: 0.0, 2: 1.0}

    def test_balances_of_spot_hold_back_what_open_orders_need(self) -> None:
        script: dict[int, Act] = {
            1: lambda ctx, coin: (ctx.buy(coin, 2, 50), ctx.balance("USDT"))[1],
            3: lambda ctx, coin: ctx.balance("USDT"),
            4: lambda ctx, coin: ctx.buy(coin, 1),
            6: lambda ctx, coin: (ctx.balance("BTC"), ctx.position(coin).quantity, ctx.cancel_all()),
            8: lambda ctx, coin: ctx.balance("USDT"),
        }
        cls, result = scripted(script, instrument=SPOT, balances={"USDT": 1_000})
        assert cls.made[3] == (1_000, 100, 900)
        # The fee of a purchase is taken from the coin (M2).
        assert cls.made[6][0] == (Decimal("0.999"), 0, Decimal("0.999"))
        assert cls.made[6][1] == 0.999
        assert cls.made[8] == (Decimal("899.9"), 0, Decimal("899.9"))
        check_accounts(result)

    def test_the_venue_knows_the_position_less_its_fees(self) -> None:
        """M2: of 1 that was bought, 0.999 can be reduced."""
        script: dict[int, Act] = {
            1: lambda ctx, coin: ctx.buy(coin, 1),
            3: lambda ctx, coin: ctx.sell(coin, 1, reduce_only=True),
            5: lambda ctx, coin: ctx.sell(coin, 0.999, reduce_only=True),
        }
        _, result = scripted(script, instrument=SPOT, balances={"USDT": 1_000})
        assert result.orders["reason"].to_list() == [None, "reduce_only", None]

    def test_another_strategys_position_is_not_reduced(self) -> None:
        """Reduce-only looks at the strategy's position, on spot and on a perpetual."""
        for instrument in (SPOT, BTC):
            first = type(
                "First", (Scripted,), {"script": {1: lambda ctx, one: ctx.buy(one, 3)}, "instrument": instrument}
            )
            acts = {1: lambda ctx, one: ctx.buy(one, 1), 4: lambda ctx, one: ctx.sell(one, 2, reduce_only=True)}
            second = type("Second", (Scripted,), {"script": acts, "instrument": instrument})
            money = {"USDT": 10_000}
            result = run([first(), second()], {instrument: quote_rows([100.0] * 9, quantity=50)}, balances=money)
            assert result.orders.filter(strategy="Second")["reason"].to_list() == [None, "reduce_only"]

    def test_spot_cannot_be_sold_before_it_is_owned(self) -> None:
        _, result = scripted({1: lambda ctx, coin: ctx.sell(coin, 1)}, instrument=SPOT, balances={"USDT": 1_000})
        assert result.orders["reason"].to_list() == ["insufficient_funds"]


class TestTimeAndChance:
    @pytest.mark.parametrize("after", [1e300, 1e12, timedelta.max])
    def test_a_timer_is_not_longer_than_can_be_counted(self, after: Any) -> None:
        with pytest.raises(tw.TradewindError, match="longer than can be counted"):
            scripted({1: lambda ctx, btc: ctx.timer(after=after)})

    def test_timers_fire_when_they_are_due(self) -> None:
        fired: list[Any] = []
        numbers: list[int] = []

        class Timed(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                numbers.append(ctx.timer(START + timedelta(seconds=2.5)))
                numbers.append(ctx.timer(after=timedelta(milliseconds=700)))
                numbers.append(ctx.timer(after=0.7))
                numbers.append(ctx.timer(ctx.now_ns + 10**9))
                numbers.append(ctx.timer(after=3_600))

            def on_timer(self, ctx: tw.Context, number: int) -> None:
                fired.append((number, ctx.now - START))
                if number == numbers[0]:
                    numbers.append(ctx.timer(after="1s"))

        run(Timed(), quote_rows([100.0] * 5))
        ms = [(number, offset / timedelta(milliseconds=1)) for number, offset in fired]
        assert len(set(numbers)) == 6
        expected = [(numbers[1], 700), (numbers[2], 700), (numbers[3], 1_000), (numbers[0], 2_500), (numbers[5], 3_500)]
        # The timer after an hour lies beyond the data and is dropped.
        assert ms == expected

    def drawn(self, seed: int, *names: str) -> dict[str, list[float]]:
        drawn: dict[str, list[float]] = {}

        class Dice(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                ctx.subscribe(ctx.instrument(BTC).quotes)

            def on_quote(self, ctx: tw.Context, quote: object) -> None:
                drawn.setdefault(self.name, []).append(ctx.random.random())

        run([Dice(name=name) for name in names], seed=seed)
        return drawn

    def test_chance_comes_from_the_seed_and_the_strategys_name(self) -> None:
        alone = self.drawn(1, "a")
        assert alone == self.drawn(1, "a")
        assert len(set(alone["a"])) == 10
        both = self.drawn(1, "a", "b")
        assert both["a"] == alone["a"]
        assert both["b"] != alone["a"]
        assert self.drawn(2, "a")["a"] != alone["a"]

    def test_new_ids_never_repeat(self) -> None:
        cls, _ = scripted({1: lambda ctx, btc: [ctx.new_id() for _ in range(3)], 2: lambda ctx, btc: ctx.new_id()})
        assert cls.made == {1: [1, 2, 3], 2: 4}

    def test_the_last_quote_and_the_mark(self) -> None:
        def look(ctx: tw.Context, btc: tw.Instrument) -> Any:
            quote = ctx.quote(btc)
            return quote and (quote.bid, quote.ask), ctx.price(btc)

        rows = [quote_rows([100.0] * 3), trade_rows([101.0, 102.0], every_ms=1_500)]
        cls, _ = scripted({1: look, 3: look}, rows)
        assert cls.made[3] == ((100.0, 100.1), 100.05)

    def test_what_was_not_named_cannot_be_read(self) -> None:
        class Curious(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                self.btc = ctx.instrument(BTC)
                ctx.subscribe(self.btc.bars("1s"))
                self.bars = []

            def on_bar(self, ctx: tw.Context, bar: Any) -> None:
                last = ctx.last_bar(self.btc.bars("1s"))
                assert last is not None
                assert last.close == bar.close
                for read in (ctx.quote, ctx.last_trade, ctx.book):
                    with pytest.raises(tw.TradewindError, match="did not name its") as caught:
                        read(self.btc)
                    assert caught.value.code == "missing_stream"
                with pytest.raises(tw.TradewindError, match="did not name its"):
                    ctx.last_bar(self.btc.bars("5s"))
                self.bars.append(bar.close)

        run(Curious(), [quote_rows([100.0] * 9), trade_rows([101.0, 102.0, 103.0], every_ms=1_500)])
