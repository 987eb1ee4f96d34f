"""Keys that clients of a local exchange sign with."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tradewind.errors import exception
from tradewind.sandbox.account import ApiKey, KeyKind

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 64


@dataclass(frozen=True)
class Credentials:
    """What a client needs to act for an account; its secrets are not in its text.

    Parameters
    ----------
    api_key
        The name of the key.
    secret
        The shared secret of an HMAC key, else the private key in PEM.
    kind
        ``HMAC``, ``RSA`` or ``ED25519``.
    account
        The number of the account.

    """

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    kind: KeyKind
    account: int


def make(kind: KeyKind, account: int) -> tuple[Credentials, ApiKey]:
    """A fresh key: the client's half and the venue's.

    Examples
    --------
    >>> make("ED25519", 1)[0]
    Credentials(kind='ED25519', account=1)

    """
    name = _random()
    if kind == "HMAC":
        secret = _random()
        return Credentials(name, secret, kind, account), ApiKey(key=name, account=account, kind=kind, secret=secret)
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if kind == "RSA":
        private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    elif kind == "ED25519":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        raise exception("bad_setting", f"there is no kind of key {kind!r}", "HMAC, RSA or ED25519")
    plain = serialization.NoEncryption()
    secret = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    return Credentials(name, secret, kind, account), ApiKey(key=name, account=account, kind=kind, secret=public)


def _random() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
