"""The kernel: what ``crates/python`` makes of the Rust core."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal, final

from tradewind.strategy import Strategy

__all__ = [
    "CHECKSUM_BYTES",
    "CODEC_VERSION",
    "MEASURED_SHARES",
    "STATE_HASH_VERSION",
    "Backtest",
    "Bar",
    "BinanceDecoder",
    "BookUpdate",
    "BybitDecoder",
    "ChunkFeed",
    "Context",
    "Fill",
    "Funding",
    "History",
    "Inbox",
    "Index",
    "Indicator",
    "IndicatorSpecification",
    "Instrument",
    "Mark",
    "MatchingBook",
    "NativeStrategy",
    "Order",
    "Position",
    "Quote",
    "Record",
    "Recording",
    "Replay",
    "Session",
    "Status",
    "Stream",
    "Trade",
    "Value",
    "__version__",
    "blocks_that_follow",
    "boundary",
    "checksum",
    "client_id",
    "deposits_at",
    "entry_scales",
    "entry_tables",
    "error_codes",
    "first_entries",
    "inputs_for_another",
    "read_client_id",
    "run_many",
    "span_follows",
    "synthetic_rows",
]

__version__: str
CHECKSUM_BYTES: int
CODEC_VERSION: int
MEASURED_SHARES: list[float]
STATE_HASH_VERSION: int

_Number = float | int | str | Decimal
_Side = Literal["buy", "sell"]
_TimeInForce = Literal["gtc", "ioc", "post_only"]
_Instant = datetime | int
_Duration = timedelta | float | str
_Columns = dict[str, tuple[str, Any]]

def checksum(before: bytes, kind: str, numbers: Sequence[int], data: bytes) -> bytes:
    """The checksum of a piece of a journal, given that of what comes before it, its kind, its numbers and its bytes."""

def blocks_that_follow(rows: Sequence[tuple[int, int, int, bytes, bytes]], last: int, codec: int, before: bytes) -> int:
    """How many blocks, from the first on, follow an entry and each other, and are as they were written."""

def span_follows(
    firsts: int,
    lasts: bytes,
    lengths: bytes,
    data: bytes,
    checksums: bytes,
    last: int,
    codec: int,
    before: bytes,
) -> bool:
    """Whether blocks that lie one behind another follow an entry and each other, and are as they were written.

    Of each the number of its last entry and its length are given as text, with commas between them, and of all the sum
    of the numbers of their first entries.
    """

def entry_scales(index: Index) -> tuple[int, int, int, int]:
    """Decimals that hold every price, quantity, amount and rate of an index."""

def entry_tables(
    index: Index,
    strategies: Sequence[str],
    block: bytes,
    first: int,
    time_ns: int,
    tables: Mapping[str, Sequence[str] | None],
) -> tuple[dict[str, dict[str, tuple[str, Any, Any]]], int]:
    """The entries of a block as columns by table, and the time of its last input."""

def deposits_at(block: bytes, time_ns: int) -> bytes:
    """What accounts were given within a block, as a block in which they are given it at a time."""

def first_entries(block: bytes, count: int) -> bytes:
    """The first entries of a block, as a block."""

def inputs_for_another(block: bytes, is_only: bool, parameters: Sequence[str]) -> tuple[bytes, dict[str, int]]:
    """The inputs of a block that another strategy meets, and how many were left out, by what they were."""

def client_id(run: str, strategy: int, count: int) -> str:
    """The client id of an order."""

def read_client_id(text: str, run: str) -> tuple[int, int] | None:
    """The strategy and the count of an id of a run; None of any other."""

def error_codes() -> list[tuple[str, str]]:
    """Every code of the one table of errors, with what it means."""

def boundary(strategy: Any, index: Index, recording: Recording, averages: bool) -> float:
    """Seconds of the bare loop that calls a strategy with every trade, for benchmarks."""

def run_many(
    runs: Sequence[tuple[str, dict[str, Any]]],
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> list[dict[str, Any]]:
    """Run many native runs on all cores; the figures and hashes of each, in their order.

    Every run comes with a label, which the exception of a failed one names.
    """

def synthetic_rows(instrument: Instrument, settings: dict[str, Any]) -> dict[str, bytes]:
    """All rows of a synthetic market, as columns of native integers in bytes."""

@final
class Backtest:
    """One run."""

    def __new__(cls, run: dict[str, Any]) -> Backtest: ...
    def advance(self, rows: int) -> bool:
        """Go on for some rows; tells whether the run has come to its end."""
    @property
    def rows(self) -> int:
        """How many rows the engine has met."""
    @property
    def now_ns(self) -> int:
        """The time of the run."""
    def take_journal(self) -> tuple[int, int, bytes] | None:
        """The journal's entries since the last call: the first and last number, and the bytes."""
    def outcome(self) -> dict[str, Any]:
        """The figures and hashes of the run."""
    def orders(self) -> _Columns:
        """Closed orders, as columns."""
    def fills(self) -> _Columns:
        """Fills, as columns."""
    def ledger(self) -> _Columns:
        """The postings of the ledger, as columns."""
    def equity(self) -> tuple[list[int], list[float]]:
        """The equity curve: times in nanoseconds, and values."""

