"""A run that was cut off goes on behind its journal (D5)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind import _core
from tradewind.backtest import Settings
from tradewind.dataset import Dataset
from tradewind.errors import TradewindError, exception
from tradewind.journal import Journal, Snapshot
from tradewind.journal.code import differences
from tradewind.journal.manifest import Manifest, manifest_of
from tradewind.journal.reader import last_entry, snapshots
from tradewind.journal.segments import journal_folder
from tradewind.journal.values import to_json
from tradewind.session.session import received

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Earlier:
    """What an earlier run in the same folder left to the next one.

    Parameters
    ----------
    is_cut_off
        Whether it did not come to its end, and goes on.
    carried
        A UTC day, counted from 1970, and the profit on it before the next run: the limit on the loss of a day counts
        it, or a restart would allow the loss anew.

    """

    is_cut_off: bool = False
    carried: tuple[int, float] | None = None


def earlier(journal: Path) -> Earlier:
    """Look at the journal of an earlier run, if there is one."""
    if journal_folder(journal) is None:
        return Earlier()
    with Journal(journal, after=last_entry(journal)) as kept:
        if kept.ending.finished:
            return Earlier(carried=kept.ending.day)
        # One that was cut off before its first entry has done nothing.
        return Earlier(is_cut_off=kept.last > 0, carried=kept.manifest.system_limits["carried"])


def set_aside(journal: Path) -> None:
    """Keep the journal of an earlier run beside the new one: the whole folder, with what only its logs hold."""
    if not journal.exists():
        return
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(journal.stat().st_mtime))
    kept = journal.with_name(f"{journal.name}-{stamp}")
    count = 1
    while kept.exists():
        count += 1
        kept = journal.with_name(f"{journal.name}-{stamp}-{count}")
    journal.rename(kept)


def recover(
    kernel: _core.Session,
    journal: Path,
    strategies: list[Any],
    settings: Settings,
    data: Dataset,
    mode: str,
) -> tuple[Manifest, int, bytes]:
    """Take the journal of a run that was cut off, from its last snapshot on; the run goes on behind it (D5)."""
    with Journal(journal, after=last_entry(journal)) as tip:
        manifest = tip.manifest
    now = manifest_of(data, strategies, settings)
    if manifest.settings["mode"] != mode:
        # Paper's orders and positions are at no venue.
        then = manifest.settings["mode"]
        message = f"{journal}: the run was cut off in the mode {then}, and does not go on in {mode}"
        raise exception("divergence", message, "move its journal away")
    names = ("instruments", "limits", "system_limits", "seed")
    changed = [name for name in names if to_json(getattr(now, name)) != to_json(getattr(manifest, name))]
    if changed:
        message = f"{journal}: the run was cut off, and its {', '.join(changed)} changed since"
        raise exception("divergence", message, "go on with the settings of the run, or move its journal away")
    after = _resumed(kernel, journal)
    with Journal(journal, after=after) as kept:
        if not after and kept.snapshot is not None:
            log.warning("%s: older segments were dropped; what its snapshots do not hold is lost", journal)
            _take(kernel, kept.snapshot)
        found = _replayed(kernel, kept)
        edited = differences(manifest.code, now.code)
        if found is not None:
            raise _diverged(journal, found, edited)
        if edited:
            message = f"{journal}: the run was cut off, and {', '.join(edited)} changed since"
            raise exception("divergence", message, "go on with the code of the run, or move its journal away")
        return manifest, kept.last, kept.checksum


def _resumed(kernel: _core.Session, journal: Path) -> int:
    """Take the last snapshot that holds everything; gives its entry, or 0 where all is read from the beginning."""
    why = ""
    for snapshot in snapshots(journal):
        if snapshot.version != _core.__version__:
            why = why or f"its snapshots are of the version {snapshot.version}"
        elif snapshot.lost:
            why = why or snapshot.lost
        else:
            try:
                _take(kernel, snapshot)
            except TradewindError as error:
                if error.code != "bad_journal":
                    raise
                why = why or error.message
                continue
            return snapshot.sequence
    if why:
        log.warning("%s is read from its beginning: %s", journal, why)
    return 0


def _take(kernel: _core.Session, snapshot: Snapshot) -> None:
    kernel.restore(snapshot.state)
    received(kernel)


def _replayed(kernel: _core.Session, kept: Journal) -> dict[str, Any] | None:
    """Feed a kernel what was recorded; gives the first decision that differs."""
    for block in kept.blocks():
        found = kernel.recover(block.data)
        if found is not None:
            return found
        if block.first == 1:
            received(kernel)
    return kernel.recovered()


def _diverged(journal: Path, found: dict[str, Any], edited: list[str]) -> TradewindError:
    changed = f" ({', '.join(edited)} changed since)" if edited else ""
    message = (
        f"{journal}: after input {found['sequence']:,} the strategy now decides {found['actual'] or 'nothing'},"
        f" and then decided {found['expected'] or 'nothing'}{changed}"
    )
    return exception("divergence", message, "go on with the code of the run, or move its journal away")
