"""REST: a request's text in, an answer's bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

import msgspec

from tradewind.sandbox.account import Account
from tradewind.sandbox.binance_spot.call import Method
from tradewind.sandbox.binance_spot.failure import TOO_MANY_REQUESTS, Failure, mandatory
from tradewind.sandbox.binance_spot.signature import is_signed
from tradewind.sandbox.binance_spot.venue import Venue

_UNENCODED = frozenset('"<>\\^`{|} ')


@dataclass(slots=True)
class Answer:
    """Status, headers and body."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def handle(
    venue: Venue, verb: str, path: str, query: str, body: str, headers: Mapping[str, str], address: str
) -> Answer:
    """Answer a request; the query and the body are as they were sent, not decoded."""
    now_ms = venue.clock.now_ns() // 1_000_000
    signer: Account | None = None
    method: Method | None = None
    sent: dict[str, str] = {}
    try:
        method = venue.by_route.get(f"{verb} {path}")
        if method is None:
            raise _no_route(venue, path)
        malformed: Failure | None = None
        try:
            values = parse(query, body)
        except Failure as failure:
            values, malformed = {}, failure
        venue.meter.charge(address, method.weight_of(values), now_ms, "REST")
        if malformed is not None:
            raise malformed
        if method.security != "NONE":
            signer = _signer(venue, method, values, query, body, headers)
        scale = time_scale(headers.get("X-MBX-TIME-UNIT"))
        result = venue.carry_out(method, values, address, scale, signer)
        answer = Answer(200, msgspec.json.encode(result))
    except Failure as failure:
        answer = Answer(failure.status, msgspec.json.encode(_error_body(failure)))
        # Who has sent too many orders is not told here when to go on.
        if failure.code == TOO_MANY_REQUESTS and failure.data is not None:
            sent["Retry-After"] = str(max(-(-(failure.data["retryAfter"] - now_ms) // 1_000), 1))
    sent["X-MBX-USED-WEIGHT"] = sent["X-MBX-USED-WEIGHT-1M"] = str(venue.meter.weight.count(address, now_ms))
    if method is not None and method.is_placement and signer is not None:
        for window, name in zip(venue.meter.orders, ("10S", "1D"), strict=True):
            sent[f"X-MBX-ORDER-COUNT-{name}"] = str(window.count(signer.number, now_ms))
    answer.headers = sent
    return answer


def _error_body(failure: Failure) -> dict[str, object]:
    body = failure.body()
    if failure.status in (418, 429):
        body.pop("data", None)
    return body


def _no_route(venue: Venue, path: str) -> Failure:
    known = {route.partition(" ")[2] for route in venue.by_route}
    if path in known:
        return Failure(-1000, "Request method is not supported.", 405)
    return Failure(-1000, "Path is not known.", 404)


def parse(query: str, body: str) -> dict[str, str]:
    """The parameters of query and body; the query goes first where both have one.

    Examples
    --------
    >>> parse("symbol=BTCUSDT&limit=5", "")
    {'symbol': 'BTCUSDT', 'limit': '5'}

    """
    values: dict[str, str] = {}
    for text in (query, body):
        here: set[str] = set()
        for part in text.split("&") if text else ():
            name, equals, value = part.partition("=")
            if not equals or not name:
                raise Failure(-1100, "Illegal characters found in a parameter.")
            try:
                name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
            except UnicodeDecodeError:
                raise Failure(-1100, "Illegal characters found in a parameter.") from None
            if name in here:
                raise Failure(-1101, "Duplicate values for a parameter detected.")
            here.add(name)
            values.setdefault(name, value)
    return values


def _signer(
    venue: Venue, method: Method, values: dict[str, str], query: str, body: str, headers: Mapping[str, str]
) -> Account:
    """The account whose key signed the request."""
    key = venue.key(headers.get("X-MBX-APIKEY"), method.security)
    if not values.get("signature"):
        raise mandatory("signature")
    venue.check_time(values)
    payload = _without_signature(query) + _without_signature(body)
    encoded = payload.isascii() and not _UNENCODED & set(payload)
    if not encoded or not is_signed(key, payload.encode(), values["signature"]):
        raise Failure(-1022, "Signature for this request is not valid.")
    return venue.exchange.accounts[key.account]


def _without_signature(text: str) -> str:
    if "signature=" not in text:
        return text
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def time_scale(unit: str | None) -> int:
    """How many nanoseconds a unit of time has, by its name."""
    if unit is None or unit.upper() == "MILLISECOND":
        return 1_000_000
    if unit.upper() == "MICROSECOND":
        return 1_000
    raise Failure(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
