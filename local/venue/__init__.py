"""A venue on this machine: speaks Binance spot's wire protocol, simulated or from a recording.

`market_protocol.py` names what a market is; `market.py` (simulated) and `replay.py` (recording)
are markets; `server.py` serves either over REST and sockets; `faults.py` breaks it on demand.
"""
