"""W3-data."""

import w3

if __name__ == "__main__":
    w3.measure("W3-data", orders=False)
