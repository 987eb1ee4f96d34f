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


class DataError(TradewindError, ValueError):
    """Data that cannot be used as they are."""
