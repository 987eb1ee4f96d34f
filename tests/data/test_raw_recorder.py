"""The recorder of raw frames, and what our importer makes of its files when not all went well."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from raw_rows import BTC, MS, imported

from tradewind.data import binance_raw
from tradewind.data.lines import blocks_of
from tradewind.data.notes import NOTES_NAME, Note
from tradewind.data.recorder import RawRecorder
from tradewind.errors import DataError, TradewindWarning
from tradewind.venues import StreamName, StreamStatus

NAME = "binance_spot:BTCUSDT"
STREAMS = [StreamName(NAME, "trades"), StreamName(NAME, "quotes"), StreamName(NAME, "book")]
NOON_NS = 1_795_262_400_000_000_000
DAY_NS = 86_400 * 10**9


def frame(name: str, data: dict[str, Any], symbol: str = "btcusdt") -> bytes:
    return json.dumps({"stream": f"{symbol}@{name}", "data": data}, separators=(",", ":")).encode()


def trade(number: int, at_ms: int, price: str = "61800.20000000") -> bytes:
    fields = {"e": "trade", "E": at_ms, "s": "BTCUSDT", "t": number, "p": price, "q": "0.50000000"}
    return frame("trade", {**fields, "T": at_ms, "m": True, "M": True})


def quote(update: int, bid: str = "61800.10000000") -> bytes:
    fields = {"u": update, "s": "BTCUSDT", "b": bid, "B": "2.00000000", "a": "61800.30000000", "A": "1.00000000"}
    return frame("bookTicker", fields)


def depth(first: int, last: int, at_ms: int, price: str = "61799.00000000") -> bytes:
    fields = {"e": "depthUpdate", "E": at_ms, "s": "BTCUSDT", "U": first, "u": last}
    return frame("depth@100ms", {**fields, "b": [[price, "1.00000000"]], "a": []})


def snapshot(last: int) -> bytes:
    sides = {"bids": [["61800.10000000", "2.00000000"]], "asks": [["61800.30000000", "1.00000000"]]}
    return json.dumps({"lastUpdateId": last, **sides}).encode()


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_ns = NOON_NS

    def __call__(self) -> int:
        self.now_ns += MS
        return self.now_ns

    @property
    def ms(self) -> int:
        return self.now_ns // MS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(tmp_path: Path, clock: Clock) -> Iterator[RawRecorder]:
    made = RawRecorder(tmp_path, clock)
    made.begin(STREAMS)
    yield made
    made.close()


def files(folder: Path, symbol: str = "btcusdt") -> list[str]:
    return [file.name for file in sorted(folder.glob(f"{symbol}_*.gz"))]


def test_a_day_has_a_file_and_a_restart_too(tmp_path: Path, clock: Clock) -> None:
    for _ in range(2):
        recorder = RawRecorder(tmp_path, clock)
        recorder.begin(STREAMS)
        for day in range(2):
            clock.now_ns = NOON_NS + day * DAY_NS
            recorder.frame(clock(), trade(day, clock.ms))
            recorder._hand_over()
        recorder.close()
        clock.now_ns = NOON_NS
    assert files(tmp_path) == [
        "btcusdt_20261121_120000.gz",
        "btcusdt_20261121_120001.gz",
        "btcusdt_20261122_120000.gz",
        "btcusdt_20261122_120001.gz",
    ]
    notes = [msgspec.json.decode(line, type=Note) for line in (tmp_path / NOTES_NAME).read_bytes().splitlines()]
    assert [note.what for note in notes] == ["begin", "file", "file", "end"] * 2
    assert [note.path for note in notes if note.path] == [files(tmp_path)[at] for at in (0, 2, 1, 3)]
    assert notes[3].frames == 2


def test_the_form_is_that_of_recordings_of_others(tmp_path: Path, recorded: Path, clock: Clock) -> None:
    theirs = recorded / "binance-raw/spot/btcusdt_20240808.gz"
    recorder = RawRecorder(tmp_path, clock)
    recorder.begin(STREAMS)
    lines = gzip.decompress(theirs.read_bytes()).splitlines()
    for line in lines:
        head, _, body = line.partition(b" ")
        if b'"stream"' in body[:12]:
            recorder.frame(int(head), body)
        else:
            recorder.snapshot("BTCUSDT", int(head), body)
    recorder.close()
    (file,) = tmp_path.glob("btcusdt_*.gz")
    assert gzip.decompress(file.read_bytes()).splitlines() == lines
    assert file.stat().st_size < 1.5 * theirs.stat().st_size


def test_frames_go_to_their_symbol_and_a_line_is_a_frame(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.frame(clock(), trade(1, clock.ms))
    recorder.frame(clock(), b'{\n "data": ' + trade(2, clock.ms)[33:-1] + b',\n "stream": "btcusdt@trade"}')
    for hostile in ("../../btcusdt", "/tmp/btcusdt", "ethusdt", "btcusdt\x00", ""):
        recorder.frame(clock(), frame("trade", {}, hostile))
    recorder.frame(clock(), b"@")
    recorder.unreadable(clock(), b"\xff\x00 no JSON")
    recorder.close()
    rows, report = imported(tmp_path, ["trade"])
    assert [row[5] for row, _ in rows] == [1, 2] and report.symbols == ("BTCUSDT",)
    assert {file.name[:10] for file in tmp_path.glob("*.gz")} == {"btcusdt_20", "unreadable"}
    (unreadable,) = tmp_path.glob("unreadable_*.gz")
    assert len(gzip.decompress(unreadable.read_bytes()).splitlines()) == 7


def test_what_came_twice_counts_once(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.snapshot("BTCUSDT", clock(), snapshot(10))
    sent = [
        trade(1, clock.ms),
        quote(11),
        depth(11, 12, clock.ms),
        trade(2, clock.ms),
        quote(13),
        depth(13, 13, clock.ms),
    ]
    for one in [*sent, *sent[3:], trade(3, clock.ms), *sent[1:]]:
        recorder.frame(clock(), one)
    recorder.close()
    rows, report = imported(tmp_path)
    assert [row[0] for row, _ in rows] == [2, 2, 4, 3, 2, 4, 3, 2, 4]
    assert [row[5] for row, _ in rows if row[0] == 4] == [1, 2, 3]
    assert (report.repeated_frames, report.stale_updates) == (5, 3)


def test_another_trade_of_the_same_number_is_a_mistake(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.frame(clock(), trade(1, clock.ms))
    recorder.frame(clock(), trade(1, clock.ms, "61800.30000000"))
    recorder.close()
    with pytest.raises(DataError, match="repeated_trade_id"):
        imported(tmp_path, ["trade"])


def test_behind_a_new_connection_a_book_waits_for_its_snapshot(
    tmp_path: Path, recorder: RawRecorder, clock: Clock
) -> None:
    recorder.snapshot("BTCUSDT", clock(), snapshot(10))
    recorder.frame(clock(), depth(11, 11, clock.ms))
    recorder.frame(clock(), quote(90))
    recorder.anew(STREAMS[2])
    recorder.anew(STREAMS[1])
    # Its numbers go on; whoever recorded it began anew all the same.
    recorder.frame(clock(), depth(12, 12, clock.ms))
    recorder.frame(clock(), quote(20))
    recorder.snapshot("BTCUSDT", clock(), snapshot(11))
    at_ns = clock.now_ns
    recorder.close()
    rows, report = imported(tmp_path)
    assert [(row[0], row[1]) for row, _ in rows] == [(2, 5), (2, 10), (2, 9), (3, 0), (3, 0), (2, 5), (2, 10), (2, 9)]
    assert [arrival for _, arrival in rows][-3:] == [at_ns] * 3
    assert (report.book_gaps, report.repeated_frames) == (1, 0)
    # Without the notes the numbers decide: nothing is missing, and the snapshot says nothing new.
    (tmp_path / NOTES_NAME).unlink()
    rows, report = imported(tmp_path)
    assert [(row[0], row[1]) for row, _ in rows] == [(2, 5), (2, 10), (2, 9), (3, 0), (2, 9)]
    assert (report.book_gaps, report.repeated_frames, report.skipped_frames) == (0, 1, {"snapshot": 1})


def test_behind_a_restart_a_book_waits_for_its_snapshot(tmp_path: Path, clock: Clock) -> None:
    for taken, update in ((10, 11), (11, 12)):
        recorder = RawRecorder(tmp_path, clock)
        recorder.begin(STREAMS)
        recorder.frame(clock(), depth(update, update, clock.ms))
        recorder.snapshot("BTCUSDT", clock(), snapshot(taken))
        recorder.close()
    rows, report = imported(tmp_path, ["book"])
    assert [row[1] for row, _ in rows] == [5, 10, 9] * 2 and report.book_gaps == 1


def test_a_hole_ends_with_the_next_snapshot(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.snapshot("BTCUSDT", clock(), snapshot(10))
    for numbers in ((11, 11), (13, 13), (14, 14)):
        recorder.frame(clock(), depth(*numbers, clock.ms))
    told_ms = clock.ms - 1
    recorder.snapshot("BTCUSDT", clock(), snapshot(13))
    recorder.frame(clock(), depth(15, 15, clock.ms))
    recorder.close()
    rows, report = imported(tmp_path, ["book"])
    assert [row[1] for row, _ in rows] == [5, 10, 9, 5, 10, 9, 9]
    assert rows[3][0][2] == told_ms * MS, "a snapshot is as old as the last change in it"
    assert (report.book_gaps, report.stale_updates) == (1, 1)


def test_a_hole_at_the_end_is_known_to_the_recorder(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.snapshot("BTCUSDT", clock(), snapshot(10))
    recorder.frame(clock(), depth(13, 13, clock.ms))
    recorder.status(StreamStatus(STREAMS[2], "gap", "rows are missing", 5, 6))
    recorder.close()
    rows, report = imported(tmp_path, ["book"])
    assert (len(rows), report.book_gaps) == (2, 1)
    (tmp_path / NOTES_NAME).unlink()
    with pytest.raises(DataError, match=r"row 2: a depth update with U = 13 does not follow 10"):
        imported(tmp_path, ["book"])


def test_arrivals_before_venue_time_are_the_clocks_error(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.frame(clock(), trade(1, clock.ms + 3))
    recorder.frame(clock(), trade(2, clock.ms))
    recorder.close()
    stream = binance_raw(sorted(tmp_path.glob("btc*.gz")), streams=["trade"])
    rows, report = imported(tmp_path, ["trade"])
    first_ns = NOON_NS + 4 * MS + MS
    assert [arrival for _, arrival in rows] == [first_ns, first_ns] and report.early_arrivals == 1
    assert [chunk["arrival_time_ns"].to_list() for chunk in stream.chunks(BTC, 1)] == [[first_ns], [first_ns]]
    (tmp_path / NOTES_NAME).unlink()
    with pytest.raises(DataError, match="arrival_before_venue_time"):
        stream.load(BTC)


def test_files_in_the_wrong_order_are_refused(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    for number in range(2):
        clock.now_ns = NOON_NS + number * DAY_NS
        recorder.frame(clock(), trade(number, clock.ms + 1))
        recorder._hand_over()
    recorder.close()
    with pytest.raises(DataError, match="unsorted_rows"):
        binance_raw(sorted(tmp_path.glob("btc*.gz"), reverse=True), streams=["trade"]).load(BTC)


@pytest.mark.parametrize("left", [1, 9, 30, 100, 400])
def test_a_file_that_was_cut_gives_what_is_whole(tmp_path: Path, left: int, clock: Clock) -> None:
    recorder = RawRecorder(tmp_path, clock)
    recorder.begin(STREAMS)
    for number in range(1, 201):
        recorder.frame(clock(), trade(number, clock.ms))
        if number % 50 == 0:
            recorder._hand_over()
    recorder.close()
    (file,) = tmp_path.glob("btcusdt_*.gz")
    file.write_bytes(file.read_bytes()[:-left])
    with pytest.warns(TradewindWarning, match="as if its recorder had been killed"):
        rows, report = imported(tmp_path, ["trade"])
    numbers = [row[5] for row, _ in rows]
    assert numbers == list(range(1, len(numbers) + 1)) and 150 <= len(numbers) <= 200
    assert report.cut_off == (str(file),) and str(file) in str(report)


def test_a_text_that_was_cut(tmp_path: Path) -> None:
    told: list[int] = []
    path = tmp_path / "r.txt"
    path.write_bytes(b'1 {"a":1}\n2 {"b":2}')
    assert list(blocks_of(path, 1, told.append)) == [[b'1 {"a":1}'], [b'2 {"b":2}']]
    path.write_bytes(b'1 {"a":1}\n2 {"b"')
    assert list(blocks_of(path, 5, told.append)) == [[b'1 {"a":1}']]
    assert told == [6]


def test_damage_in_the_middle_is_an_error(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    for number in range(1, 100):
        recorder.frame(clock(), trade(number, clock.ms))
    recorder.close()
    (file,) = tmp_path.glob("btcusdt_*.gz")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(DataError, match="unreadable_file"):
        imported(tmp_path, ["trade"])


def test_notes_that_were_altered_are_an_error(tmp_path: Path, recorder: RawRecorder, clock: Clock) -> None:
    recorder.frame(clock(), trade(1, clock.ms))
    recorder.close()
    notes = tmp_path / NOTES_NAME
    notes.write_bytes(b"nonsense\n" + notes.read_bytes())
    with pytest.raises(DataError, match=r"recording.jsonl row 1: .*\nhint: put back the file"):
        imported(tmp_path, ["trade"])


FULL = """
import resource, sys
from pathlib import Path
from tradewind.data.recorder import RawRecorder
from tradewind.venues import StreamName

