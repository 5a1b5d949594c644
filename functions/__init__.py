"""The stateless functions: one folder each, handler.py (edge) and core.py (pure); see main.py."""

# The same as in pyproject.toml, which is not part of a deployed function.
VERSION = "0.1.0"
