"""A replica: an engine in another process that follows a session and has its state (law 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from tradewind._core import NativeStrategy, Replay
from tradewind.control.client import Control
from tradewind.control.frames import Agreement, block_of
from tradewind.errors import TradewindError, exception
from tradewind.journal.code import rebuilt
from tradewind.journal.kernel import engine_of
from tradewind.journal.report import Divergence
from tradewind.strategy import Strategy

_LARGEST_FRAME = 2**30
_HEARTBEAT_SECONDS = 20.0


class Replica:
    """An engine that is fed the audit of a session in another process.

    It takes the inputs of the run from its first one on, runs the strategies, and compares every decision; a decision
    or a hash that differs is an error. Iterating follows the session to its end, block by block; it ends quietly only
    where both are the same at the end, and a connection that is cut off before is an error.

    Parameters
    ----------
    session
        The folder of the session's run, or a `Control`.
    strategies, checks
        In the place of those that the run names; these are loaded from their files, or from their recorded source.

    Examples
    --------
    ::

        async with Replica("runs/demo/paper") as replica:
            async for sequence in replica:
                print(sequence, replica.state_hash)

    """

    def __init__(
        self,
        session: str | Path | Control,
        strategies: Sequence[Strategy | NativeStrategy] | None = None,
        checks: Sequence[Callable[..., Any]] | None = None,
    ) -> None:
        self.sequence = 0
        self.agreed: Agreement | None = None
        self._control = session if isinstance(session, Control) else Control(session)
        self._given = (strategies, checks)
        self._stack = AsyncExitStack()
        self._engine: Replay
        self._socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # Its caller may be the loop of the session itself.
            manifest = await asyncio.to_thread(self._control.manifest)
            code = stack.enter_context(rebuilt(manifest.code, *self._given))
            self._engine = engine_of(manifest, code)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            address = f"{self._control.url}/audit?after={self.sequence}"
            connecting = client.ws_connect(
                address, headers=self._control.headers, max_msg_size=_LARGEST_FRAME, heartbeat=_HEARTBEAT_SECONDS
            )
            try:
                self._socket = await stack.enter_async_context(connecting)
            except aiohttp.ClientError as error:
                raise exception("unreachable", f"the audit at {self._control.url}: {error}") from error
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        """Take the next block; gives the number of its last entry."""
        before = self.sequence
        while self.sequence == before:
            if not await self._take():
                if self.agreed is None:
                    raise self._cut_off("the session did not say how it ended")
                raise StopAsyncIteration
        return self.sequence

    @property
    def state_hash(self) -> str:
        """The hash of the state so far."""
        return self._engine.hashes[0]

    @property
    def decisions_hash(self) -> str:
        """The hash of all decisions and fills so far."""
        return self._engine.hashes[1]

    @property
    def inputs(self) -> int:
        """How many inputs were taken."""
        return self._engine.inputs

    @property
    def decisions(self) -> int:
        """How many decisions were compared and found equal."""
        return self._engine.decisions

    async def compare(self) -> Agreement:
        """Go as far as the session is now; gives what both are there."""
        self.agreed = None
        await self._socket.send_str("compare")
        while self.agreed is None:
            if not await self._take():
                raise exception("not_running", "the session ended before both sides were compared")
        return self.agreed

    async def follow(self) -> Agreement:
        """Follow the session to its end; gives what both are there."""
        async for _ in self:
            pass
        assert self.agreed is not None
        return self.agreed

    async def _take(self) -> bool:
        """Take one message; tells whether there was one, and raises where they do not end as a session does."""
        message = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.BINARY:
                self._feed(message.data)
            case aiohttp.WSMsgType.TEXT:
                self._agree(msgspec.json.decode(message.data, type=Agreement))
            case _ if self._socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION:
                hint = "follow it from a process that does nothing else"
                raise exception("slow_reader", "the session dropped this replica, which took too long", hint)
            case _ if self._socket.close_code == aiohttp.WSCloseCode.OK:
                return False
            case _:
                reason = f"the connection ended with the code {self._socket.close_code}"
                raise self._cut_off(message.extra or reason)
        return True

    def _cut_off(self, reason: str) -> TradewindError:
        message = f"{self._control.url}: the audit was cut off at entry {self.sequence:,}: {reason}"
        hint = "the session was killed or is held up: its terminal and its journal say how it is"
        return exception("unreachable", message, hint)

    def _feed(self, frame: bytes) -> None:
        block = block_of(frame)
        if block.first != self.sequence + 1:
            message = f"entries {self.sequence + 1:,} to {block.first - 1:,} of the audit are missing"
            begun = "begin again with a new replica"
            dropped = "the run's journal does not begin with its first entry any more, and a replica needs it whole"
            raise exception("bad_journal", message, begun if self.sequence else dropped)
        found = self._engine.recover(block.data)
        if found is not None:
            raise exception("divergence", f"the replica differs from its session: {Divergence(**found)}")
        self.sequence = block.last
        # What was the same before says nothing of what has come since.
        self.agreed = None

    def _agree(self, theirs: Agreement) -> None:
        found = self._engine.recovered()
        ours = Agreement(self.sequence, self.state_hash, self.decisions_hash)
        if ours != theirs or found is not None:
            more = "" if found is None else f": {Divergence(**found)}"
            raise exception("divergence", f"the replica is {ours}, its session {theirs}{more}")
        self.agreed = theirs
