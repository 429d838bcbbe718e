"""The local server that other tests lean on does what its documentation says."""

import json
import urllib.error
import urllib.request

import pytest

from tests.servers import LocalServer, Received, Reply, conditional, json_reply, redirect, serve


def ask(
    server: LocalServer, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(server.url(path), data=data, headers=headers or {})  # noqa: S310  # a loopback address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_what_is_posted_is_recorded_and_a_function_answers_it() -> None:
    def accept(request: Received) -> Reply:
        return json_reply({"MessageID": "m-1", "To": request.json()["To"]}, status=202)

    with serve({"POST /email": accept, "/email": Reply(body="only to be posted to")}) as server:
        status, body = ask(server, "/email?tag=a", json.dumps({"To": "ada@example.org"}).encode(), {"Token": "t"})
        assert (status, json.loads(body)) == (202, {"MessageID": "m-1", "To": "ada@example.org"})
        assert ask(server, "/email") == (200, b"only to be posted to")
        posted, read = server.requests_to("/email")
        assert (posted.method, posted.query, posted.headers["TOKEN"]) == ("POST", {"tag": ["a"]}, "t")
        assert (read.method, read.body) == ("GET", b"")


def test_forms_are_read() -> None:
    with serve({"/messages": Reply()}) as server:
        ask(server, "/messages", b"to=ada%40example.org&o%3Atag=digest")
        assert server.requests[0].form == {"to": ["ada@example.org"], "o:tag": ["digest"]}


def test_a_list_of_replies_is_given_in_turn_and_a_new_list_starts_anew() -> None:
    with serve({"/": [Reply(status=429), Reply(body="a")]}) as server:
        assert [ask(server, "/")[0] for _ in range(3)] == [429, 200, 200]
        server.routes["/"] = [Reply(status=503), Reply(body="b")]
        assert [ask(server, "/")[0] for _ in range(2)] == [503, 200]


def test_the_usual_replies() -> None:
    with serve({"/feed": conditional("feed", etag='"1"'), "/old": redirect("/feed")}) as server:
        assert ask(server, "/old") == (200, b"feed")
        assert ask(server, "/feed", headers={"If-None-Match": '"1"'}) == (304, b"")
        assert ask(server, "/nowhere")[0] == 404


def test_a_route_that_fails_cannot_be_passed_over() -> None:
    def broken(_request: Received) -> Reply:
        raise KeyError("gone")

    server_context = serve({"/": broken})
    server = server_context.__enter__()
    assert ask(server, "/")[0] == 500
    with pytest.raises(ExceptionGroup, match="routes of the local server failed") as caught:
        server_context.__exit__(None, None, None)
    assert isinstance(caught.value.exceptions[0], KeyError)