@final
class Session:
    """A run that is fed while it happens. Numbers come as text, as they came over the wire."""

    def __new__(cls, run: dict[str, Any], streams: Sequence[tuple[int, str]]) -> Session: ...
    def start(self, now_ns: int, warms_up: bool) -> None:
        """Start the strategies."""
    def available_streams(self) -> list[tuple[int, str]]:
        """The streams that may be named, by the instrument's place and the kind."""
    def named_streams(self) -> list[tuple[int, str]]:
        """The streams that strategies named, by the instrument's place and the kind."""
    def received_streams(self) -> list[tuple[int, str]]:
        """The streams that a started session receives, by the instrument's place and the kind.

        Simulated venues fill from the most detailed (F1).
        """
    def set_streams(self, streams: Sequence[tuple[int, str]]) -> None:
        """State which streams arrive from the start on, in the place of those that follow from what strategies name."""
    @property
    def next_ns(self) -> int:
        """When something happens by itself next, in nanoseconds; ``2**63 - 1`` for never."""
    @property
    def now_ns(self) -> int:
        """The time of the session."""
    @property
    def rows(self) -> int:
        """How many rows the engine has met."""
    def advance(self, before_ns: int) -> None:
        """Let everything happen that is due before a time."""
    def take_rows(self, inbox: Inbox) -> int:
        """Take the rows of an inbox; gives the time of the last."""
    def warm_up(self, inbox: Inbox) -> int:
        """Take the rows of an inbox as history: indicators, bars and histories learn, nobody is called (V4)."""
    @property
    def is_warming(self) -> bool:
        """Whether the strategies have started and warm-up is not over."""
    @property
    def has_stopped(self) -> bool:
        """Whether the strategies have stopped for good."""
    def last_trade(self, instrument: Instrument) -> tuple[int, int] | None:
        """The number and the venue's time of the last trade that is known of an instrument."""
    def command(
        self, time_ns: int, word: str, strategy: str | None = None, instrument: Instrument | None = None
    ) -> None:
        """Take a command, for a strategy and an instrument or for all."""
    def open_order(
        self,
        time_ns: int,
        strategy: str,
        instrument: Instrument,
        side: str,
        quantity: _Number,
        price: _Number | None = None,
        time_in_force: str = "gtc",
    ) -> int:
        """Open an order in the name of a strategy; gives its number."""
    def known_order(self, order_id: int) -> dict[str, Any] | None:
        """What is known of an order; nothing where it is not, or not any more."""
    def value(self, value: tuple[str, int, int, str, float | None, str | None]) -> None:
        """Take a value from outside: its stream, both times, its kind, and the number or the text."""
    def parameter(
        self, time_ns: int, strategy: str, name: str, kind: str, number: float | None = None, text: str | None = None
    ) -> None:
        """Set a strategy's parameter; one that it does not take is an error that the session survives."""
    def named_values(self) -> list[tuple[str, str]]:
        """The streams of values from outside that strategies named, by strategy and stream."""
    def connection(self, time_ns: int, kind: str, venue: str, part: str) -> None:
        """Take a condition of a venue's connection."""
    def stream(
        self, time_ns: int, kind: str, instrument: Instrument, stream: str, from_ns: int = 0, length_ns: int = 0
    ) -> None:
        """Take a condition of a stream, or a gap in it by venue time."""
    def order(
        self, venue: str, venue_time_ns: int, arrival_time_ns: int, order_id: int, kind: str, reason: str
    ) -> None:
        """Take what a real venue says of an order."""
    def fill(self, venue: str, venue_time_ns: int, arrival_time_ns: int, fill: dict[str, Any]) -> None:
        """Take a fill of a real venue."""
    def transfer(
        self, venue: str, venue_time_ns: int, arrival_time_ns: int, kind: str, asset: str, amount: str
    ) -> None:
        """Take money that moved without a fill of ours; below zero when it left."""
    def take_requests(self, run: str) -> list[tuple[str, bool, tuple[Any, ...]]]:
        """Requests for real venues since the last call: the venue, whether it is a cancel, and its request's fields."""
    def take_journal(self) -> tuple[int, int, bytes] | None:
        """The journal's entries since the last call: the first and last number, and the bytes."""
    def save(self) -> bytes:
        """What is needed to go on from here."""
    def restore(self, saved: bytes) -> None:
        """Go on from what was saved, in the place of a start."""
    def recover(self, block: bytes) -> dict[str, Any] | None:
        """Take a block of the journal; returns the first decision that differs, if there is one."""
    def adopt(self, time_ns: int, strategy: str, instrument: Instrument, quantity: str, cost: str) -> None:
        """Make what the account holds a strategy's position, at what it has cost (M3)."""
    def follow_recorded(self) -> None:
        """Before the first block: rebuild the recorded decisions, whatever strategies would decide."""
    def rebuild(self, block: bytes) -> None:
        """Take a block of the journal with the recorded decisions in the place of the strategies'."""
    def declared(self) -> dict[str, bytes]:
        """What strategies declare as their own, by their names; also of a session that has failed."""
    def hand_over(self, declared: dict[str, bytes]) -> bytes:
        """What other strategies need to go on from here, with what is declared as theirs, by their names."""
    def strategy_timers(self) -> list[tuple[str, int]]:
        """The timers that strategies wait for: whose, and its number."""
    @property
    def awaits_start(self) -> bool:
        """Whether what was restored waits for strategies to start."""
    def live_again(self, block: bytes) -> None:
        """Live through a block of a recorded session again, simulated venues in the place of what answered."""
    def follow(self, record: Record, removed: str) -> None:
        """Before the start: simulated venues take over what a session recorded, up to and including a cause."""
    def show_ahead(self, block: bytes) -> None:
        """Before the start: show simulated venues the rows of a block, each of which they meet at its venue time."""
    def recovered(self) -> dict[str, Any] | None:
        """The journal has ended; a decision that it does not hold, if there is one."""
    @property
    def inputs(self) -> int:
        """How many inputs were taken since the run began."""
    @property
    def decisions(self) -> int:
        """How many decisions were compared and found equal."""
    @property
    def is_failed(self) -> bool:
        """Whether something failed within the kernel or a callback, so that nothing more is taken."""
    def finish(self) -> None:
        """End the session."""
    @property
    def hashes(self) -> tuple[str, str]:
        """The hash of the state and of all decisions, hexadecimal."""
    def cancel_order(self, time_ns: int, order_id: int) -> None:
        """Cancel one order, whichever strategy's; one that is closed stays as it is."""
    def open_orders(self) -> list[dict[str, Any]]:
        """Orders that are not closed."""
    def find_order(self, strategy: int, count: int) -> tuple[int, str] | None:
        """The number and the instrument of a strategy's order by its count, unless it was closed long ago."""
    def closed_orders(self, most: int) -> list[dict[str, Any]]:
        """The newest orders that have closed, the newest first."""
    def balances(self, venue: str) -> list[tuple[str, str]]:
        """What an account holds, by asset, as text."""
    @property
    def equity_now(self) -> float | None:
        """What everything is worth now, in the currency of totals; None where a price is missing."""
    def positions(self) -> list[tuple[str, str, str]]:
        """Positions that are not flat: strategy, instrument and quantity as text."""
    def positions_to_close(self) -> list[tuple[str, str]]:
        """The strategies and instruments of positions that are more than the dust that closing them left."""
    def holdings(self) -> list[dict[str, Any]]:
        """Positions that are not flat, with what they cost and what they are worth."""
    @property
    def is_trading(self) -> bool:
        """Whether strategies may open positions."""
    def outcome(self) -> dict[str, Any]:
        """The figures and hashes so far."""
    def orders(self) -> _Columns:
        """Closed orders, as columns."""
    def fills(self) -> _Columns:
        """Fills, as columns."""
    def ledger(self) -> _Columns:
        """The postings of the ledger, as columns."""
    def equity(self) -> tuple[list[int], list[float]]:
        """The equity curve: times in nanoseconds, and values."""

