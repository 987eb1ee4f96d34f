"""What comes from outside of markets: values, outages, halts, commands, warm-up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers import BTC, ETH, START, quote_rows, run, times, trade_rows

import tradewind as tw
from tradewind.data.values import row_of


def at(second: float) -> Any:
    return START + timedelta(seconds=second)


class Listener(tw.Strategy):
    """Notes everything it is told, and buys one at the third quote."""

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        self.seen: list[Any] = []
        self.quotes = 0
        ctx.subscribe(self.btc.quotes)

    def on_quote(self, ctx: tw.Context, quote: Any) -> None:
        self.quotes += 1
        self.seen.append(("quote", quote.bid))

    def on_order(self, ctx: tw.Context, order: Any) -> None:
        self.seen.append((order.status, order.reason))

    def on_status(self, ctx: tw.Context, status: Any) -> None:
        self.seen.append(repr(status))

    def on_stop(self, ctx: tw.Context) -> None:
        self.seen.append("stop")


def told(strategy: type[Listener], data: Any = None, **settings: Any) -> list[Any]:
    """What the strategy of a run has seen; a run makes a fresh one."""
    kept: list[Listener] = []

    class Kept(strategy):  # type: ignore[misc, valid-type]
        def on_start(self, ctx: tw.Context) -> None:
            kept.append(self)
            super().on_start(ctx)

    run(Kept(), data, **settings)
    return kept[0].seen


def test_values_reach_those_that_named_them_at_their_arrival() -> None:
    class Reader(Listener):
        def on_start(self, ctx: tw.Context) -> None:
            super().on_start(ctx)
            ctx.subscribe("mood", "news")

        def on_data(self, ctx: tw.Context, data: Any) -> None:
            assert ctx.now == data.arrival_time == data.time + timedelta(milliseconds=500)
            self.seen.append((data.name, data.value))

    mood = pl.DataFrame({"time": [at(1), at(2)], "value": [0.5, -1.0]})
    news = pl.DataFrame({"time": [at(1)], "value": ['{"who": "ECB", "rates": [1, 2]}']})
    other = pl.DataFrame({"time": [at(1)], "value": ["nobody reads it"]})
    data = {
        BTC: quote_rows([1.0, 2.0, 3.0, 4.0]),
        "mood": tw.values(mood, latency="500ms"),
        "news": tw.values(news, kind="json", latency="500ms"),
        "other": tw.values(other, latency="500ms"),
    }
    heard = [one for one in told(Reader, data) if one[0] not in ("quote", "stop")]
    assert heard[:3] == [("mood", 0.5), ("news", {"who": "ECB", "rates": [1, 2]}), ("mood", -1.0)]
    seen = told(Reader, data)
    assert seen.index(("mood", 0.5)) == seen.index(("quote", 2.0)) + 1


def test_a_stream_of_values_that_is_not_there_is_an_error() -> None:
    class Wants(Listener):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.subscribe("moood")

    with pytest.raises(tw.TradewindError, match="moood") as caught:
        run(Wants(), {BTC: quote_rows([1.0]), "mood": tw.values(pl.DataFrame({"time": [at(0)], "value": [1]}))})
    assert (caught.value.code, "mood" in caught.value.hint) == ("missing_stream", True)


@pytest.mark.parametrize(
    ("table", "settings", "code"),
    [
        ({"time": [at(0)], "value": [float("nan")]}, {}, "not_a_number"),
        ({"time": [at(0)], "value": ["{"]}, {"kind": "json"}, "wrong_type"),
        ({"time": [at(0)], "value": ["x"]}, {"kind": "number"}, "not_a_number"),
        ({"time": [at(0)], "price": [1]}, {}, "missing_column"),
        ({"time": [None], "value": [1]}, {}, "wrong_type"),
        ({"time": [at(1)], "known": [at(0)], "value": [1]}, {"arrival": "known"}, "arrival_before_venue_time"),
        ({"time": [1.5], "value": [1]}, {}, "wrong_type"),
        ({"time": [], "value": []}, {}, "empty_data"),
        ({"time": [at(0)], "value": [None]}, {}, "wrong_type"),
        ({"time": [at(0)], "value": [True]}, {}, "not_a_number"),
        ({"time": [at(0)], "value": [10**18]}, {"kind": "text"}, "wrong_type"),
    ],
)
def test_bad_values_are_errors(table: Any, settings: Any, code: str) -> None:
    with pytest.raises(tw.TradewindError) as caught:
        tw.load({BTC: quote_rows([1.0]), "mood": tw.values(pl.DataFrame(table), **settings)})
    assert caught.value.code == code


def test_all_that_is_wrong_with_values_is_said_at_once(tmp_path: Path) -> None:
    table = tmp_path / "mood.csv"
    table.write_text("time,value\n2026-01-01,0.5\nyesterday,1\n2026-01-03,high\n2026-01-04,\n")
    with pytest.raises(tw.TradewindError) as caught:
        tw.values(table, kind="number", zone="UTC").rows("mood")
    assert [f"row {row}" in str(caught.value) for row in (1, 2, 3, 4)] == [False, True, True, True]
    assert "high" in str(caught.value)


def test_numbers_of_a_table_of_text_are_numbers(tmp_path: Path) -> None:
    table = tmp_path / "mood.csv"
    table.write_text("time,value\n2026-01-02, -1e-3\n2026-01-01,0.5\n")
    assert [row[3:5] for row in tw.values(table, kind="number", zone="UTC").rows("mood")] == [
        ("number", 0.5),
        ("number", -0.001),
    ]
    with pytest.raises(tw.TradewindError) as caught:
        tw.values(table, zone="UTC").rows("mood")
    assert (caught.value.code, "kind" in caught.value.hint) == ("missing_setting", True)


def test_a_value_too_large_for_a_number_is_an_error() -> None:
    with pytest.raises(tw.TradewindError, match="not a finite number"):
        row_of("mood", 0, 0, 10**400, None, "mood")


class Buys(Listener):
    """Buys one at every quote."""

    def on_quote(self, ctx: tw.Context, quote: Any) -> None:
        super().on_quote(ctx, quote)
        ctx.buy(self.btc, 1, quote.bid / 2)


def test_an_outage_hides_the_market_and_refuses_orders() -> None:
    class Timed(Buys):
        def on_start(self, ctx: tw.Context) -> None:
            super().on_start(ctx)
            ctx.timer(at(2.5))

        def on_quote(self, ctx: tw.Context, quote: Any) -> None:
            self.seen.append(("quote", quote.bid))

        def on_timer(self, ctx: tw.Context, number: int) -> None:
            assert ctx.is_stale(self.btc)
            ctx.buy(self.btc, 1)

    outage = tw.Outage("synthetic", at(1.5), at(3.5))
    seen = told(Timed, quote_rows([100.0, 101.0, 102.0, 103.0, 104.0]), incidents=[outage])
    assert [one for one in seen if one[0] == "quote"] == [("quote", 100.0), ("quote", 101.0), ("quote", 104.0)]
    assert ("rejected", "venue_disconnected") in seen
    assert "Status(disconnected: synthetic, market_data)" in seen
    assert seen.index("Status(connected: synthetic, market_data)") < seen.index(("quote", 104.0))


def test_a_report_arrives_when_the_outage_is_over() -> None:
    class Once(Listener):
        def on_quote(self, ctx: tw.Context, quote: Any) -> None:
            self.quotes += 1
            if self.quotes == 2:
                ctx.buy(self.btc, 1)

        def on_fill(self, ctx: tw.Context, fill: Any) -> None:
            self.seen.append(("filled", ctx.now))

    outage = tw.Outage("synthetic", at(1.03), at(3.5))
    seen = told(Once, quote_rows([100.0] * 6), incidents=[outage])
    assert ("filled", at(3.5)) in seen


def test_a_halt_rejects_orders_and_fills_nothing() -> None:
    class Rests(Listener):
        def on_quote(self, ctx: tw.Context, quote: Any) -> None:
            self.quotes += 1
            if self.quotes in (1, 4):
                ctx.buy(self.btc, 1, 99)

        def on_fill(self, ctx: tw.Context, fill: Any) -> None:
            self.seen.append(("fill", fill.order_id, ctx.now))

    halt = tw.Halt(BTC, at(1.5), at(4.5))
    # The offer falls through the resting order's price while the market is halted, and stays there.
    seen = told(Rests, quote_rows([100.0, 100.0, 90.0, 90.0, 90.0, 90.0, 90.0]), incidents=[halt])
    assert ("rejected", "market_halted") in seen
    assert [one for one in seen if one[0] == "fill"] == [("fill", 1, at(5.02))]
    assert "Status(halted: synthetic, synthetic:BTCUSDT)" in seen


def test_a_status_of_another_market_is_not_told() -> None:
    halt = tw.Halt(ETH, at(1.5), at(2.5))
    data = {BTC: quote_rows([1.0] * 5), ETH: quote_rows([1.0] * 5)}
    assert not [one for one in told(Listener, data, incidents=[halt]) if "halted" in one]


def test_stop_ends_the_strategies_once() -> None:
    seen = told(
        Buys, quote_rows([100.0] * 6), commands=[tw.Command(at(2.5), "stop"), tw.Command(at(3.5), "trading_on")]
    )
    assert seen.count("stop") == 1
    assert sum(one[0] == "quote" for one in seen) == 3
    assert seen.count(("cancelled", "requested")) == 3


def test_warm_up_teaches_and_calls_nobody() -> None:
    class Warm(Listener):
        def on_start(self, ctx: tw.Context) -> None:
            super().on_start(ctx)
            self.average = ctx.indicator(tw.Sma(3), self.btc.quotes)
            self.last = ctx.history(self.btc.quotes, 10)
            assert not ctx.is_trading

        def on_quote(self, ctx: tw.Context, quote: Any) -> None:
            assert ctx.is_trading
            self.seen.append(("quote", quote.bid, self.average.ready, len(self.last)))
            ctx.buy(self.btc, 1)

    prices = [100.0, 101.0, 102.0, 103.0, 104.0]
    seen = told(Warm, quote_rows(prices), warm_up="3s")
    assert [one for one in seen if one[0] == "quote"] == [("quote", 103.0, True, 4), ("quote", 104.0, True, 5)]
    result = run(Warm(), quote_rows(prices), warm_up="3s")
    assert result.equity["time"][0] >= at(2.9)
    assert result.metrics["orders"] == 2


def test_warm_up_leaves_a_bar_in_the_making() -> None:
    class Bars(Listener):
        def on_start(self, ctx: tw.Context) -> None:
            self.btc = ctx.instrument(BTC)
            self.seen = []
            ctx.subscribe(self.btc.bars("1m"))

        def on_bar(self, ctx: tw.Context, bar: Any) -> None:
            self.seen.append((bar.open, bar.close, bar.volume))

    prices = [float(100 + second) for second in range(70)]
    assert told(Bars, trade_rows(prices), warm_up="30s")[0] == (100.0, 159.0, 60.0)


def test_dust_is_shown() -> None:
    class Dusty(Listener):
        def on_quote(self, ctx: tw.Context, quote: Any) -> None:
            ctx.target(self.btc, 0.001)  # worth less than the smallest order
            self.seen.append(ctx.dust(self.btc))

    assert [one for one in told(Dusty) if isinstance(one, float)] == [0.0, *[0.001] * 9]
    result = run(Dusty())
    assert result.metrics["orders"] == 0
    assert result.positions["dust"].to_list() == [0.001]


def test_a_run_with_all_of_it_replays_and_repeats(tmp_path: Any) -> None:
    class Reader(Buys):
        def on_start(self, ctx: tw.Context) -> None:
            super().on_start(ctx)
            ctx.subscribe("mood")

        def on_data(self, ctx: tw.Context, data: Any) -> None:
            ctx.buy(self.btc, data.value)

    mood = pl.DataFrame({"time": times(6, 900), "value": [1.0, 2.0, 1.0, 3.0, 1.0, 2.0]})
    settings: dict[str, Any] = {
        "incidents": [tw.Outage("synthetic", at(4.2), at(6.1)), tw.Halt(BTC, at(7.5), at(8.5))],
        "commands": [tw.Command(at(9.1), "stop")],
        "warm_up": "2s",
    }
    data = {BTC: quote_rows([100.0 + step % 3 for step in range(12)]), "mood": tw.values(mood)}
    first = run(Reader(), data, journal=tmp_path, **settings)
    assert first.metrics["decisions_hash"] == run(Reader(), data, **settings).metrics["decisions_hash"]
    report = tw.journal.replay(tmp_path, [Reader()])
    assert report.identical, report
