"""Signatures: the official vectors, all kinds of keys, and when a request is in time."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from sandbox_client import signed

from tradewind.sandbox.account import ApiKey
from tradewind.sandbox.binance_spot.signature import is_signed, sorted_payload

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ORDER = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
VECTORS = [
    (f"symbol=LTCBTC&{ORDER}", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
    (
        f"symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&{ORDER}",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
]
WIDE_DIGITS = "\uff11\uff12\uff13\uff14\uff15\uff16"
SIGNATURES = (
    "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
)
API_VECTORS = [
    ("BTCUSDT", "SELL", "52000.00", "0.01000000", "100", SIGNATURES[0]),
    (WIDE_DIGITS, "BUY", "0.10000000", "1.00000000", "5000", SIGNATURES[1]),
]


@pytest.mark.parametrize(("payload", "signature"), VECTORS)
def test_the_official_rest_vectors(payload: str, signature: str) -> None:
    key = ApiKey(key=KEY, account=1, kind="HMAC", secret=SECRET)
    assert is_signed(key, payload.encode(), signature)
    assert not is_signed(key, payload.encode() + b"0", signature)
    assert SECRET not in repr(key)
    assert KEY not in repr(key)


@pytest.mark.parametrize(("symbol", "side", "price", "quantity", "window", "signature"), API_VECTORS)
def test_the_official_websocket_vectors(
    symbol: str, side: str, price: str, quantity: str, window: str, signature: str
) -> None:
    values = {"symbol": symbol, "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity}
    values |= {"price": price, "recvWindow": window, "timestamp": "1645423376532", "apiKey": KEY, "signature": "x"}
    key = ApiKey(key=KEY, account=1, kind="HMAC", secret=SECRET)
    assert is_signed(key, sorted_payload(values), signature)


@pytest.mark.parametrize("kind", ["HMAC", "RSA", "ED25519"])
def test_every_kind_of_key_signs_on_both_interfaces(tell: Any, kind: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        status, body = await client.ask("GET", "account", omitZeroBalances="true")
        assert (status, [row["asset"] for row in body["balances"]]) == (200, ["BTC", "USDT"])
        await client.open()
        assert (await client.call_signed("account.status"))["status"] == 200
        wrong = await client.call("account.status", apiKey=client.credentials.api_key, timestamp=1, signature="x")
        assert wrong["error"]["code"] == -1102
        answer = await client.call_signed("session.logon")
        if kind == "ED25519":
            assert answer["result"]["apiKey"] == client.credentials.api_key
            assert (await client.call("account.status", timestamp=int(time.time() * 1_000)))["status"] == 200
            assert (await client.call("account.status"))["error"]["code"] == -1102
            assert (await client.call("session.logout"))["result"]["apiKey"] is None
        else:
            assert answer["error"]["code"] == -4056
        assert (await client.call("account.status"))["error"]["code"] == -2014

    tell(story, kind=kind)


def test_what_is_wrong_with_a_signed_request(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        now = int(time.time() * 1_000)
        ok = {"GET": "account"}
        assert (await client.ask(*next(iter(ok.items())), timestamp=now - 4_000))[0] == 200
        late = await client.ask("GET", "account", timestamp=now - 6_000)
        assert late == (400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
        early = await client.ask("GET", "account", timestamp=now + 5_000)
        assert early[1]["msg"] == "Timestamp for this request was 1000ms ahead of the server's time."
        assert (await client.ask("GET", "account", recvWindow=60_001))[1]["code"] == -1131
        assert (await client.ask("GET", "account", recvWindow="5000.1234"))[1]["code"] == -1111
        assert (await client.ask("GET", "account", timestamp=now * 1_000))[0] == 200
        assert (await client.ask("GET", "account", timestamp="soon"))[1]["code"] == -1102
        key = client.credentials.api_key
        assert (await client.send("GET", f"/api/v3/account?timestamp={now}", key=key))[1]["code"] == -1102
        assert (await client.send("GET", f"/api/v3/account?timestamp={now}"))[1]["code"] == -2014
        unknown = await client.send("GET", f"/api/v3/account?timestamp={now}&signature=a", key="a" * 64)
        assert unknown[1]["code"] == -2015
        forged = await client.send("GET", f"/api/v3/account?timestamp={now}&signature=a", key=key)
        assert forged == (400, {"code": -1022, "msg": "Signature for this request is not valid."})

    tell(story)


def test_what_is_signed_must_be_percent_encoded(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        values = {"symbol": "BTCUSDT", "origClientOrderId": "a/b:c", "timestamp": int(time.time() * 1_000)}
        encoded = urlencode(values)
        raw = encoded.replace("%2F", "/").replace("%3A", ":") + '&newClientOrderId="'
        for query, code in ((encoded, -2011), (raw, -1022)):
            signature = signed(client.credentials, query.encode())
            body = await client.send(
                "DELETE", f"/api/v3/order?{query}&signature={signature}", key=client.credentials.api_key
            )
            assert body[1]["code"] == code

    tell(story)
