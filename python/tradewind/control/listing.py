"""Positions and orders in as much room as a terminal has, with nothing cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

QUIET = "dim"
_GAP = 2


@dataclass(frozen=True)
class Listing:
    """A table in the making.

    Parameters
    ----------
    title
        What is listed.
    columns
        Their names.
    numbers
        Those that stand to the right.
    rows
        What they hold.
    none
        What is said where there is no row.

    """

    title: str
    columns: Sequence[str]
    numbers: frozenset[str]
    rows: Sequence[Sequence[Text]]
    none: str = "none"

    def shown(self, width: int, most: int | None, *, is_boxed: bool) -> Iterator[RenderableType]:
        """As a table that fits into a width, or a line where it is empty; how many rows are left out is said."""
        if not self.rows:
            yield Text.assemble((f"{self.title}  ", "bold"), (self.none, QUIET))
            return
        yield self._fitted(width)._table(most, is_boxed=is_boxed)
        if most is not None and len(self.rows) > most:
            yield Text(f"and {len(self.rows) - most:,} more, which tradewind ctl RUN status shows", "yellow")

    def _fitted(self, width: int) -> Listing:
        """What all rows of a table that is too wide have in common goes into its title."""
        found = self
        for name, said in (("strategy", "of"), ("instrument", "in")):
            if found._width > width and len(values := set(found._words(name))) == 1:
                found = found._without(name, f"{found.title} {said} {values.pop()}")
        venues = {word.partition(":")[0] for word in found._words("instrument")}
        if found._width > width and len(venues) == 1:
            found = found._with_symbols(f"{found.title} at {venues.pop()}")
        return found

    @property
    def _width(self) -> int:
        cells = zip(*self.rows, strict=True)
        widths = (
            max(len(name), *(cell.cell_len for cell in column))
            for name, column in zip(self.columns, cells, strict=True)
        )
        return sum(width + _GAP for width in widths)

    def _words(self, name: str) -> list[str]:
        """What a column holds; nothing where there is none of this name."""
        return [row[self.columns.index(name)].plain for row in self.rows] if name in self.columns else []

    def _without(self, name: str, title: str) -> Listing:
        at = self.columns.index(name)
        columns = [one for one in self.columns if one != name]
        return replace(self, title=title, columns=columns, rows=[[*row[:at], *row[at + 1 :]] for row in self.rows])

    def _with_symbols(self, title: str) -> Listing:
        at = self.columns.index("instrument")
        rows = [[*row[:at], Text(row[at].plain.partition(":")[2]), *row[at + 1 :]] for row in self.rows]
        return replace(self, title=title, rows=rows)

    def _table(self, most: int | None, *, is_boxed: bool) -> Table:
        table = Table(
            title=Text(self.title, "bold"),
            title_justify="left",
            box=box.SIMPLE_HEAD if is_boxed else None,
            pad_edge=False,
            collapse_padding=True,
            padding=(0, 1) if is_boxed else (0, _GAP, 0, 0),
        )
        for name in self.columns:
            # What has no room goes on in the next line.
            table.add_column(name, justify="right" if name in self.numbers else "left", overflow="fold")
        for row in self.rows[:most]:
            table.add_row(*row)
        return table
