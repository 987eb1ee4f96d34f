"""Reading ahead: a second thread reads and checks blocks while the ones before are worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tradewind.journal.block import Block

_BATCH_BYTES = 1 << 20
"""How much is handed over at once: the blocks of a session are small, and threads take turns slowly."""


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, of which the next ones are read meanwhile; what reading raises is raised here.

    Examples
    --------
    >>> list(ahead(iter([])))
    []

    """
    with ThreadPoolExecutor(1, "journal") as reader:
        coming = reader.submit(_batch, blocks)
        while batch := coming.result():
            coming = reader.submit(_batch, blocks)
            yield from batch


def _batch(blocks: Iterator[Block]) -> list[Block]:
    batch: list[Block] = []
    size = 0
    while size < _BATCH_BYTES and (block := next(blocks, None)) is not None:
        batch.append(block)
        size += len(block.data)
    return batch
