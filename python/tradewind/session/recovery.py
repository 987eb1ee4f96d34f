"""A run that was cut off goes on behind its journal (D5)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tradewind import _core
from tradewind.errors import TradewindError, exception
from tradewind.instruments import InstrumentFields
from tradewind.journal import Journal
from tradewind.journal.kernel import feed_all
from tradewind.journal.lock import running_process
from tradewind.journal.manifest import Manifest
from tradewind.journal.reader import last_entry
from tradewind.journal.segments import journal_folder
from tradewind.journal.succession import aside, finish_succession
from tradewind.session.acceptance import accept
from tradewind.session.changes import ACCEPT, changes
from tradewind.session.resuming import resumed

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
    currency
        What that profit is in.
    reached
        Where it traded, by venue.
    instruments
        The names of its instruments, in its order.

    """

    is_cut_off: bool = False
    carried: tuple[int, float, float | None] | None = None
    currency: str = ""
    reached: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()

    def carried_in(self, currency: str) -> tuple[int, float, float | None] | None:
        """What is carried to a run whose totals are in a currency; in another one it is not known."""
        if self.carried is not None and self.currency != currency:
            message = "the run before counted in %s, this one in %s: what it lost today does not count for daily_loss"
            log.warning(message, self.currency, currency)
            return None
        return self.carried

    def ordered(self, fields: Iterable[InstrumentFields]) -> tuple[InstrumentFields, ...]:
        """Specifications in its order, which a run keeps wherever its system names them; new ones come behind."""
        places = {name: at for at, name in enumerate(self.instruments)}
        return tuple(sorted(fields, key=lambda one: places.get(one.name, len(places))))


def earlier(journal: Path) -> Earlier:
    """Look at the journal of an earlier run, if there is one."""
    finish_succession(journal)
    return _kept(journal)


def may_have_left_orders(journal: Path) -> bool:
    """Whether a run was cut off here, as far as can be told; nothing is changed."""
    if running_process(journal) is not None:
        return False
    try:
        return _kept(journal).is_cut_off
    except TradewindError:
        return True


def _kept(journal: Path) -> Earlier:
    if journal_folder(journal) is None:
        return Earlier()
    with Journal(journal, after=last_entry(journal)) as kept:
        currency = kept.manifest.settings["currency"]
        if kept.ending.finished:
            return Earlier(carried=kept.ending.day, currency=currency)
        # One that was cut off before its first entry has done nothing.
        carried, reached = kept.manifest.system_limits["carried"], kept.manifest.settings["reached"]
        instruments = tuple(one.name for one in kept.manifest.index().instruments)
        return Earlier(kept.last > 0, carried, currency, reached, instruments)


def set_aside(folder: Path) -> None:
    """Keep a folder of an earlier run beside the new one."""
    if folder.exists():
        folder.rename(aside(folder))


@dataclass(frozen=True)
class GoingOn:
    """A run that goes on.

    Parameters
    ----------
    kernel
        The engine as it was, or waiting for its start where changes were accepted.
    manifest
        Of the journal that is written on.
    last, checksum
        The last entry that is there, and the checksum of what is there.
    told
        What a person should know, line by line.

    """

    kernel: _core.Session
    manifest: Manifest
    last: int
    checksum: bytes
    told: tuple[str, ...] = ()


def go_on(
    make_kernel: Callable[[], _core.Session],
    journal: Path,
    strategies: list[Any],
    now: Manifest,
    now_ns: int,
    *,
    accepts_changes: bool,
) -> GoingOn:
    """Go on with a run that was cut off: as it was, or with what was changed since where that is accepted (D5)."""
    kernel = make_kernel()
    if not accepts_changes:
        return _as_it_was(kernel, journal, now)
    found = changes(_manifest(journal), now)
    found.need_acceptable(journal)
    accepted = found.acceptable
    if not accepted:
        try:
            going_on = _as_it_was(kernel, journal, now)
        except TradewindError as error:
            if error.code != "divergence":
                raise
            accepted, kernel = [error.message.removeprefix(f"{journal}: ")], make_kernel()
        else:
            if not going_on.kernel.has_stopped:
                return replace(going_on, told=("nothing was changed since: there is nothing to accept",))
            accepted, kernel = ["its strategies had stopped"], make_kernel()
    return GoingOn(kernel, *accept(kernel, journal, now, accepted, strategies, now_ns))


def _as_it_was(kernel: _core.Session, journal: Path, now: Manifest) -> GoingOn:
    """Go on behind the journal; a run whose strategies have stopped has its end before it."""
    held = recover(kernel, journal, now)
    told = f"its strategies had stopped: what is left of it is settled, and it ends; to start them anew, {ACCEPT}"
    return GoingOn(kernel, *held, (told,) if kernel.has_stopped else ())


def recover(kernel: _core.Session, journal: Path, now: Manifest) -> tuple[Manifest, int, bytes]:
    """Take the journal of a run that was cut off, from its last snapshot on; the run goes on behind it (D5)."""
    manifest = _manifest(journal)
    found = changes(manifest, now)
    found.need_acceptable(journal)
    if found.reached:
        message = f"{journal}: the run was cut off, and where it trades changed since ({'; '.join(found.reached)})"
        hint = f"go on where the run traded; if it is the same account of the same exchange, {_ways(journal, now)}"
        raise exception("divergence", message, hint)
    if found.limits:
        message = f"{journal}: the run was cut off, and its limits changed since ({'; '.join(found.limits)})"
        raise exception("divergence", message, f"go on with the limits of the run, or {_ways(journal, now)}")
    with resumed(kernel, journal) as kept:
        ways = _ways(journal, now)
        diverged = _fed(kernel, kept, journal, ways)
        if diverged is not None:
            raise _diverged(journal, diverged, found.code, ways)
        if found.code:
            message = f"{journal}: the run was cut off, and {', '.join(found.code)} changed since"
            raise exception("divergence", message, f"go on with the code of the run, or {ways}")
        return manifest, kept.last, kept.checksum


def _ways(journal: Path, now: Manifest) -> str:
    """What a person may do instead of going on as it was. Nothing of a paper run is left at a venue."""
    is_paper = now.settings["mode"] == "paper"
    return f"{ACCEPT}; or move {journal} away to begin a new run" if is_paper else ACCEPT


def _fed(kernel: _core.Session, kept: Journal, journal: Path, ways: str) -> dict[str, Any] | None:
    try:
        return feed_all(kernel, kept.batches())
    except TradewindError:
        raise
    except Exception as error:
        # A strategy that fails by what is recorded fails by it each time.
        error.add_note(f"raised by what {journal} holds, and again at every start: correct the strategy, and {ways}")
        raise


def _manifest(journal: Path) -> Manifest:
    with Journal(journal, after=last_entry(journal)) as tip:
        return tip.manifest


def _diverged(journal: Path, found: dict[str, Any], edited: list[str], ways: str) -> TradewindError:
    changed = f" ({', '.join(edited)} changed since)" if edited else ""
    message = (
        f"{journal}: after input {found['sequence']:,} the strategy now decides {found['actual'] or 'nothing'},"
        f" and had decided {found['expected'] or 'nothing'}{changed}"
    )
    return exception("divergence", message, f"go on with the code of the run, or {ways}")
