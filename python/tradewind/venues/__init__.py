"""Venues: the interfaces that one implements, and the venues that come with Tradewind."""
