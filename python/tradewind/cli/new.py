"""``tradewind new``: a strategy project that runs."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from tradewind.errors import exception
from tradewind.folders import made

_FILES = {"strategy.py": "strategy.py", "test_strategy.py.in": "test_strategy.py", "README.md.in": "README.md"}


def new(name: Path, /) -> None:
    """Make a folder with a strategy that runs, its test, and what to do next.

    Parameters
    ----------
    name
        The folder.

    """
    if name.exists() and (not name.is_dir() or any(name.iterdir())):
        raise exception("bad_setting", f"{name} exists and is not empty", "choose another name")
    made(name, "NAME")
    template = resources.files("tradewind.cli") / "template"
    for source, target in _FILES.items():
        text = (template / source).read_text(encoding="utf-8").replace("PROJECT", name.resolve().name)
        (name / target).write_text(text, encoding="utf-8")
    print(f"made {name}/ with {', '.join(_FILES.values())}")
    print(f"next: cd {name} && python strategy.py")
