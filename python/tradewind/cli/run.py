"""``tradewind run``: a system file, in any mode."""

from __future__ import annotations

import importlib
from pathlib import Path

from tradewind.cli.backtest import show
from tradewind.cli.screen import note, progress, show_json
from tradewind.config import Mode, System
from tradewind.config.backtests import load_data
from tradewind.config.problem import SystemFileError
from tradewind.config.readiness import absent, missing
from tradewind.errors import exception
from tradewind.folders import made
from tradewind.journal import FILE_NAME


def run_system(
    system: Path, /, *, mode: Mode, record_raw: bool = False, json: bool = False, accept_changes: bool = False
) -> int:
    """Run a system file: over its recorded data, on paper with live data, or live with real orders.

    tradewind run system.toml --mode backtest

    Parameters
    ----------
    system
        The system file.
    mode
        What feeds the engine and who carries out its orders.
    record_raw
        Record the frames of market data as they came, too, beside the journal; paper and live.
    json
        Print the metrics as JSON; of a session when it has ended.
    accept_changes
        Go on with a run that was cut off although its code, parameters or limits were changed since; trading is off
        until `tradewind ctl RUN trading on`.

    """
    if accept_changes and mode == "backtest":
        raise exception("bad_setting", "--accept-changes: a backtest begins anew each time", "leave it out")
    read = System.read(system)
    if record_raw:
        read = read.model_copy(update={"journal": read.journal.model_copy(update={"record_raw": True})})
    if problems := [*absent(read, mode), *missing(read, mode)]:
        raise SystemFileError(f"{system} in the mode {mode}", problems)
    if mode == "backtest":
        return _backtest(read, json=json)
    session = importlib.import_module("tradewind.session")
    code: int = session.run(
        read,
        mode,
        note,
        lambda report: show_json(report.to_dict()) if json else print(report),
        accepts_changes=accept_changes,
    )
    return code


def _backtest(system: System, *, json: bool) -> int:
    for text in _unused(system):
        note(text)
    note("reading data")
    dataset = load_data(system)
    for report in dataset.reports:
        note(f"  {report}")
    folder = made(system.run_folder("backtest"), "run.directory, the folder of the run")
    journals = made(system.journal_folder("backtest"), "the folder of the journal")
    journal = journals / FILE_NAME
    with progress("backtest", dataset.rows) as update:
        result = system.backtest(dataset=dataset, journal=journal, progress=update)
    show(result, out=folder, journal=journal, json=json)
    return 0


def _unused(system: System) -> list[str]:
    """What the file says and a backtest does not do: it must not be taken for tested."""
    stated = {
        "accounts.adopt": any(account.adopt for account in system.accounts.values()),
        "journal.record_raw": system.journal.record_raw,
    }
    return [
        f"{name} holds in paper and live only: this backtest runs without it"
        for name, is_stated in stated.items()
        if is_stated
    ]
