"""What came out, as a table for a person."""

from __future__ import annotations

from collections.abc import Iterable

from reliability.trial import Outcome
from rich.table import Table

_INVARIANTS = ("I1", "I2", "I3", "I4", "I5")


def outcomes(title: str, found: Iterable[Outcome]) -> Table:
    """A line for each trial."""
    table = Table(title=title, title_justify="left")
    for name in ("fault", "live faults", "healed", "time to heal"):
        table.add_column(name, justify="right" if name == "time to heal" else "left", overflow="fold")
    table.add_column("invariants held", overflow="fold", ratio=1)
    for one in found:
        healed = "no" if one.seconds is None else "stopped" if one.row.stops else "restarted" if one.row.restarts else "yes"
        seconds = "" if one.seconds is None else f"{one.seconds:.1f} s"
        table.add_row(one.row.name, one.row.ids, healed, seconds, held(one))
    return table


def held(outcome: Outcome) -> str:
    """Which invariants held; what broke where one did not."""
    broken = {problem[:2] for problem in outcome.problems} & set(_INVARIANTS)
    if not outcome.problems:
        return "all"
    kept = [name for name in _INVARIANTS if name not in broken]
    return f"{' '.join(kept)} [red]but not: {'; '.join(outcome.problems)}[/]"
