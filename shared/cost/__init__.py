"""What Closebell costs: the arithmetic behind budgets, projections and bills.

commands.py (Redis commands of a configuration, and the refusal) · plan.py (everything else a
configuration will use) · prices.py (what amounts cost). The figures are in two files:
measured.toml (units, written by `python -m bench cost`) and prices.toml (dated, with sources).
"""
