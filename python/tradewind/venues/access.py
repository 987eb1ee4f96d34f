"""How a venue is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from tradewind.errors import exception
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.credentials import Credentials


def trusting(authority: Path) -> ssl.SSLContext:
    """What encrypts, and trusts a certificate authority (PEM) besides the usual ones."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(authority)
    except OSError as error:  # ssl's errors are among these
        message = f"{authority}: it cannot be read as a certificate authority: {error.strerror or error}"
        hint = "a PEM file, such as sandbox-authority.pem of tradewind sandbox --tls"
        raise exception("unreadable_file", message, hint) from None
    return context


@dataclass(frozen=True)
class VenueAccess:
    """What an adapter is given to make a venue's market data, and its orders.

    Parameters
    ----------
    name
        The venue's name in the system, which its instruments carry before the colon.
    rest_url, stream_url, api_url
        Where it is; empty where the system leaves it to the adapter.
    clock
        The venue's clock, to be shared by all that speaks with it.
    ssl_context
        What encrypts, where the system names an authority of its own.
    credentials
        The account's keys; none where no real orders are wanted.

    """

    name: str
    rest_url: str
    stream_url: str
    api_url: str
    clock: VenueClock
    ssl_context: ssl.SSLContext | None = None
    credentials: Credentials | None = None
