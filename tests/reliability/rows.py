"""All rows that can apply to a session on Binance Spot, and why the others cannot."""

from __future__ import annotations

import random
from typing import Any

from reliability.row import Row, Step
from reliability.venue import RAISED, SYMBOL
from reliability.watch import Watch

_STREAM, _API = {"kind": "stream"}, {"kind": "api"}
_DEPTH = "btcusdt@depth@100ms"
_OF_ROWS = ("stops", "restarts", "may_differ", "is_quiet", "foreign", "refused", "must")
_QUICK_PINGS = {"ping_seconds": 1, "pong_seconds": 3}


def _one(fault: str, ids: str, seconds: float | None = 3.0, *, name: str = "", limits: Any = None, **more: Any) -> Row:
    """A row of a single fault; what a row knows goes to it, the rest to the fault."""
    known = {key: more.pop(key) for key in _OF_ROWS if key in more}
    return Row(name or fault, ids, (Step(fault, 0.0, seconds, more),), limits=limits or {}, **known)


def _closing(fault: str, ids: str, kind: dict[str, Any], *, seconds: float = 3.0, name: str = "", **more: Any) -> Row:
    """A fault that shows when a connection is made again."""
    return Row(name or fault, ids, (Step(fault, 0.0, seconds, more), Step("hard_close", 0.2, None, kind)))


# What must hold besides the invariants.


def _no_reconnect(watch: Watch, begun: float, ended: float) -> list[str]:
    count = watch.between(watch.connects, begun, ended)
    return [f"{count} new connections in a quiet market"] if count else []


def _few_connects(watch: Watch, begun: float, ended: float) -> list[str]:
    count = watch.between(watch.connects, begun, ended + 5)
    return [f"{count} connections in {ended - begun + 5:.0f} s"] if count > 20 else []


def _no_gap(watch: Watch, begun: float, ended: float) -> list[str]:
    down = sorted({name for at, name, is_up in watch.changes if begun <= at <= ended + 2 and not is_up})
    return [f"down although the end was announced: {', '.join(down)}"] if down else []


def _nothing_asked(seconds: float) -> Any:
    """Nothing is asked for a while after the venue said so."""

    def must(watch: Watch, begun: float, ended: float) -> list[str]:
        if not watch.refused:
            return ["the venue was never asked"]
        told = watch.refused[0][0]
        early = watch.between(watch.asked, told + 0.1, told + seconds - 0.1)
        return [f"I5 {early} requests within the {seconds:g} s of Retry-After"] if early else []

    return must


def _sends_nothing(watch: Watch, begun: float, ended: float) -> list[str]:
    late = [one for one in watch.sent if one.at > ended + 3]
    return [f"{len(late)} orders left although the key was refused"] if late else []


