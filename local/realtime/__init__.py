"""Supabase Realtime as far as Closebell uses it: broadcast from the database to private channels.

`wire` (frames of both protocol versions) and `tokens` (JWT) are pure; `authorization` and
`messages` talk to Postgres; `client` is one socket; `hub` knows who joined what; `__main__` wires.
Presence, Postgres changes and broadcasts from clients are refused with the reason.
"""
