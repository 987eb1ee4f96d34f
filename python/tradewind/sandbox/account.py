"""Who trades on a local exchange, and what they hold."""

from __future__ import annotations

from typing import Literal

import msgspec

KeyKind = Literal["HMAC", "RSA", "ED25519"]

OrderCounts = list[tuple[int, int]]
"""How many orders an account has sent: for each window of time, which one it is and the count."""

_DEFAULT_RATE = 100_000
"""0.1 %, in units of 1e-8."""


class Balance(msgspec.Struct, array_like=True):
    """What an account holds of an asset, in units of 1e-8."""

    free: int = 0
    locked: int = 0


class ApiKey(msgspec.Struct, kw_only=True):
    """A key of an account. Its secret is in no text that is made of it."""

    key: str
    account: int
    kind: KeyKind
    secret: str
    """The shared secret of an HMAC key, else the public key in PEM."""
    trading: bool = True
    reading: bool = True

    def __repr__(self) -> str:
        return f"ApiKey(account={self.account}, kind={self.kind!r})"


class Account(msgspec.Struct, kw_only=True):
    """One account: many keys may act for it."""

    number: int
    name: str
    balances: dict[str, Balance] = msgspec.field(default_factory=dict)
    maker_rate: int = _DEFAULT_RATE
    taker_rate: int = _DEFAULT_RATE
    updated_ns: int = 0

    def balance(self, asset: str) -> Balance:
        """The balance of an asset, which may be nothing."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found
