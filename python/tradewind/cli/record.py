"""``tradewind data``: market data, recorded as a venue sends them."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tradewind.cli.screen import SHOWN, note, status
from tradewind.data.record import Recording, record
from tradewind.errors import exception
from tradewind.folders import made
from tradewind.journal.lock import only_one
from tradewind.times import duration_ns
from tradewind.venues import StreamName
from tradewind.venues.access import trusting
from tradewind.venues.interface import StreamKind

data = App(name="data", help="Record market data.")

_READ_AS: dict[StreamKind, str] = {"trades": "trade", "quotes": "quote", "book": "book"}
_EXAMPLE = "binance_spot:BTCUSDT"


@data.command(name="record")
def record_data(
    *instruments: str,
    streams: Annotated[str, SHOWN] = ",".join(_READ_AS),
    lasting: Annotated[str | None, Parameter(name="--for")] = None,
    out: Annotated[Path, SHOWN] = Path("recordings"),
    rest: str = "",
    stream: str = "",
    authority: Path | None = None,
) -> int:
    """Record raw frames of market data, without a strategy or an account, until Ctrl-C.

    tradewind data record binance_spot:BTCUSDT --for 1h

    Parameters
    ----------
    instruments
        What is recorded, such as binance_spot:BTCUSDT; several of one venue.
    streams
        What is recorded of each: some of trades, quotes and book.
    lasting
        For how long, such as 1h; until Ctrl-C otherwise.
    out
        The folder of the recordings; each venue has one of its own in it.
    rest
        Where the venue is asked, such as http://127.0.0.1:9777 for a sandbox; the venue's own address otherwise.
    stream
        Where its streams are, such as ws://127.0.0.1:9777.
    authority
        A certificate authority (PEM) to trust besides the usual ones, such as the sandbox's.

    """
    venue, wanted = _wanted(instruments, streams)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    seconds = None if lasting is None else duration_ns(lasting) / 1e9
    folder = out / venue
    made(folder, "--out")
    with only_one(folder), status("connecting") as show:
        done = asyncio.run(_record(venue, wanted, folder, seconds, (stream, rest), authority, show))
    note(f"{_counts(done)} are in {folder}")
    kinds = " ".join(dict.fromkeys(f"--stream {_READ_AS[one.kind]}" for one in wanted))
    for name in dict.fromkeys(one.symbol for one in wanted):
        files = ",".join(map(str, sorted(folder.glob(f"{name.lower()}_*.gz"))))
        note(f"read them with --data {venue}:{name}=raw:{files} {kinds} --quote-latency 1ms")
    return 0


async def _record(
    venue: str,
    streams: list[StreamName],
    folder: Path,
    seconds: float | None,
    urls: tuple[str, str],
    authority: Path | None,
    show: Callable[[str], None],
) -> Recording:
    stopped, begun = asyncio.Event(), time.monotonic()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    if seconds is not None:
        loop.call_later(seconds, stopped.set)

    def progress(done: Recording) -> None:
        of = "" if seconds is None else f" of {seconds:,.0f}"
        down = f"; not delivering: {', '.join(done.down)}" if done.down else ""
        show(f"{time.monotonic() - begun:,.0f}{of} s: {_counts(done)}{down}; Ctrl-C ends it")

    return await record(
        venue,
        streams,
        folder,
        stopped,
        url=urls[0],
        rest_url=urls[1],
        ssl_context=None if authority is None else trusting(authority),
        on_progress=progress,
    )


def _counts(done: Recording) -> str:
    problems = {"gaps": done.gaps, "errors": done.errors}
    told = "".join(f", {count:,} {name}" for name, count in problems.items() if count)
    return f"{done.frames:,} frames ({done.bytes / 1e6:,.1f} MB){told}"


def _wanted(instruments: tuple[str, ...], streams: str) -> tuple[str, list[StreamName]]:
    """The venue, and its streams."""
    if not instruments:
        raise exception("missing_setting", "no instrument is named", f"such as {_EXAMPLE}")
    for name in instruments:
        if not all(name.partition(":")):
            raise exception("bad_setting", f"{name!r} is no instrument", f"such as {_EXAMPLE}")
    venues = list(dict.fromkeys(name.partition(":")[0] for name in instruments))
    if len(venues) > 1:
        message = f"{', '.join(venues)}: one venue is recorded at a time"
        raise exception("bad_setting", message, "start it once for each")
    kinds: dict[StreamKind, None] = {}
    for word in streams.split(","):
        kind = next((one for one in _READ_AS if one == word.strip()), None)
        if kind is None:
            raise exception("bad_setting", f"--streams {word.strip()!r}", f"some of {','.join(_READ_AS)}")
        kinds[kind] = None
    return venues[0], [StreamName(name, kind) for name in dict.fromkeys(instruments) for kind in kinds]
