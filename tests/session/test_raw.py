"""Raw frames of a session, beside its journal."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from raw_rows import imported, journalled
from session_bench import HEAD, STILL, Bench, on_bench
from session_exchange import write_system

import tradewind as tw
from tradewind.config.readiness import missing
from tradewind.control.status import Observer
from tradewind.data.notes import Note
from tradewind.errors import TradewindWarning

RAW = "\n[journal]\nrecord_raw = true\n"
ALL = (
    HEAD
    + """        ctx.subscribe(self.btc.quotes)
        ctx.subscribe(self.btc.book)

    def on_trade(self, ctx, trade):
        self.seen += 1
        if self.seen % 20 == 0:
            ctx.target(self.btc, 0.01 * (self.seen // 20 % 2))
"""
)
STAMP_NS = 20_000_000
"""By how much the session's stamp of a row may be behind the frame's arrival: it waits for the rows before it."""


def notes(folder: Path) -> list[Note]:
    lines = (folder / "recording.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Note) for line in lines]


def equal_but_for_the_end(run: Path, kinds: Any = ("trades", "quotes", "book")) -> int:
    """Raw rows are those of the journal; behind its end some more may have come. Gives how many are compared."""
    ours = journalled(run, kinds)
    theirs, _ = imported(
        run / "raw/binance_spot", [{"trades": "trade", "quotes": "quote"}.get(one, one) for one in kinds]
    )
    assert [row for row, _ in theirs[: len(ours)]] == [row for row, _ in ours]
    assert all(0 <= mine - raw < STAMP_NS for (_, mine), (_, raw) in zip(ours, theirs, strict=False))
    return len(ours)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_raw_files_hold_the_rows_of_the_journal(tmp_path: Path, mode: Any) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session(mode) as ready:
            await bench.until(lambda: ready.kernel.rows > 1_500)

    on_bench(tmp_path, ALL, work, RAW)
    run = tmp_path / "runs/busy" / mode
    assert equal_but_for_the_end(run) > 1_000
    assert [note.what for note in notes(run / "raw/binance_spot")][-1] == "end"
    rows, report = imported(run / "raw/binance_spot")
    assert (report.skipped_frames, report.repeated_frames, report.cut_off) == ({}, 0, ())
    assert {row[0] for row, _ in rows} == {2, 3, 4}


def test_the_form_is_that_of_recordings_of_binance(tmp_path: Path, recorded: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 1_500)

    on_bench(tmp_path, ALL, work, RAW)
    (ours,) = (tmp_path / "runs/busy/paper/raw/binance_spot").glob("btcusdt_*.gz")
    form = form_of(recorded / "binance-raw/spot/btcusdt_20240808.gz")
    assert form_of(ours) == form and len(form) == 4


def form_of(file: Path) -> dict[str, dict[str, set[str]]]:
    """By stream, the fields of its frames and the types of their values; levels are pairs of text."""
    form: dict[str, dict[str, set[str]]] = {}
    for line in gzip.decompress(file.read_bytes()).splitlines():
        head, _, body = line.partition(b" ")
        assert len(head) == 19 and head.isdigit()
        frame = json.loads(body)
        fields = form.setdefault(frame.get("stream", "snapshot"), {})
        for name, value in frame.get("data", frame).items():
            kinds = {type(part).__name__ for level in value for part in level} if isinstance(value, list) else set()
            fields.setdefault(name, set()).update(kinds or {type(value).__name__})
    return {name: {field: kinds - {"list"} for field, kinds in fields.items()} for name, fields in form.items()}


def test_a_backtest_runs_over_the_raw_files_of_a_session(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 1_500)

    on_bench(tmp_path, ALL, work, RAW)
    files = sorted((tmp_path / "runs/busy/paper/raw/binance_spot").glob("btcusdt_*.gz"))
    listed = ", ".join(f'"{file}"' for file in files)
    system = tmp_path / "system.toml"
    system.write_text(
        system.read_text()
        + '\n[[data]]\ninstrument = "binance_spot:BTCUSDT"\nkind = "raw"\n'
        + f'files = [{listed}]\nstreams = ["trade", "quote", "book"]\nquote_latency = "1ms"\n'
    )
    result = tw.System.read(system).backtest()
    assert result.metrics["orders"] > 1 and result.metrics["fills"] > 0


def test_after_a_lost_connection_and_a_hole_both_hold_the_same(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 500)
            for fault in ("hard_close", "dropped_diff", "hard_close"):
                bench.faults.on(fault)
                await asyncio.sleep(1)
                bench.faults.clear()
                await bench.until(lambda: all(ready.session.health.connections.values()))
                await asyncio.sleep(0.5)

    on_bench(tmp_path, ALL, work, RAW)
    run = tmp_path / "runs/busy/paper"
    assert equal_but_for_the_end(run, ("quotes", "book")) > 500
    told = [(note.what, note.stream) for note in notes(run / "raw/binance_spot")]
    assert told.count(("anew", "book")) >= 2 and ("gap", "book") in told and ("disconnected", "trades") in told
    _, report = imported(run / "raw/binance_spot")
    assert report.book_gaps >= 3


def test_of_overlapping_connections_each_frame_counts_once(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 500)
            market = ready.session._venues["binance_spot"].market_data
            market._links[0].replace()
            await asyncio.sleep(2.5)
            assert ready.session.health.gaps == 0

    on_bench(tmp_path, ALL, work, RAW)
    run = tmp_path / "runs/busy/paper"
    assert equal_but_for_the_end(run) > 500
    assert imported(run / "raw/binance_spot")[1].repeated_frames > 10


def test_a_killed_session_leaves_what_it_wrote_and_goes_on_in_a_new_file(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        run, raw = tmp_path / "runs/busy/paper", tmp_path / "runs/busy/paper/raw/binance_spot"
        command = [sys.executable, "-c", "from tradewind.cli import main; main()", "run", str(bench.path)]
        running = subprocess.Popen([*command, "--mode", "paper", "--record-raw"], stderr=subprocess.PIPE)
        try:
            await bench.until(lambda: sum(file.stat().st_size for file in raw.glob("btcusdt_*.gz")) > 12_000)
        finally:
            running.send_signal(signal.SIGKILL)
            running.communicate()
        (file,) = raw.glob("btcusdt_*.gz")
        assert gzip.decompress(file.read_bytes()).endswith(b"\n")
        killed, _ = imported(raw)
        assert len(killed) > 100
        # As if it had been killed while it wrote.
        file.write_bytes(file.read_bytes()[:-200])
        with (raw / "recording.jsonl").open("ab") as written:
            written.write(b'{"time_ns":5,"wh')
        with pytest.warns(TradewindWarning, match="ends within a frame"):
            cut, report = imported(raw)
        assert report.cut_off == (str(file),) and len(cut) < len(killed) and cut == killed[: len(cut)]
        async with bench.session("paper") as ready:
            assert ready.is_recovered
            before = ready.kernel.rows
            await bench.until(lambda: ready.kernel.rows > before + 300)
        with pytest.warns(TradewindWarning, match="ends within a frame"):
            both, report = imported(raw)
        assert len(list(raw.glob("btcusdt_*.gz"))) == 2 and both[: len(cut)] == cut
        # Trades wait for those that were missed, which the venue is asked for.
        ours = journalled(run, ("quotes", "book"))
        theirs = [row for row, _ in both[len(cut) :] if row[0] != 4]
        behind = [row for row, _ in ours].index(theirs[0])
        assert theirs[: len(ours) - behind] == [row for row, _ in ours[behind:]]
        assert [note.what for note in notes(raw)].count("begin") == 2

    on_bench(tmp_path, ALL, work, RAW)


def test_a_session_goes_on_where_nothing_can_be_recorded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            (tmp_path / "runs/busy/paper/raw").write_text("in the way")
            await bench.until(lambda: ready.session.health.raw_recording)
            seen = ready.kernel.rows
            await bench.until(lambda: ready.kernel.rows > seen + 50)
            assert ready.session.failure is None
            health = Observer(ready.session, ready.about).status().health
            assert health.raw_recording == ready.session.health.raw_recording

    on_bench(tmp_path, STILL, work, RAW)
    assert "raw frames are not recorded any more" in caplog.text and "raw" in caplog.text


def test_a_new_run_begins_a_new_recording(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        for _ in range(2):
            async with bench.session("paper") as ready:
                await bench.until(lambda: ready.kernel.rows > 20)

    on_bench(tmp_path, STILL, work, RAW)
    run = tmp_path / "runs/busy/paper"
    assert len(list(run.glob("raw-*"))) == 1
    assert [note.what for note in notes(run / "raw/binance_spot")].count("begin") == 1


def test_nothing_is_recorded_unasked_and_keys_never_are(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("live") as ready:
            await bench.until(lambda: ready.kernel.rows > 50)
        assert not (tmp_path / "runs/busy/live/raw").exists()

    on_bench(tmp_path, STILL, work)

    async def again(bench: Bench) -> None:
        async with bench.session("live") as ready:
            await bench.until(lambda: ready.kernel.rows > 200)
        key = next(
            line.split('"')[1] for line in (tmp_path / "keys.toml").read_text().splitlines() if "api_key" in line
        )
        files = list((tmp_path / "runs/busy/live/raw").rglob("*.gz"))
        text = b"".join(gzip.decompress(file.read_bytes()) for file in files)
        assert len(text) > 10_000 and key.encode() not in text and b"executionReport" not in text

    on_bench(tmp_path, STILL, again, RAW)


def test_venues_whose_frames_cannot_be_read_again_are_refused(tmp_path: Path) -> None:
    path = write_system(tmp_path, "http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1")
    text = path.read_text() + RAW
    path.write_text(text)
    assert not any("record_raw" in problem.place for problem in missing(tw.System.read(path), "paper"))
    path.write_text(text.replace("binance_spot", "bybit_spot"))
    (problem,) = [one for one in missing(tw.System.read(path), "paper") if "record_raw" in one.place]
    assert problem.code == "bad_setting" and "bybit_spot" in problem.message


def test_the_folder_is_that_of_the_journal(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 20)

    on_bench(tmp_path, STILL, work, RAW + f'directory = "{tmp_path}/journals"\n')
    assert list((tmp_path / "journals/busy/paper/raw/binance_spot").glob("btcusdt_*.gz"))
    assert list((tmp_path / "runs/busy/paper").iterdir()) == []
