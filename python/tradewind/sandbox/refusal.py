"""Why a local exchange does not do what it is asked for."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Every reason, in the venue's words where it says them."""

    FILTER = "Filter failure: "
    TOO_MANY_ORDERS = "Filter failure: MAX_NUM_ORDERS"
    TOO_LARGE_POSITION = "Filter failure: MAX_POSITION"
    INSUFFICIENT_BALANCE = "Account has insufficient balance for requested action."
    WOULD_TAKE = "Order would immediately match and take."
    DUPLICATE = "Duplicate order sent."
    UNKNOWN_ORDER = "Unknown order sent."
    NO_SUCH_ORDER = "Order does not exist."
    OTHER_NAME = "Client order ID is not correct for this order ID."
    MARKET_CLOSED = "Market is closed."
    RESTRICTED_CANCEL = "Order was not canceled due to cancel restrictions."
    NO_LIQUIDITY = "Order book liquidity is less than symbol minimum quantity."
    LITTLE_LIQUIDITY = "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
    UNKNOWN_SYMBOL = "Invalid symbol."


class Refusal(Exception):  # noqa: N818 - it is an answer, not a mistake of ours
    """An order or a cancel that is not carried out; nothing was changed."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value + detail)
        self.reason = reason
