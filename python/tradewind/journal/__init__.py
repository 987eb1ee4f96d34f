"""Recorded runs: written while they go on, read, replayed and verified.

A journal holds the manifest of a run (everything that decided it), the one stream of inputs and decisions in blocks
of the codec, and how the run ended. A chain of checksums runs through all of it. That of a backtest is one file; that
of a session is a folder of segments, with snapshots of the state.
"""

from tradewind.journal.block import Block, Snapshot
from tradewind.journal.info import Info, info
from tradewind.journal.latency import latencies
from tradewind.journal.manifest import Ending, Manifest
from tradewind.journal.query import query, tables
from tradewind.journal.reader import Journal
from tradewind.journal.replay import replay
from tradewind.journal.report import Divergence, ReplayReport, VerifiedRun, VerifyReport
from tradewind.journal.storage import FILE_NAME, MemoryStorage, SqliteStorage, Storage
from tradewind.journal.verify import HASH_SEEDS, verify
from tradewind.journal.writer import JournalWriter

__all__ = [
    "FILE_NAME", "HASH_SEEDS", "Block", "Divergence", "Ending", "Info", "Journal", "JournalWriter", "Manifest",
    "MemoryStorage", "ReplayReport", "Snapshot", "SqliteStorage", "Storage", "VerifiedRun", "VerifyReport", "info",
    "latencies", "query", "replay", "tables", "verify",
]  # fmt: skip
