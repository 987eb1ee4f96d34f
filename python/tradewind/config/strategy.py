"""A strategy: its code and its parameters."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tradewind.config.base import Reference, Section, mistake

_SIMPLE = str | bool | int | float | date | datetime | time


def _plain(value: Any) -> Any:
    """A value that TOML can hold, in one form: exact numbers of Python are text."""
    match value:
        case Decimal():
            return f"{value:f}"
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _ if isinstance(value, _SIMPLE):
            return value
    raise mistake("wrong_type", f"a {type(value).__name__} cannot be written into a system file")


class Strategy(Section):
    """A strategy, by the name that orders, positions and reports carry. It trades what it names in `on_start`."""

    code: Annotated[Reference, Field(alias="class")]
    """Its class: "file.py:Class" or "package.module:Class"; in Python, the keyword is `code`. Required."""
    parameters: Annotated[
        dict[str, Any], BeforeValidator(lambda given: _plain(given) if isinstance(given, dict) else given)
    ] = Field(default_factory=dict)
    """Values for the parameters that the class declares, within their ranges; a Decimal is written as text. Default:
    the defaults of the class."""
