"""The rule engine against its peers, and how it grows: `make bench-engine`.

Flow: market (bars) and traders (rules) are written to a folder; ours and each peer in bench/peers
read them in a process of their own, on one thread, and answer with seconds and verdicts; versus
compares both; growth has the figures that have no peer; run puts them together.
"""
