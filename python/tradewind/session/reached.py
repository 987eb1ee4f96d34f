"""Where a run trades: one that was cut off goes on there, and with the same account (M1)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from tradewind.errors import TradewindError, exception
from tradewind.venues import Execution, VenueAccess

_WHOSE = ("account", "key")


async def reached(adapter: str, access: VenueAccess, execution: Execution | None) -> dict[str, str]:
    """What tells an exchange and an account from others, as the manifest of a run holds it.

    Parameters
    ----------
    adapter
        What speaks with the venue.
    access
        How it is reached.
    execution
        What knows the account, where orders are real.

    Returns
    -------
    dict[str, str]
        The adapter and those addresses that are not left to it; and the ``account`` as the venue calls it, or, where it
        does not tell, the ``key``: a digest, which gives away nothing of it.

    """
    found = addresses(adapter, access)
    return found if execution is None else found | await whose(access, execution)


def addresses(adapter: str, access: VenueAccess) -> dict[str, str]:
    """What tells an exchange from others, without asking it."""
    found = {"adapter": adapter, "rest": access.rest_url, "stream": access.stream_url, "api": access.api_url}
    return {name: text for name, text in found.items() if text}


async def whose(access: VenueAccess, execution: Execution) -> dict[str, str]:
    """What tells an account from others."""
    if account := await execution.account():
        return {"account": account}
    return {} if access.credentials is None else {"key": key_digest(access.credentials.api_key)}


def as_before(found: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """What was found of a venue that does not tell whose account it is: until it does it is that of before."""
    return {name: text for name, text in before.items() if name in _WHOSE} | dict(found)


def other_account(venue: str, reached: Mapping[str, str], found: Mapping[str, str]) -> TradewindError | None:
    """What is wrong where a venue, which could not be asked at the start, tells now that the account is another one."""
    then = {name: text for name, text in reached.items() if name in _WHOSE}
    if not then or then == found:
        return None
    changed = f"{', '.join(then.values())} -> {', '.join(found.values())}"
    message = f"the run was cut off, and its account at {venue} is another one now ({changed})"
    return exception("divergence", message, "start it again with a key of the account that it had")


def key_digest(key: str) -> str:
    """A digest of an API key: the same for the same key, and no way back to it.

    Examples
    --------
    >>> key_digest("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")
    '6a119d01c6b5c723'

    """
    return blake2b(key.encode(), digest_size=8, person=b"tradewind key").hexdigest()
