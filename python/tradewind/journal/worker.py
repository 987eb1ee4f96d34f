"""The fresh process of `verify`: replays one journal and prints its report as JSON."""

from __future__ import annotations

import sys

import msgspec

from tradewind.errors import TradewindError
from tradewind.journal.replay import replay


def main(journal: str) -> None:
    """Replay a journal; what the strategy prints goes to the standard error."""
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        out.write(msgspec.json.encode(replay(journal)).decode())
    except TradewindError as error:
        raise SystemExit(str(error)) from error
    except SystemExit as error:
        # A strategy that exits, even with 0, has not come to its end.
        raise SystemExit(f"the run ended with {error!r}") from error


if __name__ == "__main__":
    main(sys.argv[1])
