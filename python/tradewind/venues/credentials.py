"""Keys of an account: read from where only the owner can, and never shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from tradewind.errors import exception

KeyKind = Literal["hmac", "rsa", "ed25519"]
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITTEN = 'write TOML with api_key = "..." and secret = "...", or private_key_file = "..." with a key in PEM'


class Credentials:
    """An API key and its secret: shared text (HMAC), or a private key in PEM (RSA, Ed25519).

    Blanks and ends of lines around them, which a file or a shell may have added, are none of theirs.

    Examples
    --------
    >>> credentials = Credentials("my-key", "my-secret")
    >>> credentials
    Credentials(hmac)
    >>> credentials.sign(b"symbol=LTCBTC")[:16]
    '16ebc3e36c7defc3'

    """

    __slots__ = ("__private", "__secret", "api_key", "kind")

    def __init__(self, api_key: str, secret: str) -> None:
        api_key, secret = api_key.strip(), secret.strip()
        if not api_key or not secret:
            raise exception("bad_credentials", "the key or its secret is empty")
        self.api_key = api_key
        self.__secret = secret.encode()
        self.__private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | None = None
        self.kind: KeyKind = "hmac"
        if secret.startswith("-----BEGIN"):
            self.__private = _private_key(self.__secret)
            self.kind = "rsa" if isinstance(self.__private, rsa.RSAPrivateKey) else "ed25519"

    @classmethod
    def from_environment(cls, venue: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Read ``TRADEWIND_<VENUE>_KEY`` and ``TRADEWIND_<VENUE>_SECRET``."""
        names = [f"TRADEWIND_{venue.upper()}_{part}" for part in ("KEY", "SECRET")]
        if missing := [name for name in names if not environment.get(name)]:
            raise exception(
                "bad_credentials", f"{' and '.join(missing)} not set", "or keep both in a file that only you can read"
            )
        return cls(environment[names[0]], environment[names[1]])

    @classmethod
    def from_file(cls, path: str | Path, name: str = "hmac") -> Self:
        """Read a TOML file with ``api_key`` and ``secret``, or ``private_key_file`` beside it.

        Of the sandbox's file of keys the one of this name is read.
        """
        text = _owners_text(Path(path))
        try:
            fields = json.loads(text)["keys"][name] if text.lstrip().startswith("{") else tomllib.loads(text)
            stated = {one: fields.get(one) for one in ("api_key", "secret", "private_key_file")}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise exception(
                "bad_credentials", f"{path}: no TOML, and no file of keys with {name!r}", _WRITTEN
            ) from None
        if wrong := [one for one, value in stated.items() if not isinstance(value, str | None)]:
            raise exception("bad_credentials", f"{path}: {' and '.join(wrong)} must be text in quotes", _WRITTEN)
        private = stated["private_key_file"]
        secret = _owners_text(Path(path).parent / private) if private else stated["secret"]
        if not stated["api_key"] or not secret:
            raise exception("bad_credentials", f"{path}: api_key and secret (or private_key_file) are needed", _WRITTEN)
        return cls(stated["api_key"], secret)

    def sign(self, payload: bytes) -> str:
        """The signature of a payload: hexadecimal for HMAC, else base64."""
        if isinstance(self.__private, ed25519.Ed25519PrivateKey):
            return base64.b64encode(self.__private.sign(payload)).decode()
        if isinstance(self.__private, rsa.RSAPrivateKey):
            return base64.b64encode(self.__private.sign(payload, padding.PKCS1v15(), hashes.SHA256())).decode()
        return hmac.new(self.__secret, payload, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"Credentials({self.kind})"

    def __reduce__(self) -> str:
        raise TypeError("credentials are not written anywhere")


def _private_key(pem: bytes) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise exception("bad_credentials", "the private key cannot be read", "PEM (PKCS8) without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise exception("bad_credentials", f"a private key of type {type(key).__name__}", "RSA or Ed25519 is needed")
    return key


def _owners_text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            raise exception(
                "bad_credentials",
                f"{path} can be read by others (mode {stat.S_IMODE(mode):o})",
                f"chmod 600 {path}, and make a new key if others had access",
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise exception(
            "bad_credentials", f"{path} cannot be read: {error.strerror}", "is it there, and is it yours?"
        ) from error
    except UnicodeDecodeError:
        # Without its cause, which holds what the file says.
        raise exception("bad_credentials", f"{path} is not text (UTF-8)", _WRITTEN) from None
