"""What goes wrong, with stable codes from the one table in ``crates/core/src/error``."""

from __future__ import annotations


class TradewindError(Exception):
    """Something that is wrong, where, and what to do about it.

    Parameters
    ----------
    code
        The stable code, such as ``"off_grid"``.
    message
        What is wrong, where, and the value.
    hint
        What to do; empty where nothing useful can be said.

    Examples
    --------
    >>> print(TradewindError("empty_data", "btc.csv holds no rows", "was the download complete?"))
    [empty_data] btc.csv holds no rows
    hint: was the download complete?

    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"[{self.code}] {self.message}"
        return f"{text}\nhint: {self.hint}" if self.hint else text


class TradewindWarning(UserWarning):
    """Something that is allowed and probably not meant."""


class DataError(TradewindError, ValueError):
    """Data that cannot be used as they are."""


class OrderError(TradewindError, ValueError):
    """A mistake in a call that asks for an order (O1)."""


class SettingError(TradewindError, ValueError):
    """A setting that is missing or impossible."""


class JournalError(TradewindError):
    """A journal that cannot be read, or a replay that differs."""


class RunError(TradewindError, RuntimeError):
    """A run that could not go on."""


_KINDS: dict[str, type[TradewindError]] = {
    **dict.fromkeys(
        ["off_grid", "not_a_number", "out_of_range", "bad_quantity", "bad_price", "unknown_order"], OrderError
    ),
    **dict.fromkeys(
        [
            "unsorted_rows",
            "repeated_trade_id",
            "negative_value",
            "crossed_quote",
            "inconsistent_bar",
            "arrival_before_venue_time",
            "missing_column",
            "wrong_type",
            "empty_data",
            "unreadable_file",
            "book_gap",
        ],
        DataError,
    ),
    **dict.fromkeys(
        [
            "bad_specification",
            "unknown_instrument",
            "unknown_asset",
            "unknown_venue",
            "duplicate_name",
            "missing_setting",
            "bad_setting",
            "missing_stream",
            "bad_strategy",
            "not_in_on_start",
        ],
        SettingError,
    ),
    **dict.fromkeys(["bad_journal", "journal_version", "divergence", "bad_query"], JournalError),
    **dict.fromkeys(["endless_decisions", "context_outside_callback", "run_interrupted", "internal"], RunError),
}


def exception(code: str, message: str, hint: str = "") -> TradewindError:
    """The exception of a code, in the class that fits it.

    Examples
    --------
    >>> exception("off_grid", "price 1.05 is not a multiple of 0.1")
    OrderError('off_grid', 'price 1.05 is not a multiple of 0.1', '')

    """
    return _KINDS.get(code, TradewindError)(code, message, hint)
