"""Instants and durations between Python's types and the kernel's nanoseconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tradewind.errors import TradewindError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_NS = 86_400 * 10**9
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_NS = 100 * 366 * 86400 * 10**9
_UNITS_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def from_ns(time_ns: int) -> datetime:
    """The instant, to the microsecond, rounded down.

    Examples
    --------
    >>> from_ns(1_700_000_000_000_001_500)
    datetime.datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=datetime.timezone.utc)

    """
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def to_ns(time: datetime) -> int:
    """Nanoseconds since the epoch; a `datetime` without a zone is an error.

    Examples
    --------
    >>> to_ns(datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC))
    1700000000000001000

    """
    if not isinstance(time, datetime):
        raise TradewindError("wrong_type", f"{time!r} is not a datetime", "give a datetime with a zone, or nanoseconds")
    if time.tzinfo is None:
        raise TradewindError("bad_setting", f"{time!r} has no time zone", "write datetime(..., tzinfo=UTC)")
    return (time - _EPOCH) // _MICROSECOND * 1000


def instant_text(time: datetime) -> str:
    """An instant for a person.

    Examples
    --------
    >>> instant_text(datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC))
    '2023-11-14 22:13:20.000001 UTC'

    """
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


def duration_ns(duration: timedelta | float | str) -> int:
    """Nanoseconds of a `timedelta`, of seconds, or of text such as ``"250us"``, ``"5ms"``, ``"1h"``.

    Examples
    --------
    >>> duration_ns("5ms"), duration_ns(0.25), duration_ns(timedelta(hours=1))
    (5000000, 250000000, 3600000000000)

    """
    try:
        wanted = _exact_ns(duration)
    except OverflowError:
        wanted = _LONGEST_NS + 1
    if abs(wanted) > _LONGEST_NS:
        raise TradewindError("bad_setting", f"{duration!r} is longer than can be counted", "at most 100 years")
    return wanted


def duration_text(duration_ns: int) -> str:
    """A duration in milliseconds, exactly, as `duration_ns` reads it.

    Examples
    --------
    >>> duration_text(2_500_001)
    '2.500001ms'

    """
    return f"{(Decimal(duration_ns) / _UNITS_NS['ms']).normalize():f}ms"


def interval_text(duration_ns: int) -> str:
    """A duration in the largest unit of which it is a whole number, as `duration_ns` reads it.

    Examples
    --------
    >>> interval_text(3_600_000_000_000), interval_text(90_000_000_000)
    ('1h', '90s')

    """
    unit = max((unit for unit, size in _UNITS_NS.items() if duration_ns % size == 0), key=_UNITS_NS.__getitem__)
    return f"{duration_ns // _UNITS_NS[unit]}{unit}"


def _exact_ns(duration: timedelta | float | str) -> int:
    if isinstance(duration, timedelta):
        return duration // _MICROSECOND * 1000
    if isinstance(duration, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)", duration)
        if match is None:
            raise TradewindError("bad_setting", f"{duration!r} is not a duration", "write a number and a unit: 5ms, 1h")
        return round(float(match[1]) * _UNITS_NS[match[2]])
    if isinstance(duration, bool) or not isinstance(duration, (int, float)) or not math.isfinite(duration):
        raise TradewindError("wrong_type", f"{duration!r} is not a duration", "give a timedelta, seconds, or text")
    return round(duration * 10**9)
