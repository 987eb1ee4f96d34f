"""What Binance answers when it does not do what it is asked for."""

from __future__ import annotations

from typing import Any

from tradewind.sandbox.refusal import Reason, Refusal

TOO_MANY_REQUESTS = -1003
BEFORE_THE_ENGINE = (Reason.FILTER, Reason.MARKET_CLOSED)
"""What an order is refused for before it reaches the matching engine."""


class Failure(Exception):  # noqa: N818 - it is an answer, not a mistake of ours
    """An error answer: HTTP status, code and message, sometimes with data."""

    def __init__(self, code: int, message: str, status: int = 400, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data

    def body(self) -> dict[str, Any]:
        """The error as JSON."""
        body: dict[str, Any] = {"code": self.code, "msg": self.message}
        return body if self.data is None else {**body, "data": self.data}


def unpermitted() -> Failure:
    """A key that is unknown or may not do that."""
    return Failure(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def mandatory(name: str) -> Failure:
    """A parameter that is missing, empty or malformed."""
    return Failure(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, pattern: str) -> Failure:
    """A parameter with characters that it may not have."""
    return Failure(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def precise(name: str) -> Failure:
    """A number with too many decimals."""
    return Failure(-1111, f"Parameter '{name}' has too much precision.")


def of_refusal(refusal: Refusal) -> Failure:
    """The error answer for what the exchange refused."""
    if refusal.reason in BEFORE_THE_ENGINE:
        return Failure(-1013, str(refusal))
    if refusal.reason is Reason.UNKNOWN_SYMBOL:
        return Failure(-1121, "Invalid symbol.")
    if refusal.reason is Reason.OTHER_NAME:
        return Failure(-2039, str(refusal))
    if refusal.reason is Reason.NO_SUCH_ORDER:
        return Failure(-2013, str(refusal))
    if refusal.reason in (Reason.UNKNOWN_ORDER, Reason.RESTRICTED_CANCEL):
        return Failure(-2011, str(refusal))
    return Failure(-2010, str(refusal))
