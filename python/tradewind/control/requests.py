"""What can be asked of a session: one type a request, checked as a system file is, with all mistakes at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from pydantic import AwareDatetime, Field, ValidationError, model_validator

from tradewind.config.base import Flag, InstrumentName, Positive, Section, StrategyName, Text, Whole, mistake
from tradewind.config.explanation import explained
from tradewind.config.problem import Problem, SystemFileError
from tradewind.errors import exception


class Value(Section):
    """A value from outside, for the strategies that named its stream (V2)."""

    name: Text
    """The stream. Required."""
    value: Any
    """A number, a text, or any JSON. Required."""
    kind: Literal["number", "text", "json"] | None = None
    """What it is. Default: by the value."""
    time: AwareDatetime | None = None
    """When it was true, with its zone. Default: when it arrives."""


class Trading(Section):
    """Whether strategies may open positions."""

    on: Flag
    """True or false. Required."""


class Cancel(Section):
    """Which orders are cancelled; all where nothing is stated."""

    strategy: StrategyName | None = None
    """Those of this strategy. Default: all."""
    instrument: InstrumentName | None = None
    """Those in this instrument. Default: all."""
    order: Annotated[Whole, Field(ge=0, lt=2**63)] | None = None
    """This one alone, by its number. Default: all."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.order is not None and not (self.strategy is None and self.instrument is None):
            raise mistake("bad_setting", "an order is named beside a strategy or an instrument", "name one of them")
        return self


class Close(Section):
    """Which positions are closed at the market, their orders cancelled before; all where nothing is stated."""

    strategy: StrategyName | None = None
    """Those of this strategy. Default: all."""
    instrument: InstrumentName | None = None
    """Those in this instrument. Default: all."""


class Open(Section):
    """An order in the name of a strategy."""

    strategy: StrategyName
    """Whose it is. Required."""
    instrument: InstrumentName
    """What is traded. Required."""
    side: Literal["buy", "sell"]
    """"buy" or "sell". Required."""
    quantity: Positive
    """How much. Required."""
    price: Positive | None = None
    """The limit. Default: at the market."""
    time_in_force: Literal["gtc", "ioc", "post_only"] = "gtc"
    """How long it stands. Default: "gtc"."""


class Parameter(Section):
    """A parameter of a strategy."""

    strategy: StrategyName
    """Whose. Required."""
    name: Text
    """Which. Required."""
    value: Any
    """What it becomes. Required."""


class Stop(Section):
    """The session ends in order."""


Request = TypeVar("Request", bound=Section)


def read(kind: type[Request], body: bytes, names: Mapping[str, Iterable[str]]) -> Request:
    """Read a request; all its mistakes are in one error.

    Parameters
    ----------
    kind
        What it asks for.
    body
        JSON.
    names
        The strategies and instruments of the run.

    Examples
    --------
    >>> read(Trading, b'{"on": true}', {})
    Trading(on=True)
    >>> read(Trading, b'{"no": 1}', {})
    Traceback (most recent call last):
    ...
    tradewind.config.problem.SystemFileError: [bad_setting] the request has 2 mistakes:
      on: is missing [missing_setting]
        hint: True or false
      no: is not known [bad_setting]
        hint: it has on

    """
    given = _decoded(kind, body)
    problems: list[Problem] = []
    request = None
    try:
        request = kind.model_validate(given)
    except ValidationError as error:
        problems += [replace(one, hint=one.hint.replace("the file has", "it has")) for one in explained(error, kind)]
    problems += _unknown_names(given, names)
    if request is None or problems:
        raise SystemFileError("the request", problems)
    return request


def _decoded(kind: type[Section], body: bytes) -> dict[str, Any]:
    try:
        # Numbers that become money stay as they were written.
        given = msgspec.json.Decoder(float_hook=Decimal if kind is Open else float).decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise exception("wrong_type", f"the request is not JSON: {error}", "send an object, such as {}") from error
    if not isinstance(given, dict):
        raise exception("wrong_type", "the request is not a JSON object", "send an object, such as {}")
    return given


def _unknown_names(given: dict[str, Any], names: Mapping[str, Iterable[str]]) -> Iterator[Problem]:
    for key, known in names.items():
        name, listed = given.get(key), sorted(known)
        if isinstance(name, str) and name not in listed:
            near = difflib.get_close_matches(name, listed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(listed)}"
            yield Problem(f"unknown_{key}", (key,), f' = "{name}": is not in this run', hint)
