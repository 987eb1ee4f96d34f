"""The system file of the session that is put to the test."""

from __future__ import annotations

from pathlib import Path

import session_exchange

from reliability.venue import Venue

TRADER = Path(__file__).with_name("trader.py")
NAME = "steady"


def write_system(folder: Path, venue: Venue, kind: str = "ed25519") -> Path:
    """Write the system file and the keys of a session on an exchange."""
    key = venue.keys[kind]
    session_exchange.write_keys(folder, key["api_key"], key["secret"])
    return session_exchange.write_system(
        folder, venue.rest_url, venue.stream_url, venue.api_url, TRADER, NAME, daily_loss=50_000
    )


def journal_of(folder: Path) -> Path:
    """Where the journal of the session is."""
    return folder / "runs" / NAME / "live"
