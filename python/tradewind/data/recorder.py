"""Records a venue's market data as they came, in the form that `tradewind.data.binance_raw` reads."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind._core import __version__
from tradewind.data.notes import NOTES_NAME, Note, What
from tradewind.times import DAY_NS

if TYPE_CHECKING:
    from tradewind.venues.interface import StreamName, StreamStatus

RECORDED_VENUES = ("binance_spot",)
"""The venues whose frames can be read again."""

_BLOCK_SECONDS = 1.0
_LARGEST_BLOCK = 4 << 20
_MOST_WAITING = 64 << 20
_HEAD = 80
_ENVELOPE = b'{"stream":"'
_UNREADABLE = "unreadable"
_LEVEL = 4


class RawRecorder:
    """Takes frames and writes them: a line each, `arrival_ns frame`, a file for each symbol and UTC day.

    What has come in a second becomes a member of the gzip file, written by a thread of its own: a process that is
    killed loses what it had not handed over, and what it was writing. Where nothing more can be written, or the disk
    falls behind by 64 MiB, recording stops and `problem` says why; who is recorded goes on.

    Parameters
    ----------
    folder
        Where the files go, with the notes on them (`recording.jsonl`).
    now_ns
        The clock that stamps the frames.
    on_problem
        Called once, when nothing more is recorded, with the reason.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tradewind.data import binance_raw
    >>> from tradewind.instruments import load
    >>> from tradewind.venues import StreamName
    >>> folder = TemporaryDirectory()
    >>> recorder = RawRecorder(Path(folder.name), now_ns=lambda: 5_000_000)
    >>> recorder.begin([StreamName("binance_spot:BTCUSDT", "trades")])
    >>> trade = b'{"e":"trade","s":"BTCUSDT","t":7,"p":"61800.20","q":"0.5","T":4,"m":true}'
    >>> recorder.frame(5_000_000, b'{"stream":"btcusdt@trade","data":' + trade + b"}")
    >>> recorder.close()
    >>> files = sorted(Path(folder.name).glob("btcusdt_*.gz"))
    >>> binance_raw(files, streams=["trade"]).load(load("binance_spot:BTCUSDT"))["arrival_time_ns"].to_list()
    [5000000]
    >>> folder.cleanup()

    """

    def __init__(
        self, folder: Path, now_ns: Callable[[], int], on_problem: Callable[[str], object] = lambda reason: None
    ) -> None:
        self.folder = folder
        self.frames = 0
        self.bytes = 0
        self.problem = ""
        self._now_ns = now_ns
        self._on_problem = on_problem
        self._writer = _Writer(folder)
        self._waiting: dict[str, bytearray] = {_UNREADABLE: bytearray()}
        self._heads: dict[bytes, str] = {}
        self._next = 0.0

    def begin(self, streams: Sequence[StreamName]) -> None:
        """Record these streams; what comes continues nothing that was recorded before."""
        for stream in streams:
            name = stream.symbol.lower()
            self._waiting.setdefault(name, bytearray())
            self._heads[_ENVELOPE + name.encode()] = name
        if not self._writer.is_alive():
            self._writer.start()
        self._note("begin", streams=tuple(map(str, streams)), version=__version__)

    # What comes.

    def frame(self, arrival_ns: int, frame: bytes) -> None:
        """A frame that was read."""
        self._line(self._heads.get(frame[: frame.find(b"@", 0, _HEAD)]) or self._named(frame), arrival_ns, frame)

    def unreadable(self, arrival_ns: int, frame: bytes) -> None:
        """A frame that was left out: kept apart, so that what was read can be read again."""
        self._line(_UNREADABLE, arrival_ns, frame)

    def snapshot(self, symbol: str, arrival_ns: int, body: bytes) -> None:
        """An answer from which a book is followed."""
        self._line(symbol.lower(), arrival_ns, body)

    def anew(self, stream: StreamName) -> None:
        """What comes next of a stream continues nothing."""
        self._note("anew", symbol=stream.symbol, stream=stream.kind)

    def status(self, status: StreamStatus) -> None:
        """A stream's state changed."""
        if status.stream is not None and status.state != "error":
            one = status.stream
            times = {"from_ns": status.from_ns, "to_ns": status.to_ns}
            self._note(status.state, symbol=one.symbol, stream=one.kind, reason=status.reason, **times)

    # What becomes of it.

    def hand_over(self) -> None:
        """Give the writer what has come, at most once a second. To be called some times a second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _BLOCK_SECONDS
            self._hand_over()

    def close(self) -> None:
        """Write what is left, and end in order."""
        if not self._writer.is_alive() and not self._writer.problem:
            return  # it never began
        self._hand_over()
        self._note("end", frames=self.frames, bytes=self.bytes)
        self._writer.end()
        self._look_for_problem()

    def _line(self, name: str, arrival_ns: int, frame: bytes) -> None:
        if self.problem:
            return
        line = b"%d %b\n" % (arrival_ns, frame)
        if line.find(b"\n") != len(line) - 1:
            # Between the parts of a frame it is space; a line is a frame.
            line = line[:-1].replace(b"\n", b" ") + b"\n"
        waiting = self._waiting[name]
        waiting += line
        self.frames += 1
        self.bytes += len(line)
        if len(waiting) > _LARGEST_BLOCK:
            self._hand_over()

    def _named(self, frame: bytes) -> str:
        """Whose frame it is, where it does not begin as Binance's do."""
        try:
            envelope = msgspec.json.decode(frame, type=_Envelope)
        except msgspec.MsgspecError:
            return _UNREADABLE
        name = envelope.stream.partition("@")[0]
        return name if name in self._waiting else _UNREADABLE

    def _hand_over(self) -> None:
        self._look_for_problem()
        for name, lines in self._waiting.items():
            if lines:
                self._waiting[name] = bytearray()
                self._writer.take(name, lines)

    def _note(self, what: What, **fields: Any) -> None:
        if not self.problem:
            self._writer.take(NOTES_NAME, msgspec.json.encode(Note(self._now_ns(), what, **fields)) + b"\n")

    def _look_for_problem(self) -> None:
        if self.problem or not self._writer.problem:
            return
        self.problem = self._writer.problem
        self._waiting = {name: bytearray() for name in self._waiting}
        self._on_problem(self.problem)


