from __future__ import annotations

import sys

import pytest

import tradewind as tw
from tradewind.journal import Journal, MemoryStorage, replay, verify
from tradewind.loading import load_strategy_class

EVERY_50 = "if self.seen % 50 == 0:\n    ctx.buy(self.btc, self.quantity)\n"


def test_an_unchanged_run_is_identical(write, record):
    report = replay(record(write(EVERY_50)))
    assert report.identical
    assert report.decisions > 10
    assert report.notes == ()
    assert report.actual_state_hash == report.expected_state_hash


def test_a_changed_strategy_is_named_with_its_first_divergence(write, record):
    journal = record(write(EVERY_50))
    write(EVERY_50.replace("self.quantity", "self.quantity if self.seen < 200 else 0.07"))
    report = replay(journal)
    assert not report.identical
    divergence = report.divergence
    assert divergence.expected == "Orders order 4: buy 0.05 synthetic:BTCUSDT at market, gtc"
    assert divergence.actual == "Orders order 4: buy 0.07 synthetic:BTCUSDT at market, gtc"
    assert divergence.event == "trade of synthetic:BTCUSDT"
    assert divergence.time.tzinfo is not None
    assert str(divergence.sequence) in str(report).replace(",", "")
    assert report.notes == (f"{journal.parent / 'orders.py'} was changed after the run",)


def test_orders_that_are_missing_or_too_many_are_divergences(write, record):
    journal = record(write(EVERY_50))
    write("if self.seen % 50 == 0 and self.seen < 300:\n    ctx.buy(self.btc, self.quantity)\n")
    fewer = replay(journal).divergence
    assert (fewer.expected is not None, fewer.actual) == (True, None)
    write("if self.seen % 50 in (0, 1):\n    ctx.buy(self.btc, self.quantity)\n")
    more = replay(journal).divergence
    assert more.expected is None or more.actual != more.expected


def test_a_last_order_too_many_is_found_at_the_end(write, record, market):
    journal = record(write("pass"))
    file = write("pass")
    file.write_text(file.read_text() + "\n    def on_stop(self, ctx):\n        ctx.timer(after=1)\n")
    report = replay(journal)
    assert report.divergence.event == "command: stop"
    assert report.divergence.expected is None


def test_a_changed_source_that_decides_the_same_is_a_note(write, record):
    journal = record(write(EVERY_50))
    write("# said better\n" + EVERY_50)
    report = replay(journal)
    assert report.identical
    assert len(report.notes) == 1


def test_another_indicator_with_the_same_orders_is_a_note(write, record):
    journal = record(write(EVERY_50))
    file = write(EVERY_50)
    file.write_text(
        file.read_text().replace("self.seen = 0", "self.seen = 0\n        ctx.indicator(tw.Ema(5), self.btc.trades)")
    )
    report = replay(journal)
    assert report.identical
    assert report.notes


def test_the_recorded_source_serves_where_the_file_is_gone(write, record):
    file = write(EVERY_50)
    journal = record(file)
    file.unlink()
    report = replay(journal)
    assert report.identical
    assert report.notes == (f"{file} is gone; its recorded source was used",)


def test_modules_beside_the_strategy_are_recorded_and_loaded_anew(write, record, tmp_path):
    (tmp_path / "sizes.py").write_text("SIZE = 0.05\n")
    file = write("from sizes import SIZE\nif self.seen % 50 == 0:\n    ctx.buy(self.btc, SIZE)\n")
    file.write_text("import sizes\n" + file.read_text())
    journal = record(file)
    with Journal(journal) as recorded:
        assert [one.module for one in recorded.manifest.code.modules] == ["orders", "sizes"]
    assert replay(journal).identical
    file.unlink()
    (tmp_path / "sizes.py").unlink()
    assert verify(journal, hash_seeds=[3]).identical
    (tmp_path / "sizes.py").write_text("SIZE = 0.0625\n")


