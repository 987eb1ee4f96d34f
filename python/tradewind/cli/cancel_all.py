"""``tradewind cancel-all``: for emergencies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.cli.screen import note, show_error, show_json
from tradewind.config import System
from tradewind.control import Control
from tradewind.errors import TradewindError

if TYPE_CHECKING:
    from tradewind.control.emergency import Cancelled

_GLANCE_SECONDS = 0.5


def cancel_all(system: Path, /, *, foreign: bool = False, json: bool = False) -> int:
    """Cancel the open orders of a system's accounts straight at the venues, without a session: for emergencies.

    It needs no journal and no engine. Orders that Tradewind did not send are left alone. A venue that cannot be reached
    keeps none of the others; the exit code is 1 where an order is open or may be.

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
    found = asyncio.run(cancel(read, foreign=foreign))
    if json:
        show_json(found)
    else:
        for one in found:
            _say(one)
    # Orders come first: a session that is held up answers late or never.
    _warn_of_a_session(read)
    return int(any(one.left or one.problem for one in found))


def _say(one: Cancelled) -> None:
    if one.problem is not None:
        print(f"{one.account} ({one.venue}): failed, orders may be open")
        show_error(one.problem.code, one.problem.message, one.problem.hint)
        return
    print(f"{one.account} ({one.venue}): {len(one.cancelled)} cancelled, {len(one.left)} left")
    for name in one.left:
        print(f"  still open: {name}")
    for name in one.foreign:
        print(f"  not Tradewind's, left alone: {name}")


def _warn_of_a_session(system: System) -> None:
    folder = system.run_folder("live")
    try:
        Control(folder, timeout_seconds=_GLANCE_SECONDS).status()
    except TradewindError as error:
        if error.code == "not_running":
            # The way it should be.
            return
    note(f"a session of this system runs and may order again; end it: tradewind ctl {folder} stop")
