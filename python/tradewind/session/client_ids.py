"""Client ids: run, strategy, the strategy's own counter, and a check digit (O5); `client_id` makes them.

At most 32 small letters and digits, which every venue takes; the check digit and the prefix tell ours from those of
others. A venue may keep them in other letters (F36), so they are read without regard to case.
"""

from __future__ import annotations

import secrets

from tradewind import _core

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


def read_client_id(text: str, run: str) -> tuple[int, int] | None:
    """Read the strategy and its count from an id of a run; nothing from any other.

    Examples
    --------
    >>> read_client_id("TW0A1B2C3D03LFLSY", "0a1b2c3d") == read_client_id("tw0a1b2c3d03lflsy", "0a1b2c3d") != None
    True

    """
    return _core.read_client_id(text.lower(), run)


def is_ours(text: str) -> bool:
    """Whether an id is of some run of ours.

    Examples
    --------
    >>> is_ours("tw0a1b2c3d03lflsy"), is_ours("tw0a1b2c3d03lflsz"), is_ours("web_7h3kd9")
    (True, False, False)

    """
    start = len(_PREFIX)
    return read_client_id(text, text[start : start + _RUN_LENGTH].lower()) is not None
