"""A client in its own process: it is asked in JSON lines, and answers in them."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from agreement import WrongError

_ANSWER_SECONDS = 20
_PUSH_SECONDS = 10


class AbsentError(Exception):
    """The client does not offer that."""


class RefusedError(Exception):
    """The exchange refused, and the client said so in its own words.

    Parameters
    ----------
    kind, code
        The client's exception, and the exchange's code.

    """

    def __init__(self, kind: str, code: int) -> None:
        super().__init__(f"{kind} {code}")
        self.kind, self.code = kind, code


class Driver:
    """A client that does what it is asked.

    Parameters
    ----------
    command
        How its script is started.
    setting
        What the script has to know, as its first line of input.
    errors
        Where what it complains about goes.

    """

    def __init__(self, command: Sequence[str], setting: Mapping[str, Any], errors: Path) -> None:
        self.pushes: defaultdict[str, list[Any]] = defaultdict(list)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._errors = errors.open("w")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        self._process: subprocess.Popen[str] = subprocess.Popen(command, text=True, **pipes)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._write(setting)

    def _write(self, value: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.startswith('{"'):
                self._errors.write(line)
                continue
            value = json.loads(line)
            if "push" in value:
                self.pushes[value["push"]].append(value["value"])
            else:
                self._answers.put(value)
        self._answers.put({"failed": "the client's process has ended"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        self._errors.close()

    def ask(self, call: str, **arguments: Any) -> Any:
        """Let the client make a call; gives what it makes of the answer."""
        if self._process.poll() is not None:
            raise RuntimeError("the client's process has ended")
        self._write({"call": call, "arguments": arguments})
        try:
            found = self._answers.get(timeout=_ANSWER_SECONDS)
        except queue.Empty:
            # Its answer to this call must not become that to the next one.
            self._process.kill()
            raise TimeoutError(f"{call}: no answer in {_ANSWER_SECONDS} s") from None
        if "absent" in found:
            raise AbsentError(found["absent"])
        if "refused" in found:
            raise RefusedError(*found["refused"])
        if "failed" in found:
            raise RuntimeError(found["failed"])
        return found["ok"]

    def wait(self, check: Callable[[], Any]) -> None:
        """Wait until what was pushed is enough for a check; it looks at the exchange, so it is not asked too often."""
        pause, left = 0.05, _PUSH_SECONDS
        while True:
            try:
                check()
                return
            except WrongError:
                if left <= 0:
                    raise
            time.sleep(pause)
            left, pause = left - pause, 2 * pause
