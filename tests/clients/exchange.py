"""The exchange that the clients are pointed at, and what it says when nobody stands between."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

SYMBOL = "BTCUSDT"
_START_SECONDS = 60
_ATTEMPTS, _LOOKS = 20, 20


class Exchange:
    """A running ``tradewind sandbox``, as a user starts it.

    Parameters
    ----------
    command
        The command line of ``tradewind``.
    folder
        Where its keys go, and what it prints.

    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        keys, printed = folder / "sandbox-keys.json", folder / "sandbox.txt"
        options = ["--port", "0", "--seed", "11", "--activity", "60", "--keys", str(keys)]
        with printed.open("w") as out:
            self._process = subprocess.Popen([*command, "sandbox", *options], stdout=out, stderr=subprocess.STDOUT)
        self.printed = self._started(printed)
        said = json.loads(keys.read_text())
        self.rest_url, self.stream_url, self.api_url = said["rest_url"], said["stream_url"], said["api_url"]
        self.keys: dict[str, dict[str, str]] = said["keys"]
        self._token = said["control_token"]

    def _started(self, printed: Path) -> str:
        """What it printed when it is there."""
        end = time.monotonic() + _START_SECONDS
        while "Ctrl-C" not in (text := printed.read_text()):
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                raise RuntimeError(f"the sandbox did not start: {text}")
            time.sleep(0.05)
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def snippet(self, section: str) -> str:
        """A snippet, as it was printed, without its indentation."""
        _, _, rest = self.printed.partition(f"\n{section}:\n")
        lines = rest.splitlines()
        last = next((place for place, line in enumerate(lines) if line and not line.startswith("    ")), len(lines))
        return "\n".join(line.removeprefix("    ") for line in lines[:last]).strip() + "\n"

    def get(self, path: str, **values: Any) -> Any:
        """A public request without any client."""
        return self._send("GET", f"/api/v3/{path}", urlencode(values))

    def ask(self, verb: str, path: str, **values: Any) -> Any:
        """A signed request without any client."""
        key = self.keys["hmac"]
        query = urlencode({**values, "timestamp": int(time.time() * 1_000)})
        signature = hmac.new(key["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": key["api_key"]}
        return self._send(verb, f"/api/v3/{path}", f"{query}&signature={signature}", headers)

    def _send(self, verb: str, path: str, query: str = "", headers: dict[str, str] | None = None) -> Any:
        url = f"{self.rest_url}{path}?{query}"
        body = b"{}" if path.startswith("/control") else None
        request = urllib.request.Request(url, data=body, headers=headers or {}, method=verb)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def bids(self) -> list[tuple[Decimal, Decimal]]:
        """What is bid, best first."""
        return self._side("bids")

    def asks(self) -> list[tuple[Decimal, Decimal]]:
        """What is asked, best first."""
        return self._side("asks")

    def _side(self, side: str) -> list[tuple[Decimal, Decimal]]:
        return [(Decimal(price), Decimal(size)) for price, size in self.get("depth", symbol=SYMBOL, limit=100)[side]]

    def balances(self) -> dict[str, list[Decimal]]:
        """What the account has free and locked, of what it has."""
        rows = self.ask("GET", "account", omitZeroBalances="true")["balances"]
        return {row["asset"]: [Decimal(row["free"]), Decimal(row["locked"])] for row in rows}

    def buy(self, quantity: str, price: Decimal) -> dict[str, Any]:
        """Place an order that rests, without any client."""
        values = {"side": "BUY", "type": "LIMIT_MAKER", "quantity": quantity, "price": price}
        found: dict[str, Any] = self.ask("POST", "order", symbol=SYMBOL, newOrderRespType="FULL", **values)
        return found

    def order(self, number: int) -> dict[str, Any]:
        """An order as the exchange holds it."""
        found: dict[str, Any] = self.ask("GET", "order", symbol=SYMBOL, orderId=number)
        return found

    def fills(self, number: int) -> list[dict[str, Any]]:
        """The fills of an order."""
        found: list[dict[str, Any]] = self.ask("GET", "myTrades", symbol=SYMBOL, orderId=number)
        return found

    def fill_one(self) -> int:
        """The number of an order that rested until the participants had filled it."""
        for _ in range(_ATTEMPTS):
            order = self.buy("0.00100", self.bids()[0][0])["orderId"]
            for _ in range(_LOOKS):
                if self.order(order)["status"] == "FILLED":
                    return int(order)
                time.sleep(0.1)
            # The market has moved away from it.
            self.ask("DELETE", "openOrders", symbol=SYMBOL)
        raise RuntimeError("the participants filled no order of ours")

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """A market in which only our own orders trade, so that two looks at it see the same."""
        self._switch("POST")
        try:
            yield
        finally:
            self._switch("DELETE")

    def _switch(self, verb: str) -> None:
        self._send(verb, "/control/faults/quiet_market", headers={"Authorization": f"Bearer {self._token}"})
