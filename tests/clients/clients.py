"""The clients that are tried, and how each is started."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import binance_words
import ccxt_words


@dataclass(frozen=True)
class Client:
    """A column of the table.

    Parameters
    ----------
    package, way
        What is installed, and which of its ways to the exchange is taken.
    script
        What asks it, beside this file.
    words
        How its words are read.
    key
        The kind of key that it signs with; all three are used.

    """

    package: str
    way: str
    script: str
    words: ModuleType
    key: str

    @property
    def name(self) -> str:
        """How it is called in the table."""
        return f"{self.package} {self.way}"

    @property
    def is_pushed(self) -> bool:
        """Whether its way is one on which anything is pushed."""
        return self.way != "REST"


CLIENTS = (
    Client("ccxt", "REST", "ccxt_client.py", ccxt_words, "hmac"),
    Client("ccxt", "pro", "ccxt_sockets.py", ccxt_words, "ed25519"),
    Client("python-binance", "REST", "python_binance_client.py", binance_words, "hmac"),
    Client("python-binance", "sockets", "python_binance_sockets.py", binance_words, "hmac"),
    Client("binance-sdk-spot", "REST", "binance_sdk_client.py", binance_words, "rsa"),
    Client("binance-sdk-spot", "sockets", "binance_sdk_sockets.py", binance_words, "ed25519"),
    Client("binance (npm)", "REST", "node_client.mjs", binance_words, "hmac"),
    Client("binance (npm)", "sockets", "node_sockets.mjs", binance_words, "ed25519"),
)
