"""Where people look: progress, errors and answers."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

SHOWN = Parameter(show_default=True)
"""An option whose default is worth saying."""
_SAID_SECONDS = 5.0


def stderr() -> Console:
    """The console of the standard error, as it is now."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show_error(code: str, message: str, hint: str) -> None:
    """Print an error: its code, what is wrong, and what to do."""
    console = stderr()
    console.print(f"[bold red]error[/] \\[{escape(code)}] {escape(message)}")
    if hint:
        console.print(f"[bold cyan]hint:[/] {escape(hint)}")


def note(text: str) -> None:
    """Print what is going on, beside the data."""
    stderr().print(escape(text))


def show_json(value: Any) -> None:
    """Print data for a script."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far something is, where somebody looks; gives what is to be called with the count that is done."""
    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def update(done: int) -> None:
            bar.update(task, completed=done)

        yield update


@contextmanager
def status(text: str) -> Iterator[Callable[[str], None]]:
    """Show what goes on in a line that changes; where nobody looks, now and then in a line of its own."""
    console = stderr()
    if console.is_terminal:
        with console.status(escape(text)) as line:
            yield lambda text: line.update(escape(text))
        return
    said = time.monotonic()

    def say(text: str) -> None:
        nonlocal said
        if time.monotonic() - said >= _SAID_SECONDS:
            said = time.monotonic()
            note(text)

    yield say
