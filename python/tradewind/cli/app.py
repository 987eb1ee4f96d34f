"""All commands, and what becomes of their errors."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import cyclopts
from cyclopts import App, CycloptsError, Parameter

import tradewind
from tradewind import __version__
from tradewind.cli.backtest import backtest
from tradewind.cli.cancel_all import cancel_all
from tradewind.cli.config import config
from tradewind.cli.ctl import actions
from tradewind.cli.demo import demo
from tradewind.cli.hints import spoken
from tradewind.cli.journal import journal
from tradewind.cli.lists import errors, instruments
from tradewind.cli.new import new
from tradewind.cli.parity import parity
from tradewind.cli.record import data
from tradewind.cli.replay import replay
from tradewind.cli.run import run_system
from tradewind.cli.sandbox import sandbox
from tradewind.cli.screen import show_error
from tradewind.cli.view import view
from tradewind.errors import TradewindError
from tradewind.times import from_ns

_HASH_SEED = "0"
_NOTED_TIME = re.compile(r"^(raised in .+ at )(\d+) ns$", re.MULTILINE)
_OURS = tuple(str(Path(str(package.__file__)).parent) + os.sep for package in (tradewind, cyclopts))

app = App(
    name="tradewind",
    help="Algorithmic trading: the strategy you tested is the strategy that trades.",
    version=__version__,
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for command in (demo, new, backtest, replay, parity, sandbox, instruments, errors):
    app.command(command)
app.command(view)
app.command(cancel_all)
app.command(config)
app.command(data)
app.command(actions.meta, name="ctl")
app.command(journal)
app.command(run_system, name="run")


def main() -> None:
    """Run the command line, with text hashes that are the same every time (D2)."""
    if sys.flags.hash_randomization and not os.environ.get("PYTHONHASHSEED", "").isdecimal():
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": _HASH_SEED})
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code.

    Examples
    --------
    >>> run(["replay", "nowhere.sqlite"])
    1

    """
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        place = f" {arguments[0]}" if arguments and arguments[0] in app else ""
        show_error("usage", str(error), f"see tradewind{place} --help")
        return 2
    except TradewindError as error:
        show_error(error.code, "\n  ".join([error.message, *_place(error)]), spoken(error.hint))
        return 1
    except KeyboardInterrupt:
        show_error("run_interrupted", "stopped by Ctrl-C before the end", "a journal of it is marked as unfinished")
        return 130
    except BrokenPipeError:
        # Whoever reads us has seen enough; the interpreter must not complain while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, SystemExit) as error:
        # Nothing of ours exits: a strategy that does has not come to its end, whatever it says.
        _show_traceback(error)
        return 1
    return code if isinstance(code, int) else 0


def _show_traceback(error: BaseException) -> None:
    """The traceback of the user's code, without our own frames above it."""
    shown = error.__traceback__
    while shown is not None and shown.tb_frame.f_code.co_filename.startswith(_OURS):
        shown = shown.tb_next
    text = "".join(traceback.format_exception(type(error), error, shown or error.__traceback__))
    sys.stderr.write(_NOTED_TIME.sub(_with_date, text))
    show_error("strategy_failed", f"the run ended with {type(error).__name__}", "the traceback above says where")


def _place(error: TradewindError) -> Iterator[str]:
    """Where an error of ours was raised in the user's code: the line, the callback and the time."""
    notes: list[str] = getattr(error, "__notes__", [])
    if not notes:
        return
    frames = traceback.extract_tb(error.__traceback__)
    for frame in [one for one in frames if not one.filename.startswith(_OURS)][-1:]:
        yield f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
    yield from (_NOTED_TIME.sub(_with_date, text) for text in notes)


def _with_date(note: re.Match[str]) -> str:
    """The time of a note as a date, beside the nanoseconds that `replay` and journals show."""
    return f"{note[1]}{from_ns(int(note[2])):%Y-%m-%d %H:%M:%S.%f} UTC ({note[2]} ns)"
