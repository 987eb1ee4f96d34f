"""``tradewind parity``."""

from __future__ import annotations

from pathlib import Path

from tradewind.session.parity import parity as compare


def parity(run: Path, /) -> int:
    """Set a session beside a backtest over the market data that it recorded.

    Parameters
    ----------
    run
        The journal of a session, or the folder of its run.

    """
    found = compare(run)
    print(found)
    return 0 if found.is_equal or (found.mode == "live" and found.decisions_agree) else 1
