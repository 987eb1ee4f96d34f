"""The parity line: a session beside a backtest over the market data that it recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tradewind import _core
from tradewind.errors import exception
from tradewind.journal import Journal
from tradewind.journal.code import Rebuilt, rebuilt
from tradewind.journal.manifest import Manifest
from tradewind.journal.values import from_json
from tradewind.result import frame
from tradewind.session.session import received

_COMPARED = ("side", "quantity", "order_type", "price", "decided", "filled", "average_price", "status")
"""What of an order is compared; orders are matched by strategy and count."""


@dataclass(frozen=True)
class Parity:
    """A session beside its backtest.

    Parameters
    ----------
    mode
        ``paper`` or ``live``.
    decisions_agree
        Whether the strategy, fed the recorded reports of the account too, decides the same.
    orders
        How many orders the session sent.
    differing
        Orders that differ, matched one to one, with both sides; empty where the backtest is the session.

    """

    mode: str
    decisions_agree: bool
    orders: int
    differing: pl.DataFrame

    @property
    def is_equal(self) -> bool:
        """Whether there is no difference at all."""
        return self.decisions_agree and self.differing.is_empty()

    @property
    def line(self) -> str:
        """The comparison in a line."""
        decisions = "decisions agree" if self.decisions_agree else "DECISIONS DIFFER"
        if self.differing.is_empty():
            rest = f"its backtest has the same {self.orders} orders and fills"
        else:
            rest = f"{self.differing.height} of {self.orders} orders differ from its backtest in time, price or size"
        return f"parity of a {self.mode} session: {decisions}; {rest}"

    def __str__(self) -> str:
        return self.line if self.differing.is_empty() else f"{self.line}\n{self.differing}"


def parity(run: str | Path) -> Parity:
    """Set a session beside a backtest of the same period over the data that it recorded.

    Parameters
    ----------
    run
        The journal of a session, or the folder of its run.

    """
    with Journal(run) as recorded:
        recorded.need_beginning()
        manifest = recorded.manifest
        if "mode" not in manifest.settings:
            raise exception("bad_journal", f"{recorded.place} is the journal of a backtest", "name that of a session")
        mode = str(manifest.settings["mode"])
        blocks = [block.data for block in recorded.blocks()]
        with rebuilt(manifest.code, None, None) as code:
            told = kernel_of(manifest, code, is_simulated=mode == "paper")
            agrees = recover(told, blocks)
        with rebuilt(manifest.code, None, None) as code:
            again = kernel_of(manifest, code, is_simulated=True)
            for place, block in enumerate(blocks):
                again.live_again(block)
                if place == 0:
                    received(again)
    theirs, ours = frame(told.orders()), frame(again.orders())
    if mode == "paper":
        agrees = agrees and told.hashes == again.hashes
    return Parity(mode, agrees, theirs.height, _differing(theirs, ours))


def recover(kernel: _core.Session, blocks: list[bytes]) -> bool:
    """Feed a kernel the blocks of a session's journal; false where it decides otherwise."""
    for place, block in enumerate(blocks):
        if kernel.recover(block) is not None:
            return False
        if place == 0:
            received(kernel)
    return kernel.recovered() is None


def kernel_of(manifest: Manifest, code: Rebuilt, *, is_simulated: bool) -> _core.Session:
    """The kernel of a recorded session, before its first event."""
    settings = manifest.settings
    index = manifest.index()
    places = {instrument.name: at for at, instrument in enumerate(index.instruments)}
    run: dict[str, Any] = {
        "index": index,
        "strategies": code.strategies,
        "risk": manifest.risk(code.checks),
        "recordings": [],
        "venues": [from_json(one) for one in settings["venues"].values()] if is_simulated else [],
        "balances": [],
        "currency": settings["currency"],
        "interval_ns": 3600 * 10**9,
        "trading_days": settings["days"] == 252,
        "seed": manifest.seed,
        "keep": "everything",
        "journal": False,
        "commands": [],
        "values": [],
        "value_streams": manifest.value_streams,
        "outages": [],
        "halts": [],
        "warm_up_ns": 0,
    }
    return _core.Session(run, [(places[name], kind) for name, kind in manifest.streams])


def _differing(session: pl.DataFrame, backtest: pl.DataFrame) -> pl.DataFrame:
    """Orders that differ in anything that is compared, or that only one side has."""
    keys = ["strategy", "count"]
    columns = [name for name in _COMPARED if name in session.columns]
    both = session.select(*keys, *columns).join(
        backtest.select(*keys, *columns), on=keys, how="full", suffix="_backtest", coalesce=True
    )
    differs = pl.any_horizontal([pl.col(name).ne_missing(pl.col(f"{name}_backtest")) for name in columns])
    return both.filter(differs).sort(keys)