ROWS = (
    # Sockets.
    _one("hard_close", "F1", None),
    _one("hard_close", "F1", None, name="hard_close in a frame", partial=True),
    _one("silent_stall", "F2", 7.0),
    _one("stalled_stream", "F3", 8.0, name="stalled_stream of trades", stream="btcusdt@trade"),
    _one("stalled_stream", "F3", 8.0, name="stalled_stream of quotes", stream="btcusdt@bookTicker"),
    _one("stalled_stream", "F3", 8.0, name="stalled_stream of the book", stream=_DEPTH),
    _closing("lost_subscription", "F3 F12", _STREAM, seconds=6.0),
    _one("quiet_market", "F4", 10.0, is_quiet=True, must=_no_reconnect),
    _one("ignored_pongs", "F5", 9.0, limits=_QUICK_PINGS),
    _one("unanswered_pings", "F5", 12.0),
    Row("control_flood over silence", "F6", (
        Step("silent_stall", 0, 7.0), *(Step("control_flood", at / 2) for at in range(14)),
    )),
    _one("half_open", "F7", None, name="half_open of streams", **_STREAM),
    _one("half_open", "F7", None, name="half_open of orders", **_API),
    _one("announced_disconnect", "F8", None, notice_seconds=4.0, must=_no_gap),
    Row("hard_close, again and again", "F9", tuple(Step("hard_close", at * 0.4) for at in range(12)),
        must=_few_connects),
    _closing("logon_refused", "F10", _API),
    _closing("late_logon", "F10", _API, delay_seconds=2),
    _one("fragmented_frames", "F11"),
    _one("binary_frames", "F11"),
    _closing("early_data", "F11", _STREAM),
    _one("large_frame", "F11", None),
    _closing("subscription_refused", "F12", _STREAM),
    _one("stalled_loop", "F13 F55", 4.0, name="stalled_loop, the venue hangs up", limits={"backlog_bytes": 4_096}),
    # Market data.
    _one("dropped_diff", "F14", name="dropped_diff, three", occasions=3, seconds=None),
    _one("dropped_diff", "F14"),
    _one("duplicated_diff", "F15"),
    _one("reordered_diffs", "F16"),
    _closing("old_snapshot", "F17 F18", _STREAM, seconds=4.0),
    _one("restarted_book", "F20", None),
    _one("unknown_levels", "F21"),
    _one("odd_quotes", "F21", name="odd_quotes: crossed", how="crossed"),
    _one("odd_quotes", "F21", name="odd_quotes: locked", how="locked"),
    _one("odd_quotes", "F21", name="odd_quotes: empty", how="empty"),
    _one("swept_book", "F21", None, symbol=SYMBOL),
    Row("snapshot answered by 503", "F22", (
        Step("rest_error", 0, 4.0, {"path": "/api/v3/depth", "status": 503}), Step("dropped_diff", 0, 0.5),
    )),
    Row("snapshot answered by 429", "F22 F48", (
        Step("rest_error", 0, 4.0, {"path": "/api/v3/depth", "status": 429, "retry_after": 3}),
        Step("dropped_diff", 0, 0.5),
    ), refused=True, must=_nothing_asked(3)),
    _closing("old_trades", "F23", _STREAM),
    _one("unexpected_fields", "F25"),
    _one("unknown_event", "F25", None),
    _one("unknown_execution", "F25", None),
    _one("nonsense_frame", "F25 F26", None),
    _closing("nonsense_body", "F26", {"kind": "all"}),
    _closing("nonsense_body", "F26", _API, name="nonsense_body of the account", path="/api/v3/account", body="{}"),
    Row("changed_symbol, and back", "F27", (
        Step("changed_symbol", 0, None, {"symbol": SYMBOL, "lot": "0.001"}),
        Step("changed_symbol", 3, None, {"symbol": SYMBOL, "lot": "0.00001"}),
    )),
    Row("delisted, and listed again", "F27", (
        Step("delisted", 0, None, {"symbol": SYMBOL}), Step("delisted", 3, None, {"symbol": SYMBOL, "listed": True}),
    )),
    # Orders.
    _one("timeout_accepted", "F28"),
    _one("timeout_accepted", "F28", name="timeout_accepted, no answer", silent=True),
    _one("timeout_not_accepted", "F29"),
    _one("timeout_not_accepted", "F29", name="timeout_not_accepted, no answer", silent=True),
    _one("late_order", "F29"),
    _one("late_order", "F29", name="late_order, by 4.5 s", seconds_later=4.5),
    _one("late_order", "F29", name="late_order, by 6 s", seconds_later=6),
    Row("read_lag", "F29", (Step("read_lag", 0, 5.0, {"lag_seconds": 2}), Step("timeout_accepted", 0, 3.0))),
    _one("push_before_answer", "F30"),
    _one("duplicated_fill", "F31"),
    _one("reordered_pushes", "F30 F31"),
    _one("cancel_races_fill", "F32"),
    _one("altered_client_id", "F36"),
    _one("expired_order", "F38 F41", None),
    _one("slow_order", "F39", delay_seconds=0.7),
    _one("refused_orders", "F40"),
    # Account.
    _one("odd_balances", "F42", name="odd_balances: late", how="late"),
    _one("odd_balances", "F42", name="odd_balances: lost", how="lost"),
    _one("odd_balances", "F42", name="odd_balances: negative", how="negative"),
    _one("transfer", "F42", None, name="transfer in", may_differ=True, account="ours", asset="USDT", amount="250"),
    _closing("empty_answers", "F43", _API),
    _one("user_stream_ends", "F44", None),
    Row("lost_push, then a new connection", "F45", (Step("lost_push", 0, 2.0), Step("hard_close", 1.9, None, _API))),
    _one("lost_push", "F45"),
    _one("foreign_order", "F46", None, name="foreign_order, filled", may_differ=True, foreign=1, account="ours",
         symbol=SYMBOL, side="BUY"),
    _one("foreign_order", "F46", None, name="foreign_order, resting", may_differ=True, foreign=1, account="ours",
         symbol=SYMBOL, side="BUY", price="50000.00"),
    # Time, limits, process.
    Row("clock ahead by 1.5 s, and back", "F47", (
        Step("clock", 0, None, {"seconds": 1.5}), Step("clock", 4, None, {"seconds": 0}),
    )),
    Row("clock behind by 6 s, and back", "F47", (
        Step("clock", 0, None, {"seconds": -6}), Step("clock", 8, None, {"seconds": 0}),
    ), is_quiet=True),
    Row("clock that gains 3 s a minute", "F47", (
        Step("clock", 0, None, {"seconds": 0, "drift_ms": 3_000}), Step("clock", 10, None, {"seconds": 0}),
    )),
    _closing("slow_answers", "F47 F53", {"kind": "all"}, delay_seconds=1.5),
    Row("429 with Retry-After", "F48", (
        Step("rest_error", 0, 4.0, {"status": 429, "retry_after": 3}), Step("hard_close", 0.2, None, _API),
    ), refused=True, must=_nothing_asked(3)),
    Row("403 of a firewall", "F48", (
        Step("rest_error", 0, 2.0, {"status": 403, "retry_after": 3}), Step("hard_close", 0.2, None, _API),
    ), refused=True, must=_nothing_asked(3)),
    Row("ban", "F48", (
        Step("ban", 0, None, {"seconds": 5}), Step("hard_close", 0.2, None, _API), Step("unknown_event", 5),
    ), refused=True),
    Row("changed_limits, and back", "F49", (
        Step("changed_limits", 0, None, {"orders_per_10_seconds": 5}),
        Step("changed_limits", 4, None, {"orders_per_10_seconds": 100}),
    )),
    _one("wrong_weight", "F49"),
    _one("order_rate", "F50"),
    _one("maintenance", "F51"),
    Row("503 everywhere", "F51", (Step("rest_error", 0, 5.0, {"status": 503}), Step("hard_close", 0.2))),
    Row("key_revoked", "F52", (Step("key_revoked", 0, None, {"api_key": "ours"}),), stops=True, must=_sends_nothing),
    Row("key_revoked, it may read", "F52", (Step("key_revoked", 0, None, {"api_key": "ours", "reading": True}),),
        stops=True, must=_sends_nothing),
    Row("refused_connections", "F53", (Step("refused_connections", 0, 4.0), Step("hard_close", 0.2))),
    _closing("reset_request", "F53", _API),
    _closing("reset_request", "F53", _API, name="reset_request, carried out", carried_out=True),
    _one("second_instance", "F54", 8.0),
    _one("stalled_loop", "F55", 10.0),
    _one("slow_disk", "F55", 4.0),
    _one("full_disk", "F55", 3.0, restarts=True),
)  # fmt: skip
"""Everything that a session on Binance Spot can be put through."""

