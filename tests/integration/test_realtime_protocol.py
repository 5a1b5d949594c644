"""The pure parts of the Realtime stand-in: frames, tokens, and the cursor of the stream."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import jwt
import pytest

from local.realtime.messages import Cursor, StoredMessage
from local.realtime.tokens import Keys
from local.realtime.wire import Message, Version, decode_message, encode_broadcast, encode_reply
from shared.errors import InvalidRequest, Unauthorized
from tests.integration.standin_servers import JWT_SECRET, PUBLISHABLE_KEY, SECRET_KEY

USER = "11111111-1111-4111-8111-111111111111"
NOW_S = 1_700_000_000


def token_of(**claims: object) -> str:
    content = {"sub": USER, "role": "authenticated", "exp": NOW_S + 60, **claims}
    return jwt.encode(content, JWT_SECRET, algorithm="HS256")


# Frames


def test_broadcast_of_version_2_is_a_binary_frame() -> None:
    frame = encode_broadcast(Version.V2, "realtime:a", "ev", '{"x": 1}', "id-1")
    assert frame == b"\x04\x0a\x02\x0d\x01realtime:aev" + b'{"id":"id-1"}' + b'{"x": 1}'


def test_broadcast_of_version_1_is_an_object_with_the_payload_inside() -> None:
    frame = encode_broadcast(Version.V1, "realtime:a", "ev", '{"x": 1}', "id-1")
    assert isinstance(frame, str)
    assert json.loads(frame) == {
        "topic": "realtime:a",
        "event": "broadcast",
        "ref": None,
        "payload": {
            "type": "broadcast",
            "event": "ev",
            "payload": {"x": 1},
            "meta": {"id": "id-1"},
        },
    }


@pytest.mark.parametrize(
    ("version", "text", "reply"),
    [
        (Version.V2, '["1","2","t","e",{"a":1}]', ["1", "2", "t", "phx_reply"]),
        (Version.V1, '{"topic":"t","event":"e","payload":{"a":1},"ref":"2"}', None),
    ],
)
def test_message_is_read_and_answered_in_its_version(
    version: Version, text: str, reply: list[str] | None
) -> None:
    message = decode_message(text, version)
    assert (message.topic, message.event, message.payload, message.ref) == ("t", "e", {"a": 1}, "2")
    answer = json.loads(encode_reply(version, message, "ok", {}))
    payload = {"status": "ok", "response": {}}
    if reply is not None:
        assert answer == [*reply, payload]
    else:
        assert answer == {"topic": "t", "event": "phx_reply", "ref": "2", "payload": payload}


@pytest.mark.parametrize("text", ["", "{}", "[1,2]", '["1","2","t","e",[]]', '{"topic":1}'])
@pytest.mark.parametrize("version", list(Version))
def test_malformed_message_is_refused(version: Version, text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected a message of vsn"):
        decode_message(text, version)


def test_message_without_payload_reads_as_empty() -> None:
    text = '{"topic":"t","event":"e"}'
    assert decode_message(text, Version.V1) == Message(topic="t", event="e")


# Tokens

KEYS = Keys(jwt_secret=JWT_SECRET, publishable_key=PUBLISHABLE_KEY, secret_key=SECRET_KEY)


def test_keys_and_tokens_stand_for_their_roles() -> None:
    assert KEYS.verify(PUBLISHABLE_KEY, NOW_S).role == "anon"
    assert KEYS.verify(SECRET_KEY, NOW_S).role == "service_role"
    claims = KEYS.verify(token_of(), NOW_S)
    assert (claims.role, json.loads(claims.claims_json)["sub"]) == ("authenticated", USER)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "MissingAPIKey: "),
        ("sb_secret_guess", "MalformedJWT: "),
        (token_of() + "x", "JwtSignatureError: "),
        (jwt.encode({"role": "anon"}, JWT_SECRET), "InvalidJWTToken: Fields `role` and `exp`"),
        (
            jwt.encode({"role": "anon", "exp": NOW_S - 90}, JWT_SECRET),
            "InvalidJWTToken: Token has expired 90 seconds ago",
        ),
        (token_of(role="postgres"), "Unauthorized: role 'postgres'"),
        (
            jwt.encode({"role": "service_role", "exp": 9_999_999_999}, "", algorithm="none"),
            "MalformedJWT: ",
        ),
    ],
)
def test_bad_token_is_refused_with_the_services_words(token: str | None, reason: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        KEYS.verify(token, NOW_S)
    assert refused.value.message.startswith(reason)


# The cursor of the stream


def stored(at: datetime, message_id: UUID | None = None) -> StoredMessage:
    return StoredMessage(
        id=message_id or uuid4(),
        topic="t",
        event="e",
        payload_json="{}",
        private=True,
        inserted_at=at,
    )


def test_cursor_reaches_five_seconds_behind_the_newest_and_forgets_what_is_older() -> None:
    start = datetime.fromisoformat("2026-11-21T12:00:00")
    cursor = Cursor(start)
    assert cursor.since == start - timedelta(seconds=5)
    old, new = stored(start), stored(start + timedelta(seconds=30))
    cursor.note_sent(old)
    cursor.note_sent(new)
    cursor.forget_old()
    assert cursor.since == start + timedelta(seconds=25)
    assert cursor.sent_ids == [new.id]


def test_cursor_does_not_go_back_for_a_late_message() -> None:
    start = datetime.fromisoformat("2026-11-21T12:00:00")
    cursor = Cursor(start)
    cursor.note_sent(stored(start - timedelta(seconds=60)))
    assert cursor.since == start - timedelta(seconds=5)
