"""Reading ahead: a second thread reads the next ones while the one before is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_AHEAD = 3
"""So that neither side waits where one takes longer for once."""


def ahead(items: Iterator[_T]) -> Generator[_T]:
    """The same, of which the next few are read meanwhile; what reading raises is raised here.

    Each should be large: threads take turns slowly.

    Examples
    --------
    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']

    """
    reader = ThreadPoolExecutor(1, "journal")
    try:
        coming = deque(reader.submit(next, items, None) for _ in range(_AHEAD))
        while (item := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, items, None))
            yield item
    finally:
        # Those that nobody wants any more are not read; who closes the file waits for the one that is.
        reader.shutdown(cancel_futures=True)
