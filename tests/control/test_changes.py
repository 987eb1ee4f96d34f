"""What a session is asked to do is an input of its journal, and done."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

import tradewind as tw
from tradewind.cli import run as run_cli
from tradewind.cli.ctl import ctl
from tradewind.control import Control
from tradewind.control.entries import Command, Entry, EntryDecoder, Parameter, Value
from tradewind.errors import TradewindError
from tradewind.journal import Journal
from tradewind.session.parity import parity

BTC = "binance_spot:BTCUSDT"
Kind = TypeVar("Kind", bound=Entry)


def run_folder(folder: Path, mode: str = "paper") -> Path:
    return folder / "runs/busy" / mode


def written(folder: Path, kind: type[Kind], mode: str = "paper") -> list[Kind]:
    """The entries of a kind in a run's journal."""
    with Journal(run_folder(folder, mode)) as journal:
        decoder = EntryDecoder(journal.manifest)
        entries = [entry for block in journal.blocks() for entry in decoder.decode(block)]
        return [entry for entry in entries if isinstance(entry, kind)]


def test_values_go_to_the_strategies_that_named_them(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        done = await one.ask(lambda control: control.value("mood", 0.5))
        assert done.strategies == ["busy"] and done.sequence == one.session.audit.last
        await one.ask(lambda control: control.value("mood", {"rates": [1, 2.5]}))
        assert (await one.ask(lambda control: control.value("weather", "rain"))).strategies == []
        early = tw.times.from_ns(one.kernel.now_ns - 10**9)
        await one.ask(lambda control: control.value("mood", "7", kind="json", time=early))
        assert one.strategy.moods == [0.5, {"rates": [1, 2.5]}, 7]

    steer(work)
    values = written(tmp_path, Value)
    assert [(one.stream, one.kind, one.number, one.text) for one in values] == [
        ("mood", "number", 0.5, None),
        ("mood", "json", None, '{"rates": [1, 2.5]}'),
        ("weather", "text", None, "rain"),
        ("mood", "json", None, "7"),
    ]
    assert values[-1].time_ns - values[-1].source_time_ns >= 10**9 - 1_000
    assert tw.journal.replay(run_folder(tmp_path)).identical


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), {"rates": [1, (2.5, float("inf"))]}])
def test_a_number_that_json_does_not_have_is_not_sent(steer: Any, value: Any) -> None:
    async def work(one: Any) -> None:
        for act in (lambda c: c.value("mood", value), lambda c: c.set_parameter("busy", "tags", value)):
            with pytest.raises(TradewindError, match="is not a finite number") as caught:
                await one.ask(act)
            assert caught.value.code == "not_a_number"
        await one.ask(lambda control: control.value("mood", None))
        assert one.strategy.moods == [None]

    steer(work)


