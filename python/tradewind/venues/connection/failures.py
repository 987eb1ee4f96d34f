"""What a failure to connect means, in words for people."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

# OpenSSL's numbers of what is wrong with a certificate.
_TIMES = (9, 10)  # not yet valid, expired
_ADDRESSES = (62, 64)  # of another host, of another address


@dataclass(frozen=True)
class Failure:
    """Why there is no connection.

    Parameters
    ----------
    text
        What went wrong.
    hint
        What to do; empty where nothing useful can be said.
    is_lasting
        Whether it will be so the next time, too.

    """

    text: str
    hint: str = ""
    is_lasting: bool = False


def failure(error: BaseException) -> Failure:
    """Read what a failed connection raised.

    Examples
    --------
    >>> failure(ConnectionResetError())
    Failure(text='ConnectionResetError', hint='', is_lasting=False)

    """
    # aiohttp wraps what went wrong, and says beside it how it was configured.
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return Failure(f"its certificate is not trusted: {inner.verify_message}", _hint(inner), is_lasting=True)
    if isinstance(inner, ssl.SSLError) and inner.reason == "WRONG_VERSION_NUMBER":
        hint = "is its address one with http:// or ws://, which do not encrypt, or another port?"
        return Failure("it does not speak TLS", hint, is_lasting=True)
    return Failure(str(inner) or type(inner).__name__)


def _hint(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _TIMES:
        return "is this machine's clock right? If so, the venue has to renew it"
    if error.verify_code in _ADDRESSES:
        return "state the address by a name that the certificate is for"
    return "where the venue has an authority of its own, as the sandbox has, name it: authority_file in its urls"
