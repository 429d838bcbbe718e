"""Asking a machine for a line on each paper, over real HTTP, whatever it answers."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papers.one_liners import (
    LARGEST_ANSWER,
    LONGEST_LINE,
    Endpoint,
    NoAnswerError,
    Question,
    ask,
    fit_line,
    read_answer,
    request_of,
)
from tests.servers import Reply, json_reply, serve

QUESTIONS = [Question(71, "Plans with prices", "We plan."), Question(72, "Clocks", "We read clocks.")]
GOOD = "Plans that weigh the price of tools cost a quarter less."
PATH = "POST /v1/chat/completions"


def answer(content: Any) -> Reply:
    text = content if isinstance(content, str) else json.dumps(content)
    return json_reply({"choices": [{"message": {"role": "assistant", "content": text}}]})


def asked(reply: Reply, *, timeout: float = 2.0, key: str = "") -> tuple[dict[int, str], Any]:
    with serve({PATH: reply}) as server:
        endpoint = Endpoint(url=server.url("/v1/"), model="small", key=key, timeout=timeout)
        return ask(QUESTIONS, endpoint=endpoint), server.requests[0]


def test_all_papers_go_in_one_request_and_the_lines_find_their_way_back():
    lines, request = asked(answer({"1": GOOD, "2": "Models cannot read clocks yet."}), key="secret")
    assert lines == {71: GOOD, 72: "Models cannot read clocks yet."}
    sent = json.loads(request.body)
    assert sent["model"] == "small"
    papers = json.loads(sent["messages"][1]["content"])
    assert papers == {
        "1": {"title": "Plans with prices", "abstract": "We plan."},
        "2": {"title": "Clocks", "abstract": "We read clocks."},
    }
    assert request.headers["Authorization"] == "Bearer secret"


def test_no_key_is_sent_where_there_is_none_and_no_id_of_ours_ever():
    _, request = asked(answer({"1": GOOD}))
    assert request.headers["Authorization"] is None
    assert b"71" not in request.body


def test_a_fence_around_the_answer_is_taken_off():
    lines, _ = asked(answer(f'```json\n{{"1": "{GOOD}"}}\n```'))
    assert lines == {71: GOOD}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Short.",
        "x" * (LONGEST_LINE + 1),
        "Read more at https://evil.example/ about plans.",
        "Visit evil-papers.com for the whole story.",
        "It plans <b>well</b> and cheaply indeed.",
        "Two lines,\nwhich is one too many.",
        "Mail me at me@evil.example for more on this.",
        "It plans **well** and cheaply indeed.",
        "A text that turns round \u202e here.",
        "Plans with prices.",
        None,
        7,
        ["A sentence in a list, which is none."],
    ],
)
def test_what_is_no_plain_sentence_is_left_out(line: object):
    assert fit_line(line, title="Plans with prices") == ""
    lines, _ = asked(answer({"1": line, "2": GOOD}))
    assert lines == {72: GOOD}


def test_lines_on_papers_that_nobody_asked_about_are_left_out():
    lines, _ = asked(answer({"1": GOOD, "3": GOOD, "71": GOOD}))
    assert lines == {71: GOOD}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=500), "The answer is 500"),
        (Reply(status=429), "The answer is 429"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}), "The answer is 302"),
        (Reply(body="<html>"), "not in the form"),
        (json_reply({"choices": []}), "not in the form"),
        (json_reply({"choices": [{"message": {"content": None}}]}), "not in the form"),
        (answer("I would rather not."), "not in the form"),
        (answer("[1, 2]"), "holds no lines"),
        (answer("[" * 100_000), "not in the form"),
        (Reply(raw=[b""]), "No answer"),
        (Reply(body="x" * (LARGEST_ANSWER + 10)), "far too long"),
        (Reply(body="{}", wait=5), "No answer"),
        (Reply(chunks=[b"x"] * 20, pause=0.3), "takes too long"),
    ],
)
def test_an_answer_that_is_late_wrong_or_none_is_said_to_be_so_in_time(reply: Reply, said: str):
    began = time.monotonic()
    with pytest.raises(NoAnswerError, match=said):
        asked(reply, timeout=1)
    assert time.monotonic() - began < 4


def test_nobody_there_and_no_address():
    for url in ("http://127.0.0.1:1/v1", "file:///etc/passwd", "nonsense"):
        with pytest.raises(NoAnswerError):
            ask(QUESTIONS, endpoint=Endpoint(url=url, model="m", timeout=1))


def test_a_very_long_abstract_is_cut():
    sent = request_of([Question(1, "T", "word " * 5000)], model="m")
    assert len(json.dumps(sent)) < 4000


@given(
    body=st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner)).map(
        lambda value: json.dumps({"choices": [{"message": {"content": json.dumps(value)}}]}).encode()
    )
)
def test_whatever_comes_back_nothing_else_is_raised(body: bytes):
    try:
        lines = read_answer(body, QUESTIONS)
    except NoAnswerError:
        return
    assert set(lines) <= {71, 72}
