"""The cloud on one machine: real Postgres and Redis, thin stand-ins, and who keeps them alive.

Nothing in collector, functions or shared imports it.
"""
