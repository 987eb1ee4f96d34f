"""Values of parameters and settings as JSON, without losing what they are."""

from __future__ import annotations

import base64
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from tradewind.errors import exception

_TAG = "$"
_LARGEST = 2**63


def to_json(value: Any) -> Any:  # noqa: PLR0912 - a case for each type
    """A value as JSON holds it; what JSON does not know is tagged.

    Examples
    --------
    >>> to_json({"size": Decimal("0.10"), "pair": (1, 2)})
    {'size': {'$': 'decimal', 'value': '0.10'}, 'pair': {'$': 'tuple', 'value': [1, 2]}}

    """
    match value:
        case None | bool() | str():
            return value
        case int() if -_LARGEST <= value < _LARGEST and type(value) is int:
            return value
        case float() if math.isfinite(value) and type(value) is float:
            return value
        case Decimal():
            return _tagged("decimal", str(value))
        case datetime():
            return _tagged("datetime", value.isoformat())
        case date():
            return _tagged("date", value.isoformat())
        case timedelta():
            return _tagged("timedelta", [value.days, value.seconds, value.microseconds])
        case list() if type(value) is list:
            return [to_json(one) for one in value]
        case tuple() if type(value) is tuple:
            return _tagged("tuple", [to_json(one) for one in value])
        case dict() if all(isinstance(key, str) for key in value) and _TAG not in value:
            return {key: to_json(one) for key, one in value.items()}
        case dict() if type(value) is dict:
            return _tagged("dict", [[to_json(key), to_json(one)] for key, one in value.items()])
        case np.ndarray() if value.dtype.kind in "biufM":
            content = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
            return _tagged("array", [value.dtype.str, list(value.shape), content])
        case int() if type(value) is int:
            return _tagged("int", str(value))
        case float() if type(value) is float:
            return _tagged("float", repr(value))
        case _:
            return _tagged("other", repr(value))


def from_json(value: Any) -> Any:
    """The value again.

    Examples
    --------
    >>> from_json(to_json([Decimal("0.10"), timedelta(hours=1), float("inf")]))
    [Decimal('0.10'), datetime.timedelta(seconds=3600), inf]

    """
    match value:
        case {"$": kind, "value": held}:
            return _untagged(kind, held)
        case dict():
            return {key: from_json(one) for key, one in value.items()}
        case list():
            return [from_json(one) for one in value]
        case _:
            return value


def _tagged(kind: str, value: Any) -> dict[str, Any]:
    return {_TAG: kind, "value": value}


def _untagged(kind: str, held: Any) -> Any:
    match kind:
        case "decimal":
            return Decimal(held)
        case "datetime":
            return datetime.fromisoformat(held)
        case "date":
            return date.fromisoformat(held)
        case "timedelta":
            return timedelta(*held)
        case "tuple":
            return tuple(from_json(one) for one in held)
        case "dict":
            return {from_json(key): from_json(one) for key, one in held}
        case "array":
            dtype, shape, content = held
            return np.frombuffer(base64.b64decode(content), dtype=np.dtype(dtype)).reshape(shape).copy()
        case "int":
            return int(held)
        case "float":
            return float(held)
        case _:
            raise exception(
                "bad_strategy",
                f"the recorded value {held} cannot be made again from its text",
                "give the strategies to replay(..., strategies=)",
            )