told = []
recorder = RawRecorder(Path(sys.argv[1]), lambda: 5, told.append)
recorder.begin([StreamName("binance_spot:BTCUSDT", "trades")])
import random
for number in range(1, 40):
    noise = random.Random(number).randbytes(400).hex().encode()
    recorder.frame(number, b'{"stream":"btcusdt@trade","data":{"t":%d,"x":"%b"}}' % (number, noise))
    recorder._hand_over()
recorder.close()
assert told == [recorder.problem], told
print(recorder.problem)
"""


def test_where_the_disk_is_full_recording_stops_and_what_was_written_is_whole(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))

    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("btcusdt_*.gz")
    assert str(file) in done.stdout and "File too large" in done.stdout
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert 3 < len(lines) < 39 and lines[-1].endswith(b"}}")
    assert b'"end"' not in (tmp_path / NOTES_NAME).read_bytes()


def test_a_disk_that_falls_behind_stops_recording_and_takes_no_more_memory(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.data.recorder._MOST_WAITING", 10_000)
    told: list[str] = []
    recorder = RawRecorder(tmp_path, clock, told.append)
    recorder.begin(STREAMS)
    for number in range(1, 200):
        recorder.frame(clock(), trade(number, clock.ms))
    recorder._hand_over()
    recorder._hand_over()
    assert told == [recorder.problem]
    assert "behind" in told[0]
    frames = recorder.frames
    recorder.frame(clock(), trade(999, clock.ms))
    assert recorder.frames == frames and not any(recorder._waiting.values())
    recorder.close()
    assert files(tmp_path) == [] and len(told) == 1


def test_what_comes_at_once_is_handed_over_in_parts(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.data.recorder._LARGEST_BLOCK", 1_000)
    recorder = RawRecorder(tmp_path, clock)
    recorder.begin(STREAMS)
    for number in range(1, 200):
        recorder.frame(clock(), trade(number, clock.ms))
        assert len(recorder._waiting["btcusdt"]) <= 1_000
    recorder.close()
    assert len(imported(tmp_path, ["trade"])[0]) == 199


def test_what_never_began_ends(tmp_path: Path, clock: Clock) -> None:
    RawRecorder(tmp_path / "never", clock).close()
    assert not (tmp_path / "never").exists()
