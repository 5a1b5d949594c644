"""Pure words of the market: interval, kline, frame, window. No clock, socket, store or logger."""
