"""An independent model of the kernel, written from docs/semantics.md, and random strategies that it is held against.

The kernel's own word is taken for when it sent a request and, on spot, for which reduce-only orders are not covered any
more. What the venue must answer, and when, what that makes of orders,
positions and balances, what a target must send and what risk must refuse is computed here.
"""
