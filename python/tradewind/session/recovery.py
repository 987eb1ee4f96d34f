"""A run that was cut off goes on behind its journal (D5)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind import _core
from tradewind.backtest import Settings
from tradewind.dataset import Dataset
from tradewind.errors import TradewindError, exception
from tradewind.journal import Journal
from tradewind.journal.manifest import Manifest, manifest_of
from tradewind.journal.values import to_json
from tradewind.session.session import received


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
    if not journal.exists():
        return Earlier()
    with Journal(journal) as kept:
        if kept.ending.finished:
            return Earlier(carried=kept.ending.day)
        return Earlier(is_cut_off=True, carried=kept.manifest.system_limits["carried"])


def set_aside(journal: Path) -> None:
    """Keep the journal of an earlier run beside the new one."""
    if journal.exists():
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(journal.stat().st_mtime))
        journal.rename(journal.with_name(f"{journal.stem}-{stamp}{journal.suffix}"))


def recover(
    kernel: _core.Session,
    journal: Path,
    strategies: list[Any],
    settings: Settings,
    data: Dataset,
) -> tuple[Manifest, int, bytes]:
    """Take the journal of a run that was cut off; the run goes on behind it (D5)."""
    with Journal(journal) as kept:
        manifest = kept.manifest
        now = manifest_of(data, strategies, settings)
        for name in ("instruments", "limits", "system_limits", "seed"):
            if to_json(getattr(now, name)) != to_json(getattr(manifest, name)):
                message = f"{journal}: the run was cut off, and its {name} have changed since"
                raise exception("divergence", message, "go on with the settings of the run, or move its journal away")
        last, checksum = 0, b""
        for block in kept.blocks():
            found = kernel.recover(block.data)
            if found is not None:
                raise _diverged(journal, found)
            if last == 0:
                received(kernel)
            last, checksum = block.last, block.checksum
        found = kernel.recovered()
        if found is not None:
            raise _diverged(journal, found)
        return manifest, last, checksum


def _diverged(journal: Path, found: dict[str, Any]) -> TradewindError:
    message = (
        f"{journal}: after input {found['sequence']:,} the strategy now decides {found['actual'] or 'nothing'},"
        f" and then decided {found['expected'] or 'nothing'}"
    )
    return exception("divergence", message, "go on with the code of the run, or move its journal away")
