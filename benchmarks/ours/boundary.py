"""The bare boundary: a loop that builds the trade, updates two averages and calls `on_trade`, and nothing else."""

import json

import market
import w1

import tradewind as tw
from tradewind._core import boundary

if __name__ == "__main__":
    data = market.w1()
    lines = []
    for strategy, averages in ((w1.EmaCross, True), (w1.Empty, False)):
        best = min(boundary(strategy(), data.index, data.recordings[0], averages) for _ in range(5))
        lines.append(data.rows / best)
    line = {
        "id": "boundary",
        "events": data.rows,
        "orders": 0,
        "seconds": data.rows / lines[0],
        "events_per_second": lines[0],
        "empty_events_per_second": lines[1],
        "version": tw.__version__,
    }
    print(json.dumps(line))
