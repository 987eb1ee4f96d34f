"""Client ids: run, strategy, the strategy's own counter, and a check digit (O5).

At most 32 letters and digits, which every venue takes; the check digit and the prefix tell ours from those of others.
"""

from __future__ import annotations

import secrets
from functools import lru_cache

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PREFIX = "tw"
_RUN_LENGTH = 8


def new_run() -> str:
    """A name for a run that no other has.

    Examples
    --------
    >>> len(new_run())
    8

    """
    return "".join(secrets.choice(_DIGITS) for _ in range(_RUN_LENGTH))


def client_id(run: str, strategy: int, count: int) -> str:
    """The id of an order.

    Examples
    --------
    >>> client_id("0a1b2c3d", 3, 1_000_000)
    'tw0a1b2c3d03lflsy'

    """
    head, weight = _head(run, strategy)
    number = _base36(count)
    return head + number + _DIGITS[(weight + _weight(number, len(head))) % len(_DIGITS)]


def read(text: str, run: str) -> tuple[int, int] | None:
    """The strategy and the count of an id of this run; None of any other.

    Examples
    --------
    >>> read("tw0a1b2c3d03lflsy", "0a1b2c3d"), read("web_7h3kd9", "0a1b2c3d")
    ((3, 1000000), None)

    """
    start = len(_PREFIX) + _RUN_LENGTH
    if not text.startswith(_PREFIX + run) or len(text) < start + 4 or _check(text[:-1]) != text[-1]:
        return None
    try:
        return int(text[start : start + 2], 36), int(text[start + 2 : -1], 36)
    except ValueError:
        return None


def is_ours(text: str) -> bool:
    """Whether an id is of some run of ours.

    Examples
    --------
    >>> is_ours("tw0a1b2c3d03lflsy"), is_ours("tw0a1b2c3d03lflsz"), is_ours("web_7h3kd9")
    (True, False, False)

    """
    start = len(_PREFIX)
    return read(text, text[start : start + _RUN_LENGTH]) is not None


@lru_cache(maxsize=1_024)
def _head(run: str, strategy: int) -> tuple[str, int]:
    """What the ids of a strategy's orders have in common, and its share of their check digits."""
    head = f"{_PREFIX}{run}{_base36(strategy).rjust(2, '0')}"
    return head, _weight(head, 0)


def _check(body: str) -> str:
    return _DIGITS[_weight(body, 0) % len(_DIGITS)]


def _weight(letters: str, begin: int) -> int:
    total = 0
    for place, letter in enumerate(letters, begin + 3):
        total += place * ord(letter)
    return total


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
