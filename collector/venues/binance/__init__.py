"""Binance spot: market data only, no key needed."""