def test_chance_of_the_context_is_replayed(write, record):
    assert replay(
        record(write("if ctx.random.random() < 0.02:\n    ctx.buy(self.btc, self.quantity)\n"), seed=7)
    ).identical


def test_several_strategies_and_a_check_of_the_user_are_replayed(market, write, tmp_path):
    file = write(EVERY_50)
    file.write_text(
        file.read_text() + "\n\ndef small(ctx, order):\n    return 'large' if order.quantity > 0.1 else None\n"
    )
    cls = load_strategy_class(str(file))
    check = vars(sys.modules[cls.__module__])["small"]
    journal = tmp_path / "run.sqlite"
    strategies = [cls(name="b"), cls(name="a", quantity=0.2), tw.ema_cross("synthetic:BTCUSDT", quantity=0.05)]
    result = tw.backtest(
        strategies, data=market, balances={"USDT": 100_000}, journal=journal, risk=tw.Risk(checks=(check,))
    )
    assert result.metrics["total"]["orders_refused"] > 0
    report = replay(journal)
    assert report.identical, report
    assert verify(journal, hash_seeds=[1]).identical
    file.write_text(file.read_text().replace("> 0.1", "> 0.3"))
    assert not replay(journal).identical


def test_strategies_can_be_given(market):
    class Local(tw.Strategy):
        every: int = tw.param(50)

        def on_start(self, ctx):
            self.btc, self.seen = ctx.instrument("synthetic:BTCUSDT"), 0
            ctx.subscribe(self.btc.trades)

        def on_trade(self, ctx, trade):
            self.seen += 1
            if self.seen % self.every == 0:
                ctx.buy(self.btc, 0.05)

    storage = MemoryStorage()
    tw.backtest(Local(), data=market, balances={"USDT": 100_000}, journal=storage)
    assert replay(storage, [Local()]).identical
    assert not replay(storage, [Local(every=51)]).identical
    with pytest.raises(tw.TradewindError, match="not defined in a file"):
        replay(storage)
    with pytest.raises(tw.TradewindError, match="given are Local, x"):
        replay(storage, [Local(), Local(name="x")])


def test_a_run_that_fails_is_marked_and_never_identical(write, record, tmp_path):
    file = write("if self.seen == 300:\n    raise RuntimeError('no more')\n" + EVERY_50)
    with pytest.raises(RuntimeError, match="no more"):
        record(file)
    journal = tmp_path / "journal.sqlite"
    with Journal(journal) as recorded:
        assert not recorded.ending.finished
        assert recorded.ending.reason == "RuntimeError: no more"
    failed = replay(journal)
    assert (failed.verdict, failed.identical, failed.agrees) == ("unfinished", False, True)
    assert "fails again, at its last event: RuntimeError: no more" in failed.problem
    write("if self.seen == 200:\n    raise RuntimeError('no more')\n" + EVERY_50)
    with pytest.raises(RuntimeError, match="no more"):
        replay(journal)
    write(EVERY_50)
    report = replay(journal)
    assert (report.verdict, report.identical) == ("unfinished", False)
    assert report.decisions > 0


def test_an_interrupted_run_is_marked(write, record, tmp_path, market):
    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(write(EVERY_50), progress=stop)
    report = replay(tmp_path / "journal.sqlite")
    assert report.verdict == "unfinished"
    assert "it was stopped" in report.problem


def test_a_file_that_runs_a_backtest_when_it_is_loaded_is_refused(write, record, tmp_path):
    file = write(EVERY_50)
    journal = record(file)
    file.write_text(file.read_text() + "\ntw.backtest(Orders(), data={}, balances={})\n")
    with pytest.raises(tw.TradewindError, match="__main__"):
        replay(journal)


def test_an_old_journal_is_replaced_and_anything_else_is_not(write, record, tmp_path):
    file = write(EVERY_50)
    record(file)
    assert replay(record(file)).identical
    (tmp_path / "journal.sqlite").write_text("my notes")
    with pytest.raises(tw.TradewindError, match="is not a journal"):
        record(file)
    assert (tmp_path / "journal.sqlite").read_text() == "my notes"
