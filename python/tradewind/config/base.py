"""What the sections of a system have in common: exact numbers, durations, and mistakes that are explained."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from tradewind.config.explanation import INSTRUMENT_PATTERN, NAME_PATTERN, explained
from tradewind.config.problem import SystemFileError
from tradewind.errors import TradewindError
from tradewind.times import duration_ns


class Section(BaseModel):
    """A table of the system file. Made in Python by keyword, with the same checks and the same messages."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_by_name=True, validate_by_alias=True
    )

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SystemFileError(type(self).__name__, explained(error, type(self))) from None

    # Sections within a section are checked by the outermost one, which lists the mistakes of all.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __repr_args__(self) -> Any:
        return ((name, value) for name, value in super().__repr_args__() if name in self.model_fields_set)


def mistake(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """What a validator raises, so that the problem has a code of the table and a hint."""
    return PydanticCustomError("mistake", "{message}", {"code": code, "message": message, "hint": hint})


def _duration(text: Any) -> Any:
    if not isinstance(text, str):
        raise mistake("wrong_type", "is not a duration in quotes", 'write a number and a unit: "5ms", "1h"')
    try:
        duration_ns(text)
    except TradewindError as error:
        raise mistake(error.code, error.message.removeprefix(f"{text!r} "), error.hint) from None
    return text


def _lasting(text: str) -> str:
    if duration_ns(text) == 0:
        raise mistake("bad_setting", "is no time at all", "give a duration above zero")
    return text


def _exact(value: Any) -> Any:
    """An exact number: text, an integer, or a decimal; a float of Python means its shortest decimal (N2)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise mistake("wrong_type", "is not a number", 'write it as text, which is exact: "0.1"')
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        raise mistake("not_a_number", "is not a number", 'write digits, such as "0.1"') from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or number.adjusted() >= 30 or exponent < -18:
        raise mistake("out_of_range", "is out of range", "give a finite number with at most 18 decimals")
    return number


def _column(value: Any) -> Any:
    """A column by its name or its position: one mistake, and not one for each way to write it."""
    is_position = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not is_position and not (isinstance(value, str) and value.isprintable() and value):
        raise mistake("wrong_type", "names no column", "write its name in quotes, or its position from zero")
    return value


def _module_reference(text: str) -> str:
    before, colon, name = text.rpartition(":")
    if not colon or not before or not name.isidentifier():
        raise mistake("bad_setting", "does not name code", 'write "file.py:Name" or "package.module:Name"')
    return text


_NUMBER_SCHEMA = WithJsonSchema({"type": ["string", "number"], "pattern": r"^\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*$"})
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ns|us|ms|s|m|h|d)$"})

Duration = Annotated[str, BeforeValidator(_duration), _DURATION_SCHEMA]
Lasting = Annotated[str, BeforeValidator(_duration), AfterValidator(_lasting), _DURATION_SCHEMA]
Number = Annotated[Decimal, BeforeValidator(_exact), _NUMBER_SCHEMA]
Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0), _NUMBER_SCHEMA]
Positive = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0), _NUMBER_SCHEMA]
Fraction = Annotated[Decimal, BeforeValidator(_exact), Field(gt=-1, lt=1), _NUMBER_SCHEMA]
Share = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, lt=1), _NUMBER_SCHEMA]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")]
PathText = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=4096)]
Column = Annotated[Text | Whole, BeforeValidator(_column)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
StrategyName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=100)]
InstrumentName = Annotated[str, Field(pattern=INSTRUMENT_PATTERN, max_length=200)]
Reference = Annotated[str, AfterValidator(_module_reference)]
