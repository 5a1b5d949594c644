"""Peers of the engine's benchmark, run with their own interpreter (.local/bench-peers).

They read the folder that bench/engine/workspace.py writes and import nothing of ours.
"""
