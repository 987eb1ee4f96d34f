"""Binance Spot as it is in 2026: REST, market streams and the WebSocket API of a local exchange."""
