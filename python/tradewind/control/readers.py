"""Who reads a strategy's parameter: one that only `on_start` reads does nothing when it is set later."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType

from tradewind.strategy import Strategy

_ANY = "parameters"
"""What stands for every parameter: who reads it, or hands itself on, may read any."""
_BETWEEN = ("EXTENDED_ARG", "COPY")
"""What may stand before an attribute, as in ``self.count += 1``."""
_OF_OBJECT = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR")


def readers(kind: type[Strategy], parameter: str) -> list[str]:
    """The callbacks of a strategy that read a parameter, themselves or by other methods of it.

    The code that runs is asked, and not its file, which may have been edited. In doubt a callback is among them, and
    so is a ``set_parameter`` of the strategy's own, which is given the value.

    Parameters
    ----------
    kind
        The strategy's class.
    parameter
        The name.

    Examples
    --------
    >>> from tradewind import param
    >>> class Cross(Strategy):
    ...     fast: int = param(10)
    ...     size: float = param(0.1)
    ...
    ...     def on_start(self, ctx):
    ...         self.period = self.fast
    ...
    ...     def on_trade(self, ctx, trade):
    ...         self.aim(ctx)
    ...
    ...     def aim(self, ctx):
    ...         ctx.target("x", self.size)
    >>> readers(Cross, "fast"), readers(Cross, "size")
    (['on_start'], ['on_trade'])

    """
    uses = _uses(kind)
    callbacks = [name for name in uses if name.startswith("on_") or name == "set_parameter"]
    return [name for name in callbacks if name == "set_parameter" or {parameter, _ANY} & _reached(name, uses)]


def _uses(kind: type[Strategy]) -> dict[str, set[str]]:
    """What each method uses of its own object, by its name; those of its bases that it may call are among it."""
    found: dict[str, set[str]] = {}
    for base in (one for one in kind.__mro__ if one not in Strategy.__mro__):
        for name, value in vars(base).items():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            code = getattr(function, "__code__", None)
            if isinstance(code, CodeType):
                found.setdefault(name, set()).update(_of_object(code, code.co_varnames[:1]))
    return found


def _of_object(code: CodeType, own: tuple[str, ...]) -> Iterator[str]:
    """The attributes of the object that code is given first."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in _BETWEEN]
    for step, after in pairwise(steps):
        loaded = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and loaded[-1:] == own:
            yield after.argval if after.opname in _OF_OBJECT else _ANY
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _of_object(inner, own)


def _reached(name: str, uses: dict[str, set[str]]) -> set[str]:
    """What a method uses, and the methods among it."""
    reached, waiting = set[str](), [name]
    while waiting:
        fresh = uses.get(waiting.pop(), set()) - reached
        reached |= fresh
        waiting += fresh
    return reached
