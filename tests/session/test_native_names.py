"""A native strategy carries the name that the system file gives it, in every mode, as a Python one does."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from session_bench import STILL, Bench, on_bench

import tradewind as tw
from tradewind.control.status import Observer
from tradewind.journal import Journal, query
from tradewind.journal.code import differences, record
from tradewind.session.parity import parity

BTC = "binance_spot:BTCUSDT"
TWO = "".join(
    f"""
[strategies.{name}]
class = "tradewind:ema_cross"
parameters = {{ instrument = "{BTC}", fast = {fast}, slow = {slow}, quantity = 0.001, short = false }}
"""
    for name, fast, slow in (("quick", 2, 4), ("slow", 3, 9))
)


def traders(table: Any) -> set[str]:
    return set(table.collect()["strategy"].to_list())


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_two_of_a_kind_trade_under_their_own_names(tmp_path: Path, mode: Any) -> None:
    async def work(bench: Bench) -> None:
        for ends in ("killed", "in order"):
            async with bench.session(mode, ends=ends) as ready:
                assert ready.is_recovered == (ends == "in order")
                wanted = ready.kernel.outcome()["fills"] + 6
                await bench.until(lambda ready=ready, wanted=wanted: ready.kernel.outcome()["fills"] > wanted)
                status = Observer(ready.session, ready.about).status()
                assert [one.name for one in status.strategies] == ["busy", "quick", "slow"]
                ordered = {one.strategy for one in [*status.open_orders, *status.closed_orders]}
                assert ordered == {"quick", "slow"}
                assert {one.strategy for one in status.positions} <= {"busy", "quick", "slow"}
                ready.session.command("close_all", strategy="slow")

    on_bench(tmp_path, STILL, work, TWO)
    run = tmp_path / "runs/busy" / mode
    with Journal(run) as journal:
        assert [(one.name, one.native) for one in journal.manifest.code.strategies] == [
            ("busy", None), ("quick", "ema_cross"), ("slow", "ema_cross"),
        ]  # fmt: skip
    assert traders(query(run, "select strategy from orders")) == {"quick", "slow"}
    filled = query(run, "select o.strategy from fills f join orders o using (order_id)")
    assert traders(filled) == {"quick", "slow"}
    assert traders(query(run, "select strategy from commands where strategy is not null")) == {"slow"}
    assert tw.journal.replay(run).identical
    if mode == "paper":
        assert parity(run).is_equal


def test_a_backtest_and_its_reports_have_them_too(tmp_path: Path) -> None:
    parameters = {"instrument": "synthetic:BTCUSDT", "fast": 5, "slow": 20, "quantity": 0.05}
    system = tw.System(
        venues={"synthetic": {"simulated": {"preset": "typical"}}},
        accounts={"main": {"venue": "synthetic", "balances": {"USDT": 100_000}}},
        strategies={
            name: {"class": "tradewind:ema_cross", "parameters": {**parameters, "fast": fast}}
            for name, fast in (("one", 5), ("other", 6))
        },
        data=[{"instrument": "synthetic:BTCUSDT", "kind": "synthetic", "events": 5_000}],
    )
    result = system.backtest(journal=tmp_path / "run.sqlite")
    assert set(result.orders["strategy"]) == {"one", "other"} == set(result.fills["strategy"])
    assert tw.journal.replay(tmp_path / "run.sqlite").identical
    said = [tw.ema_cross(**parameters, name="one"), tw.ema_cross(**{**parameters, "fast": 6}, name="other")]
    direct = tw.backtest(said, data={"synthetic:BTCUSDT": tw.synthetic(events=5_000)}, balances={"USDT": 100_000})
    assert direct.state_hash == result.state_hash


def test_a_native_strategy_has_a_kind_and_a_name() -> None:
    plain = tw.ema_cross(BTC)
    assert (plain.kind, plain.name) == ("ema_cross", "ema_cross")
    named = plain.named("cross")
    assert (named.kind, named.name, named.parameters) == ("ema_cross", "cross", plain.parameters)
    again = pickle.loads(pickle.dumps(named))
    assert (again.kind, again.name, again.parameters) == ("ema_cross", "cross", plain.parameters)
    same = tw.NativeStrategy("follow_trades", plain.parameters, "cross")
    assert differences(record([named], []), record([same], [])) == ["the strategy cross"]
    assert differences(record([named], []), record([again], [])) == []
