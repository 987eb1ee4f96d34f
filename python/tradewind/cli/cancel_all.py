"""``tradewind cancel-all``: for emergencies."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tradewind.cli.screen import note, show_json
from tradewind.config import System
from tradewind.control import Control
from tradewind.errors import TradewindError


def cancel_all(system: Path, /, *, foreign: bool = False, json: bool = False) -> int:
    """Cancel the open orders of a system's accounts straight at the venues, without a session: for emergencies.

    It needs no journal and no engine. Orders that Tradewind did not send are left alone.

    Parameters
    ----------
    system
        The system file, which names the venues and the credentials.
    foreign
        Cancel orders that Tradewind did not send, too.
    json
        Print what became of them as JSON.

    """
    # Only where it is wanted: it brings the venues along.
    from tradewind.control.emergency import cancel_all as cancel  # noqa: PLC0415

    read = System.read(system)
    _warn_of_a_session(read)
    found = asyncio.run(cancel(read, foreign=foreign))
    if json:
        show_json(found)
    else:
        for one in found:
            print(f"{one.account} ({one.venue}): {len(one.cancelled)} cancelled, {len(one.left)} left")
            for name in one.left:
                print(f"  still open: {name}")
            for name in one.foreign:
                print(f"  not Tradewind's, left alone: {name}")
    return int(any(one.left for one in found))


def _warn_of_a_session(system: System) -> None:
    folder = system.run_folder("live")
    try:
        Control(folder).status()
    except TradewindError:
        # None runs, or none that answers: the way it should be.
        return
    note(f"a session of this system runs and may order again; end it: tradewind ctl {folder} stop")
