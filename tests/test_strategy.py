"""Strategies: their parameters, and every callback (V1, V3)."""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from helpers import BTC, ETH, SPOT, START, quote_rows, run, trade_rows

import tradewind as tw
from tradewind.errors import TradewindWarning

EVERYTHING = ("trade", "quote", "book", "mark", "funding")


def market(**settings: Any) -> Any:
    """Ten minutes with a funding payment in the middle."""
    start = datetime(2026, 1, 1, 7, 55, tzinfo=UTC)
    return tw.synthetic(**{"duration": "10m", "activity": 5, "streams": EVERYTHING, "start": start, **settings})


@pytest.mark.parametrize(
    ("name", "near"), [("on_tick", "on_trade"), ("next", "on_bar"), ("on_data_feed", "on_data"), ("on_signal", "on_")]
)
def test_a_callback_of_another_framework_is_named_with_ours(name: str, near: str) -> None:
    with pytest.warns(TradewindWarning, match=f"Mine.{name} is not a callback.*the nearest is {near}"):
        type("Mine", (tw.Strategy,), {name: lambda self, ctx, trade: None})


def test_a_constructor_that_does_not_begin_the_strategy_is_refused() -> None:
    class Mine(tw.Strategy):
        def __init__(self) -> None:
            self.seen = 1

    data, money = {BTC: tw.synthetic(events=10)}, {"USDT": 1_000}
    with pytest.raises(tw.TradewindError, match=r"Mine.__init__ does not call") as caught:
        tw.backtest(Mine(), data=data, balances=money)
    assert caught.value.code == "bad_strategy" and "super().__init__(" in caught.value.hint
    with pytest.raises(AttributeError, match="no attribute 'sene'"):
        Mine().sene  # type: ignore[attr-defined] # noqa: B018

    class Good(tw.Strategy):
        def __init__(self, **given: Any) -> None:
            begin(self, **given)

    def begin(strategy: tw.Strategy, **given: Any) -> None:
        tw.Strategy.__init__(strategy, **given)

    assert Good(name="good").name == "good"


