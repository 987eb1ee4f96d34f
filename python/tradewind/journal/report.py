"""What a replay found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tradewind.times import from_ns


class Divergence(msgspec.Struct, frozen=True):
    """The first place at which a replay decided otherwise."""

    sequence: int
    """The number of the input after which it was decided, counted from one."""
    time_ns: int
    event: str
    """The input, in words."""
    expected: str | None
    """What was recorded; none where the replay decided more."""
    actual: str | None
    """What the replay decided; none where it decided less."""

    @property
    def time(self) -> datetime:
        """When it was decided, to the microsecond."""
        return from_ns(self.time_ns)

    def __str__(self) -> str:
        return (
            f"after event {self.sequence:,} ({self.event}) at {self.time.isoformat(timespec='microseconds')}\n"
            f"  expected  {self.expected or 'nothing'}\n"
            f"  actual    {self.actual or 'nothing'}"
        )


class ReplayReport(msgspec.Struct, frozen=True):
    """The comparison of a recorded run with its replay."""

    journal: str
    verdict: str
    """``identical``, ``diverged``, ``unfinished`` (the recorded run did not come to its end, what there is agrees) or
    ``running`` (it goes on, what there is so far agrees)."""
    inputs: int
    decisions: int
    """How many requests were compared and found equal."""
    seconds: float
    divergence: Divergence | None = None
    problem: str = ""
    """What differs, or why nothing more can be said; empty for an identical replay."""
    notes: tuple[str, ...] = ()
    expected_state_hash: str = ""
    actual_state_hash: str = ""
    expected_decisions_hash: str = ""
    actual_decisions_hash: str = ""

    @property
    def identical(self) -> bool:
        """Whether every request and the final hashes are those of the recorded run."""
        return self.verdict == "identical"

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, also of a run that did not come to its end."""
        return self.verdict != "diverged"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        lines = [
            f"{self.verdict}: {self.inputs:,} events and {self.decisions:,} requests compared in {self.seconds:.2f} s"
        ]
        if self.divergence is not None:
            lines.append(f"first divergence {self.divergence}")
        elif self.problem:
            lines.append(self.problem)
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    __repr__ = __str__


class VerifiedRun(msgspec.Struct, frozen=True):
    """One replay in a fresh process."""

    hash_seed: int
    report: ReplayReport | None
    failure: str = ""
    """Why there is no report: the exception that ended the process."""

    @property
    def identical(self) -> bool:
        """Whether it was equal to the recorded run."""
        return self.report is not None and self.report.identical

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, also of a run that did not come to its end."""
        return self.report is not None and self.report.agrees


class VerifyReport(msgspec.Struct, frozen=True):
    """Replays of one run in fresh processes, each under another seed of text hashes (D2)."""

    journal: str
    runs: tuple[VerifiedRun, ...]

    @property
    def identical(self) -> bool:
        """Whether every replay was equal to the recorded run."""
        return all(run.identical for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        plain: dict[str, Any] = {"identical": self.identical, **msgspec.to_builtins(self)}
        return plain

    def __str__(self) -> str:
        seeds = ", ".join(str(run.hash_seed) for run in self.runs)
        first = next((run for run in self.runs if not run.agrees), None)
        if first is None:
            return self._agreement(seeds)
        differing = [str(run.hash_seed) for run in self.runs if not run.agrees]
        which = f"PYTHONHASHSEED {', '.join(differing)} of {seeds}"
        lines = [f"not identical in {len(differing)} of {len(self.runs)} fresh processes ({which})"]
        lines.append(f"under PYTHONHASHSEED {first.hash_seed}: {first.report or first.failure}")
        if len(differing) < len(self.runs):
            lines.append("hint: the decisions depend on the order of a set of text, or on hash(); sort it before use")
        elif first.report is not None and first.report.divergence is not None and not first.report.notes:
            lines.append(
                "hint: the code is as it was, so it uses something outside of ctx: a clock, random, a file, the network"
            )
        return "\n".join(lines)

    def _agreement(self, seeds: str) -> str:
        """What all of them found, where none differs."""
        report = self.runs[0].report
        assert report is not None
        where = f"in {len(self.runs)} fresh processes (PYTHONHASHSEED {seeds})"
        lines = [f"{report.verdict} {where}: {report.inputs:,} events and {report.decisions:,} requests each"]
        lines += [report.problem] if report.problem else []
        return "\n".join([*lines, *(f"note: {note}" for note in report.notes)])

    __repr__ = __str__
