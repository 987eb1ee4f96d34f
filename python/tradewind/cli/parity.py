"""``tradewind parity``."""

from __future__ import annotations

from pathlib import Path

from tradewind.cli.screen import show_json
from tradewind.session.parity import parity as compare


def parity(run: Path, /, *, json: bool = False) -> int:
    """Set a session beside a backtest over the market data that it recorded.

    Every difference of a live session is shown with its cause. The exit status is 1 where decisions differ, where a
    paper session differs at all, and where anything is unexplained.

    Parameters
    ----------
    run
        The journal of a session, or the folder of its run.
    json
        Print what was found as JSON.

    """
    found = compare(run)
    show_json(found.to_dict()) if json else print(found)
    return 0 if found.is_explained else 1
