"""``python tests/clients [NAME ...]``: clients that we did not write, trading on our sandbox, as a table.

A client whose package cannot be had is skipped with a message; a call that goes wrong makes the exit status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import course
import pushes
from clients import CLIENTS, Client
from installing import UnavailableError, install
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from trying import Outcomes, run

_SHOWN = {"ok": "[green]ok[/]", "absent": "[dim]-[/]", "failed": "[bold red]FAILED[/]"}
_WIDTH = 118
_AT_ONCE = 2


def main(wanted: list[str]) -> int:
    """Try the clients whose names hold one of the words, or all; the exit status."""
    console = Console(width=_WIDTH, highlight=False)
    chosen = [client for client in CLIENTS if not wanted or any(word in client.name for word in wanted)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        packages = dict.fromkeys(client.package for client in chosen)
        starts = dict(zip(packages, pool.map(_installed, packages), strict=True))
        for package, start in starts.items():
            if isinstance(start, UnavailableError):
                console.print(f"skipped: {escape(package)} cannot be had: {escape(str(start))}")
        there = [client for client in chosen if not isinstance(starts[client.package], UnavailableError)]
        found = dict(zip(there, pool.map(lambda client: run(client, starts[client.package]), there), strict=True))
    _show(console, found)
    outcomes = [outcome.kind for rows in found.values() for outcome in rows.values()]
    counts = {kind: outcomes.count(kind) for kind in ("ok", "failed", "absent")}
    skipped = counts["absent"] + len(chosen) - len(there)
    console.print(f"clients: {counts['ok']} passed, {counts['failed']} failed, {skipped} skipped")
    return 1 if counts["failed"] else 0


def _installed(package: str) -> tuple[list[str], Path] | UnavailableError:
    try:
        return install(package)
    except UnavailableError as error:
        return error


def _show(console: Console, found: dict[Client, Outcomes]) -> None:
    """The tables, and beneath them what is to be said on their cells."""
    if not found:
        return
    console.print(_table("calls", course.ROWS, found))
    console.print(_table("pushes", pushes.ROWS, {one: rows for one, rows in found.items() if one.is_pushed}))
    console.print("ok: each value that the client gives is the exchange's; -: the client does not offer it")
    for client, rows in found.items():
        for (table, row), outcome in rows.items():
            if outcome.text:
                console.print(f"{_SHOWN[outcome.kind]} {escape(f'{client.name}, {table}, {row}: {outcome.text}')}")


def _table(title: str, names: Iterable[str], found: dict[Client, Outcomes]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for client in found:
        package = escape(client.package).replace(" ", "\n").replace("-", "-\n", 1)
        table.add_column(f"{package}\n{client.way}", justify="center", no_wrap=True, vertical="bottom")
    for name in names:
        table.add_row(name, *(_SHOWN[rows[title, name].kind] for rows in found.values()))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
