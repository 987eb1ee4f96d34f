"""What pydantic found, in our words: place, value, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tradewind.config.problem import Place, Problem, SystemFileError, place_text

SECRET_WORDS = ("secret", "password", "passphrase", "private_key", "api_key", "apikey", "token", "credential", "key")
NAME_PATTERN = r"^[^\s\x00-\x1f\x7f:/\\]+$"
INSTRUMENT_PATTERN = r"^[^\s:]+:[^\s]+$"
_WRITTEN = {
    NAME_PATTERN: "write it without spaces, colons and slashes",
    INSTRUMENT_PATTERN: 'write venue:symbol, such as "binance_spot:BTCUSDT"',
}
_LONGEST_VALUE = 60
_TYPES = {"string": "text in quotes", "dict": "a table", "list": "an array", "bool": "true or false"}
_TYPES |= {"int": "a whole number", "model": "a table", "datetime": "a date and time", "float": "a number"}
_TYPES |= {"tuple": "an array", "datetime_from_date_parsing": "a date and time", "datetime_parsing": "a date and time"}
_TYPES |= {"timezone_aware": "a time with its zone, such as 2026-01-01T12:00:00Z"}


def explained(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The mistakes of a validation, without one that follows from another."""
    return list(_each(error, model))


def _each(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_is_within(one["loc"], detail["loc"]) for one in details):
            continue
        inner = detail.get("ctx", {}).get("error")
        if isinstance(inner, SystemFileError):
            yield from inner.problems
        else:
            yield _problem(detail, model)


def _is_within(place: tuple[int | str, ...], array: tuple[int | str, ...]) -> bool:
    return len(place) > len(array) and place[: len(array)] == array


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    place, around, meaning = _resolve(detail["loc"], model)
    kind, context = detail["type"], detail.get("ctx", {})
    # A key is in its place already.
    is_hidden = _is_private(place, detail["input"]) or detail["loc"][-1:] == ("[key]",)
    shown = "" if is_hidden else _shown(detail["input"])
    if kind == "extra_forbidden":
        return _unknown(place, around)
    if kind == "missing":
        return Problem("missing_setting", place, ": is missing", _first_sentence(meaning))
    if kind == "mistake":
        value = shown if place else ""
        return Problem(context["code"], place, f"{value}: {context['message']}", context["hint"])
    if kind == "literal_error":
        return Problem("bad_setting", place, f"{shown}: is not known", _choice(detail, context["expected"]))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = context["discriminator"].strip("'")
        given = detail["input"].get(tag) if isinstance(detail["input"], dict) else None
        if given is None:
            return Problem(
                "missing_setting", (*place, tag), ": is missing", f"one of {context.get('expected_tags', _TAGS)}"
            )
        return Problem(
            "bad_setting", (*place, tag), f"{_shown(given)}: is not known", f"one of {context['expected_tags']}"
        )
    if kind in _BOUNDS:
        hint = _WRITTEN.get(str(context.get("pattern"))) or _first_sentence(meaning)
        return Problem("bad_setting", place, f"{shown}: {_BOUNDS[kind](context)}", hint)
    wanted = _TYPES.get(kind.removesuffix("_type").removesuffix("_attributes"))
    if wanted:
        return Problem("wrong_type", place, f"{shown}: is not {wanted}", _first_sentence(meaning))
    return Problem(
        "bad_setting", place, f"{shown}: {detail['msg'].removeprefix('Value error, ')}", _first_sentence(meaning)
    )


_TAGS = "'trades', 'quotes', 'bars', 'marks', 'funding', 'raw', 'synthetic'"
_BOUNDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than": lambda context: f"must be above {context['gt']}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than": lambda context: f"must be below {context['lt']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "string_pattern_mismatch": lambda _: "is not written as it must be",
    "string_too_long": lambda context: f"is longer than {context['max_length']} characters",
    "string_too_short": lambda _: "is empty",
    "int_parsing_size": lambda _: "is too large",
    "too_short": lambda _: "is empty",
}


