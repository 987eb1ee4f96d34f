"""What a session keeps the garbage collector from."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_alone() -> Iterator[None]:
    """Objects that are there now are not looked through meanwhile.

    Modules, settings and the like stay to the end. Looking through a hundred thousand of them takes some tens of
    milliseconds, for which a tick that comes then would wait.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
