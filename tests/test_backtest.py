"""What decides numbers is stated, and a result says what it was (N5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from helpers import BTC, ETH, SPOT, START, quote_rows, run

import tradewind as tw
from tradewind.instruments import InstrumentFields

OWN = InstrumentFields(
    venue="my", symbol="XYZUSD", kind="spot", base="XYZ", quote="USD", tick="0.1", lot="0.001",
    minimum_quantity="0.001", minimum_notional="5", maker_fee="0.0011", taker_fee="0.0022",
)  # fmt: skip


class Holds(tw.Strategy):
    """Buys a little of the first instrument."""

    def on_start(self, ctx: tw.Context) -> None:
        self.what = ctx.instruments[0]
        ctx.subscribe(self.what.quotes)

    def on_quote(self, ctx: tw.Context, quote: object) -> None:
        ctx.target(self.what, 0.5)


def rows() -> Any:
    return quote_rows([100.0] * 5)


class TestWhatIsMissing:
    def test_a_specification(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            run(Holds(), {"my:XYZUSD": rows()})
        assert caught.value.code == "unknown_instrument"
        assert "write its fields into a TOML file" in caught.value.hint

    def test_how_a_venue_is_simulated(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            run(Holds(), {OWN.name: rows()}, instruments=[OWN], balances={"USD": 1_000})
        assert (caught.value.code, caught.value.hint) == (
            "missing_setting",
            'add venues={"my": tw.Simulated(latency="20ms")}',
        )

    def test_the_line_that_the_hint_gives_is_enough(self) -> None:
        venues = {"my": tw.Simulated(latency="20ms")}
        result = run(Holds(), {OWN.name: rows()}, instruments=[OWN], balances={"USD": 1_000}, venues=venues)
        assert result.metrics["fills"] == 1

    def test_the_currency_of_the_totals(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            run(Holds(), {SPOT: rows()}, balances={"USDT": 1_000, "BTC": 1})
        assert (caught.value.code, caught.value.hint) == ("missing_setting", 'add currency="USDT"')

    def test_the_venue_of_a_balance(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            run(Holds(), {"binance_spot:BTCUSDT": rows(), BTC: rows()})
        assert caught.value.code == "missing_setting"
        assert caught.value.hint == 'write balances={"binance_spot": {...}, "synthetic": {...}}'

    def test_an_asset_that_no_instrument_knows(self) -> None:
        with pytest.raises(tw.TradewindError) as caught:
            run(Holds(), {BTC: rows()}, balances={"EUR": 1_000})
        assert caught.value.code == "unknown_asset"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"balances": {"USDT": -1}}, "bad_setting"),
        ({"balances": {"USDT": float("nan")}}, "bad_setting"),
        ({"balances": {"USDT": float("inf")}}, "bad_setting"),
        ({"balances": {"USDT": "much"}}, "bad_setting"),
        ({"balances": {"USDT": "0.0000000001"}}, "bad_setting"),
        ({"balances": {"nowhere": {"USDT": 1}}}, "unknown_venue"),
        ({"venues": {"nowhere": tw.Simulated(latency=0)}}, "unknown_venue"),
        ({"currency": "EUR"}, "unknown_asset"),
        ({"interval": 0}, "bad_setting"),
        ({"interval": "-1h"}, "bad_setting"),
        ({"keep": "nothing"}, "bad_setting"),
        ({"days": 100}, "bad_setting"),
        ({"seed": -1}, "bad_setting"),
        ({"seed": 2**64}, "bad_setting"),
        ({"balances": {"USDT": 1, "synthetic": {"USDT": 2}}}, "bad_setting"),
        ({"balances": 1_000}, "bad_setting"),
        ({"venues": {"synthetic": "20ms"}}, "bad_setting"),
    ],
)
def test_settings_that_are_impossible(settings: dict[str, Any], code: str) -> None:
    with pytest.raises(tw.TradewindError) as caught:
        run(Holds(), **settings)
    assert caught.value.code == code


def test_a_result_says_everything_that_decided_it() -> None:
    result = run(
        Holds(), {OWN.name: rows()}, instruments=[OWN], balances={"USD": 1_000}, seed=77, days=252,
        venues={"my": tw.Simulated(latency="7ms", answer_latency="3ms", resting="touch", leverage=None)},
        risk=tw.Limits(order_quantity=3, price_collar=0.25),
    )  # fmt: skip
    text = repr(result)
    for part in (
        *("Holds", "my:XYZUSD", "0.0011", "0.0022", "given", "latency 7ms", "answers 3ms", "next_trades", "touch"),
        *("order_quantity", "0.25", "77", "252 a year", "mid_quote"),
        *(result.decisions_hash[:16], result.state_hash[:16]),
    ):
        assert part in text, part


def test_whatever_may_have_refused_an_order_is_stated() -> None:
    """N5: limits of the system, exceptions, checks, what was carried, incidents and the warm-up."""
    outage = tw.Outage("synthetic", START + timedelta(seconds=1), START + timedelta(seconds=2))
    halt = tw.Halt(BTC, START + timedelta(seconds=2), START + timedelta(seconds=3))

    def never(ctx: tw.Context, order: tw.Order) -> str | None:
        return None

    risk = tw.Risk(
        tw.Limits(open_orders=3), {BTC: tw.Limits(position=7)}, (never,), tw.OrderRate(1, "90s"), 5, (1, -2.5, None)
    )
    text = " ".join(repr(run(Holds(), risk=risk, warm_up="2s", incidents=[outage, halt])).split())
    for part in (
        *("risk Limits(open_orders=3);", f"{BTC}: Limits(position=7);", "1 order within 90s;", "daily loss 5 USDT;"),
        *("profit of earlier runs -2.5 USDT on 1970-01-02;", "check never", "warm-up 2s"),
        "incident outage of synthetic, 2026-01-01 00:00:01.000000 UTC to 2026-01-01 00:00:02.000000 UTC",
        f"incident halt of {BTC}, 2026-01-01 00:00:02.000000 UTC to 2026-01-01 00:00:03.000000 UTC",
    ):
        assert part in text, part
    assert "no limits" not in text
    assert "no limits" not in repr(run(Holds(), risk=tw.Risk(daily_loss=5)))
    plain = repr(run(Holds()))
    assert "risk        no limits" in plain
    assert "warm-up" not in plain


def test_a_warm_up_of_all_of_the_data_is_told() -> None:
    with pytest.warns(tw.errors.TradewindWarning, match="warm_up = '10d' is all of the data: no strategy was called"):
        result = run(Holds(), warm_up="10d")
    assert "warm-up     10d, which is all of the data: no strategy was called" in repr(result)


def test_one_is_not_several() -> None:
    class Buys(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            ctx.subscribe(ctx.instrument(BTC).quotes)
            self.todo = 1

        def on_quote(self, ctx: tw.Context, quote: object) -> None:
            if self.todo:
                self.todo = ctx.buy(ctx.instrument(BTC), 0.5) and 0

    assert "10 market events, 1 order, 1 fill in" in repr(run(Buys()))


def test_a_preset_and_packaged_specifications_are_named() -> None:
    text = repr(run(Holds()))
    assert "Simulated(latency 20ms, answers 20ms, next_trades, through) [preset typical]" in text
    assert "maker 0.0002, taker 0.0005" in text
    assert "2026-11-20]" in text


def test_a_synthetic_market_is_labelled() -> None:
    result = run(tw.ema_cross(BTC, quantity=0.1), tw.synthetic(events=1_000))
    assert "synthetic market" in repr(result)
    assert "synthetic market" not in repr(run(Holds()))


def test_no_number_is_cut_in_the_table() -> None:
    assert "…" not in repr(run(Holds(), {"binance_usdm:BTCUSDT": rows()}, balances={"USDT": 123_456_789}))


def test_unknown_figures_are_dashes_not_zeros() -> None:
    assert "Sharpe -, Sortino -, Calmar -" in repr(run(Holds()))


def test_an_asset_without_a_price_makes_the_total_unknown() -> None:
    """N4: not zero."""
    result = run(Holds(), {BTC: rows()}, balances={"USDT": 1_000, "BTC": 1}, currency="USDT")
    assert result.metrics["final_equity"] is None
    assert result.equity.is_empty()


def test_an_asset_with_a_pair_counts_at_its_price() -> None:
    result = run(
        Holds(), {SPOT: quote_rows([100.0] * 3 + [200.0] * 3)}, balances={"USDT": 1_000, "BTC": 2}, currency="USDT"
    )
    assert result.metrics["starting_equity"] == 1_200.1
    assert result.metrics["final_equity"] == pytest.approx(1_000 - 50.05 + (2.5 - 0.0005) * 200.05)


def test_data_that_were_loaded_serve_many_runs() -> None:
    data = tw.load({BTC: quote_rows([100.0] * 5), ETH: quote_rows([10.0] * 5)})
    first, second = run(Holds(), data), run(Holds(), data)
    assert first.state_hash == second.state_hash
    assert repr(data) == f"Dataset({BTC}, {ETH}: 10 rows)"


def test_a_chunk_of_a_run_is_no_result() -> None:
    """An exception gives no result that could be taken for a whole one."""

    class Fails(Holds):
        def on_fill(self, ctx: tw.Context, fill: tw.Fill) -> None:
            raise ValueError("half way")

    result = None
    with pytest.raises(ValueError, match="half way"):
        result = run(Fails())
    assert result is None


def test_progress_that_raises_ends_the_run() -> None:
    def stop(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Holds(), progress=stop)


def test_what_is_no_data_is_an_error_with_the_way_to_say_it() -> None:
    with pytest.raises(tw.TradewindError, match=r"tw\.trades"):
        run(Holds(), {BTC: [object()]})


@pytest.mark.parametrize("wrong", [[], Holds, object(), None, [Holds(), Holds], "Holds"])
def test_what_is_no_strategy(wrong: Any) -> None:
    with pytest.raises(tw.TradewindError) as caught:
        run(wrong)
    assert caught.value.code == "bad_strategy"
