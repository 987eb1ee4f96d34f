"""Signals that end a session: Ctrl-C, SIGTERM, and the end of its terminal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from tradewind.errors import exception
from tradewind.session.session import Session

if TYPE_CHECKING:
    from tradewind.config.operation import Shutdown

Say = Callable[[str], None]
_Act = Callable[["Shutdown", Session, Say], None]
_DEAF_SIGNALS = 2
"""So many signals may wait for a callback to end."""


@contextmanager
def ended_by_signals(shutdown: Shutdown, session: Session, say: Say) -> Iterator[None]:
    """Signals end the session in order; where a callback does not let it, the third one ends the callback."""
    loop = asyncio.get_running_loop()
    unheard = 0

    def heard(act: _Act) -> None:
        nonlocal unheard
        # Those that came meanwhile are one, and none if they ended a callback.
        if unheard:
            unheard = 0
            act(shutdown, session, say)

    def told(number: int, _: FrameType | None) -> None:
        # Called between two steps of whatever Python does, which may be a callback without an end.
        nonlocal unheard
        unheard += 1
        if unheard > _DEAF_SIGNALS:
            unheard = 0
            name = signal.Signals(number).name
            raise exception("strategy_failed", f"{name} came {_DEAF_SIGNALS + 1} times while a callback did not end")
        loop.call_soon_threadsafe(heard, _hang_up if number == signal.SIGHUP else _interrupt)

    # Under nohup a run outlives its terminal.
    is_alone = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    names = [signal.SIGINT, signal.SIGTERM, *([] if is_alone else [signal.SIGHUP])]
    before = {name: signal.signal(name, told) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _hang_up(shutdown: Shutdown, session: Session, say: Say) -> None:
    """The terminal was closed: end in order. Shell and kernel both tell so: the second time is no second Ctrl-C."""
    if not session.is_ending:
        _interrupt(shutdown, session, say)


def _interrupt(shutdown: Shutdown, session: Session, say: Say) -> None:
    """Ctrl-C: end in order; once more: wait for nothing."""
    if session.is_ending:
        session.hurry()
        say("ending at once; what the venue has not answered is asked for by the next start of the same run")
        return
    session.stop()
    if shutdown.orders == "keep":
        fate = "open orders are kept"
    else:
        fate = f"open orders are cancelled{', positions closed' if shutdown.positions == 'close' else ''}"
        fate += f", answers awaited for up to {shutdown.timeout}"
    say(f"ending: {fate}; Ctrl-C again waits for nothing")
