"""Where a run trades: one that was cut off goes on there, and with the same account (M1)."""

from __future__ import annotations

from hashlib import blake2b

from tradewind.venues import Execution, VenueAccess


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
    found = {"adapter": adapter, "rest": access.rest_url, "stream": access.stream_url, "api": access.api_url}
    if execution is not None:
        found["account"] = await execution.account()
        if not found["account"] and access.credentials is not None:
            found["key"] = key_digest(access.credentials.api_key)
    return {name: text for name, text in found.items() if text}


def key_digest(key: str) -> str:
    """A digest of an API key: the same for the same key, and no way back to it.

    Examples
    --------
    >>> key_digest("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")
    '6a119d01c6b5c723'

    """
    return blake2b(key.encode(), digest_size=8, person=b"tradewind key").hexdigest()
