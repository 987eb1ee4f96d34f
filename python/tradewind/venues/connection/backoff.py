"""How long to wait before trying again, and how often a venue may be tried at all."""

from __future__ import annotations

import asyncio
import random
from collections import deque


class Backoff:
    """Waiting times that double, each between half and all of its step: never nothing, and never all at once.

    Examples
    --------
    >>> backoff = Backoff(first=1.0, longest=4.0)
    >>> waits = [backoff.next() for _ in range(5)]
    >>> all(0.5 <= wait <= 4.0 for wait in waits)
    True

    """

    def __init__(self, first: float = 0.5, longest: float = 30.0) -> None:
        self._first = first
        self._longest = longest
        self._step = first
        self._random = random.Random()  # chance that decides nothing but when a socket is tried

    def next(self) -> float:
        """Seconds to wait now; the next wait is up to twice as long."""
        step, self._step = self._step, min(self._step * 2, self._longest)
        return step * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It went well: the next trouble begins small again."""
        self._step = self._first


class Budget:
    """At most so many uses in so many seconds, whoever asks."""

    def __init__(self, most: int, per_seconds: float) -> None:
        self._most = most
        self._per_seconds = per_seconds
        self._used: deque[float] = deque()

    async def wait(self) -> None:
        """Wait until another use is allowed, and take it."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            while self._used and self._used[0] <= now - self._per_seconds:
                self._used.popleft()
            if len(self._used) < self._most:
                self._used.append(now)
                return
            await asyncio.sleep(self._used[0] + self._per_seconds - now)
