"""Reading ahead: a second thread reads the next while the one before is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def ahead(items: Iterator[_T]) -> Generator[_T]:
    """The same, of which the next is read meanwhile; what reading raises is raised here.

    Each should be large: threads take turns slowly.

    Examples
    --------
    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']

    """
    with ThreadPoolExecutor(1, "journal") as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item
