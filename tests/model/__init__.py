"""An independent model of the kernel, written from docs/semantics.md, and random strategies that it is held against.

What strategies ask for is all that it takes from a run. What they are told because of it, call by call, and what they
see in each call, is computed here: what risk refuses, what the venue answers and when, what targets send, what is held.
"""
