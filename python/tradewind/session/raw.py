"""Raw frames of a session, recorded beside its journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tradewind.data.recorder import RawRecorder
from tradewind.session.session import Session, VenueParts

RAW = "raw"
"""The folder beside the journal."""
log = logging.getLogger(__name__)


@contextmanager
def raw_recorded(
    session: Session, venues: Sequence[VenueParts], folder: Path, now_ns: Callable[[], int], *, is_wanted: bool
) -> Iterator[None]:
    """Record the raw frames of a session's venues, each in a folder of its own, where that is wanted."""

    def stopped(reason: str) -> None:
        """What is traded does not depend on it: the session goes on."""
        session.health.raw_recording = reason
        log.warning("raw frames are not recorded any more: %s", reason)

    recorders = []
    for venue in venues if is_wanted else ():
        venue.recorder = RawRecorder(folder / venue.name, now_ns, stopped)
        recorders.append(venue.recorder)
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.close()