class TestParameters:
    class Sized(tw.Strategy):
        size: float = tw.param(1.0, low=0.5, high=2)
        period: int = tw.param(10, low=2)
        way: str = tw.param("long", choices=("long", "short"))

    def test_a_parameter_of_any_type(self) -> None:
        class Free(tw.Strategy):
            what: Any = tw.param(None)

        assert (Free().what, Free(what=[1]).what) == (None, [1])

    def test_defaults_and_what_is_given(self) -> None:
        assert repr(self.Sized(size=2)) == "Sized(size=2.0, period=10, way='long')"
        assert self.Sized(size=2).size == 2.0
        assert self.Sized(name="other").name == "other"

    @pytest.mark.parametrize(
        ("wrong", "what"),
        [
            ({"size": 0.1}, "size = 0.1 is below 0.5"),
            ({"size": 3}, "size = 3.0 is above 2"),
            ({"size": float("nan")}, "size = nan"),
            ({"way": "up"}, "way = 'up' is not a choice"),
            ({"sise": 1}, "sise is not a parameter"),
        ],
    )
    def test_mistakes(self, wrong: dict[str, Any], what: str) -> None:
        with pytest.raises(tw.TradewindError, match=what) as caught:
            self.Sized(**wrong)
        assert caught.value.code == "bad_strategy"

    @pytest.mark.parametrize("wrong", [{"period": 2.5}, {"period": "10"}, {"size": True}])
    def test_wrong_types(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            self.Sized(**wrong)
        assert caught.value.code == "wrong_type"

    def test_all_mistakes_are_told_at_once(self) -> None:
        with pytest.raises(tw.TradewindError, match=r"period = 1 is below 2; size = 9\.0 is above 2"):
            self.Sized(size=9, period=1)

    def test_what_there_is_is_told_once(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            self.Sized(sise=1, perod=1)
        assert caught.value.hint == "there are size, period, way"

    def test_a_subclass_has_the_parameters_of_its_base(self) -> None:
        class More(self.Sized):  # type: ignore[name-defined, misc]
            size: float = tw.param(0.5)

        assert More().parameters == {"size": 0.5, "period": 10, "way": "long"}

    def test_a_run_begins_with_a_fresh_strategy(self) -> None:
        runs: list[int] = []

        class Counts(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                self.count = getattr(self, "count", 0) + 1
                runs.append(self.count)

        strategy = Counts()
        run(strategy)
        run(strategy)
        assert runs == [1, 1]


class Everything(tw.Strategy):
    """Counts what it is called for, and does a little."""

    calls: Counter[str]

    def on_start(self, ctx: tw.Context) -> None:
        type(self).calls = Counter(start=1)
        self.btc = btc = ctx.instrument(BTC)
        ctx.subscribe(btc.trades, btc.quotes, btc.book, btc.marks, btc.funding, btc.bars("1m"))
        self.number = ctx.timer(after=30)

    def on_stop(self, ctx: tw.Context) -> None:
        self.calls["stop"] += 1

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        self.calls["trade"] += 1
        assert trade.instrument == self.btc
        assert trade.side in ("buy", "sell")
        assert (trade.price, ctx.now_ns) == (ctx.last_trade(self.btc).price, trade.arrival_time_ns)  # type: ignore[union-attr]
        if self.calls["trade"] == 3:
            ctx.buy(self.btc, 0.01)

    def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
        self.calls["quote"] += 1
        assert quote.bid < quote.mid < quote.ask

    def on_book(self, ctx: tw.Context, update: tw.BookUpdate) -> None:
        self.calls["book"] += 1
        if update.is_last:
            bids, asks = ctx.book(self.btc, depth=5)
            assert [price for price, _ in bids] == sorted((price for price, _ in bids), reverse=True)
            assert [price for price, _ in asks] == sorted(price for price, _ in asks)
            assert not bids or not asks or bids[0][0] < asks[0][0]

    def on_bar(self, ctx: tw.Context, bar: tw.Bar) -> None:
        self.calls["bar"] += 1
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert (bar.interval, bar.close_time_ns - bar.venue_time_ns) == ("1m", 60 * 10**9)
        assert bar.close_time_ns <= ctx.now_ns

    def on_mark(self, ctx: tw.Context, mark: tw.Mark) -> None:
        self.calls["mark"] += 1
        assert mark.price == ctx.price(self.btc)

    def on_funding(self, ctx: tw.Context, funding: tw.Funding) -> None:
        self.calls["funding"] += 1
        assert abs(funding.rate) < 0.01

    def on_timer(self, ctx: tw.Context, number: int) -> None:
        self.calls["timer"] += 1
        assert number == self.number
        assert ctx.now_ns == int(datetime(2026, 1, 1, 7, 55, 30, tzinfo=UTC).timestamp()) * 10**9

    def on_order(self, ctx: tw.Context, order: tw.Order) -> None:
        self.calls["order"] += 1

    def on_fill(self, ctx: tw.Context, fill: tw.Fill) -> None:
        self.calls["fill"] += 1
        assert fill.fee > 0
        assert fill.fee_asset == "USDT"


def test_every_callback_of_market_data_orders_and_time_is_called() -> None:
    result = run(Everything(), market())
    calls = Everything.calls
    wanted = {"start", "stop", "trade", "quote", "book", "bar", "mark", "funding", "timer", "order", "fill"}
    assert set(calls) == wanted
    assert (calls["start"], calls["stop"], calls["timer"], calls["funding"]) == (1, 1, 1, 1)
    assert calls["fill"] == result.metrics["fills"] > 0
    assert sum(calls[kind] for kind in ("trade", "quote", "book", "mark", "funding")) == result.metrics["rows"]


@pytest.mark.parametrize("every", [1, 2, 3])
def test_an_event_that_is_kept_stays_what_it_was(every: int) -> None:
    """The object of an event serves for later ones, but never while anybody holds it."""
    kept: list[Any] = []
    seen: list[tuple[object, ...]] = []

    def content(event: Any) -> tuple[object, ...]:
        price = event.price if hasattr(event, "price") else (event.bid, event.ask)
        return type(event).__name__, event.instrument.name, event.venue_time_ns, event.arrival_time_ns, price

    class Keeps(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            for name in (BTC, ETH):
                instrument = ctx.instrument(name)
                ctx.subscribe(instrument.trades, instrument.quotes)

        def take(self, ctx: tw.Context, event: Any) -> None:
            assert (event.arrival_time_ns, ctx.price(event.instrument)) > (0, 0)
            seen.append(content(event))
            kept.append(event if len(seen) % every == 0 else None)

        on_trade = on_quote = take

    prices = {BTC: [100.0 + step for step in range(50)], ETH: [10.0 + step / 10 for step in range(50)]}
    run(Keeps(), {name: [trade_rows(held), quote_rows(held, every_ms=700)] for name, held in prices.items()})
    assert len(set(seen)) == len(seen) == 200
    held = [(event, what) for event, what in zip(kept, seen, strict=True) if event is not None]
    assert len(held) == 200 // every
    assert [content(event) for event, _ in held] == [what for _, what in held]
    assert len({id(event) for event, _ in held}) == len(held)


def test_a_margin_call_reaches_on_status_and_a_liquidation_on_fill() -> None:
    seen: list[Any] = []

    class Reckless(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.btc = ctx.instrument(BTC)
            ctx.subscribe(self.btc.quotes)
            self.bought = False

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            if not self.bought:
                self.bought = True
                ctx.buy(self.btc, 1)

        def on_status(self, ctx: tw.Context, status: object) -> None:
            seen.append(str(status))

        def on_fill(self, ctx: tw.Context, fill: tw.Fill) -> None:
            seen.append((fill.order_id, fill.side, fill.quantity))
            assert ctx.position(self.btc).quantity == (1 if fill.side == "buy" else 0)

    bids = [1000.0, 1000.0, *[1000.0 - 2 * step for step in range(40)]]
    result = run(Reckless(), quote_rows(bids), balances={"USDT": 60})
    assert seen == [(1, "buy", 1.0), "margin_call", "liquidation", (0, "sell", 1.0), "trading_off"]
    assert result.metrics["total"]["liquidation_fees"] > 0
    assert result.metrics["final_equity"] >= 0


class TestStreams:
    def test_what_is_not_named_is_not_delivered(self) -> None:
        seen: list[str] = []

        class OnlyQuotes(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                ctx.subscribe(ctx.instrument(BTC).quotes)

            def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
                seen.append("trade")

            def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
                seen.append(quote.instrument.name)

        data = {BTC: [quote_rows([100.0] * 3), trade_rows([100.0] * 3)], ETH: quote_rows([10.0] * 3)}
        result = run(OnlyQuotes(), data)
        assert seen == [BTC] * 3
        assert result.metrics["rows"] == 9

    @pytest.mark.parametrize("kind", ["trades", "book", "marks", "funding", "bars"])
    def test_a_stream_that_the_data_do_not_hold_is_an_error_at_the_start(self, kind: str) -> None:
        class Wants(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                btc = ctx.instrument(BTC)
                ctx.subscribe(btc.bars("1m") if kind == "bars" else getattr(btc, kind))

            def on_stop(self, ctx: tw.Context) -> None:
                raise AssertionError("the run went on")

        with pytest.raises(tw.TradewindError, match="the data hold quotes for it") as caught:
            run(Wants())
        assert caught.value.code == "missing_stream"

    def test_an_indicator_names_its_stream(self) -> None:
        prices: list[float] = []

        class Attached(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                self.sma = ctx.indicator(tw.Sma(1), ctx.instrument(BTC).trades)

            def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
                prices.append(self.sma.value)

        run(Attached(), trade_rows([100.0, 101.5]))
        assert prices == [100.0, 101.5]

    def test_naming_a_stream_later_is_an_error(self) -> None:
        class Late(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                self.btc = ctx.instrument(BTC)
                ctx.subscribe(self.btc.quotes)

            def on_quote(self, ctx: tw.Context, quote: object) -> None:
                ctx.subscribe(self.btc.trades)

        with pytest.raises(tw.TradewindError, match="name streams and attach indicators in on_start") as caught:
            run(Late())
        assert caught.value.code == "not_in_on_start"

    def test_a_stream_named_twice_is_delivered_once(self) -> None:
        seen: list[float] = []

        class Twice(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                btc = ctx.instrument(BTC)
                ctx.subscribe(btc.quotes, btc.quotes)
                ctx.subscribe(btc.quotes)

            def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
                seen.append(quote.bid)

        run(Twice(), quote_rows([100.0, 100.1]))
        assert seen == [100.0, 100.1]


class Custom(Exception):
    """The user's own."""


CALLBACKS = ["start", "stop", "trade", "quote", "book", "bar", "mark", "funding", "timer", "order", "fill"]


@pytest.mark.parametrize("which", CALLBACKS)
def test_an_exception_reaches_the_user_as_itself(which: str) -> None:
    """With its traceback, and a note that names the callback and the time."""

    def fail(self: tw.Strategy, *_: object) -> None:
        raise Custom(which)

    broken = type("Broken", (Everything,), {f"on_{which}": fail})
    with pytest.raises(Custom, match=which) as caught:
        run(broken(), market())
    assert any(f"raised in on_{which} at " in note for note in caught.value.__notes__)
    assert caught.value.__notes__[0].endswith(" ns")
    assert any(frame.name == "fail" for frame in traceback.extract_tb(caught.value.__traceback__))


def test_ctrl_c_in_a_callback_ends_the_run() -> None:
    class Interrupted(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.subscribe(ctx.instrument(BTC).quotes)

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted())


class TestSeveral:
    """Several strategies on one account (M4, T3)."""

    def test_they_are_called_in_the_order_of_their_names_and_share_the_money(self) -> None:
        order: list[str] = []
        free: dict[str, Any] = {}

        class Buys(tw.Strategy):
            quantity: float = tw.param(1.0)

            def on_start(self, ctx: tw.Context) -> None:
                self.btc = ctx.instrument(BTC)
                ctx.subscribe(self.btc.quotes)
                self.done = False

            def on_quote(self, ctx: tw.Context, quote: object) -> None:
                order.append(self.name)
                if not self.done:
                    self.done = True
                    ctx.buy(self.btc, self.quantity)
                free[self.name] = (ctx.position(self.btc).quantity, ctx.balance("USDT")[0])

        result = run([Buys(name="b", quantity=2), Buys(name="a")], quote_rows([100.0] * 20, quantity=10.0))
        assert order[:4] == ["a", "b", "a", "b"]
        assert free["a"][0] == 1.0
        assert free["b"][0] == 2.0
        assert free["a"][1] == free["b"][1] < 1_000_000
        assert result.fills.group_by("strategy", maintain_order=True).len().rows() == [("a", 1), ("b", 1)]
        assert result.positions["position"].to_list() == [3.0]

    def test_two_of_one_name_are_an_error(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            run([Everything(), Everything()])
        assert caught.value.code == "duplicate_name"

    def test_one_cannot_cancel_the_others_order(self) -> None:
        orders: dict[str, tw.Order] = {}

        class Rests(tw.Strategy):
            def on_start(self, ctx: tw.Context) -> None:
                self.btc = ctx.instrument(BTC)
                ctx.subscribe(self.btc.quotes)
                self.seen = 0

            def on_quote(self, ctx: tw.Context, quote: object) -> None:
                self.seen += 1
                if self.seen == 1:
                    orders[self.name] = ctx.buy(self.btc, 1, 50)
                if self.seen == 3 and self.name == "b":
                    ctx.cancel(orders["a"])

        with pytest.raises(tw.TradewindError, match="belongs to the strategy a") as caught:
            run([Rests(name="a"), Rests(name="b")])
        assert caught.value.code == "unknown_order"


def test_two_venues_are_separate_accounts() -> None:
    seen: list[Any] = []

    class Both(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.coin, self.perpetual = ctx.instrument("binance_spot:BTCUSDT"), ctx.instrument(BTC)
            ctx.subscribe(self.coin.quotes, self.perpetual.quotes)
            with pytest.raises(tw.TradewindError, match="there are several venues"):
                ctx.balance("USDT")
            seen.append((ctx.balance("USDT", "binance_spot")[0], ctx.balance("USDT", "synthetic")[0]))

        def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
            ctx.target(self.coin, 0.5)
            ctx.target(self.perpetual, -0.5)

    data = {"binance_spot:BTCUSDT": quote_rows([100.0] * 5), BTC: quote_rows([101.0] * 5)}
    balances = {"binance_spot": {"USDT": 1_000}, "synthetic": {"USDT": 200}}
    result = run(Both(), data, balances=balances)
    assert seen == [(1_000, 200)]
    assert sorted(result.fills["instrument"].to_list()) == ["binance_spot:BTCUSDT", BTC]
    assert set(result.ledger["account"]) == {"binance_spot", "synthetic"}
    assert result.metrics["starting_equity"] == 1_200


def test_a_native_strategy_and_a_python_one_share_an_account() -> None:
    class Cross(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            btc = ctx.instrument(BTC)
            self.fast, self.slow = ctx.indicator(tw.Ema(5), btc.trades), ctx.indicator(tw.Ema(20), btc.trades)

        def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
            if self.slow.ready:
                ctx.target(trade.instrument, 0.001 if self.fast.value > self.slow.value else -0.001)

    native = tw.ema_cross(BTC, fast=5, slow=20, quantity=0.001)
    result = run([Cross(), native], tw.synthetic(events=5_000))
    counts = result.orders.group_by("strategy").len().sort("strategy")
    assert counts["strategy"].to_list() == ["Cross", "ema_cross"]
    assert counts["len"][0] == counts["len"][1] > 10


def test_the_start_is_the_time_of_the_first_row() -> None:
    seen: list[datetime] = []

    class Clock(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            seen.append(ctx.now)

    run(Clock(), {SPOT: quote_rows([100.0] * 2)})
    assert seen == [START]


@pytest.mark.parametrize("way", ["close", "target", "sell"])
def test_a_strategy_can_go_flat_in_on_stop(way: str) -> None:
    class Flat(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.btc = ctx.instrument(BTC)
            ctx.subscribe(self.btc.quotes)
            self.seen = 0

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            self.seen += 1
            if self.seen == 2:
                ctx.buy(self.btc, 0.5)
                ctx.buy(self.btc, 0.5, 50)

        def on_stop(self, ctx: tw.Context) -> None:
            {
                "close": lambda: ctx.close(self.btc),
                "target": lambda: ctx.target(self.btc, 0),
                "sell": lambda: ctx.sell(self.btc, 0.5),
            }[way]()

    result = run(Flat())
    assert result.positions["position"].to_list() == [0.0]
    assert sorted(result.orders["status"].to_list()) == ["cancelled", "filled", "filled"]


def test_nothing_new_is_opened_in_on_stop() -> None:
    class Opens(tw.Strategy):
        def on_stop(self, ctx: tw.Context) -> None:
            ctx.buy(ctx.instrument(BTC), 0.5)

    result = run(Opens())
    assert result.orders["reason"].to_list() == ["trading_off"]
