"""The documented example of a venue of one's own works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_venue.py"


def test_the_example_streams_and_trades() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.stderr == ""
    trade = "Trade(tiny:COIN, 0.5 at 10.01)"
    assert done.stdout.split("\n")[:-1] == [trade] * 3 + ["AccountStatus", "Accepted", "Filled"]
