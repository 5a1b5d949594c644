"""Long-running: venue sockets → frames in Redis. Wiring: run.py; the flow: docs/collector.md."""

# The same as in pyproject.toml, which is not part of a deployed collector.
VERSION = "0.1.0"
