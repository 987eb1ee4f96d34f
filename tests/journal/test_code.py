"""What was changed between two records of the user's code: nothing that decides goes unnoticed (D5)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tradewind.config.code import load_check
from tradewind.journal.code import Code, differences, record
from tradewind.loading import load_strategy_class

MINE = """
import tradewind as tw

class One(tw.Strategy):
    size: float = tw.param(1.0)

class Other(tw.Strategy):
    size: float = tw.param(1.0)

def small(ctx, order):
    return None

def large(ctx, order):
    return "no"
"""


def _code(folder: Path, name: str = "mine.py:One", *checks: str, **parameters: Any) -> Code:
    """A record of a strategy that is always called the same."""
    return record(
        [load_strategy_class(f"{folder}/{name}")(name="busy", **parameters)],
        [load_check(one, folder) for one in checks],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    (made / "mine.py").write_text(MINE)
    return made


def test_the_same_is_the_same(folder: Path) -> None:
    assert (
        differences(_code(folder, "mine.py:One", "mine.py:small"), _code(folder, "mine.py:One", "mine.py:small")) == []
    )


def test_another_class_of_the_same_file(folder: Path) -> None:
    found = differences(_code(folder), _code(folder, "mine.py:Other", size=2.0))
    file = folder / "mine.py"
    assert found == [f"the class of busy ({file}:One -> {file}:Other)", "the parameter busy.size"]


def test_a_class_of_the_same_name_in_another_file(folder: Path) -> None:
    (folder / "different.py").write_text(MINE + "\nprice = 5\n")
    found = differences(_code(folder), _code(folder, "different.py:One"))
    different = folder / "different.py"
    assert found == [f"the class of busy ({folder / 'mine.py'}:One -> {different}:One)", str(different)]


def test_a_check_of_the_same_name_in_another_file(folder: Path) -> None:
    (folder / "lax.py").write_text(MINE.replace('"no"', "None"))
    then, mine, lax = _code(folder, "mine.py:One", "mine.py:large"), folder / "mine.py", folder / "lax.py"
    assert differences(then, _code(folder)) == [f"the risk checks ({mine}:large -> none)"]
    assert differences(_code(folder, "mine.py:One", "mine.py:small"), then)[0].startswith("the risk checks")
    found = differences(then, _code(folder, "mine.py:One", "lax.py:large"))
    assert found == [f"the risk checks ({mine}:large -> {lax}:large)", str(lax)]


def test_a_module_that_came_or_went(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "amounts").mkdir()
    (folder / "amounts" / "__init__.py").write_text("amount = 1\n")
    (folder / "mine.py").write_text(f"import amounts\n{MINE}")
    then = _code(folder)
    assert len(then.modules) == 2
    # As in a process of its own.
    monkeypatch.delitem(sys.modules, "amounts")
    (folder / "amounts").rename(folder.parent / "away")
    (folder / "amounts.py").write_text("amount = 1_000\n")
    assert differences(then, _code(folder)) == [str(folder / "amounts.py"), str(folder / "amounts" / "__init__.py")]


def test_an_edited_file_is_named_once(folder: Path) -> None:
    then = _code(folder)
    (folder / "mine.py").write_text(f"{MINE}\n# edited\n")
    assert differences(then, _code(folder)) == [str(folder / "mine.py")]


def test_a_folder_that_was_moved_says_the_same(folder: Path, tmp_path: Path) -> None:
    then = _code(folder, "mine.py:One", "mine.py:small")
    shutil.move(folder, tmp_path / "moved")
    assert differences(then, _code(tmp_path / "moved", "mine.py:One", "mine.py:small")) == []
