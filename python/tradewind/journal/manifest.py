"""What a journal says about its run: everything that decided it (D2), and how it ended."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind._core import CODEC_VERSION, STATE_HASH_VERSION, Index, __version__
from tradewind.dataset import Dataset, definition
from tradewind.errors import TradewindError, exception
from tradewind.instruments import InstrumentFields
from tradewind.journal.code import Code, record
from tradewind.journal.storage import damaged
from tradewind.journal.values import from_json, to_json
from tradewind.risk import Check, SystemValues
from tradewind.simulation import simulated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tradewind.backtest import AnyStrategy, Settings


class Data(msgspec.Struct, frozen=True):
    """The data of a run: what they were, and the digest of every row."""

    digest: str
    rows: int
    reports: list[str]
    is_synthetic: bool


class Environment(msgspec.Struct, frozen=True):
    """What ran the user's code; a hash seed of none is not known (D2)."""

    python: str
    platform: str
    packages: dict[str, str]
    hash_seed: int | None


class Accepted(msgspec.Struct, frozen=True):
    """Changes with which a run went on (D5). What lies before them has a journal and a manifest of its own."""

    entry: int
    """The last entry before them."""
    time_ns: int
    changes: list[str]
    journal: str
    """What the folder is called that holds what lies before them, beside this journal."""

    def __str__(self) -> str:
        changed = "; ".join(self.changes)
        return f"behind entry {self.entry:,} changes were accepted ({changed}); what lies before is in {self.journal}"


class Manifest(msgspec.Struct, frozen=True):
    """Everything that decided a run."""

    tradewind: str
    codec: int
    state_hash: int
    instruments: list[dict[str, Any]]
    streams: list[tuple[str, str]]
    data: Data
    seed: int
    limits: list[dict[str, Any]]
    settings: dict[str, Any]
    code: Code
    environment: Environment
    value_streams: list[str] | None = None
    accepted: list[Accepted] = msgspec.field(default_factory=list)
    system_limits: SystemValues = msgspec.field(
        default_factory=lambda: SystemValues(order_rate=None, daily_loss=None, carried=None)
    )

    def index(self) -> Index:
        """The instruments of the run."""
        return Index([definition(InstrumentFields(**fields)) for fields in self.instruments])

    def placed(self, streams: Iterable[tuple[str, str]]) -> list[tuple[int, str]]:
        """Streams by the place of their instrument, as the kernel takes them."""
        places = {instrument.name: at for at, instrument in enumerate(self.index().instruments)}
        return [(places[name], kind) for name, kind in streams]

    def risk(self, checks: Sequence[Check]) -> dict[str, Any]:
        """The limits of the run and the user's own checks, as the kernel takes them."""
        limits = [{name: from_json(value) for name, value in limits.items()} for limits in self.limits]
        return {"limits": limits, "system": self.system_limits, "checks": list(checks)}


GOES_ON = "it goes on in the next segment"
"""Why a segment ended whose run did not."""


class Ending(msgspec.Struct, frozen=True):
    """How a run ended. Only a finished one has figures that are those of the whole run.

    `day` is its last UTC day, counted from 1970, the profit on it, and the limit that was reached, if one was, where
    the daily loss is limited.
    """

    finished: bool
    reason: str
    entries: int
    inputs: int = 0
    rows: int = 0
    orders: int = 0
    fills: int = 0
    decisions_hash: str = ""
    state_hash: str = ""
    day: tuple[int, float, float | None] | None = None


def manifest_of(data: Dataset, strategies: Sequence[AnyStrategy], settings: Settings) -> Manifest:
    """The manifest of a run that is about to begin."""
    index = data.index
    streams = {(index.instruments[at].name, kind) for recording in data.recordings for at, kind in recording.streams}
    limits = [{name: to_json(value) for name, value in one.items()} for one in settings.risk.limit_values(index)]
    return Manifest(
        tradewind=__version__,
        codec=CODEC_VERSION,
        state_hash=STATE_HASH_VERSION,
        instruments=[fields.model_dump(mode="json") for fields in data.instruments],
        streams=sorted(streams),
        data=Data(data.digest, data.rows, list(data.reports), data.is_synthetic),
        seed=settings.seed,
        limits=limits,
        settings={
            "balances": to_json(
                {name: dict(one) if isinstance(one, Mapping) else one for name, one in settings.balances.items()}
            ),
            "venues": {
                venue: to_json(simulated(venue, dict(settings.venues))[0].values(venue)) for venue in index.venues
            },
            "currency": settings.resolved_currency,
            "interval": to_json(settings.interval),
            "days": settings.days,
            "commands": [to_json(asdict(command)) for command in settings.commands],
            "incidents": [to_json(asdict(incident)) for incident in settings.incidents],
            "warm_up": to_json(settings.warm_up),
        },
        code=record(strategies, settings.risk.checks),
        environment=_environment(),
        value_streams=list(data.value_streams),
        system_limits=settings.risk.system_values(settings.resolved_currency),
    )


def decode_manifest(place: str, text: bytes) -> Manifest:
    """Read a manifest; one of another codec is an error that says which version reads it."""
    try:
        versions = msgspec.json.decode(text, type=_Versions)
        if versions.codec != CODEC_VERSION:
            raise _other_version(place, versions.tradewind, f"codec {versions.codec}", f"reads codec {CODEC_VERSION}")
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(place, f"its manifest cannot be read: {error}") from error


def decode_ending(place: str, text: bytes) -> Ending:
    """Read an ending."""
    try:
        return msgspec.json.decode(text, type=Ending)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(place, f"its ending cannot be read: {error}") from error


def need_state_hash(place: str, manifest: Manifest) -> None:
    """Refuse to compare the state of a run whose hash was computed in another way; reading it is no problem."""
    if manifest.state_hash != STATE_HASH_VERSION:
        theirs, ours = f"state hash {manifest.state_hash}", f"computes state hash {STATE_HASH_VERSION}"
        raise _other_version(place, manifest.tradewind, theirs, ours)


def _other_version(place: str, version: str, theirs: str, ours: str) -> TradewindError:
    message = f"{place} was written by Tradewind {version} with {theirs}; this version {ours}"
    return exception(
        "journal_version", message, f"replay it under the version that wrote it: pip install tradewind=={version}"
    )


class _Versions(msgspec.Struct):
    tradewind: str
    codec: int


def _environment() -> Environment:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Environment(python, f"{sys.platform} {platform.machine()}", _packages(), _hash_seed())


@cache
def _packages() -> dict[str, str]:
    """What is installed, read once a process: every run states it."""
    return dict(sorted((one.name, one.version) for one in metadata.distributions()))


def _hash_seed() -> int | None:
    """The seed of text hashes of this process; none where Python drew one of its own."""
    if not sys.flags.hash_randomization:
        return 0
    stated = os.environ.get("PYTHONHASHSEED", "random")
    return int(stated) if stated.isdecimal() else None
