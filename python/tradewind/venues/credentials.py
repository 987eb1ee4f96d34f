"""API keys: read from the environment or an owner-only file, shown to nobody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from tradewind.errors import exception


@dataclass(frozen=True)
class Credentials:
    """An API key and its secret: a shared one (HMAC), or a private key in PEM (RSA or Ed25519).

    Examples
    --------
    >>> Credentials("key", "secret")
    Credentials()

    """

    key: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def from_environment(cls, key_variable: str, secret_variable: str) -> Credentials:
        """From two environment variables."""
        values = [os.environ.get(name, "") for name in (key_variable, secret_variable)]
        for name, value in zip((key_variable, secret_variable), values, strict=True):
            if not value:
                raise exception("missing_setting", f"the environment variable {name} is not set", f"export {name}=...")
        return cls(*values)

    @classmethod
    def from_file(cls, path: Path) -> Credentials:
        """From a TOML file with ``key`` and ``secret`` that only its owner can read."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if mode & (stat.S_IRWXG | stat.S_IRWXO):
                    message = f"{path}: others can read it ({stat.filemode(mode)})"
                    raise exception("bad_setting", message, f"chmod 600 {path}, and make a new key: this one was open")
                values = tomllib.load(file)
        except OSError as error:
            raise exception("unreadable_file", f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise exception("unreadable_file", f"{path} is not TOML", 'write key = "..." and secret = "..."') from None
        pair = [values.get(name) for name in ("key", "secret")]
        if not all(isinstance(one, str) and one for one in pair):
            raise exception("missing_setting", f"{path} lacks key or secret", 'write key = "..." and secret = "..."')
        return cls(str(pair[0]), str(pair[1]))

    @property
    def is_ed25519(self) -> bool:
        """Whether a session can be logged on with it."""
        return isinstance(self._private, ed25519.Ed25519PrivateKey)

    def sign(self, payload: bytes) -> str:
        """The signature: hexadecimal for a shared secret, else base64.

        Examples
        --------
        >>> Credentials("key", "secret").sign(b"a=1")[:16]
        'cf7a4e2e5b2b4e2f'

        """
        private = self._private
        if private is None:
            return hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return base64.b64encode(private.sign(payload)).decode()
        return base64.b64encode(private.sign(payload, padding.PKCS1v15(), hashes.SHA256())).decode()

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | None:
        if "PRIVATE KEY" not in self.secret:
            return None
        try:
            private = serialization.load_pem_private_key(self.secret.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise exception("bad_setting", "the private key cannot be read", "PEM, without a password") from None
        if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise exception("bad_setting", "the private key is neither RSA nor Ed25519")
        return private
