"""Which callback holds a session up."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
_SLOW_SECONDS = 1.2
"""For so long nothing was written: some times a second it is, so that a callback has then run for a second."""
_APART_SECONDS = 60.0


@contextmanager
def slow_callbacks_told(strategies: Sequence[Any]) -> Iterator[Callable[[], None]]:
    """Warn of a callback that runs for more than a second, at most once a minute, while it runs.

    A thread of its own looks: on the way of an event nothing is measured, and one that never ends is told, too.

    Parameters
    ----------
    strategies
        Those of the session; native ones have no callbacks.

    Yields
    ------
    Callable
        What the session calls some times a second, in its thread, which is the one that enters.

    """
    callbacks = _callbacks(strategies)
    over, beats = threading.Event(), list[tuple[float, int]]()

    def beat() -> None:
        beats[:] = [(time.monotonic(), threading.get_ident())]

    def look() -> None:
        told = -_APART_SECONDS
        while not over.wait(_LOOK_SECONDS):
            for since, thread in beats[:]:
                now = time.monotonic()
                if now - since < _SLOW_SECONDS or now - told < _APART_SECONDS:
                    continue
                frame = _running(sys._current_frames().get(thread), callbacks)
                if frame is not None:
                    told = now
                    name, place = callbacks[frame.f_code], f"{frame.f_code.co_filename}:{frame.f_lineno}"
                    message = "%s has run for more than a second (%s): meanwhile nothing comes in and no order leaves"
                    log.warning(message, name, place)

    # The first of what a session writes comes behind `on_start`.
    beat()
    looking = threading.Thread(target=look, name="slow callbacks", daemon=True)
    looking.start()
    try:
        yield beat
    finally:
        over.set()
        looking.join()


def _callbacks(strategies: Sequence[Any]) -> dict[CodeType, str]:
    """The callbacks by their code; strategies of one class share it."""
    owners: dict[tuple[CodeType, str], list[str]] = {}
    for one in strategies:
        for name in dir(type(one)):
            code = getattr(getattr(type(one), name), "__code__", None)
            if name.startswith("on_") and code is not None:
                owners.setdefault((code, name), []).append(one.name)
    return {code: f"{name} of {' or '.join(names)}" for (code, name), names in owners.items()}


def _running(frame: FrameType | None, callbacks: dict[CodeType, str]) -> FrameType | None:
    """The callback that runs, where one does."""
    while frame is not None and frame.f_code not in callbacks:
        frame = frame.f_back
    return frame
