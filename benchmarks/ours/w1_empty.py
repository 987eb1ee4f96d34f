"""W1-empty."""

import w1

if __name__ == "__main__":
    w1.measure("W1-empty", w1.Empty)
