"""``tradewind instruments`` and ``tradewind errors``: what there is."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind._core import error_codes
from tradewind.cli.screen import show_json
from tradewind.instruments import load, names
from tradewind.table import plain_table, table_text


def instruments(*, json: bool = False) -> None:
    """List the instruments whose specifications are packaged.

    Parameters
    ----------
    json
        Print all fields as JSON.

    """
    packaged = [load(name) for name in names()]
    if json:
        show_json([{"name": one.name, **one.model_dump(mode="json")} for one in packaged])
        return
    columns = ("instrument", "kind", "dated", "tick", "lot", "minimum", "maker fee", "taker fee")
    rows = [
        (
            one.name, one.kind, str(one.date), f"{one.tick:f}", f"{one.lot:f}", f"{one.minimum_notional:f} {one.quote}",
            f"{one.maker_fee:f}", f"{one.taker_fee:f}",
        )
        for one in packaged
    ]  # fmt: skip
    _show(columns, rows, right=("tick", "lot", "minimum", "maker fee", "taker fee"))


def errors(*, json: bool = False) -> None:
    """List every error code with what it means.

    Parameters
    ----------
    json
        Print the table as JSON.

    """
    if json:
        show_json([{"code": code, "meaning": meaning} for code, meaning in error_codes()])
        return
    _show(("code", "meaning"), error_codes())


def _show(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: tuple[str, ...] = ()) -> None:
    table = plain_table([name for name in columns if name not in right], right)
    for row in rows:
        table.add_row(*row)
    print(table_text(table))
