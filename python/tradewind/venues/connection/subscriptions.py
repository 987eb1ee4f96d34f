"""What is subscribed on one channel: asked for in batches, within the venue's rate, and acknowledged."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable

from tradewind.venues.connection.websocket import Channel

_PATIENCE_SECONDS = 10.0


class Subscriptions:
    """The subscriptions of one channel.

    Parameters
    ----------
    channel
        Where they are.
    render
        The message that subscribes (True) or leaves (False) topics, with a number by which it is acknowledged.
    on_answer
        Called with the topics of an answered subscription, and with what was wrong with it.
    most, messages_per_second
        How many topics a message may have, and how many messages may be sent.

    """

    def __init__(
        self,
        channel: Channel,
        render: Callable[[bool, list[str], int], bytes],
        on_answer: Callable[[list[str], str], None],
        most: int,
        messages_per_second: float,
    ) -> None:
        self._channel = channel
        self._render = render
        self._on_answer = on_answer
        self._most = most
        self._pause = 1 / messages_per_second
        self._numbers = itertools.count(1)
        self._queue: dict[tuple[str, bool], None] = {}
        self._pending: dict[int, tuple[bool, list[str], asyncio.TimerHandle]] = {}
        self._pump: asyncio.Task[None] | None = None
        self.topics: set[str] = set()

    @property
    def is_settled(self) -> bool:
        """Everything was asked for and answered."""
        return not self._queue and not self._pending

    def add(self, topics: Iterable[str]) -> None:
        """Subscribe to these."""
        self._put(topics, True)

    def remove(self, topics: Iterable[str]) -> None:
        """Leave these."""
        self._put(topics, False)

    def answered(self, number: int, problem: str = "") -> None:
        """The venue answered a message."""
        is_wanted, topics, timer = self._pending.pop(number, (True, [], None))
        if timer is not None:
            timer.cancel()
        if is_wanted and not problem:
            self.topics.update(topics)
        elif not is_wanted:
            self.topics.difference_update(topics)
        if is_wanted and topics:
            self._on_answer(topics, problem)

    def close(self) -> None:
        """The channel is gone."""
        if self._pump is not None:
            self._pump.cancel()
        for _, _, timer in self._pending.values():
            timer.cancel()
        self._pending.clear()
        self._queue.clear()

    def _put(self, topics: Iterable[str], is_wanted: bool) -> None:
        for topic in topics:
            self._queue.pop((topic, is_wanted), None)
            self._queue[topic, is_wanted] = None
        if self._queue and (self._pump is None or self._pump.done()):
            self._pump = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            # Only what stands together: a topic that is left and subscribed to again is not overtaken.
            is_wanted, together = next(itertools.groupby(self._queue, key=lambda key: key[1]))
            batch = list(itertools.islice(together, self._most))
            for key in batch:
                del self._queue[key]
            topics, number = [topic for topic, _ in batch], next(self._numbers)
            if not self._channel.send(self._render(is_wanted, topics, number)):
                return
            # A venue that does not answer will not deliver either: the connection is made anew.
            self._pending[number] = (is_wanted, topics, loop.call_later(_PATIENCE_SECONDS, self._channel.close))
            await asyncio.sleep(self._pause)
