"""Long-running: venue sockets → frames in Redis. Wiring: run.py; the flow: docs/collector.md."""
