"""The table of faults: their numbers in the list of live faults, what they do, and what can be stated of them."""

from __future__ import annotations

from typing import NamedTuple

from tradewind.errors import exception


class Fault(NamedTuple):
    """A row of the table."""

    ids: str
    what: str
    parameters: tuple[str, ...] = ()


_ERROR = ("code", "message", "status")

SWITCHES = {
    "silent_stall": Fault("F2", "streams and user data send nothing; pings go on"),
    "stalled_stream": Fault("F3", "the stream named `stream` sends nothing", ("stream",)),
    "lost_subscription": Fault("F3 F12", "subscriptions to `stream` (any) are acknowledged and not made", ("stream",)),
    "subscription_refused": Fault("F12", "subscriptions are answered by an error"),
    "quiet_market": Fault("F4", "the participants do nothing"),
    "ignored_pongs": Fault("F5", "pongs count as if they had not come: connections end after the time for them"),
    "unanswered_pings": Fault("F5", "pings of clients are not answered"),
    "logon_refused": Fault("F10", "logons and subscriptions to user data are answered by `code` (-1000)", _ERROR),
    "late_logon": Fault("F10", "logons are answered `delay_seconds` (1) late", ("delay_seconds",)),
    "fragmented_frames": Fault("F11", "messages come in several frames"),
    "binary_frames": Fault("F11", "messages come as binary frames"),
    "early_data": Fault("F11", "the first message comes with the answer to the handshake"),
    "dropped_diff": Fault("F14", "depth events get lost"),
    "duplicated_diff": Fault("F15", "depth events come twice"),
    "reordered_diffs": Fault("F16", "two depth events change places"),
    "old_snapshot": Fault("F17 F18", "book snapshots are as of when this was switched on"),
    "unknown_levels": Fault("F21", "depth events delete levels that never were"),
    "odd_quotes": Fault("F21", "best prices are crossed, locked or empty, as `how` says (crossed)", ("how",)),
    "old_trades": Fault("F23", "trades come twice, and a new listener is sent the last `number` (20)", ("number",)),
    "odd_candles": Fault("F24", "candles: late, unclosed, reordered or gap, as `how` says (late)", ("how",)),
    "unexpected_fields": Fault("F25", "events have fields that nobody knows"),
    "rest_error": Fault(
        "F22 F48 F51",
        "REST at `path` (any) answers `status` (503) with `code` and `message`",
        (*_ERROR, "path", "retry_after"),
    ),
    "nonsense_body": Fault("F26", "REST at `path` (any) answers 200 with `body` (a page of HTML)", ("path", "body")),
    "reset_request": Fault(
        "F53",
        "a REST request to `path` (any) ends in a broken connection, after it was carried out if `carried_out`",
        ("path", "carried_out"),
    ),
    "slow_answers": Fault(
        "F47 F53", "REST at `path` (any) is answered `delay_seconds` (0.5) late", ("path", "delay_seconds")
    ),
    "refused_connections": Fault("F53", "nobody can connect, but to the control interface"),
    "timeout_accepted": Fault(
        "F28", "an order is taken, and answered by -1007, or by nothing if `silent`", ("silent",)
    ),
    "timeout_not_accepted": Fault(
        "F29", "an order is lost, and answered by -1007, or by nothing if `silent`", ("silent",)
    ),
    "late_order": Fault(
        "F29", "an order is answered by -1007 and taken `seconds_later` (1)", ("seconds_later", "silent")
    ),
    "slow_order": Fault("F39", "orders are carried out and answered `delay_seconds` (0.5) late", ("delay_seconds",)),
    "read_lag": Fault("F29", "orders younger than `lag_seconds` (1) are not found", ("lag_seconds",)),
    "push_before_answer": Fault(
        "F30", "answers to orders come `delay_seconds` (0.2) late, after the pushes", ("delay_seconds",)
    ),
    "duplicated_fill": Fault("F31", "reports of fills come twice"),
    "reordered_pushes": Fault("F30 F31", "two events of user data change places"),
    "lost_push": Fault("F45", "user data get lost"),
    "refused_orders": Fault("F40", "orders are refused by `code` (-2010) and `message`", _ERROR),
    "order_rate": Fault("F50", "orders are refused by -1015"),
    "cancel_races_fill": Fault("F32", "an order is filled just before its cancel"),
    "partial_replace": Fault("F33", "a cancel-replace cancels, and its new order is refused"),
    "altered_client_id": Fault("F36", "client ids of new orders are kept in capital letters"),
    "odd_balances": Fault("F42", "pushed balances are late, lost or negative, as `how` says (late)", ("how",)),
    "empty_answers": Fault("F43", "REST says that the account has no balances, orders and fills"),
    "wrong_weight": Fault("F49", "REST's headers say that `weight` (1) is used up", ("weight",)),
    "maintenance": Fault("F51", "markets are closed"),
}
"""Switches."""

