"""The blocks that a journal holds already, read beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from tradewind.journal.block import Block
from tradewind.journal.reader import Journal

_TOGETHER = 64


async def history(journal: Path) -> AsyncGenerator[Block, None]:
    """Read a journal that is being written, in a thread of its own.

    Parameters
    ----------
    journal
        Its file, or the folder of its run.

    """
    loop = asyncio.get_running_loop()
    blocks = _blocks(journal)
    # SQLite wants one thread for a connection.
    with ThreadPoolExecutor(1, "history") as thread:
        try:
            while found := await loop.run_in_executor(thread, lambda: list(islice(blocks, _TOGETHER))):
                for block in found:
                    yield block
        finally:
            thread.submit(blocks.close)


def _blocks(journal: Path) -> Generator[Block, None, None]:
    with Journal(journal) as opened:
        yield from opened.blocks()
