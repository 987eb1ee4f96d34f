"""How long a session takes to go on after a week at 1,000 events a second, and what a write costs.

    python benchmarks/ours/journal.py [DAYS] [FOLDER]

A week takes 15 GB of disk and about twenty minutes; what is measured does not depend on the days before the last one.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from session_journals import BTC, SOURCE, Keeping, Run

from tradewind import _core
from tradewind.journal.segment_writer import SegmentWriter
from tradewind.journal.segments import segments

PER_SECOND, WRITES = 1_000, 2_000
PER_BLOCK = PER_SECOND // 5
# 12,000 orders a day: all of them are in the snapshot.
TRADER = SOURCE.replace("% 7 ", "% 3600 ")


def rows(run: Run, count: int, now_ns: int) -> int:
    """Feed a number of quotes and trades, evenly in time."""
    inbox = _core.Inbox(run.index)
    step_ns = 2 * 10**9 // PER_SECOND
    for _ in range(count // 2):
        now_ns += step_ns
        price = 100 + (now_ns // step_ns * 7919) % 23
        inbox.quote(BTC, now_ns - 10**6, now_ns, str(price), "50", str(price + 1), "50")
        inbox.trade(BTC, now_ns, now_ns + 10**6, str(price), "5", "buy", now_ns // step_ns)
    run.kernel.take_rows(inbox)
    return now_ns


def week(folder: Path, days: float) -> None:
    """A session that is killed as far behind its last snapshot as can be."""
    run = Run(folder, source=TRADER)
    writer = run.begin(Keeping())
    now_ns, slowest, begun = 0, 0.0, time.perf_counter()
    while now_ns < days * 86_400 * 10**9 or writer._last - writer._saved < Keeping.snapshot_entries - 2 * PER_BLOCK:
        now_ns = rows(run, PER_BLOCK, now_ns)
        writer.write(run.kernel.take_journal())
        started = time.perf_counter()
        writer.keep_up(run.kernel)
        slowest = max(slowest, time.perf_counter() - started)
    size = sum(path.stat().st_size for path in run.journal.iterdir())
    state = len(run.kernel.save())
    writer._close()
    print(
        f"{writer._last:,} entries in {len(segments(run.journal))} segments, {size / 2**30:.1f} GiB, written in"
        f" {time.perf_counter() - begun:,.0f} s; a snapshot of {run.kernel.outcome()['orders']:,} orders has"
        f" {state / 2**20:.1f} MiB and takes at most {slowest * 1e3:.0f} ms",
        flush=True,
    )
    print(*run.kernel.hashes, file=(folder / "hashes").open("w"))


def recovery(folder: Path) -> None:
    """Go on, in a fresh process."""
    begun = time.perf_counter()
    run = Run(folder, source=TRADER)
    _, last, checksum = run.recover()
    writer = SegmentWriter.resume(run.journal, last, checksum)
    seconds = time.perf_counter() - begun
    writer._close()
    assert " ".join(run.kernel.hashes) == (folder / "hashes").read_text().strip()
    behind = last - writer._saved
    print(
        f"recovery: {seconds:.2f} s, of which {behind:,} entries behind the snapshot are replayed; the state is equal"
    )


def cost(folder: Path, durability: str) -> None:
    """What a write of one row and what it led to costs before an order leaves."""
    folder.mkdir()
    run = Run(folder)
    writer = run.begin(Keeping(durability=durability))  # type: ignore[arg-type]
    now_ns, taken = 0, []
    for _ in range(WRITES):
        now_ns = rows(run, 2, now_ns)
        block = run.kernel.take_journal()
        started = time.perf_counter()
        writer.write(block, leaves=True)
        taken.append((time.perf_counter() - started) * 1e6)
    writer._close()
    cuts = statistics.quantiles(taken, n=100)
    print(f"a write, {durability}: median {statistics.median(taken):.0f} us, 99 of 100 within {cuts[98]:.0f} us")


if __name__ == "__main__":
    if len(sys.argv) > 3:
        recovery(Path(sys.argv[3]))
        sys.exit()
    place = Path(mkdtemp(dir=sys.argv[2] if len(sys.argv) > 2 else None))
    try:
        for durability in ("process", "power"):
            cost(place / durability, durability)
        week(place, float(sys.argv[1]) if len(sys.argv) > 1 else 7.0)
        subprocess.run([sys.executable, __file__, "", "", str(place)], check=True)
    finally:
        shutil.rmtree(place)