ELSEWHERE = {
    "F54 killed process": "`--kills`: kill -9 at random moments, and a restart",
    "F57 slow leak": "`--hours`: resident memory at ten times the usual rate",
}
"""Rows that have a run of their own."""

NOT_APPLICABLE = {
    "F19 checksums": "Binance Spot's books have none",
    "F24 candles": "a session builds its bars from trades, and subscribes to no candles",
    "F33 cancel-replace": "a session cancels and places; it never replaces",
    "F34 amending": "a session does not amend",
    "F35 duplicate client ids": "ids count on after a restart (O5), which the kills prove; there is nothing to inject",
    "F37 batches": "a session sends none",
    "F56 nonces": "Binance Spot has none; timestamps may be equal",
}
"""Rows that cannot apply, and why."""

_COMBINED = (
    "hard_close", "silent_stall", "stalled_stream of quotes", "lost_subscription", "announced_disconnect", "late_logon",
    "fragmented_frames", "dropped_diff", "duplicated_diff", "restarted_book", "unknown_levels", "old_trades",
    "unexpected_fields", "nonsense_frame", "timeout_accepted", "timeout_not_accepted", "late_order",
    "push_before_answer", "duplicated_fill", "reordered_pushes", "cancel_races_fill", "expired_order", "slow_order",
    "refused_orders",
    "odd_balances: late", "user_stream_ends", "order_rate", "503 everywhere", "refused_connections", "reset_request",
)  # fmt: skip
"""What comes in combinations: rows whose faults another fault does not hide."""


def named(name: str) -> Row:
    """The row of a name."""
    return next(row for row in ROWS if row.name == name)


def combination(seed: int, most: int = 4) -> Row:
    """Several rows that overlap, the same for the same seed."""
    chance = random.Random(seed)
    chosen = [named(name) for name in chance.sample(_COMBINED, chance.randint(2, most))]
    steps: list[Step] = []
    for row in chosen:
        begin = chance.uniform(0.0, 4.0)
        steps += (Step(one.fault, begin + one.at, one.seconds, one.parameters) for one in row.steps)
    return Row(f"seed {seed}: {' + '.join(row.name for row in chosen)}", "", tuple(steps), limits=dict(RAISED))
