"""What is left of a document without its mistakes, so that what remains can be checked, too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from tradewind.config.problem import Place


def pruned(document: dict[str, Any], mistakes: Sequence[tuple[Place, bool]]) -> dict[str, Any]:
    """A copy without the wrong values.

    Parameters
    ----------
    document
        Tables as `tomllib` reads them.
    mistakes
        Where each is, and whether what is there is missing: then the table that lacks it goes.

    Examples
    --------
    >>> pruned({"run": {"seed": -1, "name": "a"}, "accounts": {"main": {}}}, [(("run", "seed"), False),
    ...     (("accounts", "main", "venue"), True)])
    {'run': {'name': 'a'}, 'accounts': {}}

    """
    left = copy.deepcopy(document)
    places = {place[:-1] if is_missing else place for place, is_missing in mistakes}
    # Later items of an array first: removing one moves those behind it.
    for place in sorted(places, key=lambda place: [str(part).rjust(9) for part in place], reverse=True):
        _remove(left, place)
    return left


def _remove(document: Any, place: Place) -> None:
    table = document
    for part in place[:-1]:
        if not _has(table, part):
            return
        table = table[part]
    if place and _has(table, place[-1]):
        del table[place[-1]]
        if table == []:
            # An array of which nothing is left would be a mistake of its own.
            _remove(document, place[:-1])


def _has(table: Any, part: str | int) -> bool:
    if isinstance(table, dict):
        return part in table
    return isinstance(table, list) and isinstance(part, int) and part < len(table)
