"""What came out, as tables for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.markup import escape
from rich.table import Table

from reliability.kills import Kills
from reliability.memory import LIMIT, MemoryRun
from reliability.trial import Outcome

_INVARIANTS = ("I1", "I2", "I3", "I4", "I5")


def outcomes(title: str, found: Iterable[Outcome]) -> Table:
    """A line for each trial."""
    table = _table(title, "fault", "live faults", "healed", "time to heal", "invariants held")
    for one in found:
        way = "stopped" if one.row.stops else "restarted" if one.row.restarts else "yes"
        seconds = "" if one.seconds is None else f"{one.seconds:.1f} s"
        table.add_row(
            escape(one.row.name), one.row.ids, "no" if one.seconds is None else way, seconds, escape(held(one))
        )
    return table


def held(outcome: Outcome) -> str:
    """Which invariants held; what broke where one did not."""
    if not outcome.problems:
        return "all"
    broken = {problem[:2] for problem in outcome.problems}
    kept = " ".join(name for name in _INVARIANTS if name not in broken)
    return f"{kept}; but {'; '.join(outcome.problems)}"


def elsewhere(title: str, rows: Mapping[str, str]) -> Table:
    """Rows that are not in the table of faults, and why."""
    table = _table(title, "fault", "why")
    for name, why in rows.items():
        table.add_row(name, why)
    return table


def killed(found: Kills) -> Table:
    """What the kills came to."""
    table = _table(
        "Kills", "kills", "during the start", "compared", "orders", "fills", "trades again in", "invariants held"
    )
    times = sorted(found.seconds) or [0.0]
    spans = f"{times[len(times) // 2]:.1f} s (median), {times[-1]:.1f} s (longest)"
    problems = escape("; ".join(found.problems)) or "all"
    counts = (found.kills, found.early, found.compared, found.orders, found.fills)
    table.add_row(*map(str, counts), spans, problems)
    return table


def remembered(found: MemoryRun) -> Table:
    """Resident memory over time."""
    table = _table("Memory", "minute", "resident")
    last = found.samples[-1][0]
    for minute in dict.fromkeys([1, 2, 5, *range(10, int(last / 60) + 1, 10), int(last / 60)]):
        if minute * 60 <= last:
            table.add_row(str(minute), f"{found.at(minute * 60) / 1e6:.1f} MB")
    ratio = "shorter than that" if found.ratio is None else f"{found.ratio:.3f} (at most {LIMIT})"
    table.add_section()
    table.add_row("end over minute 10", ratio)
    table.add_row("inputs, orders, fills", f"{found.rows:,}, {found.orders:,}, {found.fills:,}")
    table.add_row("invariants held", escape("; ".join(found.problems)) or "all")
    return table


def _table(title: str, *names: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
