"""Faults of what a browser speaks to: REST, auth, Realtime, the dashboard."""

from __future__ import annotations

import pytest

from cli.checks.check import Verdict
from local.ports import HOST
from tests.integration.doctor.patient import (
    FAULT,
    OK,
    RESTART,
    Answer,
    changed,
    elsewhere,
    examine,
    execute,
    fails,
    frozen,
    hotel,
    standin,
    type_sql,
)
from tests.integration.standin_servers import free_port
from tests.stack import Stack

KEYS = "both keys in .env as Settings → API Keys shows them"


@pytest.mark.parametrize("name", ["supabase_secret_key", "supabase_publishable_key"])
def test_key_is_wrong(values: dict[str, str], name: str) -> None:
    wrong = values | {name: "sb_wrong"}
    fails(examine(wrong, "rest")["rest"], f"{name.upper()} is refused (401)", RESTART)
    assert examine(elsewhere(wrong), "rest")["rest"].mend == KEYS


def test_rest_server_does_not_know_a_view(cloud: Stack, values: dict[str, str]) -> None:
    """As after a migration that it was not told of."""

    def is_found(verdict: Verdict) -> bool:
        return examine(values, "rest")["rest"].verdict is verdict

    with changed(
        cloud,
        "alter view public.feed_status rename to feed_status_kept",
        "alter view public.feed_status_kept rename to feed_status",
    ):
        execute(cloud, "notify pgrst, 'reload schema'")
        # It reads its views anew some time after it was told to.
        cloud.wait_for(lambda: is_found(FAULT), "the view to be gone")
        found = examine(values, "rest")["rest"]
    type_sql(cloud, found.mend)
    cloud.wait_for(lambda: is_found(OK), "the view to be known again")


NOT_FOUND = (404, "text/plain", "no such page")


@pytest.mark.parametrize(
    ("answer", "words", "mend"),
    [
        (
            lambda _: NOT_FOUND,
            "answered 404: SUPABASE_URL is no project's",
            "set SUPABASE_URL in .env to the project's URL",
        ),
        (lambda _: (503, "text/plain", ""), "answered 503", RESTART),
    ],
)
def test_rest_answers_otherwise(
    values: dict[str, str], answer: Answer, words: str, mend: str
) -> None:
    with standin(answer) as url:
        found = examine(values | {"supabase_url": url}, "rest", "realtime")
    fails(found["rest"], words, mend)
    fails(found["realtime"], f"the socket was answered {words.split()[1].strip(':')}", RESTART)


def test_nothing_listens(values: dict[str, str]) -> None:
    nobody = f"http://{HOST}:{free_port()}"
    closed = values | {"supabase_url": nobody, "dashboard_url": nobody}
    found = examine(closed, "rest", "realtime", "dashboard")
    for name in ("rest", "realtime", "dashboard"):
        assert (found[name].verdict, found[name].mend) == (FAULT, RESTART)
        assert "connection refused: nothing listens there" in found[name].found


def test_realtime_is_down(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "realtime"):
        found = examine(values, "realtime")["realtime"]
    fails(found, "no ", RESTART)
    assert found.took_ms <= 5_100


def test_realtime_refuses_the_key_and_the_topic(values: dict[str, str]) -> None:
    refused = examine(values | {"supabase_secret_key": "sb_wrong"}, "realtime")["realtime"]
    fails(refused, "SUPABASE_SECRET_KEY is refused (401)", "closebell doctor rest")
    # With a key that may not listen to everything.
    public = values | {"supabase_secret_key": values["supabase_publishable_key"]}
    found = examine(public, "realtime")["realtime"]
    fails(found, "the join of a private topic was refused: ", RESTART)


def test_message_of_postgres_is_lost(cloud: Stack, values: dict[str, str]) -> None:
    """Realtime answers, and Postgres keeps the message to itself."""
    with changed(
        cloud,
        "alter function realtime._read_messages rename to _lost",
        "alter function realtime._lost rename to _read_messages",
    ):
        found = examine(values, "realtime")["realtime"]
    fails(found, "joined, but no message of Postgres came in 3 s", RESTART)


@pytest.mark.parametrize(
    ("answer", "words"),
    [(lambda _: NOT_FOUND, "404 text/plain"), (lambda _: (200, "a/b", ""), "200 a/b")],
)
def test_dashboard_is_not_there(values: dict[str, str], answer: Answer, words: str) -> None:
    with standin(answer) as url:
        values["dashboard_url"] = url
        fails(examine(values, "dashboard")["dashboard"], f"{url} answered {words}", RESTART)
        there = examine(elsewhere(values), "dashboard")["dashboard"]
    assert there.mend == "closebell deploy"


def test_page_of_a_hotel_is_taken_for_the_dashboard(values: dict[str, str]) -> None:
    """A page is a page: what is behind it the other checks ask."""
    with standin(hotel) as url:
        assert examine(values | {"dashboard_url": url}, "dashboard")["dashboard"].verdict is OK
