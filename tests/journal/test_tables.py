from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers import BTC, SPOT, START, quote_rows, times, trade_rows

import tradewind as tw
from tradewind._core import first_entries
from tradewind.journal import Journal, JournalWriter, MemoryStorage
from tradewind.journal import tables as lazy_tables
from tradewind.journal.tables import MARKET, TABLES, Decoder


class Everything(tw.Strategy):
    """Names every stream, sets timers, and trades now and then."""

    def on_start(self, ctx: tw.Context) -> None:
        self.btc = ctx.instrument(BTC)
        ctx.subscribe(self.btc.trades, self.btc.quotes, self.btc.marks, self.btc.funding, "mood")
        ctx.timer(after="2s")

    def on_quote(self, ctx: tw.Context, quote: tw.Quote) -> None:
        if ctx.position(self.btc).quantity == 0:
            ctx.buy(self.btc, 0.2)


def table(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({"time": times(2), **columns})


@pytest.fixture(scope="module")
def storage() -> MemoryStorage:
    storage = MemoryStorage()
    tw.backtest(
        Everything(),
        data={
            BTC: [
                trade_rows([100.1, 99.9, 100.3, 123_456.7, 0.1, 100.2], quantity=0.125),
                quote_rows([100.0, 100.2, 100.1, 100.4, 100.3, 100.2]),
                tw.marks(table(mark_price=["100.12345678", "100.5"])),
                tw.funding(table(rate=["0.0001", "-0.000000001"])),
            ],
            "mood": tw.values(pl.DataFrame({"time": times(2), "value": [0.25, -1.5]})),
        },
        balances={"USDT": 100_000},
        commands=[tw.Command(START + timedelta(seconds=3), "close_all", instrument=BTC)],
        incidents=[tw.Halt(BTC, START + timedelta(seconds=1.2), START + timedelta(seconds=1.4))],
        journal=storage,
    )
    return storage


def decoded(storage: MemoryStorage, *, joined: bool = False) -> dict[str, pl.DataFrame]:
    with Journal(storage) as journal:
        decoder = Decoder(journal.manifest)
        parts = {name: [frame] for name, frame in decoder.empty().items()}
        for block in journal.batches() if joined else journal.blocks():
            for name, frame in decoder.decode(block).items():
                parts[name].append(frame)
    return {name: pl.concat(frames) for name, frames in parts.items()}


def test_every_entry_is_in_one_table(storage):
    tables = decoded(storage)
    with Journal(storage) as journal:
        ending = journal.ending
    numbered = pl.concat([tables["inputs"]["sequence"], tables["decisions"]["sequence"]]).sort()
    assert numbered.to_list() == list(range(1, ending.entries + 1))
    assert tables["inputs"].height == ending.inputs
    assert sum(tables[name].height for name in MARKET) == ending.rows
    assert tables["fills"].height == ending.fills > 0
    by_kind = dict(tables["inputs"]["kind"].value_counts().rows())
    named = {"market": ending.rows, "value": 2, "status": 2, "timer": 1}
    assert by_kind == named | {"account": tables["account"].height, "command": tables["commands"].height}
    assert set(tables) == set(TABLES)
    assert tables["account"].filter(kind="fill").height == tables["fills"].height


def test_numbers_are_exact_and_times_whole(storage):
    tables = decoded(storage)
    assert tables["trades"]["price"].to_list() == [
        Decimal(one) for one in ("100.1", "99.9", "100.3", "123456.7", "0.1", "100.2")
    ]
    assert tables["trades"]["quantity"].unique().to_list() == [Decimal("0.125")]
    assert tables["funding"]["rate"].to_list() == [Decimal("0.0001"), Decimal("-0.000000001")]
    assert tables["trades"]["time"].dtype == pl.Datetime("ns", "UTC")
    assert tables["trades"]["time"].to_list() == times(6)
    assert tables["values"].select("stream", "kind", "number").rows() == [
        ("mood", "number", 0.25),
        ("mood", "number", -1.5),
    ]
    [deposit] = tables["account"].filter(kind="deposit").rows(named=True)
    assert (deposit["asset"], deposit["amount"]) == ("USDT", Decimal(100_000))


def test_conditions_commands_and_timers_have_their_names(storage):
    tables = decoded(storage)
    assert tables["status"].select("kind", "instrument", "stream").rows() == [
        ("halted", BTC, None),
        ("resumed", BTC, None),
    ]
    commands = tables["commands"].select("command", "strategy", "instrument").rows()
    assert commands[0] == ("start", None, None)
    assert ("close_all", None, BTC) in commands
    [timer] = tables["timers"].rows(named=True)
    assert (timer["purpose"], timer["strategy"], timer["due"]) == (
        "strategy",
        "Everything",
        START + timedelta(seconds=2),
    )
    placed = tables["decisions"].filter(kind="place")
    assert placed["strategy"].unique().to_list() == ["Everything"]
    assert placed["quantity"].to_list() == [Decimal("0.2")] * placed.height
    assert tables["decisions"].filter(kind="timer")["due"].to_list() == [START + timedelta(seconds=2)]


def test_blocks_may_be_cut_anywhere(storage, market):
    """A decision belongs to the time of its input, although that is in the block before."""
    small = MemoryStorage()
    with Journal(storage) as journal, JournalWriter(small, journal.manifest) as writer:
        for block in journal.blocks():
            for place, entry in enumerate(one_by_one(block.data)):
                writer.write((block.first + place, block.first + place, entry))
    whole, cut, again = decoded(storage), decoded(small), decoded(small, joined=True)
    for name in TABLES:
        assert whole[name].equals(cut[name]), name
        assert whole[name].equals(again[name]), name


def one_by_one(data: bytes) -> list[bytes]:
    found, done = [], 0
    while done < len(data):
        length = len(first_entries(data, len(found) + 1))
        found.append(data[done:length])
        done = length
    return found


def test_only_wanted_columns_are_made(storage):
    with Journal(storage) as journal:
        decoder = Decoder(journal.manifest, {"trades": ["price", "time"], "fills": None})
        [block] = journal.blocks()
        tables = decoder.decode(block)
    assert set(tables) == {"trades", "fills"}
    assert set(tables["trades"].columns) == {"time", "price"}
    assert tables["trades"].select("time", "price").equals(decoded(storage)["trades"].select("time", "price"))


def test_amounts_beyond_64_bits_are_exact():
    storage = MemoryStorage()
    amount = Decimal("123456789012345678.12345678")
    tw.backtest(
        tw.ema_cross(SPOT, short=False), data={SPOT: trade_rows([1.0])}, balances={"USDT": amount}, journal=storage
    )
    assert decoded(storage)["account"]["amount"].to_list() == [amount]


def test_every_row_of_a_large_market_is_that_of_the_data(market):
    """All of a synthetic market, against the frame that it was made from."""
    storage = MemoryStorage()
    tw.backtest(tw.ema_cross(BTC, quantity=0.05), data=market, balances={"USDT": 100_000}, journal=storage)
    tables = decoded(storage)
    source = tw.synthetic(events=3_000).frame(market.index.instrument(BTC))
    trades = source.filter(pl.col("kind") == 4)
    assert np.array_equal(tables["trades"]["time"].to_physical(), trades["arrival_time_ns"])
    assert np.array_equal(tables["trades"]["venue_time"].to_physical(), trades["venue_time_ns"])
    assert [int(price.scaleb(1)) for price in tables["trades"]["price"]] == trades["a"].to_list()
    assert isinstance(tables["trades"]["time"][0], datetime)


def test_the_documentation_lists_every_column(storage):
    page = (Path(__file__).parents[2] / "docs" / "replay.md").read_text(encoding="utf-8")
    listed = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1].startswith("`"):
            listed[cells[1].strip("`")] = [name.strip("` ") for name in cells[3].split(",")]
    assert {name: frame.collect_schema().names() for name, frame in lazy_tables(storage).items()} == listed
