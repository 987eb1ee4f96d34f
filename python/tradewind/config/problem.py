"""What is wrong in a system file: all of it at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tradewind.errors import SettingError, TradewindError

Place: TypeAlias = tuple[str | int, ...]
"""Where something stands in a system: keys, and positions in arrays, which count from 0 here and from 1 for people."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Parameters
    ----------
    code
        Its code in the one table of errors.
    place
        Where it stands.
    message
        What is wrong, with the value unless that may be a secret.
    hint
        What to do; empty where nothing useful can be said.
    line
        Its line in the file; none where the system was made in Python.

    """

    code: str
    place: Place
    message: str
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        text = f"{where}{place_text(self.place)}{self.message} [{self.code}]"
        return f"{text}\n    hint: {self.hint}" if self.hint else text

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        place = place_text(self.place)
        return {"code": self.code, "place": place, "line": self.line, "message": self.message, "hint": self.hint}


class SystemFileError(SettingError):
    """All mistakes of a system at once.

    Parameters
    ----------
    name
        The file, or what else the system is called.
    problems
        The mistakes.

    """

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(problems)
        count = len(self.problems)
        codes = {problem.code for problem in self.problems}
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            codes.pop() if len(codes) == 1 else "bad_setting",
            f"{name} has {'one mistake' if count == 1 else f'{count} mistakes'}:\n{listed}",
        )


def place_text(place: Place) -> str:
    """A place as a person writes it.

    Examples
    --------
    >>> place_text(("instruments", "my:COIN", "tick")), place_text(("data", 0, "files"))
    ('instruments."my:COIN".tick', 'data[1].files')

    """
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            key = part if _BARE.fullmatch(part) else '"' + part.encode("unicode_escape").decode("ascii") + '"'
            text += f".{key}" if text else key
    return text


def from_error(place: Place, error: TradewindError, *, separator: str = ": ") -> Problem:
    """An error that something at a place raised, as a problem there."""
    return Problem(error.code, place, f"{separator}{error.message}", error.hint)
