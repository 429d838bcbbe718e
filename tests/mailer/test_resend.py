"""Resend is asked again where it did not answer, under a key by which it knows the message."""

from typing import Any

import pytest
from django.core.mail import get_connection
from pytest_django import Settings

from mailer.handoff import Accepted, NoAnswer, hand_off
from mailer.messages import Rendered, compose
from tests.factories import NOW
from tests.servers import Reply, json_reply, serve

SILENCE = Reply(raw=[b""])


def send(settings: Settings, *replies: Reply, number: int = 1) -> tuple[list[Any], list[str]]:
    """The outcomes of so many messages, and the keys that came with the requests."""
    with serve({"POST /emails": list(replies)}) as server:
        settings.ANYMAIL = {"RESEND_API_KEY": "made-up", "RESEND_API_URL": server.url("/"), "REQUESTS_TIMEOUT": 2}
        connection = get_connection("mailer.resend.EmailBackend")
        rendered = Rendered("Papers", "Text", "<p>HTML</p>")
        outcomes = [
            hand_off(compose(rendered, to="ada@example.org", public_id=f"{one:032}", now=NOW), connection=connection)
            for one in range(number)
        ]
    return outcomes, [str(request.headers["Idempotency-Key"]) for request in server.requests]


def test_a_request_without_an_answer_is_repeated_under_the_same_key(settings: Settings):
    outcomes, keys = send(settings, SILENCE, json_reply({"id": "abc"}))
    assert outcomes == [Accepted("resend", "abc")]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert len(keys[0]) == 64


def test_silence_upon_silence_is_unknown(settings: Settings):
    (outcome,), keys = send(settings, SILENCE, SILENCE)
    assert isinstance(outcome, NoAnswer)
    assert len(keys) == 2


@pytest.mark.parametrize(
    "second", [json_reply({"message": "slow down"}, status=429), json_reply({"message": "used before"}, status=409)]
)
def test_a_no_after_silence_does_not_end_the_doubt(settings: Settings, second: Reply):
    (outcome,), keys = send(settings, SILENCE, second)
    assert isinstance(outcome, NoAnswer)
    assert len(keys) == 2


def test_different_messages_have_different_keys(settings: Settings):
    _, keys = send(settings, json_reply({"id": "abc"}), number=2)
    assert len(set(keys)) == 2


@pytest.mark.parametrize("reply", [json_reply({"message": "no"}, status=422), json_reply({}, status=500)])
def test_an_answer_is_not_asked_for_twice(settings: Settings, reply: Reply):
    _, keys = send(settings, reply)
    assert len(keys) == 1
