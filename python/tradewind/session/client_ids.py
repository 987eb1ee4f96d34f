"""Client ids: run, strategy, the strategy's own counter, and a check digit (O5); `client_id` makes them.

At most 32 letters and digits, which every venue takes; the check digit and the prefix tell ours from those of others.
"""

from __future__ import annotations

import secrets

from tradewind._core import read_client_id

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


def is_ours(text: str) -> bool:
    """Whether an id is of some run of ours.

    Examples
    --------
    >>> is_ours("tw0a1b2c3d03lflsy"), is_ours("tw0a1b2c3d03lflsz"), is_ours("web_7h3kd9")
    (True, False, False)

    """
    start = len(_PREFIX)
    return read_client_id(text, text[start : start + _RUN_LENGTH]) is not None
