from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

import tradewind as tw
from tradewind._core import MEASURED_SHARES
from tradewind.journal import MemoryStorage
from tradewind.journal.latency import _answers, _cut, _ways, latencies, measured
from tradewind.loading import load_strategy_class
from tradewind.simulation import Exponential, Measured, Uniform, as_latency
from tradewind.times import duration_text


def run(market, **simulated):
    storage = MemoryStorage()
    tw.backtest(
        tw.ema_cross("synthetic:BTCUSDT", fast=5, slow=20, quantity=0.5),
        data=market,
        balances={"USDT": 100_000},
        venues={"synthetic": tw.Simulated(**simulated)},
        journal=storage,
    )
    return latencies(storage)


def test_constant_latencies_are_found_exactly(market):
    found = run(market, latency="5ms", answer_latency="3ms")
    answered = found.drop_nulls("answer")
    assert answered.height > 20
    assert set(found["kind"]) == {"place", "cancel"}
    assert set(answered["request_latency_ns"]) == {5_000_000}
    assert set(answered["answer_latency_ns"]) == {3_000_000}
    assert measured(found) == {"synthetic": ("5ms", "3ms")}


def test_what_a_venue_ends_by_itself_answers_no_cancel(market, write):
    file = write("""
        ctx.cancel_all()
        ctx.buy(self.btc, 0.001, trade.price, time_in_force="ioc")
    """)
    storage = MemoryStorage()
    tw.backtest(
        load_strategy_class(str(file))(),
        data=market,
        balances={"USDT": 100_000},
        venues={"synthetic": tw.Simulated(latency="200ms", answer_latency="500ms")},
        journal=storage,
    )
    cancels = latencies(storage).filter(kind="cancel").drop_nulls("answer")
    assert cancels.height > 20
    # Each order had come to its end before its cancel was there.
    assert set(cancels["answer"]) == {"cancel_rejected"}
    assert set(cancels["request_latency_ns"]) == {200_000_000}
    assert set(cancels["answer_latency_ns"]) == {500_000_000}


def test_a_cancel_that_is_asked_for_again_was_not_answered_before():
    requests = pl.DataFrame({"sequence": [1, 2, 6, 7], "order_id": [1, 1, 1, 2], "kind": ["place", *["cancel"] * 3]})
    reports = pl.DataFrame({"order_id": [2, 1], "answer": "cancelled", "answered": [8, 9]})
    found = _answers(requests, reports, "cancel").sort("sequence")
    cancels = [(2, 1, "cancel", None, None), (6, 1, "cancel", "cancelled", 9), (7, 2, "cancel", "cancelled", 8)]
    assert found.rows() == cancels


def test_what_waited_for_a_connection_tells_nothing_of_the_way():
    status = pl.DataFrame(
        {
            "sequence": [1, 3, 10, 20, 21],
            "kind": ["disconnected", "connected", "disconnected", "connected", "disconnected"],
            "venue": ["v", "v", "v", "v", "w"],
            "part": "orders",
        }
    )
    # Asked and answered: up, across a loss, while it was down, behind it, and never.
    answers = pl.DataFrame({"sequence": [4, 9, 12, 22, 23], "answered": [5, 24, 19, 30, None], "instrument": "v:X"})
    found = _cut(answers, status)
    assert found["is_cut"].to_list() == [False, True, True, False, False]
    ways = found.with_columns(request_latency_ns=pl.Series([5, 10**10, 10**10, 5, None]), answer_latency_ns=7)
    assert measured(ways) == {"v": ("0.000005ms", "0.000007ms")}
    # Of simulated venues no connection is told.
    assert not _cut(answers, status.clear())["is_cut"].any()


def test_every_way_is_within_what_it_was_drawn_from(market):
    found = run(market, latency=Uniform("2ms", "9ms"), answer_latency="1ms").drop_nulls("answer")
    low, high = found["request_latency_ns"].min(), found["request_latency_ns"].max()
    assert 2_000_000 <= low < 3_000_000 < 8_000_000 < high
    # Messages keep their order, so that one may wait for the one before it.
    assert all(first <= second for first, second in pairwise(found.sort("venue_time_ns")["arrival_ns"]))
    whole = found["request_latency_ns"] + found["answer_latency_ns"]
    assert whole.equals(found["arrival_ns"] - found["sent_ns"], check_names=False)


