"""What a strategy author writes: a class with typed parameters and callbacks."""

from __future__ import annotations

import difflib
import inspect
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from tradewind import memory
from tradewind.errors import SettingError, TradewindError, TradewindWarning

if TYPE_CHECKING:
    from tradewind._core import Bar, BookUpdate, Context, Fill, Funding, Mark, Order, Quote, Status, Trade, Value


_ELSEWHERE = {"next": "on_bar", "on_tick": "on_trade"}
"""Callbacks of other frameworks, with ours."""


@dataclass(frozen=True)
class Parameter:
    """The default and the range of a strategy's parameter."""

    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    help: str = ""


def param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    help: str = "",
) -> Any:
    """Declare a parameter of a strategy.

    Parameters
    ----------
    default
        The value where none is given; its type is the parameter's type unless the annotation says another.
    low, high
        The range, both ends included; sweeps draw from it.
    choices
        The only values that are allowed.
    help
        One line for the command line and for reports.

    Examples
    --------
    >>> class Wait(Strategy):
    ...     seconds: float = param(5.0, low=0.1, high=60)
    >>> Wait(seconds=0.5).parameters
    {'seconds': 0.5}
    >>> Wait(seconds=90)
    Traceback (most recent call last):
    ...
    tradewind.errors.SettingError: [bad_strategy] Wait: seconds = 90.0 is above 60
    hint: give a value from 0.1 to 60

    """
    return Parameter(default, low, high, choices, help)


class Strategy:
    """A trading strategy: override the callbacks that it needs; the others cost nothing.

    Parameters are class attributes made by `tw.param`, given by keyword. A strategy receives only the streams that
    it names in `on_start`, by ``ctx.subscribe`` or by attaching an indicator. What a callback asks for happens after
    it has returned.

    Parameters
    ----------
    name
        What the run calls it; the class's name where it is not given.
    parameters
        Values for the declared parameters.

    Examples
    --------
    >>> class Hold(Strategy):
    ...     quantity: float = param(1.0, low=0)
    ...
    ...     def on_start(self, ctx):
    ...         self.btc = ctx.instrument("binance_usdm:BTCUSDT")
    ...         ctx.subscribe(self.btc.trades)
    ...
    ...     def on_trade(self, ctx, trade):
    ...         ctx.target(self.btc, self.quantity)
    >>> Hold(quantity=2)
    Hold(quantity=2.0)

    """

    declared: ClassVar[dict[str, Parameter]] = {}
    remembered: ClassVar[dict[str, memory.Remembered]] = {}
    held_by_class: ClassVar[frozenset[str]] = frozenset()

    name: str
    parameters: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.held_by_class = cls.held_by_class | memory.changeable(vars(cls))
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Parameter)}
        cls.declared = {**cls.declared, **own}
        state = {name: value for name, value in vars(cls).items() if isinstance(value, memory.Remembered)}
        cls.remembered = {**cls.remembered, **state}
        _check_callbacks(cls)

    def __init__(self, *, name: str | None = None, **parameters: Any) -> None:
        cls = type(self)
        self.name = name or cls.__name__
        problems, hints = [], []
        for unknown in parameters.keys() - self.declared.keys():
            problems.append(f"{unknown} is not a parameter")
            hints.append(f"there are {', '.join(self.declared) or 'none'}")
        self.parameters = {}
        types = _types(cls)
        for key, declared in self.declared.items():
            value = _as_type(
                f"{cls.__name__}: {key}", parameters.get(key, declared.default), types.get(key, type(declared.default))
            )
            problem, hint = _check(key, value, declared)
            if problem:
                problems.append(problem)
                hints.append(hint)
            self.parameters[key] = value
            setattr(self, key, value)
        memory.begin(self, self.remembered)
        if problems:
            raise SettingError(
                "bad_strategy", f"{cls.__name__}: {'; '.join(sorted(problems))}", "; ".join(sorted(set(hints)))
            )

    if not TYPE_CHECKING:  # or every attribute would be known to every checker

        def __getattr__(self, name: str) -> Any:
            if name not in ("name", "parameters"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            message = f"{type(self).__name__}.__init__ does not call that of tw.Strategy"
            instead = "tw.param, tw.state and on_start take its place"
            raise SettingError(
                "bad_strategy", message, f"call super().__init__(**parameters), or leave it out: {instead}"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.parameters.items())})"

    def fresh(self) -> Strategy:
        """A new strategy of the same class, name and parameters, with nothing that a run left on it."""
        made = type(self)(name=self.name, **self.parameters)
        memory.set_apart(made)
        return made

    def set_parameter(self, name: str, value: Any) -> None:
        """Set a parameter while the strategy runs; a value that is not allowed is an error."""
        value = self.checked_parameter(name, value)
        self.parameters[name] = value
        setattr(self, name, value)

    def checked_parameter(self, name: str, value: Any) -> Any:
        """A value of a parameter in its type; one that is not allowed is an error."""
        if name not in self.declared:
            raise SettingError(
                "bad_strategy",
                f"{self.name}: {name} is not a parameter",
                f"there are {', '.join(self.declared) or 'none'}",
            )
        declared = self.declared[name]
        value = _as_type(f"{self.name}: {name}", value, _types(type(self)).get(name, type(declared.default)))
        problem, hint = _check(name, value, declared)
        if problem:
            raise SettingError("bad_strategy", f"{self.name}: {problem}", hint)
        return value

    def on_start(self, ctx: Context) -> None:
        """The run begins: name streams, attach indicators."""

    def on_stop(self, ctx: Context) -> None:
        """The run ends; open orders are cancelled afterwards."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        """Somebody traded."""

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        """The best bid or offer changed."""

    def on_book(self, ctx: Context, update: BookUpdate) -> None:
        """A level of the order book changed."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """A bar closed."""

    def on_mark(self, ctx: Context, mark: Mark) -> None:
        """The venue's mark price changed."""

    def on_funding(self, ctx: Context, funding: Funding) -> None:
        """A funding payment fell due."""

    def on_timer(self, ctx: Context, number: int) -> None:
        """A timer fired; `number` is what ``ctx.timer`` returned."""

    def on_order(self, ctx: Context, order: Order) -> None:
        """One of the strategy's orders changed its status, refusals and rejections included."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """One of the strategy's orders was filled, or its position was closed by the venue."""

    def on_data(self, ctx: Context, data: Value) -> None:
        """A value of a stream from outside that it named came in."""

    def on_status(self, ctx: Context, status: Status) -> None:
        """Trading, a connection, a stream or a market changed its condition; see ``status.kind``."""


