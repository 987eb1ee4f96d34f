"""``tradewind replay``."""

from __future__ import annotations

from pathlib import Path

from tradewind.cli.assignments import parameters
from tradewind.cli.screen import note, progress, show_json
from tradewind.errors import exception
from tradewind.journal import Journal
from tradewind.journal import replay as replay_here
from tradewind.journal import verify as replay_fresh
from tradewind.loading import load_strategy_class
from tradewind.session.rerun import rerun
from tradewind.session.rewind import state_at


def replay(
    run: Path,
    /,
    *,
    verify: bool = False,
    at: int | None = None,
    strategy: str | None = None,
    param: tuple[str, ...] = (),
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Run a recorded run again from its journal, and compare every request and the final state.

    Parameters
    ----------
    run
        The journal's file, or the folder of its run.
    verify
        Replay in fresh processes under several seeds of text hashes, which finds what depends on them.
    at
        Show the state after an entry, by its number as in `tradewind journal query`: time, positions, balances, open
        orders and the strategies' values.
    strategy
        Run another strategy, file.py or file.py:Class, over the recorded market data: on simulated venues, with the
        latencies that the session measured. It is shown as a backtest, and beside the session's own figures.
    param
        A parameter of the other strategy, such as fast=10; may be repeated.
    out
        A folder for the other strategy's orders, fills and equity (Parquet), metrics and manifest (JSON).
    json
        Print what was found as JSON.

    """
    _refuse_mixtures({"--verify": verify, "--at": at is not None, "--strategy": strategy is not None})
    if strategy is None and (param or out is not None):
        raise exception("bad_setting", "--param and --out are for another strategy", "add --strategy other.py")
    if strategy is not None:
        return _rerun(run, strategy, param, out, json=json)
    if at is not None:
        return _rewind(run, at, json=json)
    return _verify(run, json=json) if verify else _replay(run, json=json)


def _refuse_mixtures(asked: dict[str, bool]) -> None:
    named = [name for name, is_asked in asked.items() if is_asked]
    if len(named) > 1:
        raise exception("bad_setting", f"{' and '.join(named)} ask for different things", "give one of them")


def _verify(run: Path, *, json: bool) -> int:
    note("replaying in fresh processes")
    verified = replay_fresh(run)
    show_json(verified.to_dict()) if json else print(verified)
    return 0 if verified.identical else 1


def _replay(run: Path, *, json: bool) -> int:
    with progress("replay", _entries(run)) as update:
        report = replay_here(run, progress=update)
    show_json(report.to_dict()) if json else print(report)
    return 0 if report.identical else 1


def _entries(run: Path) -> int:
    with Journal(run, checked=False) as recorded:
        return recorded.stated_last


def _rewind(run: Path, at: int, *, json: bool) -> int:
    with progress("replay", at) as update:
        state = state_at(run, at, progress=update)
    show_json(state.to_dict()) if json else print(state)
    return 0


def _rerun(run: Path, strategy: str, param: tuple[str, ...], out: Path | None, *, json: bool) -> int:
    cls = load_strategy_class(strategy)
    made = cls(**parameters(cls, param))
    with progress("replay", _entries(run)) as update:
        found = rerun(run, made, progress=update)
    if out is not None:
        found.result.save(out)
    show_json(found.to_dict()) if json else print(found)
    if out is not None:
        note(f"wrote orders, fills and equity (Parquet), metrics and manifest (JSON) to {out}/")
    return 0
