"""What `closebell doctor` looks at: one module a subject, each check a question with one answer.

A check is a pair: an edge that asks (a request, a query) and a pure `judge_…` that decides. The
list of all of them is in catalogue.py, their running in runner.py. docs/doctor.md is the table for
operators; a test holds both equal.
"""

# In the order in which they are shown. Here, beside nothing that takes time to import: a shell
# completes them. A test holds it equal to the catalogue.
NAMES = (
    "settings",
    "disk",
    "venue",
    "venue_sockets",
    "clock",
    "redis",
    "eviction",
    "collector",
    "postgres",
    "postgres_clock",
    "extensions",
    "migrations",
    "routines",
    "timetable",
    "cron",
    "functions_url",
    "secret",
    "functions",
    "signature",
    "requests",
    "rest",
    "realtime",
    "dashboard",
    "budget",
    "free_tier",
    "kill_switch",
    "incidents",
    "backup",
)
