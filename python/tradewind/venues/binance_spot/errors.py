"""What Binance's refusals mean, in the codes of the one table."""

from __future__ import annotations

_BY_NUMBER = {
    -1003: "rate_limited",
    -1008: "rate_limited",
    -1015: "rate_limited",
    -1022: "bad_credentials",
    -1111: "off_grid",
    -1121: "unknown_instrument",
    -2011: "order_not_open",
    -2013: "order_not_open",
    -2014: "bad_credentials",
    -2015: "bad_credentials",
}
_BY_TEXT = {
    "insufficient balance": "insufficient_funds",
    "immediately match": "would_take",
    "MIN_NOTIONAL": "below_minimum_notional",
    "NOTIONAL": "below_minimum_notional",
    "LOT_SIZE": "below_minimum_quantity",
    "PRICE_FILTER": "off_grid",
    "Market is closed": "trading_off",
}


def code_of(number: int, message: str) -> str:
    """Name the code of a refusal.

    Examples
    --------
    >>> code_of(-2010, "Account has insufficient balance for requested action.")
    'insufficient_funds'
    >>> code_of(-9999, "?")
    'venue_refused'

    """
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    return next((code for part, code in _BY_TEXT.items() if part in message), "venue_refused")
