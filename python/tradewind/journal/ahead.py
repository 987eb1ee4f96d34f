"""Reading ahead: a second thread reads and checks blocks while the ones before are worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tradewind.journal.block import Block
from tradewind.journal.tables import batched

_BATCH_BYTES = 1 << 19
"""How much is handed over at once at least: the blocks of a session are small, and threads take turns slowly."""


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same entries in larger blocks, of which the next is read meanwhile; what reading raises is raised here.

    Examples
    --------
    >>> [block.data for block in ahead(iter([Block(1, 2, 1, b"..", b""), Block(3, 3, 1, b".", b"")]))]
    [b'...']

    """
    batches = batched(blocks, _BATCH_BYTES)
    with ThreadPoolExecutor(1, "journal") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch
