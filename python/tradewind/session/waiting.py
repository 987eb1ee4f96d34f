"""How a session waits for what comes."""

from __future__ import annotations

import asyncio
import selectors
import time


class BusySelector(selectors.DefaultSelector):
    """Looks again and again instead of sleeping.

    A processor that sleeps between two ticks takes its time to wake up, and its caches have gone cold: that is most of
    what an answer then takes. Looking all the time takes a whole core.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Give what is ready, at once or as soon as there is something, at the latest after the time-out."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            ready = super().select(0)
            if ready or (until is not None and time.monotonic() >= until):
                return ready


def event_loop(*, is_busy: bool) -> asyncio.AbstractEventLoop:
    """Make the event loop of a session."""
    return asyncio.SelectorEventLoop(BusySelector() if is_busy else None)
