"""The state of a recorded run at its entries."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from session_journals import recorded

import tradewind as tw
from tradewind.journal import Journal, MemoryStorage, info, query
from tradewind.journal.segments import segments
from tradewind.loading import load_strategy_class
from tradewind.session import rerun, state_at

BTC = "synthetic:BTCUSDT"
STRATEGY = """
import tradewind as tw


class Often(tw.Strategy):
    every: int = tw.param(30)
    seen: int = tw.state(0)

    def on_start(self, ctx):
        self.btc, self.note = ctx.instrument("synthetic:BTCUSDT"), "quiet"
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx, trade):
        self.seen += 1
        if self.seen % self.every == 0:
            self.note = "busy"
            ctx.buy(self.btc, 0.05, round(trade.price * 0.9999, 1))
        if self.seen % (4 * self.every) == 0:
            ctx.cancel_all()
            ctx.close(self.btc)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, tw.Result]:
    folder = tmp_path_factory.mktemp("rewind")
    file = folder / "often.py"
    file.write_text(STRATEGY)
    journal = folder / "journal.sqlite"
    market = {BTC: tw.synthetic(events=4_000)}
    result = tw.backtest(load_strategy_class(str(file))(), data=market, balances={"USDT": 100_000}, journal=journal)
    return journal, file, result


def test_the_last_entry_has_the_state_of_the_end(run: tuple[Path, Path, tw.Result]) -> None:
    journal, _, result = run
    with Journal(journal) as opened:
        ending = opened.ending
    state = state_at(journal, ending.entries)
    assert (state.state_hash, state.decisions_hash) == (ending.state_hash, ending.decisions_hash)
    assert state.equity == result.metrics["final_equity"]
    assert state.orders == [] and not state.is_trading
    wallet = Decimal(result.metrics["assets"][0]["wallet"])
    assert {asset: Decimal(held) for asset, held in state.balances["synthetic"].items()} == {"USDT": wallet}


def test_at_every_fill_the_position_is_the_sum_of_the_fills(run: tuple[Path, Path, tw.Result]) -> None:
    journal, _, _ = run
    fills = query(journal, "select sequence, side, quantity from fills").collect().rows()
    held = Decimal(0)
    assert len(fills) > 20
    for sequence, side, quantity in fills[:: len(fills) // 10]:
        held = sum((q if s == "buy" else -q for at, s, q in fills if at <= sequence), Decimal(0))
        state = state_at(journal, sequence)
        assert state.entry.startswith(f"fill of {BTC}: ") and f"side {side}, " in state.entry
        positions = [(strategy, name, Decimal(quantity)) for strategy, name, quantity in state.positions]
        assert positions == ([("Often", BTC, held)] if held else [])
        before = state_at(journal, sequence - 1)
        assert before.positions != state.positions


def test_strategies_and_open_orders_are_as_they_were(run: tuple[Path, Path, tw.Result]) -> None:
    journal, _, _ = run
    [(asked,)] = query(journal, "select sequence from orders order by sequence limit 1").collect().rows()
    before, after = state_at(journal, asked - 2), state_at(journal, asked)
    assert before.values == {"Often": {"every": "30", "seen": "29", "note": "'quiet'"}}
    assert after.values == {"Often": {"every": "30", "seen": "30", "note": "'busy'"}}
    assert before.orders == []
    [order] = after.orders
    assert str(order).startswith(f"order #{order.number} of Often (count 1): buy 0.05 {BTC} at ")
    assert order.number == query(journal, "select order_id from orders order by sequence").collect().item(0, 0)
    assert (order.strategy, order.count, order.side, order.quantity, order.status) == (
        "Often",
        1,
        "buy",
        "0.05",
        "in_flight",
    )
    assert after.entry.startswith(f"Often decides: place of {BTC}: order_id 1, ")


def test_the_recorded_source_counts_and_not_the_file(run: tuple[Path, Path, tw.Result]) -> None:
    journal, file, _ = run
    last = state_at(journal, 3_000)
    try:
        file.write_text(STRATEGY.replace("% self.every == 0", "% 7 == 0"))
        changed = state_at(journal, 3_000)
        assert changed.state_hash == last.state_hash and changed.values == last.values
        assert changed.notes == [f"{file} was changed after the run; its recorded source was used"]
    finally:
        file.write_text(STRATEGY)


@pytest.mark.parametrize("sequence", [0, -1, 1_000_000])
def test_an_entry_that_is_not_there_is_an_error(run: tuple[Path, Path, tw.Result], sequence: int) -> None:
    with pytest.raises(tw.TradewindError, match="has no entry") as caught:
        state_at(run[0], sequence)
    assert caught.value.code == "bad_setting" and "its entries are 1 to " in caught.value.hint


def test_a_strategy_without_a_file_can_be_given(run: tuple[Path, Path, tw.Result]) -> None:
    class Local(tw.Strategy):
        pass

    storage = MemoryStorage()
    tw.backtest(Local(), data={BTC: tw.synthetic(events=100)}, balances={"USDT": 100_000}, journal=storage)
    with pytest.raises(tw.TradewindError, match="not defined in a file"):
        state_at(storage, 5)
    assert state_at(storage, 5, [Local()]).positions == []


def test_a_session_in_segments_is_entered_at_a_snapshot(tmp_path: Path) -> None:
    """What lies before the snapshot is not even opened, and the state is that of the whole way."""
    segmented = recorded(tmp_path)
    with Journal(segmented.journal) as journal:
        last, ending = journal.last, journal.ending
    wanted = [last - 200, last - 31, last]
    kept = segments(segmented.journal)
    whole = [state_at(segmented.journal, one) for one in wanted]
    assert whole[-1].state_hash == ending.state_hash
    assert [one.values["Patient"]["seen"] for one in whole] == sorted(one.values["Patient"]["seen"] for one in whole)
    with pytest.raises(tw.TradewindError, match="has no entry") as caught:
        state_at(segmented.journal, last + 1)
    assert caught.value.hint == f"its entries are 1 to {last:,}"
    kept[0].path.write_bytes(b"nothing" * 2_000)
    assert [state_at(segmented.journal, one) for one in wanted] == whole
    kept[0].path.unlink()
    with Journal(segmented.journal) as journal:
        first = journal.first
    assert state_at(segmented.journal, first + 50).sequence == first + 50
    with pytest.raises(tw.TradewindError, match="has no entry 3") as caught:
        state_at(segmented.journal, 3)
    assert f"{first:,} to {last:,}" in caught.value.hint
    assert info(segmented.journal).first_entry == first
    assert info(segmented.journal).segments == 4
    later = query(segmented.journal, "select min(sequence) as first, max(sequence) as last from inputs").collect()
    assert later.rows() == [(first, last)]
    with pytest.raises(tw.TradewindError, match="were dropped"):
        rerun(segmented.journal, tw.ema_cross(BTC))


def test_a_session_in_segments_runs_another_strategy(tmp_path: Path) -> None:
    segmented = recorded(tmp_path)
    again = rerun(segmented.journal, load_strategy_class(str(tmp_path / "patient.py"))())
    assert again.other == again.session and again.session["fills"] > 10
    with Journal(segmented.journal) as journal:
        assert again.result.state_hash == journal.ending.state_hash
