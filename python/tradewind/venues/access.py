"""How a venue is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.credentials import Credentials


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
