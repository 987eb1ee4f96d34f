"""The exchange that the clients are pointed at, and what it says when nobody stands between."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

SYMBOL = "BTCUSDT"
SECTIONS = ("ccxt", "python-binance", "system file")


class Exchange:
    """A running ``tradewind sandbox``, as a user starts it.

    Parameters
    ----------
    command
        The command line of ``tradewind``.
    folder
        Where its keys go.

    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.keys = folder / "sandbox-keys.json"
        options = ["--port", "0", "--seed", "11", "--activity", "60", "--keys", str(self.keys)]
        self._process = subprocess.Popen([*command, "sandbox", *options], stdout=subprocess.PIPE, text=True)
        self.printed = "".join(self._read())
        said = json.loads(self.keys.read_text())
        self.rest_url, self.stream_url, self.api_url = said["rest_url"], said["stream_url"], said["api_url"]
        self._token = said["control_token"]

    def _read(self) -> Iterator[str]:
        """What it prints, up to the end of the last snippet."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line
            if "place_real_orders" in line:
                return
        raise RuntimeError("the sandbox ended before it was there")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)

    def snippet(self, section: str) -> str:
        """A snippet, as it was printed, without its indentation."""
        _, _, rest = self.printed.partition(f"\n{section}:\n")
        lines = rest.splitlines()
        last = next((place for place, line in enumerate(lines) if line and not line.startswith("    ")), len(lines))
        return "\n".join(line.removeprefix("    ") for line in lines[:last]).strip() + "\n"

    def get(self, path: str, **values: Any) -> Any:
        """A public request without any client."""
        query = f"?{urlencode(values)}" if values else ""
        with urllib.request.urlopen(f"{self.rest_url}/api/v3/{path}{query}", timeout=20) as answer:
            return json.loads(answer.read())

    def book(self, limit: int = 100) -> tuple[int, list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """The number of the last change, bids and asks."""
        found = self.get("depth", symbol=SYMBOL, limit=limit)
        bids, asks = ([(Decimal(price), Decimal(size)) for price, size in found[side]] for side in ("bids", "asks"))
        return found["lastUpdateId"], bids, asks

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """A market in which only our own orders trade, so that two looks at it see the same."""
        self._control("POST")
        try:
            yield
        finally:
            self._control("DELETE")

    def _control(self, verb: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self.rest_url}/control/faults/quiet_market"
        request = urllib.request.Request(url, data=b"{}", headers=headers, method=verb)
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
