"""Mistakes in data, collected by kind so that they are reported together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from tradewind.errors import DataError

EXAMPLES = 5
"""How many rows of each kind a message names."""


@dataclass
class _Kind:
    hint: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    place: str = ""


class Problems:
    """The mistakes of one loading.

    Parameters
    ----------
    places
        The names of the files or tables, by their number in the column ``file``.

    """

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, code: str, what: str, rows: pl.DataFrame, values: pl.Series, hint: str = "") -> None:
        """Note that ``what`` is wrong in ``rows`` (columns ``file`` and ``row``) with ``values``."""
        if rows.is_empty():
            return
        kind = self._kinds.setdefault((code, what), _Kind(hint))
        kind.count += rows.height
        wanted = EXAMPLES - len(kind.examples)
        places = rows.head(wanted).select("file", "row").iter_rows()
        for (file, row), value in zip(places, values.head(wanted).to_list(), strict=True):
            place = self._places[file]
            kind.examples.append(f"row {row}: {value}" if place == kind.place else f"{place} row {row}: {value}")
            kind.place = place

    def raise_if_any(self) -> None:
        """Raise one error that names every kind of mistake, with its first rows and its count."""
        if not self._kinds:
            return
        lines = []
        for (code, what), kind in self._kinds.items():
            count = f" ({kind.count:,} rows in all)" if kind.count > len(kind.examples) else ""
            lines.append((code, f"{what}: {'; '.join(kind.examples)}{count}"))
        (first, message), *others = lines
        text = "\n".join([message, *(f"also [{code}] {text}" for code, text in others)])
        hints = dict.fromkeys(kind.hint for kind in self._kinds.values() if kind.hint)
        raise DataError(first, text, "; ".join(hints))
