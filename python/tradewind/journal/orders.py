"""The orders of a journal: what was asked for, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

NEEDED = ("decisions", "account", "fills")
"""The tables that orders are made of."""

_FILL = ("instrument", "trade_id", "order_id")
"""What names a fill: one that is told twice counts once (O5)."""

_ENDS = ("filled", "rejected", "cancelled", "expired")
_ASKED = ("sequence", "time", "order_id", "strategy", "count", "instrument", "account", "side", "quantity")
_KIND = ("order_type", "price", "time_in_force", "reduce_only")


def orders_of(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """A row for every order that left, in the order of leaving.

    What our own checks refused never left, and is no input or decision: it is not in the journal.

    Parameters
    ----------
    tables
        The tables that `NEEDED` names, whole.

    """
    placed = tables["decisions"].filter(pl.col("kind") == "place")
    fills = tables["fills"].unique(_FILL, keep="first", maintain_order=True)
    filled = placed.select(*_ASKED, *_KIND).join(_filled(fills), on="order_id", how="left")
    told = filled.join(_told(_reports(placed, tables["account"], fills)), on="order_id", how="left").sort("sequence")
    known = told.with_columns(
        pl.col("filled").fill_null(0).cast(placed.schema["quantity"]), status=_status(), is_closed=_is_closed()
    )
    return known.select(
        *_ASKED,
        *_KIND,
        "status",
        "filled",
        "average_price",
        reason=pl.when("is_closed").then("code"),
        closed=pl.when("is_closed").then("told"),
    )


def _filled(fills: pl.DataFrame) -> pl.DataFrame:
    # A product has the larger scale of both sides, and must have the sum.
    digits = sum(fills.schema[name].scale for name in ("price", "quantity"))  # type: ignore[attr-defined]
    value = (pl.col("price").cast(pl.Decimal(38, digits)) * pl.col("quantity")).sum().cast(pl.Float64)
    return fills.group_by("order_id").agg(
        pl.col("quantity").sum().alias("filled"),
        average_price=value / pl.col("quantity").sum().cast(pl.Float64),
    )


def _reports(placed: pl.DataFrame, account: pl.DataFrame, fills: pl.DataFrame) -> pl.DataFrame:
    """What was said of each order, one behind another; the fill that completes it is called `filled`."""
    said = account.filter(pl.col("kind") != "cancel_rejected").select("sequence", "time", "order_id", "kind", "code")
    asked = placed.select("order_id", asked="quantity")
    found = said.join(asked, on="order_id").join(fills.select("sequence", "quantity"), on="sequence", how="left")
    so_far = pl.col("quantity").fill_null(0).cum_sum().over("order_id")
    completes = pl.col("quantity").is_not_null() & (so_far >= pl.col("asked"))
    return found.sort("sequence").with_columns(kind=pl.when(completes).then(pl.lit("filled")).otherwise("kind"))


def _told(reports: pl.DataFrame) -> pl.DataFrame:
    """How each order ended; of one that did not, the last that was said.

    What is said of it behind its end is old: a late fill is money, and no other end.
    """
    ends = pl.col("kind").is_in(_ENDS).cast(pl.UInt32)
    is_old = ends.cum_sum().over("order_id") > ends
    return (
        reports.filter(~is_old)
        .group_by("order_id", maintain_order=True)
        .agg(pl.col("kind").last(), pl.col("code").last(), told=pl.col("time").last())
    )


def _is_closed() -> pl.Expr:
    return pl.col("kind").is_in(_ENDS).fill_null(value=False)


def _status() -> pl.Expr:
    """As a strategy reads it, from what was asked for and what was told."""
    return (
        pl.when(pl.col("kind").is_in([*_ENDS, "unknown"]))
        .then("kind")
        .when(pl.col("kind").is_null())
        .then(pl.lit("in_flight"))
        .when(pl.col("filled") > 0)
        .then(pl.lit("partly_filled"))
        .otherwise(pl.lit("open"))
    )