class _Envelope(msgspec.Struct):
    stream: str = ""


class _Writer(Thread):
    """Appends blocks to files; what was not written whole is taken back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="raw recorder", daemon=True)
        self.problem = ""
        self._folder = folder
        self._blocks: SimpleQueue[tuple[str, bytes | bytearray] | None] = SimpleQueue()
        self._taken = 0
        self._written = 0
        self._files: dict[str, tuple[int, FileIO]] = {}

    def take(self, name: str, block: bytes | bytearray) -> None:
        """Write this, soon."""
        self._taken += len(block)
        if self._taken - self._written > _MOST_WAITING:
            self.problem = f"{self._folder}: the disk is behind by {_MOST_WAITING >> 20} MiB"
        if not self.problem:
            self._blocks.put((name, block))

    def end(self) -> None:
        """Wait until all is written."""
        self._blocks.put(None)
        self.join()

    def run(self) -> None:
        """Write until the end, or until that fails."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while not self.problem and (work := self._blocks.get()) is not None:
                self._write(*work)
                self._written += len(work[1])
        except OSError as error:
            self.problem = f"{error.filename or self._folder}: {error.strerror}"
        except Exception as error:
            self.problem = f"{self._folder}: {type(error).__name__} {error}"
        finally:
            for _, file in self._files.values():
                file.close()
            while not self._blocks.empty():
                self._blocks.get()

    def _write(self, name: str, block: bytes | bytearray) -> None:
        if name == NOTES_NAME:
            self._append(self._file(name, 0), block)
            return
        first_ns = int(block[: block.index(b" ")])
        self._append(self._file(name, first_ns), gzip.compress(block, _LEVEL, mtime=0))

    def _file(self, name: str, time_ns: int) -> FileIO:
        """The file of a name and a time: that of its day, begun where there is none."""
        day = time_ns // DAY_NS
        held = self._files.get(name)
        if held is not None and held[0] == day:
            return held[1]
        if held is not None:
            held[1].close()
        file = _notes(self._folder) if name == NOTES_NAME else self._begun(name, time_ns)
        self._files[name] = (day, file)
        if name != NOTES_NAME:
            note = Note(time_ns, "file", path=Path(str(file.name)).name)
            self._append(self._file(NOTES_NAME, 0), msgspec.json.encode(note) + b"\n")
        return file

    def _begun(self, name: str, time_ns: int) -> FileIO:
        """A new file: the order of their names is that of their times."""
        begun = datetime.fromtimestamp(time_ns // 10**9, UTC)
        while True:
            try:
                return FileIO(self._folder / f"{name}_{begun:%Y%m%d_%H%M%S}.gz", "x")
            except FileExistsError:
                begun += timedelta(seconds=1)

    def _append(self, file: FileIO, data: bytes | bytearray) -> None:
        place = file.seek(0, 2)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            file.truncate(place)
            raise OSError(error.errno, error.strerror, str(file.name)) from error


def _notes(folder: Path) -> FileIO:
    """The notes, to be gone on with behind their last whole line."""
    file = FileIO(folder / NOTES_NAME, "a+")
    file.seek(0)
    file.truncate(file.readall().rfind(b"\n") + 1)
    return file
