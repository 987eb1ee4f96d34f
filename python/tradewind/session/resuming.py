"""A kernel takes a journal: from its last snapshot on, or from the beginning."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tradewind import _core
from tradewind.errors import TradewindError
from tradewind.journal import Journal, Snapshot
from tradewind.journal.reader import snapshots
from tradewind.session.session import received

log = logging.getLogger(__name__)


def resumed(kernel: _core.Session, journal: Path, *, needs_strategies: bool = True) -> int:
    """Take the last snapshot that holds everything; gives its entry, or 0 where all is read from the beginning.

    Parameters
    ----------
    kernel
        What takes it.
    journal
        The folder of the journal.
    needs_strategies
        Whether strategies go on from it, so that what they keep must be in it, too.

    """
    why = ""
    for snapshot in snapshots(journal):
        if snapshot.version != _core.__version__:
            why = why or f"its snapshots are of the version {snapshot.version}"
        elif snapshot.lost and needs_strategies:
            why = why or snapshot.lost
        else:
            try:
                take(kernel, snapshot)
            except TradewindError as error:
                if error.code != "bad_journal":
                    raise
                why = why or error.message
                continue
            return snapshot.sequence
    if why:
        log.warning("%s is read from its beginning: %s", journal, why)
    return 0


def take(kernel: _core.Session, snapshot: Snapshot) -> None:
    """Take a snapshot. Simulated venues go on with the streams that were named before, until others are."""
    kernel.restore(snapshot.state)
    if kernel.named_streams():
        received(kernel)


def replayed(kernel: _core.Session, kept: Journal) -> dict[str, Any] | None:
    """Feed a kernel what was recorded; gives the first decision that differs."""
    for block in kept.blocks():
        found = kernel.recover(block.data)
        if found is not None:
            return found
        if block.first == kept.first:
            # It may hold the start, at which streams are named.
            received(kernel)
    return kernel.recovered()
