"""How many connections a session holds, and for how long those that show no token."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable

MOST_CONNECTIONS = 128
"""How many connections are open at once, where there are descriptors for them."""

_STRANGER_SECONDS = 10.0
_QUIET_SECONDS = 60.0
# A session needs descriptors for its journal and its venues first.
_SHARE_OF_DESCRIPTORS = 4


class Gate:
    """Keeps who has no token from using up a session's descriptors.

    A connection that shows no token is closed after ten seconds. Where too many are open, the oldest of these makes
    room for a new one, so that who has the token comes in beside any number of others.

    Parameters
    ----------
    serve
        Makes what serves a connection.

    """

    def __init__(self, serve: Callable[[], asyncio.Protocol]) -> None:
        self.most = _room()
        self._serve = serve
        self._known: set[asyncio.BaseTransport] = set()
        self._strangers: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def entrance(self) -> asyncio.Protocol:
        """What a connection meets first."""
        return _Entrance(self)

    def enter(self, transport: asyncio.Transport) -> None:
        """Serve a connection, if there is room or room can be made."""
        if not self._has_room():
            transport.abort()
            return
        timer = asyncio.get_running_loop().call_later(_STRANGER_SECONDS, self._dismiss, transport)
        self._strangers[transport] = timer
        protocol = self._serve()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    def know(self, transport: asyncio.Transport | None) -> None:
        """The token was shown on a connection, which may stay."""
        if transport is not None and (timer := self._strangers.pop(transport, None)) is not None:
            timer.cancel()
            self._known.add(transport)

    def close(self) -> None:
        """Wait for nobody any more."""
        for timer in self._strangers.values():
            timer.cancel()
        self._strangers.clear()

    def _has_room(self) -> bool:
        self._known = {one for one in self._known if not one.is_closing()}
        for gone in [one for one in self._strangers if one.is_closing()]:
            self._strangers.pop(gone).cancel()
        if len(self._known) + len(self._strangers) < self.most:
            return True
        if self._strangers:
            self._dismiss(next(iter(self._strangers)))
            return True
        return False

    def _dismiss(self, transport: asyncio.Transport) -> None:
        self._strangers.pop(transport).cancel()
        transport.abort()


def _room() -> int:
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, descriptors // _SHARE_OF_DESCRIPTORS))


class _Entrance(asyncio.Protocol):
    """Gives a connection to the gate as soon as there is one, so that each is counted before the next."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._gate.enter(transport)


class Sparse(logging.Filter):
    """Lets one record through a minute, in one line: anybody can send what is no HTTP, as often as he likes."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = 0
        self._told: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told."""
        self._kept += 1
        if self._told is not None and record.created - self._told < _QUIET_SECONDS:
            return False
        error = record.exc_info[1] if record.exc_info else None
        why = "" if error is None else f": {type(error).__name__}"
        record.msg, record.args = "control: %s%s (%d since it was last said)", (record.getMessage(), why, self._kept)
        record.exc_info = None
        self._told, self._kept = record.created, 0
        return True
