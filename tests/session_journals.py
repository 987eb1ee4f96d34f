"""Journals of sessions, written without a venue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import tradewind as tw
from tradewind import _core, instruments
from tradewind.backtest import Settings
from tradewind.dataset import Dataset, definition
from tradewind.journal import Manifest
from tradewind.journal.manifest import manifest_of
from tradewind.journal.segment_writer import Keeping, SegmentWriter
from tradewind.loading import load_strategy_class
from tradewind.session.recovery import recover

BTC = "synthetic:BTCUSDT"
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
KINDS = ("trades", "quotes")
MINUTES = Keeping(segment_ns=MINUTE_NS)
SOURCE = """
import tradewind as tw


class Patient(tw.Strategy):
    size: float = tw.param(1.0)
    seen: int = tw.state(0)

    def on_start(self, ctx):
        self.btc = ctx.instrument("synthetic:BTCUSDT")
        self.average = ctx.indicator(tw.Ema(5), self.btc.trades)

    def on_trade(self, ctx, trade):
        self.seen += 1
        if self.seen % 7 == 0:
            ctx.target(self.btc, self.size if trade.price > self.average.value else -self.size)
"""


@dataclass
class Run:
    """A session's kernel with what its journal needs."""

    folder: Path
    source: str = SOURCE
    size: float = 1.0

    def __post_init__(self) -> None:
        self.journal = self.folder / "journal"
        file = self.folder / "patient.py"
        file.write_text(self.source)
        self.strategies = [load_strategy_class(str(file))(size=self.size)]
        fields = (instruments.load(BTC),)
        self.index = _core.Index([definition(one) for one in fields])
        self.settings = Settings(balances={"USDT": 1_000_000}, venues={"synthetic": tw.Simulated("5ms", lag="10ms")})
        self.data = Dataset(self.index, fields, ())
        run = self.settings.run(self.strategies, self.data, keep="everything", journal=True)
        self.kernel = _core.Session({**run, "value_streams": None}, [(0, kind) for kind in KINDS])

    @property
    def manifest(self) -> Manifest:
        manifest = manifest_of(self.data, self.strategies, self.settings)
        stated = {**manifest.settings, "mode": "paper", "run": "abc", "reached": {}}
        return msgspec.structs.replace(
            manifest, streams=[(BTC, kind) for kind in KINDS], value_streams=None, settings=stated
        )

    def begin(self, keeping: Keeping = MINUTES) -> SegmentWriter:
        """Start, with the first block written."""
        writer = SegmentWriter.begin(self.journal, self.manifest, 0, keeping).__enter__()
        self.kernel.start(0, False)
        writer.write(self.kernel.take_journal())
        return writer

    def recover(self) -> tuple[Manifest, int, bytes]:
        return recover(self.kernel, self.journal, self.manifest)

    def feed(self, seconds: range, writer: SegmentWriter | None = None) -> None:
        """A quote and a trade a second, in a block of their own."""
        for second in seconds:
            inbox = _core.Inbox(self.index)
            price = 100 + (second * 7919) % 23
            inbox.quote(BTC, second * SECOND_NS - 10**6, second * SECOND_NS, str(price), "50", str(price + 1), "50")
            inbox.trade(BTC, second * SECOND_NS, second * SECOND_NS + 10**6, str(price), "5", "buy", second)
            self.kernel.take_rows(inbox)
            if writer is not None:
                writer.write(self.kernel.take_journal())
                writer.keep_up(self.kernel)

    def finish(self, writer: SegmentWriter) -> None:
        self.kernel.finish()
        writer.write(self.kernel.take_journal())
        writer.finish(self.kernel.outcome())
        writer.__exit__(None, None, None)


def recorded(folder: Path, keeping: Keeping = MINUTES, seconds: int = 300, **settings: Any) -> Run:
    """A session that came to its end."""
    run = Run(folder, **settings)
    writer = run.begin(keeping)
    run.feed(range(1, seconds), writer)
    run.finish(writer)
    return run


def cut_off(folder: Path, keeping: Keeping = MINUTES, seconds: int = 300, **settings: Any) -> Run:
    """A session whose process ended: what is open is let go of without an ending."""
    run = Run(folder, **settings)
    writer = run.begin(keeping)
    run.feed(range(1, seconds), writer)
    writer._close()
    return run
