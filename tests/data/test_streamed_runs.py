"""Runs over data that are read in chunks while the run goes on: the same hashes, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tradewind as tw
from tradewind.journal import replay

MS = 1_000_000
BTC = "synthetic:BTCUSDT"
PERPETUAL = "binance_usdm:BTCUSDT"
ROWS = 20_000


class Follows(tw.Strategy):
    """Turns with the average of the trades."""

    name_of: str = tw.param(BTC)

    def on_start(self, ctx: tw.Context) -> None:
        self.what = ctx.instrument(self.name_of)
        self.ema = ctx.indicator(tw.Ema(50), self.what.trades)

    def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
        if self.ema.ready:
            ctx.target(self.what, 0.01 if trade.price > self.ema.value else -0.01)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trades with arrivals that are late by up to 50 ms."""
    file = tmp_path_factory.mktemp("data") / "trades.parquet"
    places = pl.int_range(ROWS, eager=True)
    price = 60_000 + (places * 7_919 % 1_000) / 10
    arrival = 1_700_000_000_000_000_000 + places * 100 * MS
    table = pl.DataFrame({"arrival": arrival, "time": arrival - places * 31 % 50 * MS, "price": price})
    table.with_columns(quantity=0.5).write_parquet(file)
    return file


def trades(file: Path) -> Any:
    return tw.trades(file, time_unit="ns")


def go(data: tw.Dataset, name: str = BTC) -> tw.Result:
    return tw.backtest(Follows(name_of=name), data=data, balances={"USDT": 100_000})


def hashes(result: tw.Result) -> tuple[str, str]:
    return result.decisions_hash, result.state_hash


@pytest.mark.parametrize("chunk_rows", [997, 7_000, None])
def test_a_file_of_trades(parquet: Path, chunk_rows: int | None) -> None:
    whole = tw.load({BTC: trades(parquet)})
    fed = tw.load({BTC: trades(parquet)}, chunk_rows=chunk_rows, stream=True)
    assert (fed.rows, fed.digest, fed.reports) == (ROWS, whole.digest, whole.reports)
    expected = go(whole)
    assert expected.metrics["fills"] > 100
    assert hashes(go(fed)) == hashes(expected)
    # A second run reads the data again; it is not silently empty.
    assert hashes(go(fed)) == hashes(expected)


def test_raw_frames_that_are_aligned(recorded: Path) -> None:
    def raw() -> Any:
        path = recorded / "binance-raw/usdm/btcusdt_20240808.gz"
        return tw.binance_raw(path, align=True, minimum_latency_ns=MS)

    expected = go(tw.load({PERPETUAL: raw()}), PERPETUAL)
    fed = tw.load({PERPETUAL: raw()}, chunk_rows=5_000, stream=True)
    result = go(fed, PERPETUAL)
    assert hashes(result) == hashes(expected)
    assert {kind for _, kind in fed.recordings[0].streams} == {"trades", "quotes"}


def test_few_rows_are_held(parquet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read and not yet met never grows beyond some chunks."""
    source = trades(parquet)
    chunks, read, ahead = source.chunks, [0], []

    def spied(fields: Any, rows: int) -> Iterator[pl.DataFrame]:
        for frame in chunks(fields, rows=rows):
            read[0] += frame.height
            yield frame

    monkeypatch.setattr(source, "chunks", spied)
    fed = tw.load({BTC: source}, chunk_rows=1_000, stream=True)
    read[0] = 0

    class Spies(tw.Strategy):
        def on_start(self, ctx: tw.Context) -> None:
            self.seen = 0
            ctx.subscribe(ctx.instrument(BTC).trades)

        def on_trade(self, ctx: tw.Context, trade: tw.Trade) -> None:
            self.seen += 1
            ahead.append(read[0] - self.seen)

    tw.backtest(Spies(), data=fed, balances={"USDT": 1})
    assert len(ahead) == ROWS
    assert max(ahead) <= 3_000


def test_data_that_change_between_runs_are_an_error(parquet: Path, tmp_path: Path) -> None:
    file = tmp_path / "trades.parquet"
    file.write_bytes(parquet.read_bytes())
    fed = tw.load({BTC: trades(file)}, chunk_rows=1_000, stream=True)
    pl.read_parquet(file).head(5_000).write_parquet(file)
    with pytest.raises(tw.TradewindError, match="the data changed") as caught:
        go(fed)
    assert caught.value.code == "unreadable_file"


def test_many_runs_at_once_are_refused(parquet: Path) -> None:
    fed = tw.load({BTC: trades(parquet)}, stream=True)
    for strategy in (Follows(), tw.ema_cross(BTC, quantity=0.1)):
        with pytest.raises(tw.TradewindError, match="one run at a time"):
            tw.backtest_many([strategy], data=fed, balances={"USDT": 100_000}, progress=False)


def test_a_journal_of_a_streamed_run_replays(parquet: Path, tmp_path: Path) -> None:
    fed = tw.load({BTC: trades(parquet)}, chunk_rows=1_000, stream=True)
    tw.backtest(Follows(), data=fed, balances={"USDT": 100_000}, journal=tmp_path)
    assert replay(tmp_path).identical
