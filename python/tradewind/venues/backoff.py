"""How long to wait before another attempt, so that many clients do not come back together."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 30.0


@dataclass
class Backoff:
    """Waits that double from attempt to attempt, each drawn between half and all of it; a success starts anew.

    Chance here is no part of a run: it decides when to connect, not what is traded.

    Examples
    --------
    >>> waits = Backoff()
    >>> first, second = waits.next_seconds(), waits.next_seconds()
    >>> 0.125 <= first <= 0.25 <= second * 1.01 <= 0.51
    True

    """

    attempts: int = 0
    chance: random.Random = field(default_factory=random.SystemRandom)

    def next_seconds(self) -> float:
        """How long to wait now."""
        longest = min(FIRST_SECONDS * 2.0**self.attempts, LONGEST_SECONDS)
        self.attempts += 1
        return longest * (0.5 + 0.5 * self.chance.random())

    def reset(self) -> None:
        """An attempt has succeeded."""
        self.attempts = 0
