from __future__ import annotations

import threading
from decimal import Decimal

import polars as pl
import pytest

import tradewind as tw
from tradewind.journal import Journal, MemoryStorage
from tradewind.journal.orders import NEEDED, orders_of
from tradewind.journal.query import query, tables

BTC = "synthetic:BTCUSDT"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with orders that are filled in part, cancelled and rejected, and its result."""
    place = tmp_path_factory.mktemp("query") / "journal.sqlite"

    class Mixed(tw.Strategy):
        def on_start(self, ctx):
            self.btc, self.seen = ctx.instrument(BTC), 0
            ctx.subscribe(self.btc.quotes)

        def on_quote(self, ctx, quote):
            self.seen += 1
            match self.seen % 40:
                case 1:
                    ctx.buy(self.btc, 0.5, round(quote.bid * 0.999, 1))
                case 2:
                    ctx.buy(self.btc, 0.3)
                case 20:
                    ctx.cancel_all()
                case 21:
                    ctx.close(self.btc)
                case 22:
                    ctx.buy(self.btc, 90)

    result = tw.backtest(Mixed(), data={BTC: tw.synthetic(events=4_000)}, balances={"USDT": 100_000}, journal=place)
    return place, result


def answer(place, sql: str) -> pl.DataFrame:
    return query(place, sql).collect(engine="streaming")


def test_sums_are_exact_and_those_of_the_result(run):
    place, result = run
    found = answer(place, "select count(*) as fills, sum(fee) as fees, sum(price * quantity) as volume from fills")
    exact = sum(
        (Decimal(repr(p)) * Decimal(repr(q)) for p, q in result.fills.select("price", "quantity").rows()), Decimal(0)
    )
    assert found.rows() == [(result.metrics["fills"], result.fills["fee"].sum(), exact)]


def test_the_orders_are_those_of_the_result(run):
    place, result = run
    columns = ["strategy", "count", "status", "filled", "average_price", "reason", "closed"]
    found = answer(place, "select * from orders").with_columns(pl.col("filled").cast(pl.Float64)).select(columns)
    kept = result.orders.filter(pl.col("reason").fill_null("") != "insufficient_margin").select(columns)
    assert {"filled", "cancelled"} <= set(found["status"])
    joined = found.sort("count").with_columns(pl.col("average_price").round(8))
    assert joined.equals(kept.sort("count").with_columns(pl.col("average_price").round(8)))


def test_tables_join(run):
    place, result = run
    found = answer(
        place, "select o.strategy, sum(f.fee) as fees from fills f join orders o using (order_id) group by 1"
    )
    assert found.rows() == [("Mixed", result.fills["fee"].sum())]


def test_times_and_numbers_compare(run):
    place, _ = run
    whole = answer(place, "select time, price from trades")
    [cut] = whole["time"].slice(100, 1).dt.strftime("%Y-%m-%d %H:%M:%S%.9f")
    later = answer(place, f"select count(*) from trades where time > '{cut}'").item()
    times = whole["time"].to_physical()
    assert later == (times > times[100]).sum() > 0
    above = answer(place, "select count(*) from trades where price > 60010.5").item()
    assert above == (whole["price"].cast(pl.Float64) > 60010.5).sum()


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("select * from fils", "there is no table 'fils'", "did you mean fills?"),
        ("select pric from trades", 'unable to find column "pric"', "there are sequence, time, venue_time"),
        ("selct", "is not a select", "a journal is only read"),
        ("drop table fills", "is not a select", "a journal is only read"),
        ("delete from fills", "is not a select", "a journal is only read"),
        ("", "is not a select", "a journal is only read"),
        ("select * from trades; select 1", "one (and only one) statement", "polars' SQL"),
        ("select nosuch(price) from trades", "unsupported function 'nosuch'", "polars' SQL"),
        ("select * from trades where", "sql parser error", "polars' SQL"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(run, sql, message, hint):
    with pytest.raises(tw.TradewindError) as caught:
        query(run[0], sql)
    assert caught.value.code == "bad_query"
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_comment_may_come_first(run):
    assert answer(run[0], "-- how many\n/* really */ (select count(*) from fills)").item() > 0


def test_a_query_that_needs_little_stops_reading(run):
    assert answer(run[0], "select sequence from inputs limit 3").rows() == [(1,), (2,), (3,)]
    assert not [one for one in threading.enumerate() if one.name == "tradewind journal"]


def test_a_journal_in_memory_answers(market):
    storage = MemoryStorage()
    tw.backtest(tw.ema_cross(BTC, fast=5, slow=20), data=market, balances={"USDT": 100_000}, journal=storage)
    assert answer(storage, "select count(*) from inputs where kind = 'market'").item() == market.rows


def test_a_journal_that_is_damaged_while_it_is_read_is_an_error(run, tmp_path):
    place = tmp_path / "journal.sqlite"
    place.write_bytes(run[0].read_bytes())
    asked = query(place, "select count(*) from trades")
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 0xFF
    place.write_bytes(content)
    with pytest.raises(tw.TradewindError) as caught:
        asked.collect(engine="streaming")
    assert caught.value.code == "bad_journal"


def test_tables_are_lazy_frames(run):
    found = tables(run[0])
    assert found["fills"].select(pl.len()).collect().item() == run[1].metrics["fills"]
    with Journal(run[0]) as journal:
        assert found["inputs"].select(pl.len()).collect().item() == journal.ending.inputs


def test_a_fill_that_is_told_twice_counts_once(run):
    place, _ = run
    found = {name: tables(place)[name].collect() for name in NEEDED}
    once = orders_of(found)
    twice = orders_of({**found, "fills": pl.concat([found["fills"], found["fills"]])})
    assert twice.equals(once)
    assert once["filled"].sum() == found["fills"]["quantity"].sum()


def test_an_order_is_what_was_told_of_it_last(run):
    place, _ = run
    found = {name: tables(place)[name].collect() for name in NEEDED}
    [first, *_] = orders_of(found).filter(status="filled")["order_id"]

    def status(account: pl.Expr, fills: pl.Expr) -> str:
        cut = {"account": found["account"].filter(account), "fills": found["fills"].filter(fills)}
        row = orders_of({**found, **cut}).row(by_predicate=pl.col("order_id") == first, named=True)
        assert (row["closed"] is None) == (row["status"] in ("in_flight", "open", "partly_filled"))
        return str(row["status"])

    other, everything = pl.col("order_id") != first, pl.lit(value=True)
    accepted = (pl.col("kind") == "accepted") | other.fill_null(value=True)
    assert status(everything, everything) == "filled"
    assert status(accepted, other) == "open"
    assert status(other.fill_null(value=True), other) == "in_flight"


def told_late(table: pl.DataFrame, **values) -> pl.DataFrame:
    """A table with its last row once more, an hour later, with other values."""
    last = table.tail(1).with_columns(pl.col("sequence") + 10**6, pl.col("time") + pl.duration(hours=1, time_unit="ns"))
    changed = (pl.lit(value, table.schema[name]).alias(name) for name, value in values.items())
    return pl.concat([table, last.with_columns(*changed)])


@pytest.mark.parametrize("kind", ["accepted", "unknown", "cancelled", "rejected"])
@pytest.mark.parametrize("status", ["filled", "cancelled"])
def test_what_is_told_of_an_order_behind_its_end_is_old(run, status, kind):
    place, _ = run
    found = {name: tables(place)[name].collect() for name in NEEDED}
    whole = orders_of(found)
    [order, *_] = whole.filter(status=status)["order_id"]
    account = told_late(found["account"], order_id=order, kind=kind, code="order_not_open")
    assert orders_of({**found, "account": account}).equals(whole)


def test_a_late_fill_of_a_cancelled_order_is_money_and_no_other_end(run):
    place, _ = run
    found = {name: tables(place)[name].collect() for name in NEEDED}
    before, *_ = orders_of(found).filter(status="cancelled", filled=0).to_dicts()
    order, asked = before["order_id"], before["quantity"]
    account = told_late(found["account"], order_id=order, kind="fill", code=None)
    fills = told_late(found["fills"], order_id=order, trade_id=10**9, quantity=asked)
    fills = fills.with_columns(sequence=pl.when(order_id=order).then(account["sequence"][-1]).otherwise("sequence"))
    after = orders_of({**found, "account": account, "fills": fills}).row(
        by_predicate=pl.col("order_id") == order, named=True
    )
    assert after == {**before, "filled": asked, "average_price": pytest.approx(float(fills["price"][-1]))}
