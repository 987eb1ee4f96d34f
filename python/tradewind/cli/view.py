"""``tradewind view``: a running session in the terminal, from a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from tradewind.cli.screen import note
from tradewind.control import Control, Status
from tradewind.control.view import rendered
from tradewind.errors import TradewindError


def view(run_folder: Path, /, *, every: float = 1.0, once: bool = False) -> int:
    """Show a running session: state, positions, orders, profit, latency, health; Ctrl-C leaves it running.

    Parameters
    ----------
    run_folder
        The folder of the run, such as runs/demo/paper.
    every
        How many seconds pass from one look to the next.
    once
        Show it once, which is also what happens where nobody looks.

    """
    control = Control(run_folder)
    console = Console(highlight=False)
    status = control.status()
    if once or not console.is_terminal:
        console.print(rendered(status))
        return 0
    with Live(rendered(status, fits_screen=True), console=console, screen=True, auto_refresh=False) as live:
        last, reason = _follow(control, live, status, max(every, 0.1))
    # The screen was its own; what was there last stays.
    console.print(rendered(last))
    note(reason)
    return 0


def _follow(control: Control, live: Live, status: Status, every: float) -> tuple[Status, str]:
    try:
        while True:
            time.sleep(every)
            before, status = status, control.status()
            live.update(rendered(status, before=before, fits_screen=True), refresh=True)
    except TradewindError as error:
        if error.code != "not_running":
            raise
        return status, "the session has ended; this is how it was last"
    except KeyboardInterrupt:
        return status, "the session goes on; stop it with Ctrl-C there, or with tradewind ctl RUN_FOLDER stop"
