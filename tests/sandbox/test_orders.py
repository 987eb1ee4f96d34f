"""The life of an order over both interfaces, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tradewind.sandbox.units import show

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "80000",
}
POOR = "Account has insufficient balance for requested action."
ILLEGAL = "Illegal characters found in parameter '{}'; legal range is '{}'."
ILLEGAL_PRICE = ILLEGAL.format("price", "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
ILLEGAL_NAME = ILLEGAL.format("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$")
NO_SIZE = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
PREVENTED = "TRADE_PREVENTION"
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


def test_an_order_s_life_over_rest(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        status, order = await client.ask("POST", "order", **LIMIT, newClientOrderId="mine")
        assert (status, order["status"], order["clientOrderId"], order["fills"]) == (200, "NEW", "mine", [])
        _, account = await client.ask("GET", "account")
        usdt = next(row for row in account["balances"] if row["asset"] == "USDT")
        assert usdt == {"asset": "USDT", "free": "999200.00000000", "locked": "800.00000000"}
        _, found = await client.ask("GET", "order", symbol="BTCUSDT", origClientOrderId="mine")
        assert (found["orderId"], found["status"]) == (order["orderId"], "NEW")
        assert [row["orderId"] for row in (await client.ask("GET", "openOrders"))[1]] == [order["orderId"]]
        again = await client.ask("POST", "order", **LIMIT, newClientOrderId="mine")
        assert again == (400, {"code": -2010, "msg": "Duplicate order sent."})
        _, gone = await client.ask("DELETE", "order", symbol="BTCUSDT", orderId=order["orderId"])
        assert (gone["status"], gone["origClientOrderId"]) == ("CANCELED", "mine")
        assert gone["clientOrderId"] != "mine"
        once_more = await client.ask("DELETE", "order", symbol="BTCUSDT", orderId=order["orderId"])
        assert once_more == (400, {"code": -2011, "msg": "Unknown order sent."})
        _, filled = await client.ask("POST", "order", **MARKET)
        assert filled["status"] == "FILLED"
        value = sum(Decimal(fill["price"]) * Decimal(fill["qty"]) for fill in filled["fills"])
        assert value == Decimal(filled["cummulativeQuoteQty"])
        _, trades = await client.ask("GET", "myTrades", symbol="BTCUSDT", orderId=filled["orderId"])
        assert [row["id"] for row in trades] == [fill["tradeId"] for fill in filled["fills"]]
        held = sandbox.balances(client.credentials.account)["BTC"][0]
        assert held == 10 + Decimal("0.01") - sum(Decimal(fill["commission"]) for fill in filled["fills"])
        assert len((await client.ask("GET", "allOrders", symbol="BTCUSDT"))[1]) == 2

    tell(story)


def test_an_order_s_life_over_the_websocket_api(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        assert (await client.call_signed("userDataStream.subscribe.signature"))["result"] == {"subscriptionId": 0}
        assert (await client.call_signed("userDataStream.subscribe.signature"))["error"]["code"] == -2035
        answer = await client.call_signed("order.place", **LIMIT)
        assert [row["rateLimitType"] for row in answer["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        order = answer["result"]
        report = await client.event(lambda event: event["e"] == "executionReport")
        assert (report["i"], report["x"], report["X"], report["w"]) == (order["orderId"], "NEW", "NEW", True)
        position = await client.event(lambda event: event["e"] == "outboundAccountPosition")
        assert position["B"] == [{"a": "USDT", "f": "999200.00000000", "l": "800.00000000"}]
        await client.call_signed("order.cancel", symbol="BTCUSDT", orderId=order["orderId"], newClientOrderId="away")
        report = await client.event(lambda event: event.get("x") == "CANCELED")
        assert (report["c"], report["C"]) == ("away", order["clientOrderId"])
        filled = (await client.call_signed("order.place", **MARKET))["result"]
        report = await client.event(lambda event: event.get("X") == "FILLED")
        assert (report["i"], report["z"], report["N"], report["m"]) == (filled["orderId"], "0.01000000", "BTC", False)
        assert (await client.call("userDataStream.unsubscribe", subscriptionId=0))["result"] == {}
        await client.event(lambda event: event["e"] == "eventStreamTerminated")

    tell(story)


def test_a_user_s_order_rests_in_the_book_that_everybody_sees_and_the_crowd_trades_with_it(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        market = sandbox.server.exchange.markets["BTCUSDT"]
        ask = market.best[1]
        price = (ask[0] - 1_000_000) / 1e8
        _, order = await client.ask("POST", "order", **{**LIMIT, "price": f"{price:.2f}"})
        assert order["status"] == "NEW"
        _, book = await client.get("/api/v3/depth", symbol="BTCUSDT", limit=1)
        assert Decimal(book["bids"][0][0]) == Decimal(f"{price:.2f}")
        assert Decimal(book["bids"][0][1]) >= Decimal("0.01")
        exchange, now_ns = sandbox.server.exchange, sandbox.server.clock.now_ns()
        for seconds in range(1, 600):
            exchange.advance(market, now_ns + seconds * 10**9, now_ns, 10_000)
            if exchange.orders["BTCUSDT", order["orderId"]].status == "FILLED":
                break
        fills = exchange.fills_by_order["BTCUSDT", order["orderId"]]
        assert sum(fill.quantity for fill in fills) == 1_000_000
        assert all(fill.maker for fill in fills)

    tell(story, speed=0)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"price": "80000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "900000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.010001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "20"}, -2010, POOR),
        ({"side": "SELL", "quantity": "20", "price": "100000"}, -2010, POOR),
        (
            {"type": "LIMIT_MAKER", "timeInForce": None, "price": "120000"},
            -2010,
            "Order would immediately match and take.",
        ),
        ({"price": "0.123456789"}, -1111, "Parameter 'price' has too much precision."),
        ({"price": "1e4"}, -1100, ILLEGAL_PRICE),
        ({"price": None}, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
        ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed."),
        ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        ({"type": "STOP"}, -1116, "Invalid orderType."),
        ({"type": "STOP_LOSS"}, -1013, "Stop loss orders are not supported for this symbol."),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"extra": "1"}, -1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
        ({"newClientOrderId": "a b"}, -1100, ILLEGAL_NAME),
        ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"price": "0.00"}, -1013, "Invalid price."),
        ({"type": "MARKET", "price": None, "timeInForce": None, "quantity": None}, -1102, NO_SIZE),
        ({"pegPriceType": "PRIMARY_PEG"}, -1013, "Pegged orders are not supported for this symbol."),
    ],
)
def test_what_is_refused_changes_nothing(tell: Any, change: dict[str, str | None], code: int, message: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        values = {name: value for name, value in {**LIMIT, **change}.items() if value is not None}
        status, body = await client.ask("POST", "order", **values)
        assert (status, body) == (400, {"code": code, "msg": message})
        assert sandbox.balances(client.credentials.account)["USDT"] == (1_000_000, 0)

    tell(story)


@pytest.mark.parametrize(
    "route",
    [
        "POST orderList/oco", "POST orderList/opoco", "POST order/oco", "GET orderList", "DELETE orderList",
        "POST sor/order", "POST sor/order/test", "PUT order/amend/keepPriority",
    ],
)  # fmt: skip
def test_what_is_not_there_answers_as_an_unsupported_type_does(tell: Any, route: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        status, body = await client.ask(*route.split(" "), symbol="BTCUSDT", orderListId=1)
        assert (status, body["code"]) == (400, -1013)
        assert body["msg"].endswith(" not supported for this symbol.")

    tell(story)


def test_an_order_is_named_by_both_of_its_ids_or_one(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        _, order = await client.ask("POST", "order", **LIMIT, newClientOrderId="mine")
        both = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
        for verb, code in (("GET", -2039), ("DELETE", -2011)):
            assert (await client.ask(verb, "order", **both, origClientOrderId="yours"))[1]["code"] == code
            assert (await client.ask(verb, "order", **both, origClientOrderId="mine"))[0] == 200

    tell(story)


def test_what_was_long_ago_is_listed_from_the_first_on_where_a_start_is_named(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        orders = [(await client.ask("POST", "order", **MARKET))[1] for _ in range(3)]
        for path, name in (("allOrders", "orderId"), ("myTrades", "orderId")):
            first = await client.ask("GET", path, symbol="BTCUSDT", limit=1, startTime=0)
            last = await client.ask("GET", path, symbol="BTCUSDT", limit=1)
            assert [first[1][0][name], last[1][0][name]] == [orders[0]["orderId"], orders[-1]["orderId"]]

    tell(story)


def test_too_many_orders_and_immediate_ones(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        killed = await client.ask("POST", "order", **{**LIMIT, "timeInForce": "FOK"})
        assert killed[1]["status"] == "EXPIRED"
        partly = await client.ask("POST", "order", **{**LIMIT, "timeInForce": "IOC"})
        assert partly[1]["status"] == "EXPIRED"
        spent = await client.ask("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="1000")
        assert 990 < Decimal(spent[1]["cummulativeQuoteQty"]) <= 1_000
        for _ in range(200):
            assert (await client.ask("POST", "order", **{**LIMIT, "quantity": "0.0001"}))[0] == 200
        full = await client.ask("POST", "order", **LIMIT)
        assert full == (400, {"code": -2010, "msg": "Filter failure: MAX_NUM_ORDERS"})
        assert await client.ask("POST", "order/test", **LIMIT) == (200, {})
        assert len((await client.ask("DELETE", "openOrders", symbol="BTCUSDT"))[1]) == 200
        assert (await client.ask("DELETE", "openOrders", symbol="BTCUSDT"))[1]["code"] == -2011
        assert sandbox.balances(client.credentials.account)["USDT"][1] == 0

    tell(story)


def test_cancel_replace_succeeds_fails_and_does_both(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        replace = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE"}
        _, order = await client.ask("POST", "order", **LIMIT)
        status, done = await client.ask("POST", "order/cancelReplace", **replace, cancelOrderId=order["orderId"])
        assert (status, done["cancelResult"], done["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
        status, failed = await client.ask("POST", "order/cancelReplace", **replace, cancelOrderId=1)
        assert (status, failed["code"]) == (400, -2022)
        assert failed["data"]["newOrderResult"] == "NOT_ATTEMPTED"
        allowed = {**replace, "cancelReplaceMode": "ALLOW_FAILURE"}
        status, partly = await client.ask("POST", "order/cancelReplace", **allowed, cancelOrderId=1)
        assert (status, partly["code"]) == (409, -2021)
        too_much = {**replace, "quantity": "100"}
        new_id = done["newOrderResponse"]["orderId"]
        status, partly = await client.ask("POST", "order/cancelReplace", **too_much, cancelOrderId=new_id)
        assert (status, partly["code"], partly["data"]["cancelResult"]) == (409, -2021, "SUCCESS")
        assert partly["data"]["newOrderResponse"]["code"] == -2010

    tell(story)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": "80000.001"}, "PRICE_FILTER"),
        ({"price": "900000"}, "PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.010001"}, "LOT_SIZE"),
        ({"quantity": "0.00001"}, "NOTIONAL"),
    ],
)
@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
def test_filters_are_looked_at_before_anything_is_cancelled(
    tell: Any, mode: str, change: dict[str, str], message: str
) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        _, order = await client.ask("POST", "order", **LIMIT)
        given = {**LIMIT, **change, "cancelReplaceMode": mode, "cancelOrderId": order["orderId"]}
        refused = await client.ask("POST", "order/cancelReplace", **given)
        assert refused == (400, {"code": -1013, "msg": f"Filter failure: {message}"})
        assert [row["orderId"] for row in (await client.ask("GET", "openOrders"))[1]] == [order["orderId"]]

    tell(story)


def test_a_replacement_counts_as_one_open_order_more(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        symbol = sandbox.server.exchange.markets["BTCUSDT"].symbol
        for _ in range(symbol.maximum_orders):
            _, order = await client.ask("POST", "order", **LIMIT)
        given = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order["orderId"]}
        refused = await client.ask("POST", "order/cancelReplace", **given)
        assert refused == (400, {"code": -2010, "msg": "Filter failure: MAX_NUM_ORDERS"})
        assert len((await client.ask("GET", "openOrders"))[1]) == symbol.maximum_orders

    tell(story)


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("NONE", "FILLED", "FILLED"),
    ],
)
def test_nobody_trades_with_himself_unless_he_wants_to(tell: Any, mode: str, maker: str, taker: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        # Our own order is the last one at the best price.
        market = sandbox.server.exchange.markets["BTCUSDT"]
        price, quantity = market.best[1]
        _, resting = await client.ask("POST", "order", **{**LIMIT, "side": "SELL", "price": show(price)})
        assert resting["status"] == "NEW"
        taken = {**MARKET, "quantity": show(quantity + 1_000_000)}
        _, taking = await client.ask("POST", "order", **taken, selfTradePreventionMode=mode)
        _, left = await client.ask("GET", "order", symbol="BTCUSDT", orderId=resting["orderId"])
        assert (left["status"], taking["status"]) == (maker, taker)

    tell(story, speed=0)


@pytest.mark.parametrize(
    ("mode", "prevented"),
    [
        ("EXPIRE_MAKER", [("maker", "0.03")]),
        ("EXPIRE_TAKER", [("taker", "0.02")]),
        ("EXPIRE_BOTH", [("maker", "0.03"), ("taker", "0.02")]),
    ],
)
def test_a_prevented_trade_names_both_orders_wherever_it_is_told(
    tell: Any, mode: str, prevented: list[tuple[str, str]]
) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        await client.call_signed("userDataStream.subscribe.signature")
        market = sandbox.server.exchange.markets["BTCUSDT"]
        price, quantity = market.best[1]
        offer = LIMIT | {"side": "SELL", "price": show(price), "quantity": "0.03"}
        ids = {"maker": (await client.ask("POST", "order", **offer))[1]["orderId"]}
        # All that others offer at the price is before ours; 0.02 are left when it meets it.
        taken = MARKET | {"quantity": show(quantity + 2_000_000)}
        _, taking = await client.ask("POST", "order", **taken, selfTradePreventionMode=mode)
        ids["taker"] = taking["orderId"]
        sizes = {f"{who}PreventedQuantity": f"{size}000000" for who, size in prevented}
        match = {"preventedMatchId": 1, "makerSymbol": "BTCUSDT", "makerOrderId": ids["maker"], "price": show(price)}
        assert taking["preventedMatches"] == [match | sizes]
        for who, size in prevented:
            report = await client.event(
                lambda event, id_=ids[who]: (event.get("x"), event.get("i")) == (PREVENTED, id_)
            )
            other = ids["taker" if who == "maker" else "maker"]
            told = {name: report[name] for name in ("X", "l", "L", "Y", "v", "A", "B", "U", "Cs", "pl", "pL", "pY")}
            assert told == {
                "X": "EXPIRED_IN_MATCH", "l": show(0), "L": show(0), "Y": show(0), "v": 1, "A": f"{size}000000",
                "B": f"{size}000000", "U": other, "Cs": "BTCUSDT", "pl": "0.02000000", "pL": show(price),
                "pY": show(price // 50),
            }  # fmt: skip
            assert "u" not in report  # it is there for trade groups only
            _, found = await client.ask("GET", "order", symbol="BTCUSDT", orderId=ids[who])
            assert (found["preventedMatchId"], found["preventedQuantity"]) == (1, f"{size}000000")
        group = {"takerOrderId": ids["taker"], "tradeGroupId": -1, "selfTradePreventionMode": mode}
        whole = match | sizes | group | {"symbol": "BTCUSDT", "transactTime": taking["transactTime"]}
        for named in ({"preventedMatchId": 1}, {"orderId": ids["maker"]}, {"orderId": ids["taker"], "limit": 5}):
            assert await client.ask("GET", "myPreventedMatches", symbol="BTCUSDT", **named) == (200, [whole])
        api = await client.call_signed("myPreventedMatches", symbol="BTCUSDT", orderId=ids["maker"])
        assert api["result"] == [whole]
        later = {"orderId": ids["maker"], "fromPreventedMatchId": 2}
        assert await client.ask("GET", "myPreventedMatches", symbol="BTCUSDT", **later) == (200, [])
        for odd in ({}, {"orderId": 1, "preventedMatchId": 1}, {"preventedMatchId": 1, "fromPreventedMatchId": 1}):
            assert (await client.ask("GET", "myPreventedMatches", symbol="BTCUSDT", **odd))[1]["code"] == -1128

    tell(story, speed=0)


def test_every_order_that_is_met_has_a_prevented_match_of_its_own(tell: Any, tmp_path: Path) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        market = sandbox.server.exchange.markets["BTCUSDT"]
        sandbox.server.exchange.sweep(market, True, sandbox.server.clock.now_ns())
        bid = market.best[0][0]
        makers = []
        for place, size in enumerate(("0.01", "0.5")):
            given = LIMIT | {"price": show(bid + (2 - place) * 1_000_000), "quantity": size}
            makers.append((await client.ask("POST", "order", **given))[1])
        sold = LIMIT | {"side": "SELL", "price": show(bid + 1_000_000), "quantity": "0.02"}
        _, taker = await client.ask("POST", "order", **sold)
        assert (taker["status"], taker["executedQty"]) == ("NEW", show(0))
        assert [
            (row["makerOrderId"], row["price"], row["makerPreventedQuantity"]) for row in taker["preventedMatches"]
        ] == [(maker["orderId"], maker["price"], maker["origQty"]) for maker in makers]
        first = taker["preventedMatches"][0]["preventedMatchId"]
        assert taker["preventedMatches"][1]["preventedMatchId"] == first + 1
        _, asked = await client.ask("GET", "myPreventedMatches", symbol="BTCUSDT", orderId=taker["orderId"])
        assert [row["preventedMatchId"] for row in asked] == [first, first + 1]
        await client.ask("DELETE", "openOrders", symbol="BTCUSDT")
        ids.append(first)
        kept.append((client.credentials, asked))
        client.credentials, before = kept[0]
        found = await client.ask("GET", "myPreventedMatches", symbol="BTCUSDT", orderId=before[0]["takerOrderId"])
        assert found == (200, before)

    ids: list[int] = []
    kept: list[Any] = []
    for _ in range(3):
        tell(story, speed=0, state=tmp_path / "state")
    assert ids == [1, 1_000_000_001, 2_000_000_001]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"timeInForce": "IOC"}, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ({"timeInForce": "FOK"}, "UNFILLED_FOK_ORDER_EXPIRED"),
        ({"type": "MARKET"}, "INSUFFICIENT_LIQUIDITY"),
    ],
)
def test_an_order_that_expires_says_why(tell: Any, changed: dict[str, str], reason: str) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        await client.call_signed("userDataStream.subscribe.signature")
        given = LIMIT | changed
        if given["type"] == "MARKET":
            market = sandbox.server.exchange.markets["BTCUSDT"]
            given = MARKET | {"side": "SELL", "quantity": "5"}
            sandbox.server.exchange.sweep(market, False, sandbox.server.clock.now_ns())
        _, placed = await client.ask("POST", "order", **given)
        assert (placed["status"], placed["expiryReason"]) == ("EXPIRED", reason)
        assert (await client.event(lambda event: event.get("x") == "EXPIRED"))["eR"] == reason
        _, found = await client.ask("GET", "order", symbol="BTCUSDT", orderId=placed["orderId"])
        assert found["expiryReason"] == reason

    tell(story, speed=0)


def test_a_tested_order_meets_the_filters_and_not_the_matching_engine(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        await client.ask("POST", "order", **LIMIT, newClientOrderId="mine")
        taking = {"type": "LIMIT_MAKER", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "95000"}
        for given in (LIMIT | {"quantity": "100"}, LIMIT | {"newClientOrderId": "mine"}, taking):
            assert (await client.ask("POST", "order", **given))[1]["code"] == -2010
            assert await client.ask("POST", "order/test", **given) == (200, {})
            assert (await client.call_signed("order.test", **given))["result"] == {}
        refused = await client.ask("POST", "order/test", **LIMIT | {"price": "80000.001"})
        assert refused == (400, {"code": -1013, "msg": "Filter failure: PRICE_FILTER"})

    tell(story)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"quantity": "100"}, "INSUFFICIENT_BALANCES"), ({"price": "95000"}, "WOULD_MATCH_IMMEDIATELY")],
)
def test_a_replacement_that_the_engine_rejects_is_told_after_the_cancel(
    tell: Any, changed: dict[str, str], reason: str
) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        await client.open()
        await client.call_signed("userDataStream.subscribe.signature")
        _, order = await client.ask("POST", "order", **LIMIT)
        new = {name: value for name, value in (LIMIT | changed).items() if name != "timeInForce"}
        new |= {"type": "LIMIT_MAKER", "cancelReplaceMode": "ALLOW_FAILURE", "newClientOrderId": "new"}
        for again in (False, True):
            given = new | {"cancelOrderId": order["orderId"]}
            assert (await client.ask("POST", "order/cancelReplace", **given))[0] == (400 if again else 409)
        report = await client.event(lambda event: event.get("x") == "REJECTED")
        told = {name: report[name] for name in ("X", "r", "c", "q", "p", "w", "z")}
        size, price = (f"{Decimal(new[name]):.8f}" for name in ("quantity", "price"))
        assert told == {"X": "REJECTED", "r": reason, "c": "new", "q": size, "p": price, "w": False, "z": show(0)}
        _, orders = await client.ask("GET", "allOrders", symbol="BTCUSDT")
        assert [row["status"] for row in orders] == ["CANCELED"]
        # Nothing is said where nothing was cancelled.
        await client.ask("POST", "order", **LIMIT, newClientOrderId="last")
        await client.event(lambda event: event.get("c") == "last")
        told = [event["event"]["x"] for event in client.events if "x" in event["event"]]
        assert told == ["NEW", "CANCELED", "REJECTED", "NEW"]

    tell(story)


def test_orders_and_fills_are_asked_for_by_id_or_by_time(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        asked = {"symbol": "BTCUSDT", "orderId": 2**62}
        await client.ask("POST", "order", **LIMIT)
        _, order = await client.ask("POST", "order", **MARKET)
        assert await client.ask("GET", "allOrders", **asked) == (200, [])
        for times in ({"startTime": 1}, {"endTime": order["transactTime"]}):
            # The id is ignored.
            assert len((await client.ask("GET", "allOrders", **asked, **times))[1]) == 2
            for named in ({"orderId": order["orderId"]}, {"fromId": 1}):
                refused = (await client.ask("GET", "myTrades", symbol="BTCUSDT", **named, **times))[1]
                assert refused == {"code": -1128, "msg": "Combination of optional parameters invalid."}
        _, fills = await client.ask("GET", "myTrades", symbol="BTCUSDT", orderId=order["orderId"], fromId=1)
        assert [row["id"] for row in fills] == [row["tradeId"] for row in order["fills"]]

    tell(story)
