"""``tradewind cancel-all``: for emergencies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tradewind.cli.screen import SHOWN, note, show_error, show_json
from tradewind.config import System
from tradewind.control import Control
from tradewind.errors import TradewindError
from tradewind.times import duration_ns

if TYPE_CHECKING:
    from tradewind.control.emergency import Cancelled

_GLANCE_SECONDS = 0.5


def cancel_all(
    system: Path, /, *, foreign: bool = False, timeout: Annotated[str, SHOWN] = "60s", json: bool = False
) -> int:
    """Cancel the open orders of a system's accounts straight at the venues, without a session: for emergencies.

    It needs no journal and no engine. Orders that Tradewind did not send are left alone. A venue that cannot be reached
    keeps none of the others. What goes on is said on the way. An account is done once its venue has listed nothing for
    some seconds, as an order that was just sent may be listed late; the exit code is 1 where one is open or may be.

    Parameters
    ----------
    system
        The system file, which names the venues and the credentials.
    foreign
        Cancel orders that Tradewind did not send, too.
    timeout
        How long it may take in all, such as 2m.
    json
        Print what became of them as JSON.

    """
    # Only where it is wanted: it brings the venues along.
    from tradewind.control.emergency import cancel_all as cancel  # noqa: PLC0415

    read, seconds = System.read(system), duration_ns(timeout) / 1e9
    found = asyncio.run(cancel(read, foreign=foreign, timeout_seconds=seconds, say=note))
    if json:
        show_json(found)
    else:
        for one in found:
            _say(one)
    # Orders come first: a session that is held up answers late or never.
    _warn_of_a_session(read)
    return int(any(one.left or one.problem for one in found))


def _say(one: Cancelled) -> None:
    counts = f"{len(one.cancelled)} cancelled, {len(one.left)} left"
    known = f"nothing listed for {one.quiet_seconds:.0f} s" if one.problem is None else "failed, orders may be open"
    print(f"{one.account} ({one.venue}): {counts}; {known}")
    for name in one.left:
        print(f"  still open: {name}")
    for name in one.foreign:
        print(f"  not Tradewind's, left alone: {name}")
    if one.problem is not None:
        show_error(one.problem.code, one.problem.message, one.problem.hint)


def _warn_of_a_session(system: System) -> None:
    folder = system.run_folder("live")
    try:
        Control(folder, timeout_seconds=_GLANCE_SECONDS).status()
    except TradewindError as error:
        if error.code == "not_running":
            # The way it should be.
            return
    note(f"a session of this system runs and may order again; end it: tradewind ctl {folder} stop")
