"""The switchboard: which faults are on."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tradewind.errors import TradewindError, exception
from tradewind.sandbox.faults import actions, events
from tradewind.sandbox.faults.schedule import Schedule
from tradewind.sandbox.faults.table import ACTIONS, FAULTS, check_parameters, known

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

_log = logging.getLogger("tradewind.sandbox")


@dataclass
class Switch:
    """A fault that is on."""

    parameters: dict[str, Any] = field(default_factory=dict)
    occasions: int | None = None
    timer: asyncio.TimerHandle | None = None


class Faults:
    """The switchboard.

    Parameters
    ----------
    server
        Whose faults they are.

    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.active: dict[str, Switch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._snapshots: dict[str, dict[str, Any]] = {}
        self.last_candle: dict[str, Any] | None = None
        self.held_report: Callable[[], None] | None = None

    def on(self, name: str, *, seconds: float | None = None, occasions: int | None = None, **parameters: Any) -> None:
        """Switch a fault on, for good, for some seconds or for so many occasions; or let it happen at once."""
        name = known(name)
        if name in ACTIONS:
            if seconds is not None:
                parameters["seconds"] = seconds
            if occasions is not None:
                parameters["occasions"] = occasions
            check_parameters(name, parameters)
            self._happen(name, parameters)
            return
        check_parameters(name, parameters)
        self.off(name)
        self.last_candle, timer = None, None
        if name == "old_snapshot":
            venue = self._server.venue
            self._snapshots = {key: venue.snapshot(market, 5_000) for key, market in venue.exchange.markets.items()}
        if seconds is not None:
            timer = asyncio.get_running_loop().call_later(seconds, self.off, name)
        self.active[name] = switch = Switch(parameters, occasions, timer)
        if name in events.WORDS:
            events.choice(switch, events.WORDS[name])
        self._open_markets(name != "maintenance" and "maintenance" not in self.active)

    def _happen(self, name: str, parameters: dict[str, Any]) -> None:
        act = actions.RUN[name]
        hint = f"it has {', '.join(FAULTS[name].parameters)}"
        try:
            inspect.signature(act).bind(self._server, **parameters)
        except TypeError as error:
            raise exception("missing_setting", f"fault: {name}: {error}", hint) from None
        try:
            act(self._server, **parameters)
        except TradewindError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise exception("wrong_type", f"fault: {name}: {parameters}: {error}", hint) from error

    def off(self, name: str) -> None:
        """Switch a fault off."""
        found = self.active.pop(known(name), None)
        if "old_snapshot" not in self.active:
            self._snapshots.clear()
        if found is not None and found.timer is not None:
            found.timer.cancel()
        held, self.held_report = self.held_report, None
        if held is not None:
            held()
        self._open_markets("maintenance" not in self.active)

    def clear(self) -> None:
        """Switch everything off, and forget what was to come."""
        for name in list(self.active):
            self.off(name)
        for task in self._tasks:
            task.cancel()

    def fires(self, name: str) -> Switch | None:
        """Whether a fault is on now; counts as an occasion."""
        found = self.active.get(name)
        if found is not None and found.occasions is not None:
            found.occasions -= 1
            if found.occasions <= 0:
                self.off(name)
        return found

    def fires_at(self, name: str, of: str, value: str) -> Switch | None:
        """Whether a fault is on that is stated for a path or a stream, or for all of them."""
        found = self.active.get(name)
        return self.fires(name) if found is not None and found.parameters.get(of, value) == value else None

    def snapshot(self, symbol: str) -> dict[str, Any] | None:
        """The old snapshot of a book, if that is what is given."""
        snapshot = self._snapshots.get(symbol)
        return snapshot if self.fires("old_snapshot") else None

    def listed(self) -> dict[str, Any]:
        """All faults, and which are on."""
        return {
            name: {"ids": row.ids, "what": row.what, "parameters": row.parameters, "on": name in self.active}
            for name, row in FAULTS.items()
        }

    def schedule(self, schedule: Schedule) -> None:
        """Let faults come and go as a schedule says, from now on."""
        task = asyncio.get_running_loop().create_task(self._run(schedule))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, schedule: Schedule) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for step in schedule.steps():
            await asyncio.sleep(max(begun + step.at - loop.time(), 0))
            given = dict(step.model_extra or {})
            if step.duration is not None:
                given["seconds"] = step.duration
            try:
                self.on(step.name, **given)
            except TradewindError as error:
                # Such as an order of somebody else that the exchange refuses: the others come all the same.
                _log.warning("a fault of the schedule did not come: %s", error)

    def _open_markets(self, is_open: bool) -> None:
        for market in self._server.exchange.markets.values():
            market.is_open = is_open
