"""The whole suite: ``cd tests && python -m reliability``; see docs/reliability.md."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from reliability.rows import ELSEWHERE, NOT_APPLICABLE, ROWS, combination
from reliability.table import held, outcomes
from reliability.trial import Outcome, try_row
from rich.console import Console
from rich.markup import escape


def main() -> int:
    """Run what is asked for; everything is run where nothing is."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO if given.verbose else logging.ERROR, stream=sys.stderr)
    console = Console(width=given.width)
    rows = [row for row in ROWS if given.only is None or given.only in row.name]
    rows += [combination(seed) for seed in range(given.seed, given.seed + given.combinations)]
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="reliability") as name:
        for place, row in enumerate(rows):
            one = asyncio.run(try_row(row, Path(name) / str(place)))
            found.append(one)
            seconds = "not healed" if one.seconds is None else f"{one.seconds:.1f} s"
            console.print(f"{place + 1}/{len(rows)} {escape(row.name)}: {seconds}, {held(one)}", soft_wrap=True)
    console.print(outcomes("Faults", found))
    return 0 if all(one.is_good for one in found) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__)
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--combinations", type=int, default=0, help="how many seeded combinations")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--width", type=int, default=None, help="columns of the table")
    parser.add_argument("--verbose", action="store_true", help="show what sessions log")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