def test_what_was_measured_is_drawn_again(market):
    stated = {"latency": Exponential("2ms", "5ms"), "answer_latency": Uniform("1ms", "3ms")}
    found = run(market, **stated)
    [(there, back)] = measured(found).values()
    assert isinstance(there, Measured) and isinstance(back, Measured)
    again = run(market, latency=there, answer_latency=back)
    assert again.equals(run(market, latency=there, answer_latency=back))
    for way in ("request_latency_ns", "answer_latency_ns"):
        assert found[way].min() <= again[way].min() and again[way].max() <= found[way].max()
        assert again[way].median() == pytest.approx(found[way].median(), rel=0.5)


def test_the_quantiles_are_those_of_numpy_and_a_slow_request_of_thousands_is_the_largest_alone():
    latencies_ns = np.random.default_rng(1).integers(1_000_000, 2_000_000, 5_000).tolist()
    latencies_ns[777] = 5_000_000_000
    found = Measured.of(latencies_ns).quantiles_ns
    assert found == pytest.approx(np.quantile(latencies_ns, MEASURED_SHARES), abs=1)
    assert found[-2] < 2_000_000 < found[-1] == 5_000_000_000


def test_what_was_never_answered_tells_nothing():
    frame = pl.DataFrame(
        {
            "instrument": ["a:X", "b:Y"],
            "request_latency_ns": [1_000, None],
            "answer_latency_ns": [2_000, None],
            "is_cut": False,
        }
    )
    assert measured(frame) == {"a": ("0.001ms", "0.002ms")}


@pytest.mark.parametrize(
    "latency", ["5ms", Uniform("1.5ms", "2ms"), Exponential("0.000001ms", "12ms"), Measured.of([5, 7])]
)
def test_a_latency_of_a_manifest_is_that_of_the_run(latency):
    stated = tw.Simulated(latency=latency).values("v")["request_latency"]
    assert as_latency(stated) == latency
    assert tw.Simulated(latency=as_latency(stated)).values("v")["request_latency"] == stated


def test_durations_are_written_exactly():
    assert [duration_text(one) for one in (0, 1, 1_000_000)] == ["0ms", "0.000001ms", "1ms"]
    assert duration_text(86_400 * 10**9 + 1) == "86400000.000001ms"


@pytest.mark.parametrize(
    ("reported_ms", "arrival_ms", "expected_ms", "said"),
    [
        (11, 14, 11.5, "stated"),  # the middle of the millisecond that it tells
        (10, 14, 10.9, "stated"),  # and of what is left of it after the sending, at 10.8
        (9, 14, 10.8, "stated"),  # clocks are not exact: it cannot have come before it was sent
        (9, 11, 10.9, "halved"),  # of a short way the half is surer
        (14, 14, 14, "stated"),  # it arrived before its time by our clock
        (14.1, 14.1, 12.45, "halved"),  # no time was told: it is that of the arrival
    ],
)
def test_a_time_of_the_venue_counts_as_far_as_it_can_be_true(reported_ms, arrival_ms, expected_ms, said):
    at = {name: int(ms * 10**6) for name, ms in [("reported_ns", reported_ms), ("arrival_ns", arrival_ms)]}
    answers = pl.DataFrame(
        {
            "sequence": 1, "strategy": "one", "count": 1, "order_id": 1, "kind": "place", "instrument": "v:X",
            "answer": "accepted", "decided_ns": 10_800_000, "is_cut": False, **at,
        }
    )  # fmt: skip
    (way,) = _ways(answers, is_live=True).to_dicts()
    assert (way["venue_time_ns"], way["venue_time"]) == (expected_ms * 10**6, said)
    assert way["request_latency_ns"] + way["answer_latency_ns"] == at["arrival_ns"] - 10_800_000
