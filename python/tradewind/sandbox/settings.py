"""What a local exchange is asked to be."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from tradewind.data import Stream
from tradewind.errors import exception
from tradewind.sandbox.faults.schedule import Schedule
from tradewind.sandbox.mistakes import mistakes


class Limits(BaseModel):
    """The venue's limits, with Binance's values of 2026 as default; announced in exchangeInfo.

    Parameters
    ----------
    weight_per_minute, raw_requests_per_5_minutes
        For an address.
    orders_per_10_seconds, orders_per_day
        For an account.
    messages_per_second
        Of a client on one market-stream connection.
    streams_per_connection, connections_per_5_minutes
        For an address.
    ban_seconds
        How long an address is banned that goes on after it was told to stop.
    ping_seconds, pong_seconds, connection_seconds
        How often a connection is pinged, when it is dropped without an answer, and how long it may live.
    backlog_bytes
        What may wait for a slow reader before it is dropped.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight_per_minute: int = 6_000
    raw_requests_per_5_minutes: int = 300_000
    orders_per_10_seconds: int = 100
    orders_per_day: int = 200_000
    messages_per_second: int = 5
    streams_per_connection: int = 1_024
    connections_per_5_minutes: int = 300
    ban_seconds: float = 120
    ping_seconds: float = 20
    pong_seconds: float = 60
    connection_seconds: float = 86_400
    backlog_bytes: int = 4 << 20

    @classmethod
    def raised(cls) -> Self:
        """Limits that nobody reaches, for benchmarks and long suites.

        Examples
        --------
        >>> Limits.raised().weight_per_minute
        1000000000

        """
        much = 10**9
        return cls(
            weight_per_minute=much,
            raw_requests_per_5_minutes=much,
            orders_per_10_seconds=much,
            orders_per_day=much,
            messages_per_second=much,
            connections_per_5_minutes=much,
        )


class Settings(BaseModel):
    """The settings of a local exchange.

    Parameters
    ----------
    symbols
        What is traded, of the packaged Binance spot instruments.
    host, port
        Where it listens; port 0 takes a free one.
    seed, speed, activity, volatility
        Of the synthetic participants: their chance, how much faster than the clock their time goes, how often one of
        them acts in a second of their time, and the volatility of a year.
    history_seconds
        How much of their time has passed before anybody connects, so that there are candles and trades to warm up on.
    balances
        What the account that comes with the exchange holds.
    limits
        The venue's limits.
    tls
        Whether connections are encrypted, by a generated authority.
    recording
        Recorded market data that take the place of the participants, at ``speed``: raw Binance files, or streams of
        ``tradewind.data`` by symbol.
    repeat
        Whether a recording begins again at its end.
    state
        A file in which accounts, orders and fills survive the process.
    faults
        What goes wrong when.
    kept_orders
        How many closed orders of an account, and how many fills of an account and symbol, are kept.
    control
        Whether the control interface is there, under ``/control``, for the token in the file of keys.

    Examples
    --------
    >>> Settings(symbols=("BTCUSDT",), port=0).limits.weight_per_minute
    6000

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbols: tuple[str, ...] = Field(("BTCUSDT", "ETHUSDT"), min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(9_777, ge=0, le=65_535)
    seed: int = Field(1, ge=0)
    speed: float = Field(1.0, ge=0, le=1_000)
    activity: float = Field(20.0, gt=0, le=100_000)
    volatility: float = Field(0.6, gt=0, le=10)
    history_seconds: float = Field(3_600.0, ge=0, le=30 * 86_400)
    balances: dict[str, Decimal] = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "ETH": Decimal(100)}
    limits: Limits = Limits()
    tls: bool = False
    recording: tuple[Path, ...] | dict[str, tuple[InstanceOf[Stream], ...]] = ()
    repeat: bool = False
    state: Path | None = None
    faults: Schedule | None = None
    kept_orders: int = Field(200_000, ge=1)
    control: bool = True

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Build the settings, or say all that is wrong with them.

        Examples
        --------
        >>> Settings.read({"port": 70000})
        Traceback (most recent call last):
        ...
        tradewind.errors.SettingError: [bad_setting] sandbox: port = 70000: Input should be less than or equal to 65535

        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise mistakes("sandbox", error) from None

    @classmethod
    def load(cls, path: Path, over: Mapping[str, Any]) -> Self:
        """Read a TOML file; what is given beside it goes before what it says."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise exception("unreadable_file", f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise exception("unreadable_file", f"{path} is not TOML: {error}") from error
        return cls.read({**values, **over})
