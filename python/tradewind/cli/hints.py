"""Hints in the words of the command line."""

from __future__ import annotations

import re

_WORDS = (
    (r"add align=True", "add --align"),
    (r"minimum_latency_ns=\.\.\.", "--minimum-latency 1ms"),
    (r"quote_latency_ns=\.\.\.", "--quote-latency 5ms"),
    (r"\blatency_ns=\.\.\.", "--data-latency 5ms"),
    (r'rounding="nearest"', "--rounding nearest"),
    (r'grid="decimals"', "--grid decimals"),
    (r"sort=True", "--sort"),
    (r'zone="?([\w/]+)"?', r"--zone \1"),
    (r'time_unit="?(\w+)"?', r"--time-unit \1"),
    (r'columns=\{"([^"]+)": "([^"]+)"\}', r"--column \1=\2"),
    (r'currency="([^"]+)"', r"--currency \1"),
    (r"write balances=\{.*\}", "name it: --balance venue:USDT=1000"),
    (r'venues=\{.*latency="(\w+)"\)\}', r"--latency \1"),
    (
        r"values from outside are given by name beside the instruments' data; here are none",
        'name their file in a system file: [[data]] with kind = "values", and run it with --mode backtest',
    ),
    (r"read it with instruments\.load_file\(path\)", "name it with --instrument FILE.toml"),
)


def spoken(hint: str) -> str:
    """A hint that names arguments of Python, with the options that stand for them.

    Examples
    --------
    >>> spoken('add currency="USDT"')
    'add --currency USDT'

    """
    for pattern, words in _WORDS:
        hint = re.sub(pattern, words, hint)
    return hint
