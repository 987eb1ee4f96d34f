"""Which line of a TOML file says what: `tomllib` reads the values, and forgets where they stood."""

from __future__ import annotations

import tomllib
from bisect import bisect_right

from tradewind.config.problem import Place

_SPACE = " \t"
_BLANK = " \t\r\n"


class Lines:
    r"""The lines of keys, tables and items of arrays in a text that `tomllib` has accepted.

    Examples
    --------
    >>> lines = Lines('[run]\nname = "a"\n[[data]]\nfiles = [\n  "b",\n]')
    >>> lines.of(("run", "name")), lines.of(("data", 0, "files", 0)), lines.of(("run", "seed")), lines.of(("nothing",))
    (2, 5, 1, None)

    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]
        self._found: dict[Place, int] = {}
        self._counts: dict[Place, int] = {}
        self._document()

    def of(self, place: Place) -> int | None:
        """The line of a place, or of the nearest table around it that the file has; none where there is no such."""
        while place and place not in self._found:
            place = place[:-1]
        return self._found.get(place)

    def _document(self) -> None:
        table: Place = ()
        while self._skip_to_something():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._assignment(table)

    def _header(self) -> Place:
        start = self._at
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        path: Place = ()
        keys = self._keys()
        for place, key in enumerate(keys, 1):
            path = (*path, key)
            if is_array and place == len(keys):
                self._counts[path] = self._counts.get(path, 0) + 1
            self._note(path, start)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
                self._note(path, start)
        self._at += 2 if is_array else 1
        return path

    def _assignment(self, table: Place) -> None:
        start = self._at
        path: Place = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                start = self._at
                self._string()
                keys.append(next(iter(tomllib.loads(f"{self._text[start : self._at]} = 0"))))
            else:
                start = self._at
                while self._text[self._at] not in " \t.=]":
                    self._at += 1
                keys.append(self._text[start : self._at])
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: Place) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._string()
            case _:
                while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                    self._at += 1

    def _array(self, path: Place) -> None:
        self._at += 1
        count = 0
        while self._inside("]"):
            self._note((*path, count), self._at)
            self._value((*path, count))
            count += 1

    def _inline_table(self, path: Place) -> None:
        self._at += 1
        while self._inside("}"):
            self._assignment(path)

    def _inside(self, end: str) -> bool:
        """Go to the next item; past the end where there is none."""
        while self._skip_to_something() and self._text[self._at] == ",":
            self._at += 1
        if self._text[self._at] != end:
            return True
        self._at += 1
        return False

    def _string(self) -> None:
        quote = self._text[self._at]
        end = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(end)
        while not self._text.startswith(end, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(end)
        while len(end) == 3 and self._text.startswith(quote, self._at):
            self._at += 1  # a text may end with one or two quotes of its own

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1

    def _skip_to_something(self) -> bool:
        """Pass over blanks and comments; whether anything follows."""
        self._skip(_BLANK)
        while self._text.startswith("#", self._at):
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end
            self._skip(_BLANK)
        return self._at < len(self._text)

    def _note(self, path: Place, at: int) -> None:
        self._found.setdefault(path, bisect_right(self._starts, at))