@final
class Record:
    """The orders of a recorded session, read from its journal in two passes."""

    def __new__(cls, venue_times: Sequence[tuple[int, bool, int | None]]) -> Record: ...
    def observe(self, block: bytes) -> None:
        """Take a block of the journal, in the first pass."""
    def confirm(self, block: bytes) -> None:
        """Take a block of the journal, in the second pass."""
    @staticmethod
    def causes() -> list[str]:
        """The causes of differences, in the order in which they are removed."""

@final
class Replay:
    """An engine that is fed a journal, its decisions compared with the recorded ones."""

    def __new__(
        cls,
        index: Index,
        strategies: Sequence[tuple[str, Strategy | NativeStrategy]],
        risk: dict[str, Any],
        streams: Sequence[tuple[int, str]],
        seed: int,
        value_streams: Sequence[str] | None,
    ) -> Replay: ...
    def recover(self, block: bytes) -> dict[str, Any] | None:
        """Take a block of the journal; returns the first decision that differs, if there is one."""
    def recovered(self) -> dict[str, Any] | None:
        """The journal has ended; returns a decision that it does not hold, if there is one."""
    @property
    def hashes(self) -> tuple[str, str]:
        """The hash of the state and of all decisions, hexadecimal."""
    @property
    def inputs(self) -> int:
        """How many inputs were fed."""
    @property
    def decisions(self) -> int:
        """How many decisions were compared and found equal."""

