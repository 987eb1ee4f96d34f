"""How a session waits for what comes."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary


class BusySelector(selectors.DefaultSelector):
    """Looks again and again instead of sleeping.

    A processor that sleeps between two ticks takes its time to wake up, and its caches have gone cold: that is most of
    what an answer then takes. Looking all the time takes a whole core.
    """

    meanwhile: Callable[[], object] | None = None
    """Done after every look that finds nothing."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Give what is ready, at once or as soon as there is something, at the latest after the time-out."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            ready = super().select(0)
            if ready or (until is not None and time.monotonic() >= until):
                return ready
            if self.meanwhile is not None:
                self.meanwhile()


_busy: WeakKeyDictionary[asyncio.AbstractEventLoop, BusySelector] = WeakKeyDictionary()


def event_loop(*, is_busy: bool) -> asyncio.AbstractEventLoop:
    """Make the event loop of a session."""
    if not is_busy:
        return asyncio.SelectorEventLoop()
    selector = BusySelector()
    loop = asyncio.SelectorEventLoop(selector)
    _busy[loop] = selector
    return loop


def while_waiting(act: Callable[[], object] | None) -> None:
    """Do something, or nothing, whenever the running loop waits busily; one that sleeps does nothing."""
    if (selector := _busy.get(asyncio.get_running_loop())) is not None:
        selector.meanwhile = act
