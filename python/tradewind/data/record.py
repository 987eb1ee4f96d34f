"""Recording of market data without a strategy or an account."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tradewind._core import Inbox, Index
from tradewind.data.recorder import RECORDED_VENUES, RawRecorder
from tradewind.dataset import definition
from tradewind.errors import exception
from tradewind.session.specifications import specified
from tradewind.venues import ClockStatus, MarketSink, StreamName, StreamStatus, VenueClock, market_data

_GLANCE_SECONDS = 0.2
log = logging.getLogger(__name__)


@dataclass
class Recording:
    """How far a recording is."""

    folder: Path
    frames: int = 0
    bytes: int = 0
    gaps: int = 0
    errors: int = 0
    states: dict[StreamName, str] = field(default_factory=dict)

    @property
    def down(self) -> list[str]:
        """The streams that do not deliver now."""
        return [str(stream) for stream, state in self.states.items() if state not in ("connected", "resynced")]


async def record(
    venue: str,
    streams: Sequence[StreamName],
    folder: Path,
    stopped: asyncio.Event,
    *,
    url: str = "",
    rest_url: str = "",
    ssl_context: ssl.SSLContext | None = None,
    on_progress: Callable[[Recording], object] = lambda recording: None,
) -> Recording:
    """Record raw frames until the event is set; what cannot be written any more is an error.

    Parameters
    ----------
    venue
        Such as ``"binance_spot"``.
    streams
        What is recorded.
    folder
        Where the files go.
    stopped
        Ends the recording in order.
    url, rest_url
        Where the venue is, if not at its own address.
    ssl_context
        What encrypts, where it is not the usual.
    on_progress
        Called some times a second.

    """
    if venue not in RECORDED_VENUES:
        message = f"raw frames of {venue} cannot be read again, so they are not recorded"
        raise exception("unknown_venue", message, f"those of {', '.join(RECORDED_VENUES)} can")
    clock = VenueClock()
    source = market_data(venue, stream_url=url, rest_url=rest_url, clock=clock, ssl_context=ssl_context)
    done = Recording(folder, states=dict.fromkeys(streams, "awaited"))
    recorder = RawRecorder(folder, clock)

    def on_status(status: StreamStatus | ClockStatus) -> None:
        if isinstance(status, StreamStatus):
            recorder.status(status)
            done.gaps += status.state == "gap"
            if status.state == "error":
                done.errors += 1
                log.warning("%s: %s", venue, status.reason)
            elif status.stream is not None and status.state != "gap":
                done.states[status.stream] = status.state

    try:
        # Before the first stamp, which nothing may come before.
        await source.observe_clock()
        symbols = sorted({one.symbol for one in streams})
        fields = await specified(source, symbols)
        if missing := [symbol for symbol in symbols if symbol not in fields]:
            hint = "is the symbol spelt as the venue spells it?"
            raise exception("unknown_instrument", f"{venue} has no instrument {', '.join(missing)}", hint)
        inbox = Inbox(Index([definition(one) for one in fields.values()]))
        for one in streams:
            inbox.instrument(one.instrument)
        recorder.begin(streams)
        await source.start(MarketSink(inbox, clock, inbox.take_events, on_status, recorder))
        source.subscribe(streams)
        while not (stopped.is_set() or recorder.problem):
            await asyncio.sleep(_GLANCE_SECONDS)
            recorder.hand_over()
            done.frames, done.bytes = recorder.frames, recorder.bytes
            on_progress(done)
    finally:
        await source.close()
        recorder.close()
        done.frames, done.bytes = recorder.frames, recorder.bytes
    if recorder.problem:
        raise exception("unreadable_file", f"nothing more is recorded: {recorder.problem}", "is the disk full?")
    return done
