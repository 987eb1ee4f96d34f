"""W3-orders."""

import w3

if __name__ == "__main__":
    w3.measure("W3-orders", orders=True)