def _types(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except NameError:
        # A name that only type checkers know; the defaults' types serve.
        return {}


def _check_callbacks(cls: type[Strategy]) -> None:
    """Refuse what would silently never be called: a misspelt callback, or a coroutine; warn of another's callback."""
    callbacks = [name for name in vars(Strategy) if name.startswith("on_")]
    for name, value in vars(cls).items():
        if not (name.startswith("on_") or name in _ELSEWHERE) or not callable(value):
            continue
        if inspect.iscoroutinefunction(value):
            raise SettingError(
                "bad_strategy", f"{cls.__name__}.{name} is async", "write it with def: callbacks run at once"
            )
        close = difflib.get_close_matches(name, callbacks, n=1, cutoff=0.8)
        if name not in callbacks and close:
            raise SettingError("bad_strategy", f"{cls.__name__}.{name} is not a callback", f"did you mean {close[0]}?")
        if name not in callbacks:
            near = _ELSEWHERE.get(name) or difflib.get_close_matches(name, callbacks, n=1, cutoff=0)[0]
            text = f"{cls.__name__}.{name} is not a callback: nobody calls it but you; the nearest is {near}"
            warnings.warn(text, TradewindWarning, stacklevel=3)


def _as_type(owner: str, value: Any, wanted: Any) -> Any:
    """An int where a float is wanted becomes one; everything else is checked, not converted."""
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # Any is a class from Python 3.11 on, of which nothing is an instance.
    if wanted is Any or not inspect.isclass(wanted):
        return value
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise TradewindError("wrong_type", f"{owner} = {value!r} is not of the type {wanted.__name__}")
    return value


def _check(key: str, value: Any, declared: Parameter) -> tuple[str, str]:
    if declared.choices is not None and value not in declared.choices:
        return f"{key} = {value!r} is not a choice", f"choose from {', '.join(map(repr, declared.choices))}"
    low, high = declared.low, declared.high
    span = f"give a value from {low} to {high}" if low is not None and high is not None else "give a value in the range"
    if low is not None and not value >= low:
        return f"{key} = {value!r} is below {low}", span
    if high is not None and not value <= high:
        return f"{key} = {value!r} is above {high}", span
    return "", ""
