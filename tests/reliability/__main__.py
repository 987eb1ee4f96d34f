"""The whole suite, as tables: see docs/reliability.md.

cd tests && python -m reliability                         every row, one by one
cd tests && python -m reliability --only half_open        rows whose names contain one of these
cd tests && python -m reliability --combinations 20       seeded combinations, too
cd tests && python -m reliability --no-rows --kills 200   kill -9 at random moments
cd tests && python -m reliability --no-rows --hours 1     memory at ten times the usual rate
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from reliability.kills import kill_often
from reliability.memory import LIMIT, watch_memory
from reliability.row import Row
from reliability.rows import ELSEWHERE, NOT_APPLICABLE, ROWS, combination
from reliability.table import elsewhere, held, killed, outcomes, remembered
from reliability.trial import Outcome, try_row


def main() -> int:
    """Run what is asked for; the exit code says whether all of it held."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO if given.verbose else logging.CRITICAL, stream=sys.stderr)
    console = Console(width=given.width)
    rows = [] if given.no_rows else [row for row in ROWS if any(part in row.name for part in given.only)]
    mixed = [combination(seed) for seed in range(given.seed, given.seed + given.combinations)]
    with tempfile.TemporaryDirectory(prefix="reliability") as name:
        folder = Path(name)
        alone, together = _tried(rows, folder / "rows"), _tried(mixed, folder / "mixed")
        is_good = all(one.is_good for one in alone + together)
        if alone:
            console.print(outcomes("Faults, alone", alone))
            console.print(elsewhere("Rows with a run of their own", ELSEWHERE))
            console.print(elsewhere("Rows that cannot apply", NOT_APPLICABLE))
        if together:
            console.print(outcomes("Faults, in seeded combinations", together))
        if given.kills:
            (folder / "kills").mkdir()
            kills = asyncio.run(kill_often(folder / "kills", given.kills, given.seed, _say))
            console.print(killed(kills))
            is_good = is_good and not kills.problems
        if given.hours:
            (folder / "memory").mkdir()
            memory = asyncio.run(watch_memory(folder / "memory", given.hours * 3600, _say))
            console.print(remembered(memory))
            is_good = is_good and not memory.problems and (memory.ratio or 0) <= LIMIT
    return 0 if is_good else 1


def _tried(rows: list[Row], folder: Path) -> list[Outcome]:
    """Put sessions through rows, one after the other, and say how each went."""
    found = []
    for place, row in enumerate(rows, 1):
        one = asyncio.run(try_row(row, folder / str(place)))
        seconds = "not healed" if one.seconds is None else f"{one.seconds:.1f} s"
        _say(f"{place}/{len(rows)} {row.name}: {seconds}, {held(one)}")
        found.append(one)
    return found


def _say(text: str) -> None:
    """What goes on is for the eyes; tables go to the output."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reliability", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=[""], help="rows whose names contain one of these")
    parser.add_argument("--no-rows", action="store_true", help="none of the rows alone")
    parser.add_argument("--combinations", type=int, default=0, help="how many seeded combinations")
    parser.add_argument("--kills", type=int, default=0, help="how often a session's process is killed")
    parser.add_argument("--hours", type=float, default=0.0, help="how long memory is watched")
    parser.add_argument("--seed", type=int, default=1, help="the first seed of combinations, and that of the kills")
    parser.add_argument("--width", type=int, default=None, help="columns of the tables")
    parser.add_argument("--verbose", action="store_true", help="show what sessions log")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
