"""A venue: how it is simulated, and where the real one is."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from tradewind import simulation
from tradewind.config.base import Duration, Fraction, Lasting, PathText, Section, Text, mistake

ADAPTERS = ("binance_spot", "bybit_spot", "bybit_linear")
"""The adapters that are packaged."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _adapter(text: str) -> str:
    if text not in ADAPTERS and not text.rpartition(":")[2].isidentifier():
        raise mistake("bad_setting", "is no adapter", "write package.module:function or file.py:function")
    if text not in ADAPTERS and ":" not in text:
        packaged = ", ".join(f'"{name}"' for name in ADAPTERS)
        raise mistake(
            "bad_setting", "is not a packaged adapter", f'there are {packaged}; your own is "file.py:function"'
        )
    return text


def _url(text: str, plain: str, secure: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise mistake("bad_setting", f"is not an address: {error}") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise mistake("bad_setting", "an address holds no user, password or query", f"write {secure}://HOST/PATH")
    if parts.scheme not in (plain, secure) or not host:
        raise mistake("bad_setting", "is not an address of the kind that is needed", f"write {secure}://HOST/PATH")
    if parts.scheme == plain and host not in _LOOPBACK:
        raise mistake("bad_setting", f"{plain}:// would leave this machine unencrypted", f"write {secure}://{host}")
    return text


Rest = Annotated[Text, AfterValidator(lambda text: _url(text, "http", "https"))]
Socket = Annotated[Text, AfterValidator(lambda text: _url(text, "ws", "wss"))]
Adapter = Annotated[Text, AfterValidator(_adapter)]


class UniformLatency(Section):
    """A latency anywhere between two bounds, drawn from the run's seed."""

    low: Duration
    """The shortest. Required."""
    high: Duration
    """The longest. Required."""

    def value(self) -> simulation.Uniform:
        """As the simulation takes it."""
        return simulation.Uniform(self.low, self.high)


class ExponentialLatency(Section):
    """A latency of at least a minimum, with an exponential tail of a mean on top, drawn from the run's seed."""

    minimum: Duration
    """The shortest. Required."""
    mean: Duration
    """The mean of what comes on top. Required."""

    def value(self) -> simulation.Exponential:
        """As the simulation takes it."""
        return simulation.Exponential(self.minimum, self.mean)


def _latency_kind(value: Any) -> str:
    """Which of the forms a latency has, so that its mistakes are those of that form alone."""
    if isinstance(value, UniformLatency) or (isinstance(value, dict) and ("low" in value or "high" in value)):
        return "UniformLatency"
    return "ExponentialLatency" if isinstance(value, ExponentialLatency | dict) else "Duration"


Latency: TypeAlias = Annotated[
    Annotated[Duration, Tag("Duration")]
    | Annotated[UniformLatency, Tag("UniformLatency")]
    | Annotated[ExponentialLatency, Tag("ExponentialLatency")],
    Discriminator(_latency_kind),
]


class Simulated(Section):
    """The simulated side of a venue, for backtests and paper trading. Either a preset or the latency is named (N5)."""

    preset: Literal["typical"] | None = None
    """A named set of all that follows: "typical" is 20 ms each way and fills that do not flatter. Default: none."""
    latency: Latency | None = None
    """From the strategy to the venue: "5ms", { low = "1ms", high = "9ms" } or { minimum = "2ms", mean = "3ms" }.
    Required where no preset is named."""
    answer_latency: Latency | None = None
    """From the venue back. Default: the same as `latency`."""
    taking_on_trades: Literal["next_trades", "next_trade_whole", "last_trade_whole"] = "next_trades"
    """How a market order fills where only trades are known (F2). Default: "next_trades", which takes the next trades
    at most at their sizes."""
    resting: Literal["through", "touch"] = "through"
    """When a resting limit order fills (F3). Default: "through", when a trade goes through its price."""
    data_delay_bound: Lasting = "250ms"
    """Paper only: how long after its venue time a row may arrive and still decide a fill; an order is handled when data
    up to its time must have arrived (F6). Default: "250ms", over twice the 91 ms that the latest of 93,954 recorded
    Binance frames arrived after the earliest."""

    @model_validator(mode="after")
    def _is_stated(self) -> Simulated:
        if self.preset is None and self.latency is None:
            hint = 'add preset = "typical" (20 ms each way), or latency = "5ms"'
            raise mistake("missing_setting", "names neither a preset nor a latency", hint)
        return self

    def value(self, leverage: int | None = None) -> simulation.Simulated:
        """As a backtest takes it."""
        base = simulation.TYPICAL if self.latency is None else simulation.Simulated(_latency(self.latency))
        return replace(
            base,
            answer_latency=None if self.answer_latency is None else _latency(self.answer_latency),
            taking_on_trades=self.taking_on_trades,
            resting=self.resting,
            leverage=leverage,
        )

    def paper(self, leverage: int | None = None) -> simulation.Simulated:
        """As a paper session takes it: its venue meets rows when all of their time must have arrived (F6)."""
        return replace(self.value(leverage), lag=self.data_delay_bound)


def _latency(given: str | UniformLatency | ExponentialLatency) -> simulation.Latency:
    return given if isinstance(given, str) else given.value()


class Fees(Section):
    """Your own fees at a venue, in the place of those of its instruments' specifications."""

    maker: Fraction | None = None
    """What a resting order pays, as a fraction of the value: "0.001" is 0.1 %; a rebate is negative. Default: that of
    the instrument."""
    taker: Fraction | None = None
    """What an order pays that takes what rests. Default: that of the instrument."""


class Urls(Section):
    """Where the venue is reached, to point it elsewhere, such as to the sandbox. Encrypted unless on this machine."""

    rest: Rest | None = None
    """The address of its REST interface, https://. Default: the adapter's."""
    stream: Socket | None = None
    """The address of its market streams, wss://. Default: the adapter's."""
    api: Socket | None = None
    """The address of its WebSocket API for orders and account events, wss://. Default: the adapter's."""
    authority_file: PathText | None = None
    """A certificate authority (PEM) to trust besides the usual ones, such as the sandbox's. Default: none."""


class Venue(Section):
    """A venue, by the name that instruments carry before the colon."""

    adapter: Adapter | None = None
    """What speaks the venue's protocol in paper and live: your own as "package.module:function" or "file.py:function",
    which is given a `tradewind.venues.VenueAccess` and returns a `MarketData` and an `Execution` (or None). Default:
    the packaged one of the venue's name ("binance_spot"; for market data "bybit_spot" and "bybit_linear"); where
    there is none, the venue serves backtests only."""
    simulated: Simulated | None = None
    """How the venue is simulated. Required for backtest and paper; default live, for parity: the preset "typical"."""
    fees: Fees = Field(default_factory=Fees)
    """Your own fees, in backtest and paper. Default: those of the instruments."""
    urls: Urls = Field(default_factory=Urls)
    """Where it is reached. Default: the adapter's addresses."""

    def adapter_of(self, name: str) -> str | None:
        """The adapter of the venue of this name; none where it serves backtests only."""
        return self.adapter or (name if name in ADAPTERS else None)
