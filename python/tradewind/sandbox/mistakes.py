"""What is wrong with settings of a local exchange, in words."""

from __future__ import annotations

from pydantic import ValidationError

from tradewind.errors import TradewindError, exception


def mistakes(what: str, error: ValidationError) -> TradewindError:
    """All mistakes in one error, each with its place and the value that stands there."""
    problems = (
        f"{'.'.join(map(str, one['loc']))} = {one['input']!r}: {one['msg']}" for one in error.errors(include_url=False)
    )
    return exception("bad_setting", f"{what}: {'; '.join(problems)}")
