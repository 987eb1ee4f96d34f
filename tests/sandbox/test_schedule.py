"""Schedules of faults."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import TradewindError
from tradewind.sandbox import Sandbox
from tradewind.sandbox.faults import ACTIONS, SWITCHES, Schedule
from tradewind.sandbox.faults.actions import RUN

TEXT = """
[[faults]]
name = "F51"
at = 0.1
duration = 0.2

[[faults]]
name = "clock"
at = 0.05
seconds = -3

[chance]
names = ["dropped_diff", "hard_close"]
seed = 4
seconds = 30
"""


def test_a_file_says_what_goes_wrong_when(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(TEXT)
    schedule = Schedule.load(path)
    assert schedule.steps() == Schedule.load(path).steps()
    assert [step.name for step in schedule.steps()[:2]] == ["clock", "F51"]

    async def story() -> None:
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=0, faults=schedule) as sandbox:
            await asyncio.sleep(0.2)
            assert sandbox.server.clock.offset_ns == -3_000_000_000
            assert "rest_error" in sandbox.server.faults.active
            await asyncio.sleep(0.3)
            assert "rest_error" not in sandbox.server.faults.active

    asyncio.run(story())


def test_one_comes_over_the_control_interface(tell: Any) -> None:
    async def story(sandbox: Any, client: Any) -> None:
        url, headers = f"{sandbox.rest_url}/control/schedule", {"Authorization": f"Bearer {sandbox.control_token}"}
        good = {"faults": [{"name": "lost_push", "at": 0}], "chance": {"names": ["clock"], "seed": 1, "seconds": 9}}
        for body, status in ((good, 200), ({"faults": [{"name": "rain", "at": 0}]}, 400)):
            async with client.http.post(url, json=body, headers=headers) as answer:
                assert answer.status == status
        await asyncio.sleep(0.05)
        assert "lost_push" in sandbox.server.faults.active

    tell(story)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"faults": [{"name": "rain", "at": 1}]}, "no fault 'rain'"),
        ({"faults": [{"name": "dropped_diff", "at": -1}]}, "greater than or equal to 0"),
        ({"faults": [{"name": "dropped_diff", "at": 1, "how": "so"}]}, "there is no 'how'"),
        ({"fault": []}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(values: Any, message: str) -> None:
    with pytest.raises(TradewindError, match=message):
        Schedule.read(values)


def test_every_action_is_in_the_table() -> None:
    assert RUN.keys() == ACTIONS.keys()
    assert not ACTIONS.keys() & SWITCHES.keys()


def test_the_documentation_lists_all_faults() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
    for name, row in {**SWITCHES, **ACTIONS}.items():
        assert f"| `{name}` | {row.ids} | {row.what} |" in text


def test_every_row_of_the_list_of_live_faults_has_a_fault_or_a_reason() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text().partition("have no switch here")[2]
    covered = {number for row in {**SWITCHES, **ACTIONS}.values() for number in row.ids.split()}
    explained = set(re.findall(r"^\| (F\d+)(?:, (F\d+))?", text, re.MULTILINE))
    reasons = {number for pair in explained for number in pair if number}
    assert not covered & reasons
    assert covered | reasons == {f"F{number}" for number in range(1, 58)}