def test_an_order_is_opened_cancelled_and_closed_in_the_name_of_a_strategy(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        bought = await one.ask(lambda control: control.open("busy", BTC, "buy", "0.010"))
        assert bought.order.status == "in_flight" and bought.order.quantity == Decimal("0.01")
        await one.until(one.kernel.positions)
        assert one.kernel.positions() == [("busy", BTC, "0.00999")]

        below = await one.ask(lambda control: control.open("busy", BTC, "buy", 0.001, price=one.price(0.9)))
        other = await one.ask(lambda control: control.open("busy", BTC, "buy", 0.002, price=one.price(0.8)))
        numbers = [below.order.number, other.order.number]
        await one.until(lambda: [order["status"] for order in one.kernel.open_orders()] == ["open", "open"])
        done = await one.ask(lambda control: control.cancel(order=numbers[1]))
        assert done.orders == numbers[1:]
        await one.until(lambda: [order["order_id"] for order in one.kernel.open_orders()] == numbers[:1])
        assert (await one.ask(lambda control: control.cancel(order=numbers[1]))).orders == []
        assert (await one.ask(lambda control: control.cancel(strategy="busy", instrument=BTC))).orders == numbers[:1]
        await one.until(lambda: not one.kernel.open_orders())

        done = await one.ask(lambda control: control.close(instrument=BTC))
        assert done.positions == [("busy", BTC)]
        await one.until(lambda: not one.kernel.positions())
        assert (await one.ask(lambda control: control.close())).positions == []

    steer(work)
    commands = [(one.command, one.strategy, one.instrument) for one in written(tmp_path, Command)]
    assert commands[1:-4] == [
        ("open", "busy", BTC),
        ("open", "busy", BTC),
        ("open", "busy", BTC),
        ("cancel", None, None),
        ("cancel", None, None),
        ("cancel_all", "busy", BTC),
        ("close_all", None, BTC),
        ("close_all", None, None),
    ]
    assert tw.journal.replay(run_folder(tmp_path)).identical
    found = parity(run_folder(tmp_path))
    assert found.is_equal and found.orders == 4, str(found)


def test_orders_are_opened_and_cancelled_at_a_real_venue(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        opened = await one.ask(lambda control: control.open("busy", BTC, "buy", "0.001", price=one.price(0.9)))
        await one.until(lambda: one.open_at_venue)
        assert (await one.ask(lambda control: control.cancel(order=opened.order.number))).orders == [
            opened.order.number
        ]
        await one.until(lambda: not one.open_at_venue and not one.kernel.open_orders())

    steer(work, mode="live")
    assert tw.journal.replay(run_folder(tmp_path, "live")).identical


def test_what_is_not_closed_is_told(steer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async def work(one: Any) -> None:
        faults, connections = one.sandbox.server.faults, one.session.health.connections
        await one.ask(lambda control: control.open("busy", BTC, "buy", "0.01"))
        await one.until(one.kernel.positions)
        faults.on("refused_connections")
        faults.on("hard_close", kind="api")
        await one.until(lambda: not connections["binance_spot orders"])
        done = await one.ask(lambda control: control.close(instrument=BTC))
        assert done.positions == []
        (refused,) = done.refused
        assert (refused.strategy, refused.instrument, refused.side) == ("busy", BTC, "sell")
        assert refused.reason == "venue_disconnected"
        assert await asyncio.to_thread(ctl, str(one.ready.folder), "close") == 1
        out = capsys.readouterr().out
        assert f"{BTC} of busy stays: its order #{refused.number + 1} is rejected [venue_disconnected]: " in out
        assert "closing" not in out
        faults.clear()
        await one.until(lambda: connections["binance_spot orders"])
        done = await one.ask(lambda control: control.close(instrument=BTC))
        assert (done.positions, done.refused) == ([("busy", BTC)], [])
        await one.until(lambda: not one.kernel.positions())

    steer(work, mode="live")


def test_a_cancelled_target_is_not_ordered_again(steer: Any) -> None:
    async def work(one: Any) -> None:
        await one.ask(lambda control: control.value("mood", "wait"))
        await one.until(lambda: any(order["status"] == "open" for order in one.kernel.open_orders()))
        (order,) = one.kernel.open_orders()
        await one.ask(lambda control: control.cancel(order=order["order_id"]))
        await one.until(lambda: not one.kernel.open_orders())
        seen = one.strategy.seen
        await one.until(lambda: one.strategy.seen > seen + 3)
        assert not one.kernel.open_orders() and not one.kernel.positions()

    steer(work)


def test_without_trading_only_reductions_pass(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        await one.ask(lambda control: control.open("busy", BTC, "buy", "0.01"))
        await one.until(one.kernel.positions)
        await one.ask(lambda control: control.trading(False))
        assert not (await one.ask(lambda control: control.status())).is_trading
        refused = await one.ask(lambda control: control.open("busy", BTC, "buy", "0.01"))
        assert (refused.order.status, refused.order.reason) == ("rejected", "trading_off")
        sold = await one.ask(lambda control: control.open("busy", BTC, "sell", "0.009"))
        assert sold.order.status == "in_flight"
        await one.ask(lambda control: control.trading(True))
        assert one.kernel.is_trading

    steer(work)
    assert tw.journal.replay(run_folder(tmp_path)).identical


def test_a_parameter_is_set_while_the_strategy_runs(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        for name, value in (("size", 1), ("pace", 5), ("tags", ["a", "b"]), ("size", 0.25)):
            await one.ask(lambda control, name=name, value=value: control.set_parameter("busy", name, value))
        status = await one.ask(lambda control: control.status())
        expected = {"size": 0.25, "pace": 5, "word": "calm", "tags": ["a", "b"]}
        assert status.strategies[0].parameters == expected and one.strategy.size == 0.25

    steer(work)
    found = [(one.parameter, one.kind, one.number, one.text) for one in written(tmp_path, Parameter)]
    assert found == [
        ("size", "number", 1.0, None),
        ("pace", "json", None, "5"),
        ("tags", "json", None, '["a", "b"]'),
        ("size", "number", 0.25, None),
    ]
    assert tw.journal.replay(run_folder(tmp_path)).identical


BAD_PARAMETERS = [
    ("siez", 1, "bad_strategy", "siez is not a parameter"),
    ("size", "much", "wrong_type", "size = 'much' is not of the type float"),
    ("size", True, "wrong_type", "size = True"),
    ("size", None, "wrong_type", "size = None"),
    ("size", 2, "bad_strategy", "above 1"),
    ("size", float("nan"), "not_a_number", "size: nan"),
    ("pace", 2.5, "wrong_type", "pace = 2.5"),
    ("word", "loud", "bad_strategy", "word = 'loud' is not a choice"),
    ("word", "wild", "strategy_failed", "ZeroDivisionError: not now"),
]


def test_a_parameter_that_is_not_taken_harms_nothing(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        for name, value, code, message in BAD_PARAMETERS:
            with pytest.raises(TradewindError) as caught:
                await one.ask(lambda control, name=name, value=value: control.set_parameter("busy", name, value))
            assert caught.value.code == code and message in caught.value.message, caught.value
        assert not one.kernel.is_failed and one.session.failure is None
        await one.ask(lambda control: control.value("mood", 1))
        assert one.strategy.moods == [1] and one.strategy.size == 0.01

    steer(work)
    # Only what the strategy itself refused has reached it: the rest was told to whoever asked.
    assert [one.text for one in written(tmp_path, Parameter)] == ["wild"]
    assert tw.journal.replay(run_folder(tmp_path)).identical


def test_a_callback_that_raises_ends_the_session_and_whoever_asked_is_told(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        with pytest.raises(TradewindError, match="ends by this: mine") as caught:
            await one.ask(lambda control: control.value("mood", "fail"))
        assert caught.value.code == "not_running"

    with pytest.raises(ZeroDivisionError, match="mine"):
        steer(work)


def test_what_is_not_answered_in_time_is_said_to_be_unknown_and_not_done_late(steer: Any, tmp_path: Path) -> None:
    told: list[TradewindError] = []

    def give_up(act: Any) -> None:
        with pytest.raises(TradewindError) as caught:
            act()
        told.append(caught.value)

    async def work(one: Any) -> None:
        hasty = Control(one.ready.folder, timeout_seconds=0.2)
        price = one.price(0.9)
        acts = [lambda: hasty.open("busy", BTC, "buy", "0.001", price=price)] * 3 + [hasty.status]
        for act in acts:
            asking = threading.Thread(target=give_up, args=(act,))
            asking.start()
            # The loop is held up until the client has given up.
            asking.join()
        assert (await one.ask(lambda control: control.open("busy", BTC, "buy", "0.002", price=price))).order.number
        assert (await one.ask(Control.status)).orders == 1

    steer(work)
    assert [error.code for error in told] == ["unreachable"] * 4
    assert all("/open and did not answer within 0.2 s; whether" in error.message for error in told[:3])
    assert all("status before you repeat it" in error.hint for error in told[:3]) and "whether" not in told[3].message
    assert [one.quantity for one in written(tmp_path, Command) if one.command == "open"] == [Decimal("0.002")]


def test_stopping_ends_the_session_in_order(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        await one.ask(lambda control: control.open("busy", BTC, "buy", "0.001", price=one.price(0.9)))
        await one.ask(Control.stop)
        await one.running

    steer(work)
    with Journal(run_folder(tmp_path)) as journal:
        assert journal.ending.finished
    assert [one.command for one in written(tmp_path, Command)][-4:] == [
        "trading_off",
        "cancel_all",
        "trading_off",
        "stop",
    ]
    assert not (run_folder(tmp_path) / "control.json").exists()
    with pytest.raises(TradewindError, match="no session runs in"):
        Control(run_folder(tmp_path))


def test_an_end_that_is_hurried_waits_for_nothing_and_says_what_is_open(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        await one.ask(lambda control: control.open("busy", BTC, "buy", "0.001", price=one.price(0.9)))
        await one.until(lambda: one.open_at_venue)
        one.sandbox.server.faults.on("half_open", kind="api")
        one.session.stop()
        await one.until(lambda: any(order["status"] == "cancel_in_flight" for order in one.kernel.open_orders()))
        one.session.hurry()
        await one.running

    with pytest.raises(TradewindError, match="orders are open or may be: tw") as caught:
        steer(work, mode="live", more='\n[shutdown]\ntimeout = "1h"\n')
    assert caught.value.code == "run_interrupted"
    with Journal(run_folder(tmp_path, "live")) as journal:
        assert not journal.ending.finished


def test_a_parameter_that_the_strategys_own_method_leaves_is_not_said_to_be_set(
    steer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trader = tmp_path / "mine.py"
    trader.write_text(
        Path(__file__).with_name("trader.py").read_text().replace("super().set_parameter(name, value)", "self.pace")
    )

    async def work(one: Any) -> None:
        assert not (await one.ask(lambda control: control.set_parameter("busy", "size", 0.5))).is_taken
        assert one.strategy.size == one.strategy.parameters["size"] == 0.01
        assert await asyncio.to_thread(run_cli, ["ctl", str(one.ready.folder), "set", "busy", "size", "0.5"]) == 0
        assert "busy: size is not 0.5: the strategy's own set_parameter was given that" in capsys.readouterr().out

    steer(work, trader=trader)
