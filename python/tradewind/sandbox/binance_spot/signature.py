"""Whether a request was signed by the owner of its key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from tradewind.sandbox.account import ApiKey


def is_signed(key: ApiKey, payload: bytes, signature: str) -> bool:
    """Whether this is the key's signature of the payload.

    Examples
    --------
    >>> key = ApiKey(key="k", account=1, kind="HMAC", secret="s")
    >>> is_signed(key, b"a=1", hmac.new(b"s", b"a=1", hashlib.sha256).hexdigest())
    True

    """
    if key.kind == "HMAC":
        # Binance takes hexadecimal digits of either case.
        expected = hmac.new(key.secret.encode(), payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())
    try:
        raw = base64.b64decode(signature, validate=True)
        public = _public_key(key.secret)
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(raw, payload)
        else:
            public.verify(raw, payload, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def sorted_payload(values: Mapping[str, str]) -> bytes:
    """What is signed on the WebSocket API: all but the signature, by name, not percent-encoded.

    Examples
    --------
    >>> sorted_payload({"timestamp": "1", "apiKey": "k", "signature": "s"})
    b'apiKey=k&timestamp=1'

    """
    return "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature").encode()


@lru_cache(maxsize=1_024)
def _public_key(pem: str) -> rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
    public = serialization.load_pem_public_key(pem.encode())
    if isinstance(public, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return public
    raise ValueError("a public key is neither RSA nor Ed25519")
