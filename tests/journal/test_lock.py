"""A run that goes on in a process is not called unfinished, and the file that a kill leaves is not believed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from session_journals import cut_off, recorded

from tradewind.cli import run as run_cli
from tradewind.errors import TradewindError
from tradewind.journal import info, replay, verify
from tradewind.journal.lock import only_one, running_process

HOLDING = """
import sys, time
from pathlib import Path
from tradewind.journal.lock import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_of_another_process_is_running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut_off(tmp_path)
    assert info(tmp_path).process is None and not info(tmp_path).finished
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        for place in (tmp_path, tmp_path / "journal"):
            assert running_process(place) == other.pid
        found = info(tmp_path)
        assert (found.process, found.finished, found.reason) == (other.pid, False, "")
        assert str(found).endswith(f"ending     running (process {other.pid})")
        report = replay(tmp_path)
        assert (report.verdict, report.agrees, report.identical) == ("running", True, False)
        assert f"the run goes on (process {other.pid})" in str(report) and "unfinished" not in str(report)
        assert "running in 1 fresh processes (PYTHONHASHSEED 0)" in str(verify(tmp_path, hash_seeds=[0]))
        assert run_cli(["journal", "info", str(tmp_path)]) == 0
        assert f"running (process {other.pid})" in capsys.readouterr().out
        assert run_cli(["replay", str(tmp_path)]) == 1
        assert "running: " in capsys.readouterr().out
        other.kill()
    # The file still names it.
    assert (tmp_path / "run.lock").read_text() == f"{other.pid}\n"
    assert info(tmp_path).process is None and "unfinished: " in str(info(tmp_path))
    assert replay(tmp_path).verdict == "unfinished"


def test_a_file_that_names_a_living_process_is_not_enough(tmp_path: Path) -> None:
    cut_off(tmp_path)
    (tmp_path / "run.lock").write_text(f"{os.getpid()}\n")
    assert running_process(tmp_path) is None and "unfinished: " in str(info(tmp_path))


def test_a_finished_run_is_finished_whoever_holds_its_folder(tmp_path: Path) -> None:
    recorded(tmp_path)
    with only_one(tmp_path):
        assert info(tmp_path).finished and info(tmp_path).process is None
        assert replay(tmp_path).identical


def test_a_journal_that_was_set_aside_is_not_that_of_the_next_run(tmp_path: Path) -> None:
    cut_off(tmp_path)
    (tmp_path / "journal").rename(tmp_path / "journal-20261121T120642")
    with only_one(tmp_path):
        assert "unfinished: " in str(info(tmp_path / "journal-20261121T120642"))


def test_a_look_does_not_keep_a_run_from_starting(tmp_path: Path) -> None:
    (tmp_path / "run.lock").touch()
    look = os.open(tmp_path / "run.lock", os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)
    letting_go = threading.Timer(0.01, os.close, [look])
    letting_go.start()
    with only_one(tmp_path):
        letting_go.join()
        with pytest.raises(TradewindError, match=f"another process \\({os.getpid()}\\)"), only_one(tmp_path):
            pass
