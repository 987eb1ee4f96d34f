"""When which fault begins: stated one by one, or by the chance of a seed."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradewind.errors import exception
from tradewind.sandbox.faults.table import ACTIONS, check_parameters, known
from tradewind.sandbox.mistakes import mistakes


class Step(BaseModel):
    """One fault of a schedule; what else can be stated of the fault stands beside these.

    Parameters
    ----------
    name
        Of the fault, or its number.
    at
        After how many seconds.
    duration
        For how many seconds a switch stays on; without it, for good.

    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    at: float = Field(ge=0)
    duration: float | None = Field(None, gt=0)

    def model_post_init(self, context: Any, /) -> None:
        """Look the fault up."""
        check_parameters(known(self.name), dict(self.parameters))

    @property
    def parameters(self) -> dict[str, Any]:
        """What is stated of the fault itself."""
        return {name: value for name, value in (self.model_extra or {}).items() if name != "occasions"}


class Chance(BaseModel):
    """Faults that come and go by chance, the same for the same seed.

    Parameters
    ----------
    names
        Which.
    seed
        Decides when, which and for how long.
    seconds
        For how long they come.
    every_seconds
        How far they are apart on average, and how long a switch stays on at most.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(min_length=1)
    seed: int
    seconds: float = Field(gt=0)
    every_seconds: float = Field(5.0, gt=0)


class Schedule(BaseModel):
    """What goes wrong when; a file of ``tradewind sandbox --faults``, or the body of ``POST /control/schedule``.

    Parameters
    ----------
    faults
        Stated ones.
    chance
        Others by chance.

    Examples
    --------
    >>> schedule = Schedule.read({"faults": [{"name": "hard_close", "at": 3, "kind": "api"}]})
    >>> schedule.steps()
    [Step(name='hard_close', at=3.0, duration=None, kind='api')]

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    faults: tuple[Step, ...] = ()
    chance: Chance | None = None

    @classmethod
    def read(cls, values: Any) -> Self:
        """Build a schedule, or say all that is wrong with it."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise mistakes("schedule", error) from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a TOML file."""
        try:
            return cls.read(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise exception("unreadable_file", f"{path} cannot be read: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise exception("unreadable_file", f"{path} is not TOML: {error}") from error

    def steps(self) -> list[Step]:
        """All faults in the order of their times."""
        by_chance = []
        if self.chance is not None:
            one = self.chance
            by_chance = plan(one.names, one.seed, one.seconds, one.every_seconds)
        return sorted([*self.faults, *by_chance], key=lambda step: step.at)


def plan(names: Iterable[str], seed: int, seconds: float, every_seconds: float) -> list[Step]:
    """When which fault begins, and how long it lasts: the same for the same seed.

    Examples
    --------
    >>> [(step.name, round(step.at, 1)) for step in plan(["silent_stall"], seed=1, seconds=20, every_seconds=10)]
    [('silent_stall', 1.4), ('silent_stall', 8.3), ('silent_stall', 13.1), ('silent_stall', 13.3)]

    """
    chance, all_names = random.Random(seed), [known(name) for name in names]
    steps: list[Step] = []
    at = chance.expovariate(1 / every_seconds)
    while at < seconds:
        name, length = chance.choice(all_names), chance.uniform(0.1, every_seconds)
        steps.append(Step(name=name, at=at, duration=None if name in ACTIONS else length))
        at += chance.expovariate(1 / every_seconds)
    return steps
