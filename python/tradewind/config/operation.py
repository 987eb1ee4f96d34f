"""How a session is kept, steered and ended."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from tradewind.config.base import Flag, Lasting, PathText, Section, Text, Whole, mistake
from tradewind.times import duration_ns

SHORTEST_SEGMENT = "1m"


def _segment(text: str) -> str:
    if duration_ns(text) < duration_ns(SHORTEST_SEGMENT):
        hint = 'the default, "1d", keeps a segment a day'
        raise mistake("bad_setting", f"a segment spans at least {SHORTEST_SEGMENT}", hint)
    return text


class Journal(Section):
    """The journal of a run: everything that went in, and every decision."""

    directory: PathText | None = None
    """The directory below which it is written, in NAME/MODE. Default: the folder of the run."""
    durability: Literal["process", "power"] = "process"
    """What an order's record survives before the order leaves: "process", the end of the process; "power", a power cut,
    at the cost of a write to the disk for each order. Default: "process"."""
    segment: Annotated[Lasting, AfterValidator(_segment)] = "1d"
    """The time that a segment spans, in UTC, at least "1m"; it begins with a snapshot. Default: "1d"."""
    archive: Literal["keep", "parquet", "drop"] = "keep"
    """What becomes of old segments: kept as they are, turned into Parquet, or deleted. Default: "keep"."""
    keep_days: Annotated[Whole, Field(ge=0)] = 7
    """How many days old segments stay as they are before; the last two always do. Default: 7."""
    record_raw: Flag = False
    """Whether frames of market data are recorded as they came, too, in the folder "raw" beside the journal, for data of
    `kind = "raw"`. Binance Spot only. Default: false."""


class Control(Section):
    """The HTTP interface of a running session, for `tradewind ctl` and your own tools."""

    enabled: Flag = True
    """Whether there is one. Default: true."""
    allow_remote: Flag = False
    """Whether `host` may be an address that other machines reach. Default: false."""
    host: Text = "127.0.0.1"
    """The address that it listens on. Default: "127.0.0.1", this machine only."""
    port: Annotated[Whole, Field(ge=0, lt=2**16)] = 0
    """The port; 0 takes a free one. "control.json" in the folder of the run says which it is. Default: 0."""
    token_file: PathText | None = None
    """The owner-only file of the token that callers show; made where it is not there, and kept. Default:
    "control.token" in the folder of the run, made anew for each session."""

    @field_validator("host")
    @classmethod
    def _is_local(cls, host: str, info: ValidationInfo) -> str:
        # Of the field and not of the table: it is found beside other mistakes, too, but not where it follows from one.
        if not (info.data.get("allow_remote", True) or _is_loopback(host)):
            hint = 'write host = "127.0.0.1", or add allow_remote = true and mean it'
            raise mistake("bad_setting", "can be reached from other machines", hint)
        return host


class Shutdown(Section):
    """What becomes of orders and positions when trading ends, for whatever reason (O6)."""

    orders: Literal["cancel", "keep"] = "cancel"
    """Open orders are cancelled, or kept. Default: "cancel"."""
    positions: Literal["keep", "close"] = "keep"
    """Positions are kept, or closed at the market, which needs `orders = "cancel"`. Default: "keep"."""
    timeout: Lasting = "10s"
    """How long the venue's answers are waited for; what is open then is said. Default: "10s"."""

    @field_validator("positions")
    @classmethod
    def _agree(cls, positions: str, info: ValidationInfo) -> str:
        if positions == "close" and info.data.get("orders") == "keep":
            message = 'does not go with orders = "keep": a kept order would open what was closed'
            raise mistake("bad_setting", message, 'take out orders = "keep": open orders are then cancelled')
        return positions


class Live(Section):
    """The permission to trade live."""

    place_real_orders: Flag = False
    """Whether `--mode live` may send orders to the venues' addresses, with the account's own money. Default: false;
    live refuses to start without it."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
