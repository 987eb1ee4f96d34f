"""Replay of a session's journal whose first segments were dropped: it begins with a snapshot."""

from __future__ import annotations

from typing import Any

from tradewind.journal.block import Snapshot
from tradewind.journal.code import Rebuilt
from tradewind.journal.manifest import Manifest


class ResumedReplay:
    """Stands for the kernel of a replay where the journal does not hold the beginning of its run.

    Parameters
    ----------
    manifest, code
        Of the run.
    snapshot
        The state that the journal begins with.

    """

    def __init__(self, manifest: Manifest, code: Rebuilt, snapshot: Snapshot) -> None:
        from tradewind.session.parity import kernel_of  # noqa: PLC0415 - sessions are built on journals
        from tradewind.session.resuming import take  # noqa: PLC0415
        from tradewind.session.session import received  # noqa: PLC0415

        self._received = received
        self._kernel = kernel_of(manifest, code, is_simulated=manifest.settings["mode"] == "paper")
        take(self._kernel, snapshot)
        self._starts = self._kernel.awaits_start
        self.decisions = 0
        """How many decisions were compared: not known here."""

    def feed(self, block: bytes) -> dict[str, Any] | None:
        """Feed a block; gives the first divergence, if there is one."""
        found = self._kernel.recover(block)
        if self._starts and not self._kernel.awaits_start:
            # The streams that simulated venues fill from are those that were named now.
            self._received(self._kernel)
            self._starts = False
        return found

    def finish(self) -> dict[str, Any] | None:
        """A decision that the journal does not hold, if there is one."""
        return self._kernel.recovered()

    @property
    def inputs(self) -> int:
        """How many inputs the run has taken."""
        inputs: int = self._kernel.outcome()["inputs"]
        return inputs

    @property
    def state_hash(self) -> str:
        """The state's hash."""
        return self._kernel.hashes[0]

    @property
    def decisions_hash(self) -> str:
        """The hash of all decisions and fills."""
        return self._kernel.hashes[1]