ACTIONS = {
    "hard_close": Fault(
        "F1 F9",
        "connections break off, in the middle of a frame if `partial`; `kind`: stream, api or all",
        ("kind", "partial"),
    ),
    "half_open": Fault("F7", "nothing passes through the connections of `kind` any more; they stay open", ("kind",)),
    "announced_disconnect": Fault(
        "F8", "serverShutdown, then the connection closes after `notice_seconds` (10)", ("kind", "notice_seconds")
    ),
    "control_flood": Fault("F6", "`number` (100) pings at once", ("number",)),
    "large_frame": Fault("F11", "an event of an unknown type with `size` (1,000,000) bytes", ("size",)),
    "unknown_event": Fault("F25", "an event of an unknown type on every stream connection"),
    "unknown_execution": Fault("F25", "a report of an unknown kind about every open order"),
    "nonsense_frame": Fault("F25 F26", "a frame with `text` that is not JSON on every connection", ("text", "kind")),
    "restarted_book": Fault("F20", "update ids of `symbol` (all) go on `ahead` (1,000,000)", ("symbol", "ahead")),
    "swept_book": Fault("F21", "somebody takes one `side` (SELL) of the book of `symbol`", ("symbol", "side")),
    "changed_symbol": Fault(
        "F27",
        "`symbol` has other rules: `tick`, `lot`, `minimum_notional`",
        ("symbol", "tick", "lot", "minimum_notional"),
    ),
    "delisted": Fault("F27", "`symbol` is traded no more, its orders end; or again if `listed`", ("symbol", "listed")),
    "expired_order": Fault(
        "F38 F41", "the venue ends the order `order_id`, or all open ones, with `reason`", ("order_id", "reason")
    ),
    "user_stream_ends": Fault("F44", "eventStreamTerminated for `account`, or all", ("account",)),
    "foreign_order": Fault(
        "F46",
        "somebody else trades on `account`: `symbol`, `side`, `quantity`, `price` (market)",
        ("account", "symbol", "side", "quantity", "price"),
    ),
    "clock": Fault(
        "F47",
        "the venue's clock goes `seconds` before ours, and gains `drift_ms` (0) a minute",
        ("seconds", "drift_ms"),
    ),
    "key_revoked": Fault(
        "F52",
        "the key `api_key`, or all keys of `account`, may do nothing any more, or only read if `reading`",
        ("api_key", "account", "reading"),
    ),
    "ban": Fault("F48", "all addresses are banned for `seconds` (120)", ("seconds",)),
    "changed_limits": Fault(
        "F49",
        "other limits hold than those that are announced",
        ("weight_per_minute", "orders_per_10_seconds", "orders_per_day"),
    ),
    "transfer": Fault("F42", "`amount` of `asset` goes into `account`, or out of it", ("account", "asset", "amount")),
}
"""Things that happen at once."""

FAULTS = {**SWITCHES, **ACTIONS}


def known(name: str) -> str:
    """The name of a fault by its name or by a number such as F14; of several with a number, the first.

    Examples
    --------
    >>> known("F14"), known("maintenance")
    ('dropped_diff', 'maintenance')

    """
    found = name if name in FAULTS else next((key for key, row in FAULTS.items() if name in row.ids.split()), None)
    if found is None:
        raise exception("bad_setting", f"there is no fault {name!r}", f"one of {', '.join(FAULTS)}")
    return found


def check_parameters(name: str, given: dict[str, object]) -> None:
    """Refuse what cannot be stated of a fault."""
    allowed = FAULTS[name].parameters
    if unknown := [key for key in given if key not in allowed]:
        hint = f"it has {', '.join(allowed)}" if allowed else "it has none"
        raise exception("bad_setting", f"fault: {name}: there is no {unknown[0]!r}", hint)
