"""The facts of `protocol.toml`, and what both halves of the venue use."""

from __future__ import annotations

import ssl
import time
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import aiohttp

_FACTS = tomllib.loads(resources.files(__package__).joinpath("protocol.toml").read_text())
STREAMS: dict[str, str] = _FACTS["streams"]
LIMITS: dict[str, int] = _FACTS["limits"]
MILLISECOND_NS = 1_000_000
_PROBES = 5


@dataclass(frozen=True)
class Urls:
    """Where the venue is; the sandbox prints its own."""

    rest: str = field(default=_FACTS["urls"]["rest"])
    stream: str = field(default=_FACTS["urls"]["stream"])
    api: str = field(default=_FACTS["urls"]["api"])
    authority_file: Path | None = None

    def connector(self) -> aiohttp.TCPConnector:
        """Connections that trust the stated authority besides the usual ones."""
        if self.authority_file is None:
            return aiohttp.TCPConnector()
        context = ssl.create_default_context()
        context.load_verify_locations(self.authority_file)
        return aiohttp.TCPConnector(ssl=context)


async def server_offset_ns(urls: Urls) -> int:
    """How far the venue's clock is ahead of ours: the middle of the quickest of some round trips."""
    probes: list[tuple[int, int]] = []
    async with aiohttp.ClientSession(connector=urls.connector()) as client:
        for _ in range(_PROBES):
            sent_ns = time.time_ns()
            async with client.get(f"{urls.rest}/api/v3/time", timeout=aiohttp.ClientTimeout(total=10)) as answer:
                answer.raise_for_status()
                server_ms = int((await answer.json())["serverTime"])
            received_ns = time.time_ns()
            # The venue cut its time to the millisecond: on average it is half of one later.
            server_ns = server_ms * MILLISECOND_NS + MILLISECOND_NS // 2
            probes.append((received_ns - sent_ns, server_ns - (sent_ns + received_ns) // 2))
    return min(probes)[1]
