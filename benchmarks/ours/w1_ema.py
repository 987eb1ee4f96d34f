"""W1-ema."""

import w1

if __name__ == "__main__":
    w1.measure("W1-ema", w1.EmaCross)
