"""A kernel goes on from the last snapshot of a journal, or from its beginning."""

from __future__ import annotations

import logging
from pathlib import Path

from tradewind import _core
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.journal.reader import need_one_end, snapshots

log = logging.getLogger(__name__)


def resumed(kernel: _core.Session, journal: Path, *, needs_strategies: bool = True) -> Journal:
    """Let a kernel go on from the last snapshot that holds everything; gives what lies behind it, to be fed.

    Without such a snapshot that is the whole journal. Where its first segments were dropped, it is what is left of it,
    behind the snapshot that it begins with.

    Parameters
    ----------
    kernel
        What goes on.
    journal
        The folder of the journal.
    needs_strategies
        Whether strategies go on, too, so that what they keep must be in the snapshot.

    """
    need_one_end(journal)
    after = _restored(kernel, journal, needs_strategies=needs_strategies)
    kept = Journal(journal, after=after, checked=False)
    try:
        if not after and kept.snapshot is not None:
            log.warning("%s: older segments were dropped; what its snapshots do not hold is lost", journal)
            kernel.restore(kept.snapshot.state)
    except BaseException:
        kept.close()
        raise
    return kept


def _restored(kernel: _core.Session, journal: Path, *, needs_strategies: bool) -> int:
    """Restore the last snapshot that can be; gives its entry, or 0."""
    why = ""
    for snapshot in snapshots(journal):
        if snapshot.version != _core.__version__:
            why = why or f"its snapshots are of the version {snapshot.version}"
        elif snapshot.lost and needs_strategies:
            why = why or snapshot.lost
        else:
            try:
                kernel.restore(snapshot.state)
            except TradewindError as error:
                if error.code != "bad_journal":
                    raise
                why = why or error.message
                continue
            return snapshot.sequence
    if why:
        log.warning("%s is read from its beginning: %s", journal, why)
    return 0
