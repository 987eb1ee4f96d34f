"""Events of market streams and of accounts that are not as they should be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tradewind.errors import exception

if TYPE_CHECKING:
    from tradewind.sandbox.faults.switchboard import Faults, Switch

Event = dict[str, Any]
_NEVER_WAS = ["0.01000000", "0.00000000"]
_LATE_SECONDS = 0.5
_UNKNOWN_FIELDS: Event = {"ünknown": None, "neverHeardOf": {"x": []}}


def choice(switch: Switch, words: tuple[str, ...]) -> str:
    """How a fault is to be; the first word where it is not stated."""
    word = str(switch.parameters.get("how", words[0]))
    if word not in words:
        raise exception("bad_setting", f"fault: how = {word!r}", f"one of {', '.join(words)}")
    return word


QUOTES = ("crossed", "locked", "empty")
CANDLES = ("late", "unclosed", "reordered", "gap")
BALANCES = ("late", "lost", "negative")
WORDS = {"odd_quotes": QUOTES, "odd_candles": CANDLES, "odd_balances": BALANCES}


def odd_event(faults: Faults, stream: str, event: Event) -> Event | None:
    """A stream's event as the faults that are on want it; nothing where it gets lost."""
    if not faults.active or not isinstance(event, dict):
        return event
    topic = stream.partition("@")[2]
    if topic == "bookTicker" and (switch := faults.fires("odd_quotes")):
        event = _quote(event, choice(switch, QUOTES))
    elif topic.startswith("depth") and "u" in event and faults.fires("unknown_levels"):
        event = event | {"b": [*event["b"], _NEVER_WAS]}
    elif topic.startswith("kline_") and (switch := faults.active.get("odd_candles")):
        return _candle(faults, event, choice(switch, CANDLES))
    if faults.fires("unexpected_fields"):
        event = event | _UNKNOWN_FIELDS
    return event


def _quote(event: Event, how: str) -> Event:
    bid, ask = event["b"], event["a"]
    match how:
        case "crossed":
            return event | {"b": ask, "a": bid}
        case "locked":
            return event | {"a": bid}
        case _:
            nothing = "0.00000000"
            return event | {"b": nothing, "B": nothing, "a": nothing, "A": nothing}


def _candle(faults: Faults, event: Event, how: str) -> Event | None:
    """A candle that changes after its close, is never closed, goes back in time, or gets lost."""
    candle = event["k"]
    match how:
        case "unclosed":
            return None if candle["x"] else event
        case "gap":
            return None
        case "reordered":
            before, faults.last_candle = faults.last_candle, event
            return event if before is None else before
        case _:
            if candle["x"]:
                faults.last_candle = event
            elif faults.last_candle is not None:
                closed, faults.last_candle = faults.last_candle, None
                return closed | {"E": event["E"], "k": closed["k"] | {"v": "9999.00000000"}}
            return event


def odd_report(faults: Faults, event: Event, send: Callable[[Event], None]) -> None:
    """Send an event of an account as the faults that are on want it, perhaps never."""
    if faults.fires("silent_stall") or faults.fires("lost_push"):
        return
    kind = event.get("e")
    if faults.fires("unexpected_fields"):
        event = event | _UNKNOWN_FIELDS
    if kind == "outboundAccountPosition" and (switch := faults.fires("odd_balances")):
        _balances(event, choice(switch, BALANCES), send)
        return
    if faults.held_report is not None:
        held, faults.held_report = faults.held_report, None
        send(event)
        held()
        return
    if kind == "executionReport" and faults.fires("reordered_pushes"):
        faults.held_report = lambda: send(event)
        return
    if event.get("x") == "TRADE" and faults.fires("duplicated_fill"):
        send(event)
    send(event)


def _balances(event: Event, how: str, send: Callable[[Event], None]) -> None:
    if how == "late":
        asyncio.get_running_loop().call_later(_LATE_SECONDS, send, event)
    elif how == "negative":
        send(event | {"B": [row | {"f": "-1.00000000", "l": "5.00000000"} for row in event["B"]]})
