"""Signatures are those of the venue's documentation; RSA and Ed25519 are verified by others; keys are never shown."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

import tradewind as tw
from tradewind.venues import Credentials
from tradewind.venues.binance_spot.signing import payload, query, signed, signed_query

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
WIDE = "\uff11\uff12\uff13\uff14\uff15\uff16"


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (WIDE, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
)
def test_official_vectors_of_rest(symbol: str, signature: str) -> None:
    order = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "0.1"}
    order |= {"recvWindow": "5000", "timestamp": "1499827319559"}
    assert signed_query(Credentials(KEY, SECRET), order) == f"{query(order)}&signature={signature}"


def test_blanks_around_keys_are_none_of_theirs(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(f'api_key = " {KEY}"\nsecret = "{SECRET} "\n')
    file.chmod(0o600)
    stated = {"TRADEWIND_BINANCE_SPOT_KEY": f"{KEY}\n", "TRADEWIND_BINANCE_SPOT_SECRET": f"\t{SECRET}\r\n"}
    for one in (Credentials.from_file(file), Credentials.from_environment("binance_spot", stated)):
        assert one.api_key == KEY
        assert one.sign(b"a=1") == Credentials(KEY, SECRET).sign(b"a=1")
    with pytest.raises(tw.TradewindError, match="is empty"):
        Credentials(" ", SECRET)


@pytest.mark.parametrize(
    ("order", "signature"),
    [
        (
            {"quantity": "0.01000000", "price": "52000.00", "symbol": "BTCUSDT", "side": "SELL", "recvWindow": 100},
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            {"quantity": "1.00000000", "price": "0.10000000", "symbol": WIDE, "side": "BUY", "recvWindow": 5000},
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
    ],
)
def test_official_vectors_of_the_websocket_api(order: dict[str, Any], signature: str) -> None:
    order = {"type": "LIMIT", "timeInForce": "GTC", "timestamp": 1645423376532, **order}
    assert signed(Credentials(KEY, SECRET), order)["signature"] == signature


def pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    text: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return text.decode()


def test_private_keys_are_verified_by_their_public_half() -> None:
    order = {"symbol": "BTCUSDT", "timestamp": 1}
    text = payload({**order, "apiKey": KEY}).encode()
    edwards = ed25519.Ed25519PrivateKey.generate()
    credentials = Credentials(KEY, pem(edwards))
    assert credentials.kind == "ed25519"
    edwards.public_key().verify(base64.b64decode(signed(credentials, order)["signature"]), text)
    rivest = rsa.generate_private_key(65_537, 2_048)
    credentials = Credentials(KEY, pem(rivest))
    assert credentials.kind == "rsa"
    signature = base64.b64decode(signed(credentials, order)["signature"])
    rivest.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())


def test_keys_are_never_shown(tmp_path: Path) -> None:
    credentials = Credentials(KEY, SECRET)
    for text in (repr(credentials), str(credentials), f"{credentials!s}", repr([credentials])):
        assert KEY not in text
        assert SECRET not in text
    for write in (pickle.dumps, copy.copy, json.dumps):
        with pytest.raises(TypeError):
            write(credentials)
    secret = "-----BEGIN PRIVATE KEY-----\nVERYSECRET\n-----END PRIVATE KEY-----"
    with pytest.raises(tw.TradewindError, match="cannot be read") as raised:
        Credentials(KEY, secret)
    assert "VERYSECRET" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_credentials_of_a_file_are_the_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'api_key = "{KEY}"\nsecret = "{SECRET}"\n')
    path.chmod(0o640)
    with pytest.raises(tw.TradewindError, match=r"(?s)bad_credentials.*mode 640.*chmod 600"):
        Credentials.from_file(path)
    path.chmod(0o600)
    assert Credentials.from_file(path).api_key == KEY
    path.write_text('api_key = "x"')
    with pytest.raises(tw.TradewindError, match="secret"):
        Credentials.from_file(path)
    path.write_text(f"secret = {SECRET}")
    with pytest.raises(tw.TradewindError) as raised:
        Credentials.from_file(path)
    assert SECRET not in str(raised.value)
    with pytest.raises(tw.TradewindError, match="cannot be read"):
        Credentials.from_file(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "content",
    [
        b'{"keys": {"hmac": "VERYSECRET"}}',
        b'api_key = "x"\nsecret = "VERYSECRET\xff"',
        b'api_key = "x"\nprivate_key_file = "key.der"',
        b'api_key = "x"\nprivate_key_file = 5',
        b'api_key = 5\nsecret = ["VERYSECRET"]',
    ],
)
def test_a_file_that_holds_no_credentials_is_explained(tmp_path: Path, content: bytes) -> None:
    for name, what in (("keys.toml", content), ("key.der", b"\x30\x82VERYSECRET")):
        (tmp_path / name).write_bytes(what)
        (tmp_path / name).chmod(0o600)
    with pytest.raises(tw.TradewindError, match=r"bad_credentials(.|\n)*hint: write TOML with api_key") as raised:
        Credentials.from_file(tmp_path / "keys.toml")
    assert "SECRET" not in "".join(traceback.format_exception(raised.value))


def test_credentials_of_the_environment() -> None:
    names = {"TRADEWIND_BINANCE_SPOT_KEY": KEY, "TRADEWIND_BINANCE_SPOT_SECRET": SECRET}
    assert Credentials.from_environment("binance_spot", names).api_key == KEY
    with pytest.raises(tw.TradewindError, match="TRADEWIND_BINANCE_SPOT_SECRET not set"):
        Credentials.from_environment("binance_spot", {"TRADEWIND_BINANCE_SPOT_KEY": KEY})
