"""The kernel of a recorded run, and what feeds it the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from tradewind import _core
from tradewind.journal.block import Block
from tradewind.journal.code import Rebuilt
from tradewind.journal.manifest import Manifest
from tradewind.journal.tables import Decoder
from tradewind.journal.values import from_json
from tradewind.times import duration_ns


def kernel_of(
    manifest: Manifest, code: Rebuilt, *, is_simulated: bool | None = None, **otherwise: Any
) -> _core.Session:
    """The kernel of a recorded run, before its first event.

    Parameters
    ----------
    manifest
        What decided the run.
    code
        Its strategies and checks, or others.
    is_simulated
        Whether there are simulated venues; by default where there were, in paper trading.
    otherwise
        Settings in the place of the usual.

    """
    settings = manifest.settings
    if is_simulated is None:
        is_simulated = settings["mode"] == "paper"
    run: dict[str, Any] = {
        "index": manifest.index(),
        "strategies": code.strategies,
        "risk": manifest.risk(code.checks),
        "recordings": [],
        "venues": [from_json(one) for one in settings["venues"].values()] if is_simulated else [],
        "balances": [],
        "currency": settings["currency"],
        "interval_ns": duration_ns(from_json(settings["interval"])),
        "trading_days": settings["days"] == 252,
        "seed": manifest.seed,
        "keep": "everything",
        "journal": False,
        "commands": [],
        "values": [],
        "value_streams": manifest.value_streams,
        "outages": [],
        "halts": [],
        "warm_up_ns": 0,
        **otherwise,
    }
    return _core.Session(run, manifest.placed(manifest.streams))


def engine_of(manifest: Manifest, code: Rebuilt) -> _core.Replay:
    """The engine of a recorded run alone: all that venues answered is in the journal. It is quicker than a kernel."""
    return _core.Replay(
        manifest.index(),
        code.strategies,
        manifest.risk(code.checks),
        manifest.placed(manifest.streams),
        manifest.seed,
        manifest.value_streams,
    )


def feed(
    kernel: _core.Replay | _core.Session, blocks: Iterable[Block], progress: Callable[[int], None] | None = None
) -> dict[str, Any] | None:
    """Feed a kernel what was recorded; gives the first decision that differs, and reads no further.

    Parameters
    ----------
    kernel
        Of the recorded run, before the first of the blocks.
    blocks
        Of its journal.
    progress
        Called with the number of the last entry that was fed.

    """
    for block in blocks:
        found = kernel.recover(block.data)
        if found is not None:
            return found
        if progress is not None:
            progress(block.last)
    return None


def feed_all(kernel: _core.Replay | _core.Session, blocks: Iterable[Block]) -> dict[str, Any] | None:
    """Feed a kernel all that was recorded; a decision that the journal does not hold differs, too."""
    return feed(kernel, blocks) or kernel.recovered()


def made_anew_until(manifest: Manifest, blocks: Iterable[Block]) -> int:
    """Until when to advance a kernel that lived through a session again, so that it comes to the session's end.

    It makes answers and timers anew by the time of other inputs. Where a session was cut off, its last entries may be
    answers and timers with nothing behind them.

    Parameters
    ----------
    manifest
        Of the session.
    blocks
        Of its journal.

    Returns
    -------
    int
        Nanoseconds; a time that is over where other inputs came behind.

    """
    decoder = Decoder(manifest, {"inputs": ["time", "kind"]})
    until_ns = 0
    for block in blocks:
        made = decoder.decode(block)["inputs"].filter(pl.col("kind").is_in(["account", "timer"]))
        if made.height:
            until_ns = int(made["time"].to_physical()[-1]) + 1
    return until_ns