@final
class NativeStrategy:
    """A strategy written in Rust, by its kind and parameters."""

    def __new__(cls, kind: str, parameters: dict[str, Any], name: str | None = None) -> NativeStrategy: ...
    @property
    def kind(self) -> str:
        """Which of the strategies that there are."""
    @property
    def name(self) -> str:
        """What its orders, positions and reports carry: its kind where none was given."""
    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters."""
    def named(self, name: str) -> NativeStrategy:
        """The same under another name."""
    def __getnewargs__(self) -> tuple[str, dict[str, Any], str]: ...

@final
class Index:
    """The names of venues, assets and instruments."""

    def __new__(cls, definitions: Sequence[dict[str, Any]]) -> Index: ...
    def instrument(self, name: str) -> Instrument:
        """The instrument of a name."""
    @property
    def instruments(self) -> list[Instrument]:
        """All instruments, in the order of their definition."""
    @property
    def venues(self) -> list[str]:
        """The names of all venues."""
    @property
    def assets(self) -> list[str]:
        """The names of all assets."""

@final
class Instrument:
    """An instrument: what can be traded, where, and on which grid."""

    @property
    def name(self) -> str:
        """`venue:symbol`."""
    @property
    def venue(self) -> str:
        """The venue's name."""
    @property
    def symbol(self) -> str:
        """The venue's name for the instrument."""
    @property
    def kind(self) -> Literal["spot", "linear_perpetual"]:
        """What kind of contract it is."""
    @property
    def base(self) -> str:
        """The asset that is traded."""
    @property
    def quote(self) -> str:
        """The asset that the price is in."""
    @property
    def settlement(self) -> str:
        """The asset that profit and fees are settled in."""
    @property
    def price_decimals(self) -> int:
        """Decimals of prices."""
    @property
    def quantity_decimals(self) -> int:
        """Decimals of quantities."""
    @property
    def tick(self) -> float:
        """The step of prices."""
    @property
    def lot(self) -> float:
        """The step of quantities."""
    @property
    def multiplier(self) -> float:
        """Base per unit of quantity; 1 on spot."""
    @property
    def trades(self) -> Stream:
        """Its trades."""
    @property
    def quotes(self) -> Stream:
        """Its best bids and offers."""
    @property
    def book(self) -> Stream:
        """The changes of its order book."""
    @property
    def marks(self) -> Stream:
        """Its mark prices."""
    @property
    def funding(self) -> Stream:
        """Its funding payments."""
    def bars(self, interval: str) -> Stream:
        """Its bars of an interval such as `1m`, recorded or built from its trades."""
    def round_quantity(self, quantity: float) -> float:
        """A quantity rounded towards zero to the lot."""
    def round_price(self, price: float) -> float:
        """A price rounded to the nearest tick."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Stream:
    """One kind of market data of one instrument."""

    @property
    def instrument(self) -> Instrument:
        """Its instrument."""

@final
class History:
    """The last events of a stream; what it gives is a copy."""

    @property
    def events(self) -> list[Trade | Quote | Bar | BookUpdate | Mark | Funding]:
        """The events, oldest first."""
    @property
    def prices(self) -> list[float]:
        """Their prices, oldest first: of a trade or mark its price, of a quote the middle, of a bar the close."""
    def __len__(self) -> int: ...

@final
class Recording:
    """A recorded stream, held once and shared by every run that uses it."""

    def __new__(
        cls, name: str, index: Index, instrument: Instrument | None, chunks: Iterable[dict[str, Any]]
    ) -> Recording: ...
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def rows(self) -> int | None:
        """How many rows it holds; None where that is not known."""
    @property
    def span_ns(self) -> tuple[int, int] | None:
        """The arrival of its first and last row, in nanoseconds; None where that is not known."""
    @property
    def streams(self) -> list[tuple[int, str]]:
        """The streams that it holds, as (instrument's index, kind)."""
    def to_bytes(self) -> bytes:
        """The rows in the kernel's codec, to send them to another process."""
    @staticmethod
    def from_journal(name: str, blocks: Iterable[bytes]) -> Recording:
        """Make the recording of a journal's market data."""
    @staticmethod
    def from_bytes(name: str, bytes: bytes) -> Recording:
        """Make the recording of rows that another process sent."""

@final
class ChunkFeed:
    """A recorded stream that is read in chunks while a run goes on; every run reads it from its beginning."""

    def __new__(
        cls,
        name: str,
        instrument: Instrument,
        streams: Sequence[tuple[int, str]],
        longest_delay_ns: int,
        rows: int,
        open: Callable[[], Iterable[dict[str, Any]]],
    ) -> ChunkFeed: ...
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def rows(self) -> int:
        """How many rows it holds."""
    @property
    def streams(self) -> list[tuple[int, str]]:
        """The streams that it holds, as (instrument's index, kind)."""

@final
class IndicatorSpecification:
    """What an indicator computes; made by `tw.Sma`, `tw.Ema` and the like."""

    def __new__(
        cls, name: str, period: int, seed: Literal["average", "first"] = "average"
    ) -> IndicatorSpecification: ...
    def over(self, values: Sequence[float]) -> list[float]:
        """The values for a series of inputs, for research and tests: NaN until ready."""
    def over_bars(self, bars: Sequence[tuple[float, float, float]]) -> list[float]:
        """The same for bars, given as (high, low, close)."""

@final
class Indicator:
    """An indicator that is attached to a stream. The engine updates it before the callback."""

    @property
    def value(self) -> float:
        """The value; NaN until it is ready."""
    @property
    def ready(self) -> bool:
        """Whether enough inputs have been seen."""

@final
class Context:
    """The state, for the length of a callback.

    Used outside of one, every method raises `context_outside_callback`.
    """

    @property
    def now_ns(self) -> int:
        """The time of the current event, in nanoseconds since the epoch."""
    @property
    def now(self) -> datetime:
        """The time of the current event, in UTC."""
    @property
    def random(self) -> Random:
        """The strategy's own `random.Random`, seeded from the run's seed and its name (D1)."""
    def new_id(self) -> int:
        """A new number, from one, that no other call of this strategy gets."""
    @property
    def is_trading(self) -> bool:
        """Whether strategies may open positions."""
    def instrument(self, name: str) -> Instrument:
        """The instrument of a name such as `binance_usdm:BTCUSDT`."""
    @property
    def instruments(self) -> list[Instrument]:
        """All instruments of the run."""
    def subscribe(self, *streams: Stream | str) -> None:
        """Name streams that the strategy wants to receive, values from outside by their name; only in `on_start`."""
    def is_stale(self, instrument: Instrument) -> bool:
        """Whether what is known of an instrument's market is old or has a hole."""
    def dust(self, instrument: Instrument) -> float:
        """What the strategy's targets could not reach: less than a lot or than the smallest order (O3)."""
    def indicator(self, specification: IndicatorSpecification, stream: Stream) -> Indicator:
        """Attach an indicator to a stream, and name the stream; only in `on_start` (V1)."""
    def history(self, stream: Stream, length: int) -> History:
        """Keep the last `length` events of a stream, and name the stream; only in `on_start`."""
    def buy(
        self,
        instrument: Instrument,
        quantity: _Number,
        price: _Number | None = None,
        *,
        time_in_force: _TimeInForce = "gtc",
        reduce_only: bool = False,
    ) -> Order:
        """Buy: at market, or with a limit price. The order can be kept, and follows what becomes of it."""
    def sell(
        self,
        instrument: Instrument,
        quantity: _Number,
        price: _Number | None = None,
        *,
        time_in_force: _TimeInForce = "gtc",
        reduce_only: bool = False,
    ) -> Order:
        """Sell: at market, or with a limit price. The order can be kept, and follows what becomes of it."""
    def target(self, instrument: Instrument, quantity: _Number, price: _Number | None = None) -> None:
        """Want the strategy's position to become `quantity`, rounded towards zero to the lot (O3)."""
    def cancel(self, order: Order) -> None:
        """Cancel an order of this strategy."""
    def cancel_all(self, instrument: Instrument | None = None) -> None:
        """Cancel all open orders of this strategy, in one instrument or in all."""
    def close(self, instrument: Instrument) -> None:
        """Cancel this strategy's orders in an instrument and close its position at market."""
    def timer(self, at: _Instant | None = None, *, after: _Duration | None = None) -> int:
        """Ask for `on_timer` at a time, or after seconds or a `timedelta`; gives the number that the callback gets."""
    def price(self, instrument: Instrument) -> float | None:
        """The mark: the price that positions are valued at, in the quote asset; None before the first (N4)."""
    def last_trade(self, instrument: Instrument) -> Trade | None:
        """The last trade, if there was one; its times are those of now."""
    def quote(self, instrument: Instrument) -> Quote | None:
        """The best bid and offer, if they are known; its times are those of now."""
    def last_bar(self, stream: Stream) -> Bar | None:
        """The last closed bar of a stream of bars that the strategy named, if there was one."""
    def book(
        self, instrument: Instrument, depth: int = 10
    ) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The best `depth` levels of the order book: bids and asks, each a list of (price, quantity)."""
    def position(self, instrument: Instrument) -> Position:
        """This strategy's position in an instrument; it changes only by fills."""
    def balance(self, asset: str, venue: str | None = None) -> tuple[Decimal, Decimal, Decimal]:
        """What an account holds of an asset, exactly: (total, reserved, free); the venue where there are several."""
    def open_orders(self, instrument: Instrument | None = None) -> list[Order]:
        """This strategy's open orders, in one instrument or in all, oldest first."""

@final
class Order:
    """An order. During a callback it shows the order as it is now, otherwise as it was last seen, or as it closed."""

    @property
    def id(self) -> int:
        """The engine's number of the order, from one, over all strategies; fills carry it as `order_id`."""
    @property
    def count(self) -> int:
        """The strategy's own count of its orders, from one."""
    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def side(self) -> _Side:
        """Which way."""
    @property
    def order_type(self) -> Literal["market", "limit"]:
        """At market, or with a limit price."""
    @property
    def time_in_force(self) -> _TimeInForce:
        """How long it works: until it is cancelled, at once only, or only where it rests."""
    @property
    def reduce_only(self) -> bool:
        """Whether it may only reduce the strategy's position."""
    @property
    def quantity(self) -> float:
        """How much was asked for, above zero whichever the side."""
    @property
    def price(self) -> float | None:
        """The limit price, in the quote asset; None for a market order."""
    @property
    def status(self) -> str:
        """Where it is in its life, such as `open`."""
    @property
    def is_closed(self) -> bool:
        """Whether nothing can happen to it any more: filled, cancelled, rejected or expired."""
    @property
    def filled(self) -> float:
        """How much has been filled, as it was traded: before a fee in the bought asset."""
    @property
    def remaining(self) -> float:
        """How much has not been filled."""
    @property
    def average_price(self) -> float | None:
        """The average price of its fills, in the quote asset and before fees; None before the first."""
    @property
    def reason(self) -> str | None:
        """Why it was refused, rejected or cancelled, as a code of the table of errors; None otherwise."""
    @property
    def note(self) -> str | None:
        """What a check of your own said when it refused the order."""
    @property
    def decided(self) -> datetime:
        """When it was decided: the time of the event after which it was asked for."""

@final
class Position:
    """A strategy's position in an instrument, as it was when it was asked for."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def quantity(self) -> float:
        """How much is held, below zero when short; on spot after fees in the bought asset."""
    @property
    def side(self) -> Literal["long", "short"] | None:
        """Which way; None when flat."""
    @property
    def cost(self) -> float:
        """What it cost, in the quote asset, below zero when short; without fees in the quote asset."""
    @property
    def average_price(self) -> float | None:
        """What is held cost so much a unit; None when flat.

        On spot a fee taken in the bought asset is part of it (M2): it is above the fills' price by the fee, and
        `average_price` of an order is not.
        """
    @property
    def realised(self) -> float:
        """The profit of what was closed, in the quote asset, before fees and funding.

        On spot it is after fees in the bought asset, as they are part of the cost (M2): it and all fees of the fills
        do not add up to the change of the equity. `net_realised` of a result does, with what is not realised.
        """
    @property
    def unrealised(self) -> float | None:
        """The profit of what is held, at the mark, in the quote asset; None without a mark, zero when flat."""
    def __bool__(self) -> bool: ...

@final
class Trade:
    """A trade between others."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def venue_time_ns(self) -> int:
        """When it happened at the venue, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it happened at the venue."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""
    @property
    def price(self) -> float:
        """The price, in the quote asset."""
    @property
    def quantity(self) -> float:
        """How much was traded."""
    @property
    def side(self) -> _Side | None:
        """The side of the order that took; None where the data do not say."""
    @property
    def id(self) -> int:
        """The venue's number of the trade; zero where there is none."""

@final
class Quote:
    """The best bid and offer."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def venue_time_ns(self) -> int:
        """When it happened at the venue, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it happened at the venue."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""
    @property
    def bid(self) -> float:
        """The highest price that somebody pays, in the quote asset."""
    @property
    def bid_quantity(self) -> float:
        """How much is bid there."""
    @property
    def ask(self) -> float:
        """The lowest price that somebody asks, in the quote asset."""
    @property
    def ask_quantity(self) -> float:
        """How much is offered there."""
    @property
    def mid(self) -> float:
        """The middle of both."""

@final
class Bar:
    """A bar that has closed; its venue time is when it opened."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def venue_time_ns(self) -> int:
        """When it opened, by the venue's time, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it opened, by the venue's time."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""
    @property
    def open(self) -> float:
        """The first price, in the quote asset."""
    @property
    def high(self) -> float:
        """The highest price."""
    @property
    def low(self) -> float:
        """The lowest price."""
    @property
    def close(self) -> float:
        """The last price."""
    @property
    def volume(self) -> float:
        """How much was traded, as a quantity."""
    @property
    def is_complete(self) -> bool:
        """Whether no trade is known to be missing in it."""
    @property
    def interval(self) -> str:
        """Its length, such as `1m`."""
    @property
    def close_time_ns(self) -> int:
        """When it closes, in nanoseconds since the epoch."""

@final
class BookUpdate:
    """The change of one level of the order book."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def venue_time_ns(self) -> int:
        """When it happened at the venue, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it happened at the venue."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""
    @property
    def side(self) -> _Side:
        """`buy` for a bid, `sell` for an ask."""
    @property
    def price(self) -> float:
        """The level's price, in the quote asset."""
    @property
    def quantity(self) -> float:
        """The level's new quantity; zero when it is gone."""
    @property
    def is_first(self) -> bool:
        """Whether it begins a snapshot."""
    @property
    def is_last(self) -> bool:
        """Whether it ends a message: only then is the book consistent."""

@final
class Mark:
    """The venue's mark price."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def venue_time_ns(self) -> int:
        """When it happened at the venue, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it happened at the venue."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""
    @property
    def price(self) -> float:
        """The price, in the quote asset."""

@final
class Funding:
    """A funding payment falls due; above zero, long pays short."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def venue_time_ns(self) -> int:
        """When it happened at the venue, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it happened at the venue."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""
    @property
    def rate(self) -> float:
        """The rate as a fraction of the position's value: 0.0001 is 0.01 %."""

@final
class Value:
    """A value of a stream from outside (V2)."""

    @property
    def name(self) -> str:
        """The stream's name."""
    @property
    def value(self) -> Any:
        """What it says: a number, a text, or what a JSON document holds."""
    @property
    def time_ns(self) -> int:
        """When it was true, by its source, in nanoseconds since the epoch."""
    @property
    def arrival_time_ns(self) -> int:
        """When it reached us, in nanoseconds since the epoch."""
    @property
    def time(self) -> datetime:
        """When it was true, by its source."""
    @property
    def arrival_time(self) -> datetime:
        """When it reached us."""

@final
class Status:
    """A change that concerns trading; ``str(status)`` is its kind."""

    @property
    def kind(self) -> str:
        """Which change, such as `trading_off`, `margin_call`, `disconnected`, `stale`, `halted`."""
    @property
    def venue(self) -> str | None:
        """Which venue, where one is concerned."""
    @property
    def instrument(self) -> Instrument | None:
        """Which instrument, where one is concerned."""
    @property
    def stream(self) -> str | None:
        """Which stream of the instrument, where one is concerned, such as `trades` or `bars(1m)`."""
    @property
    def part(self) -> str | None:
        """What a connection serves: `market_data` or `orders`."""

@final
class Fill:
    """A fill of one of the strategy's orders, or of its share of a liquidation."""

    @property
    def order_id(self) -> int:
        """The number of the order, its `id`; zero for a liquidation."""
    @property
    def trade_id(self) -> int:
        """The venue's number of the trade; of a simulated venue its own count."""
    @property
    def instrument(self) -> Instrument:
        """The instrument."""
    @property
    def side(self) -> _Side:
        """Which way the order went."""
    @property
    def price(self) -> float:
        """The price, in the quote asset."""
    @property
    def quantity(self) -> float:
        """How much was traded, above zero; a fee in the bought asset is not taken off."""
    @property
    def liquidity(self) -> Literal["maker", "taker"]:
        """Whether the order waited or took; the fee depends on it."""
    @property
    def fee(self) -> Decimal:
        """The fee, exact, in units of `fee_asset`; below zero for a rebate."""
    @property
    def fee_asset(self) -> str:
        """The asset of the fee: on spot what was received, unless the venue takes it otherwise."""
    @property
    def venue_time_ns(self) -> int:
        """When it happened at the venue, in nanoseconds since the epoch."""
    @property
    def venue_time(self) -> datetime:
        """When it happened at the venue."""

_BookTrade = tuple[int, int, bool, int, int, int, int, int, int]
_BookLevel = tuple[bool, int, int]
_BookOutcome = tuple[str | None, list[_BookTrade], list[_BookLevel], int]

@final
class MatchingBook:
    """A price-time book in which users and synthetic participants trade."""

    def __new__(cls, instrument: Instrument | None = None, settings: dict[str, Any] | None = None) -> MatchingBook: ...
    def submit(
        self, key: int, participant: int, buy: bool, quantity: int, price: int | None, time_in_force: str
    ) -> _BookOutcome:
        """Takes an order; without a price it is a market order."""

    def cancel(self, key: int) -> _BookOutcome:
        """Takes an order out of the book."""

    def amend(self, key: int, price: int, remaining: int) -> _BookOutcome:
        """Gives an order a price and what is left of it; smaller at the same price it keeps its place."""

    @property
    def next_action_ns(self) -> int | None:
        """When a participant acts next."""

    def advance(self, until_ns: int, maximum: int) -> list[tuple[int, list[_BookTrade], list[_BookLevel]]]:
        """What participants do until then: time, trades and levels of each action that did something."""

    def history(self, until_ns: int) -> list[tuple[int, int, int, bool]]:
        """The trades of the participants until then: time, price, quantity, and whether a buyer took."""

    def levels(self, buy: bool, maximum: int | None = None) -> list[tuple[int, int]]:
        """The levels of one side, best first."""

    def best(self, buy: bool) -> tuple[int, int] | None:
        """The best price and quantity of one side."""

    def remaining(self, key: int) -> int | None:
        """What is left of an order in the book."""

    def available(self, buy: bool, price: int | None, wanted: int) -> int:
        """How much an order could trade at once, up to what is wanted."""

    def cost(self, buy: bool, quantity: int) -> tuple[int, int]:
        """How much of a quantity the other side has, and what it costs (price times quantity)."""

    def affordable(self, buy: bool, value: int, lot: int) -> int:
        """How much of the other side so much value (price times quantity) pays for, in whole lots."""

    def own_orders_ahead(self, participant: int, buy: bool, quantity: int, price: int | None) -> tuple[int, list[int]]:
        """What an order would trade before it meets one of its own participant, and the keys that it would meet."""

@final
class Inbox:
    """Market rows in the order of their arrival."""

    def __new__(cls, index: Index, latency_ns: int = 1_000_000) -> Inbox: ...
    def trade(
        self,
        instrument: str,
        venue_ns: int | None,
        arrival_ns: int,
        price: _Number,
        quantity: _Number,
        aggressor: str | None,
        id: int,
    ) -> None:
        """Add a trade."""
    def quote(
        self,
        instrument: str,
        venue_ns: int | None,
        arrival_ns: int,
        bid: _Number,
        bid_quantity: _Number,
        ask: _Number,
        ask_quantity: _Number,
    ) -> None:
        """Add a quote."""
    def book(
        self,
        instrument: str,
        venue_ns: int | None,
        arrival_ns: int,
        bids: Sequence[tuple[_Number, _Number]],
        asks: Sequence[tuple[_Number, _Number]],
        is_snapshot: bool,
    ) -> None:
        """Add levels of a book."""
    def bar(
        self,
        instrument: str,
        interval: str,
        open_time_ns: int,
        arrival_ns: int,
        open: _Number,
        high: _Number,
        low: _Number,
        close: _Number,
        volume: _Number,
    ) -> None:
        """Add a bar that has closed."""
    def mark(self, instrument: str, venue_ns: int | None, arrival_ns: int, price: _Number) -> None:
        """Add a mark price."""
    def funding(self, instrument: str, venue_ns: int | None, arrival_ns: int, rate: _Number) -> None:
        """Add a funding payment."""
    def instrument(self, name: str) -> Instrument:
        """The instrument of a name."""
    def take_events(self) -> list[Any]:
        """The rows as event objects; the inbox is empty afterwards."""
    def rows(self) -> list[tuple[str, str, int, int, int, list[int]]]:
        """The rows as exact numbers: kind, instrument, times, flags, values. They stay."""
    def hold(self, instrument: str) -> None:
        """Keep an instrument's trades back from now on, until they are released."""
    def release(self, instrument: str) -> None:
        """Let an instrument's trades go on, those first that were held."""
    def first_held(self, instrument: str) -> tuple[int, int] | None:
        """The number and the venue's time of the first trade that is held."""
    def join(
        self, instrument: str, last: tuple[int, int] | None, held: Inbox, is_numbered: bool
    ) -> list[tuple[int, int]]:
        """Keep of the trades those between the last that is known and the first that `held` holds back, each once.

        Gives the times between which trades are still missing. Where the venue does not number its trades without
        holes, times decide, and nothing can be said of what is missing.
        """
    def bring_back(self, now_ns: int, limit_ns: int) -> bool:
        """Bring rows that are ahead of a time by more than a limit back to it; tells whether there were any."""
    def clear(self) -> None:
        """Forget all rows."""
    @property
    def clamped(self) -> int:
        """How many rows arrived before they happened, by the clocks (T2)."""
    def __len__(self) -> int: ...

@final
class BinanceDecoder:
    """Reads frames into an inbox."""

    def __new__(
        cls,
        inbox: Inbox,
        symbols: Sequence[tuple[str, str]],
        continuity: Literal["first", "previous"] = "first",
        time_unit_ns: int = 1_000_000,
    ) -> BinanceDecoder: ...
    def decode(self, frame: bytes, arrival_ns: int) -> tuple[str, str, str, int, int] | None:
        """Read a frame: None for data, else what it was (`control`, or `gap` with kind, instrument and times)."""
    def add(self, symbol: str, name: str) -> None:
        """Know another instrument by the venue's symbol."""
    def arrival_ns(self, symbol: str, kind: str) -> int | None:
        """When a message of a stream last arrived; None if none did."""
    def progress(self, symbol: str, kind: str, interval_ns: int) -> list[int]:
        """How far a stream has come; empty at its beginning."""
    def forget(self, symbol: str, kind: str) -> None:
        """Forget what was seen of a stream."""
    def is_live(self, symbol: str) -> bool:
        """Whether the book of a symbol is followed."""
    def snapshot(self, symbol: str, body: bytes, arrival_ns: int) -> Literal["taken", "too_old", "not_needed"]:
        """Read a snapshot of a book that was asked for."""

@final
class BybitDecoder:
    """Reads frames into an inbox."""

    def __new__(cls, inbox: Inbox, symbols: Sequence[tuple[str, str]]) -> BybitDecoder: ...
    def decode(self, frame: bytes, arrival_ns: int) -> tuple[str, str, str, int, int] | None:
        """Read a frame: None for data, else what it was (`control`, or `gap` with kind, instrument and times)."""
    def take_broken(self) -> list[tuple[str, str, int, int]]:
        """Gaps behind frames that could not be read, with kind, instrument and times."""
    def add(self, symbol: str, name: str) -> None:
        """Know another instrument by the venue's symbol."""
    def arrival_ns(self, symbol: str, kind: str) -> int | None:
        """When a message of a stream last arrived; None if none did."""
    def progress(self, symbol: str, kind: str, interval_ns: int) -> list[int]:
        """How far a stream has come; empty at its beginning."""
    def forget(self, symbol: str, kind: str) -> None:
        """Forget what was seen of a stream."""
    def is_live(self, symbol: str) -> bool:
        """Whether the book of a symbol is followed."""