def _unknown(place: Place, around: dict[str, Any]) -> Problem:
    """An unknown key, without its value: it may be a secret in the wrong place."""
    key, known = str(place[-1]), around.get("properties", {})
    where = place_text(place[:-1]) or "the file"
    near = difflib.get_close_matches(key, known, n=1)
    if any(word in key.lower() for word in SECRET_WORDS):
        hint = "secrets stay out of this file: accounts.NAME.credentials names variables or an owner-only file"
        if near:
            hint = f"did you mean {near[0]}? {hint}"
        return Problem("bad_setting", place, ": is not known (its value is not shown)", hint)
    hint = f"did you mean {near[0]}?" if near else f"{where} has {', '.join(known)}"
    return Problem("bad_setting", place, ": is not known", hint)


def _choice(detail: ErrorDetails, expected: str) -> str:
    choices = [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",")]
    near = difflib.get_close_matches(str(detail["input"]), choices, n=1)
    return f"did you mean {near[0]}? there are {expected}" if near else f"there are {expected}"


def _is_private(place: Place, value: Any) -> bool:
    """Whether a value may be a secret, or an address that holds one, so that it must not be shown."""
    if "urls" in place and any(mark in str(value) for mark in "@?#"):
        return True
    return "credentials" in place or any(
        word in str(part).lower() for part in place[-1:] for word in SECRET_WORDS if word != "key"
    )


def _shown(value: Any) -> str:
    """A value where it is simple, else nothing: a table is seen in the file."""
    if isinstance(value, str):
        text = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 3] + "..."
        return f" = {ascii(text) if not text.isprintable() else chr(34) + text + chr(34)}"
    if isinstance(value, bool):
        return f" = {str(value).lower()}"
    if isinstance(value, int):
        return f" = {value}" if -(10**20) < value < 10**20 else ""
    if isinstance(value, float | Decimal):
        return f" = {value:.12g}"
    return ""


def _first_sentence(description: str) -> str:
    """What a setting means, as the start of its description."""
    return " ".join(description.split()).split(". ")[0].rstrip(".")


def _resolve(location: tuple[str | int, ...], model: type[BaseModel]) -> tuple[Place, dict[str, Any], str]:
    """The place of an error, the schema of the table that holds it, and what is meant there, as it is described.

    Pydantic's places name union members, too. What has no description of its own, as an entry of a table or of an
    array, has that of what holds it.
    """
    whole = schema_of(model)
    here = around = whole
    place: list[str | int] = []
    meaning = ""
    for part in location:
        here = _followed(here, whole)
        members = _members(here, whole)
        if part in members:
            here = around = members[str(part)]
            continue
        if part == "[key]":
            continue
        here = next((one for one in members.values() if _TABLE_WORDS & one.keys()), here)
        around = here
        place.append(part)
        here = _inner(here, part)
        meaning = str(here.get("description", meaning))
    return tuple(place), _followed(around, whole), meaning


_TABLE_WORDS = {"properties", "items", "additionalProperties", "patternProperties"}


def _members(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The members of a union, by the names that pydantic has for them."""
    found: dict[str, dict[str, Any]] = {}
    for name, reference in schema.get("discriminator", {}).get("mapping", {}).items():
        found[name] = _followed({"$ref": reference}, whole)
    for at, one in enumerate([*schema.get("anyOf", ()), *schema.get("oneOf", ())]):
        followed = _followed(one, whole)
        if "oneOf" in followed:
            found |= _members(followed, whole)
        else:
            text = "Duration" if one.get("type") == "string" else f"member {at}"
            found.setdefault(str(one.get("$ref", text)).rpartition("/")[2], followed)
    return found


def _inner(schema: dict[str, Any], part: str | int) -> dict[str, Any]:
    """The schema of a key or an item."""
    if isinstance(part, int):
        found = schema.get("items", {})
    else:
        more = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties", {})]
        found = schema.get("properties", {}).get(part) or more[0]
    return found if isinstance(found, dict) else {}


def _followed(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = whole
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a section, which also says what the keys of a table are."""
    return model.model_json_schema(by_alias=True, mode="validation")
