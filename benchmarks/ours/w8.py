"""W8: raw frames of Binance to rows, on one core, as a session reads them: a call for each frame.

Prints one JSON line. Frames are held in memory; the inbox is emptied after every thousand, as a session does.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path

import tradewind as tw
from tradewind._core import BinanceDecoder, Inbox
from tradewind.dataset import definition

DATA = Path(os.environ.get("TRADEWIND_DATA") or Path(__file__).parents[3] / "shared" / "data") / "binance-raw"
FILES = {
    "spot": ("binance_spot:BTCUSDT", "first", ["spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"]),
    "usdm": ("binance_usdm:BTCUSDT", "previous", ["usdm/btcusdt_20240808.gz"]),
}
ROUNDS = 7


def load(names: list[str]) -> tuple[bytes, list[bytes]]:
    """The snapshot, and the frames behind it."""
    snapshot, frames = b"", []
    for name in names:
        with gzip.open(DATA / name) as lines:
            for line in lines:
                frame = line.partition(b" ")[2].strip()
                if b"lastUpdateId" in frame:
                    document = json.loads(frame)
                    snapshot = json.dumps(document.get("data", document)).encode()
                else:
                    frames.append(frame)
    return snapshot, frames


def measure(name: str, continuity: str, snapshot: bytes, frames: list[bytes]) -> tuple[float, int]:
    """Seconds of one pass, and its rows."""
    symbol = name.partition(":")[2]
    inbox = Inbox(tw.Index([definition(tw.instruments.load(name))]))
    decoder = BinanceDecoder(inbox, [(symbol, name)], continuity)
    decoder.snapshot(symbol, snapshot, 1_900_000_000_000_000_000)
    decode, arrival_ns, rows = decoder.decode, 1_900_000_000_000_000_000, 0
    started = time.perf_counter()
    for place, frame in enumerate(frames):
        decode(frame, arrival_ns)
        if place % 1_000 == 0:
            rows += len(inbox)
            inbox.clear()
    return time.perf_counter() - started, rows + len(inbox)


def main() -> None:
    """Measure each recording; the best of several passes counts, and all kinds of frames are shown."""
    rates: dict[str, int] = {}
    counts: dict[str, tuple[int, int]] = {}
    for label, (name, continuity, names) in FILES.items():
        snapshot, frames = load(names)
        for kind, wanted in (("all", b""), ("trade", b"@trade"), ("bookTicker", b"@bookTicker"), ("depth", b"@depth")):
            chosen = [frame for frame in frames if wanted in frame]
            passes = [measure(name, continuity, snapshot, chosen) for _ in range(ROUNDS)]
            rates[f"{label} {kind}"] = round(len(chosen) / min(seconds for seconds, _ in passes))
            counts[f"{label} {kind}"] = len(chosen), passes[0][1]
    frames, rows = counts["spot all"]
    result = {"id": "W8", "events": frames, "orders": 0, "seconds": frames / rates["spot all"], "rows": rows}
    print(json.dumps({**result, "events_per_second": rates["spot all"], "version": tw.__version__, "kinds": rates}))


if __name__ == "__main__":
    main()
