"""Benchmarks: every figure Closebell promises, measured here and nowhere else.

`make bench` runs them all; `python -m bench NAME …` some. Results go to bench/results.json
(name, value, unit, baseline, ratio, conditions) and from there to docs/performance.md.
"""
