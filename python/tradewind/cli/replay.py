"""``tradewind replay``."""

from __future__ import annotations

from pathlib import Path

from tradewind.cli.screen import note, progress, show_json
from tradewind.journal import Journal
from tradewind.journal import replay as replay_here
from tradewind.journal import verify as replay_fresh


def replay(run: Path, /, *, verify: bool = False, json: bool = False) -> int:
    """Run a recorded run again from its journal, and compare every request and the final state.

    Parameters
    ----------
    run
        The journal's file, or the folder of its run.
    verify
        Replay in fresh processes under several seeds of text hashes, which finds what depends on them.
    json
        Print the comparison as JSON.

    """
    if verify:
        note("replaying in fresh processes")
        verified = replay_fresh(run)
        show_json(verified.to_dict()) if json else print(verified)
        return 0 if verified.identical else 1
    with Journal(run) as recorded:
        entries = recorded.ending.entries
    with progress("replay", entries) as update:
        report = replay_here(run, progress=update)
    show_json(report.to_dict()) if json else print(report)
    return 0 if report.identical else 1
