"""What goes wrong in one trial, and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reliability.watch import Watch

Must = Callable[[Watch, float, float], list[str]]


@dataclass(frozen=True)
class Step:
    """One fault: when it begins, and for how long a switch stays on.

    Parameters
    ----------
    fault
        Its name at the venue, or one of ours (`ourselves.py`).
    at
        Seconds after the session trades.
    seconds
        How long a switch stays on; nothing for what happens at once.
    parameters
        What can be stated of it.

    """

    fault: str
    at: float = 0.0
    seconds: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """When it is over."""
        return self.at + (self.seconds or 0.0)


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Parameters
    ----------
    name
        What it is called.
    ids
        Its numbers in the list of live faults.
    steps
        What goes wrong.
    stops
        Whether the session rightly trades no more afterwards.
    restarts
        Whether the session rightly ends, and is started again.
    may_differ
        Whether money moves that no order of ours explains.
    is_quiet
        Whether ages mean nothing: the market itself has nothing to say for a while, or a clock was set back.
    foreign
        How many orders of others there are at the end.
    refused
        Whether the venue is expected to answer 403, 418 or 429.
    limits
        The venue's limits where they are not Binance's.
    must
        What must hold besides the invariants: given what was seen, and when the trouble began and ended.

    """

    name: str
    ids: str
    steps: tuple[Step, ...]
    stops: bool = False
    restarts: bool = False
    may_differ: bool = False
    is_quiet: bool = False
    foreign: int = 0
    refused: bool = False
    limits: dict[str, float] = field(default_factory=dict)
    must: Must | None = None

    @property
    def seconds(self) -> float:
        """How long the trouble lasts."""
        return max(step.end for step in self.steps)
