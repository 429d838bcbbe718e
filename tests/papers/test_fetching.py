"""Fetching over a real server that also misbehaves: whole bodies, or an error with a reason, always in time."""

import datetime as dt
import gzip
import itertools
import pickle
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from email.utils import format_datetime
from typing import Any

import pytest

from papers.fetching import (
    AddressRefusedError,
    BadStatusError,
    BrokenBodyError,
    FetchPolicy,
    TooLargeError,
    TooManyRedirectsError,
    UnreachableError,
    can_connect,
    fetch,
    parse_retry_after,
)
from papers.unpacking import PIECE_BYTES
from tests.servers import LocalServer, Reply, conditional, redirect, serve

FEED = b"<rss><channel><title>Our feed \xc3\xa9</title></channel></rss>" * 40
NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    with serve() as local:
        yield local


@pytest.fixture
def server(running: LocalServer) -> LocalServer:
    """One server for all tests of this file, without routes and requests of the last one."""
    running.routes.clear()
    running.requests.clear()
    return running


@pytest.fixture
def policy(server: LocalServer) -> FetchPolicy:
    return FetchPolicy(
        user_agent="DailyPapers/0.1 (+https://papers.example)",
        connect_timeout=1,
        read_timeout=2,
        total_timeout=3,
        max_bytes=200_000,
        allow=frozenset({server.pair}),
    )


def quick(policy: FetchPolicy) -> FetchPolicy:
    return replace(policy, read_timeout=0.2, total_timeout=0.4)


# --- answers as they should be


def test_a_feed_arrives_with_its_validators_and_the_second_time_is_304(
    server: LocalServer, policy: FetchPolicy
) -> None:
    server.routes["/feed"] = conditional(FEED, etag='"one"', content_type="application/rss+xml; charset=utf-8")
    first = fetch(server.url("/feed#top"), policy=policy)
    assert (first.status, first.body, first.not_modified) == (200, FEED, False)
    assert first.content_type == "application/rss+xml; charset=utf-8"
    assert first.url == server.url("/feed")
    second = fetch(first.url, policy=policy, etag=first.etag)
    assert (second.status, second.body, second.not_modified, second.etag) == (304, b"", True, '"one"')
    assert [request.headers["If-None-Match"] for request in server.requests] == [None, '"one"']


def test_last_modified_is_kept_sent_back_and_survives_a_bare_304(server: LocalServer, policy: FetchPolicy) -> None:
    day = "Mon, 23 Nov 2026 05:00:00 GMT"
    server.routes["/feed"] = [Reply(body=FEED, headers={"Last-Modified": day}), Reply(status=304)]
    first = fetch(server.url("/feed"), policy=policy)
    assert (first.etag, first.last_modified) == ("", day)
    second = fetch(server.url("/feed"), policy=policy, last_modified=day)
    assert second.not_modified
    assert second.last_modified == day
    assert server.requests[1].headers["If-Modified-Since"] == day


def test_a_304_that_nobody_asked_for_is_an_error(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/feed"] = Reply(status=304)
    with pytest.raises(BadStatusError) as caught:
        fetch(server.url("/feed"), policy=policy)
    assert caught.value.status == 304


def test_the_request_says_who_we_are_and_carries_nothing_more(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/feed"] = Reply(body=FEED, headers={"Set-Cookie": "a=b"})
    fetch(server.url("/feed?q=cs.AI+q-bio"), policy=policy)
    fetch(server.url("/feed"), policy=replace(policy, user_agent="Tagesübersicht"))
    request, second = server.requests
    assert request.target == "/feed?q=cs.AI+q-bio"
    assert request.headers["User-Agent"] == "DailyPapers/0.1 (+https://papers.example)"
    assert request.headers["Host"] == server.pair
    assert set(request.headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
    assert second.headers["User-Agent"] == "Tages?bersicht"
    assert second.headers["Cookie"] is None


def test_proxies_of_the_environment_are_not_used(
    server: LocalServer, policy: FetchPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["/feed"] = Reply(body=FEED)
    with serve({"/feed": Reply(body=b"from the proxy")}) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert fetch(server.url("/feed"), policy=policy).body == FEED
        assert proxy.connections == 0


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_the_body_is_whole_however_its_end_is_told(server: LocalServer, policy: FetchPolicy, framing: str) -> None:
    server.routes["/feed"] = Reply(chunks=[FEED[:7], FEED[7:100], FEED[100:]], framing=framing, pause=0.01)
    assert fetch(server.url("/feed"), policy=policy).body == FEED


@pytest.mark.parametrize("status", [200, 203, 204])
def test_an_empty_body_is_an_answer(server: LocalServer, policy: FetchPolicy, status: int) -> None:
    server.routes["/feed"] = Reply(status=status, headers={"Content-Encoding": "gzip"})
    assert fetch(server.url("/feed"), policy=policy).body == b""


def test_headers_that_no_column_could_hold_are_left_out(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/feed"] = Reply(body=FEED, headers={"ETag": '"' + "x" * 600 + '"', "Last-Modified": "a\x00b"})
    fetched = fetch(server.url("/feed"), policy=policy)
    assert (fetched.etag, fetched.last_modified) == ("", "")


# --- packing


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(FEED)),
        ("X-Gzip", gzip.compress(FEED)),
        ("gzip", gzip.compress(FEED[:50]) + gzip.compress(FEED[50:])),
        ("gzip", gzip.compress(FEED) + b"\0\0\0padding"),
        ("deflate", zlib.compress(FEED)),
        ("deflate", bare_deflate(FEED)),
        ("identity", FEED),
    ],
    ids=["gzip", "x-gzip", "two members", "padding", "deflate", "bare deflate", "identity"],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_packed_bodies_are_unpacked_in_whatever_pieces_they_come(
    server: LocalServer, policy: FetchPolicy, encoding: str, packed: bytes, step: int
) -> None:
    pieces = [packed[start : start + step] for start in range(0, len(packed), step)]
    server.routes["/feed"] = Reply(headers={"Content-Encoding": encoding}, chunks=pieces, framing="chunked")
    assert fetch(server.url("/feed"), policy=policy).body == FEED


def test_a_large_body_that_packs_well_comes_whole(server: LocalServer, policy: FetchPolicy) -> None:
    body = b"0123456789" * 19_000 + b"the end"
    server.routes["/feed"] = Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(body))
    assert fetch(server.url("/feed"), policy=policy).body == body


@pytest.mark.parametrize("surplus", [1, 100, 258, 300])
def test_what_waits_inside_the_unpacker_at_the_end_is_not_lost(
    server: LocalServer, policy: FetchPolicy, surplus: int
) -> None:
    body = bytes(PIECE_BYTES + surplus)
    server.routes["/feed"] = Reply(headers={"Content-Encoding": "deflate"}, body=bare_deflate(body))
    assert fetch(server.url("/feed"), policy=policy).body == body


def test_packing_without_end_and_without_content_is_left_at_the_cap(server: LocalServer, policy: FetchPolicy) -> None:
    nothing = itertools.repeat(gzip.compress(b"") * 500)
    server.routes["/endless"] = Reply(headers={"Content-Encoding": "gzip"}, chunks=nothing)
    with pytest.raises(TooLargeError):
        fetch(server.url("/endless"), policy=policy)


@pytest.mark.parametrize("members", [1, 3_000])
def test_a_gzip_bomb_is_stopped_at_the_cap_with_little_memory(
    server: LocalServer, policy: FetchPolicy, members: int
) -> None:
    bomb = gzip.compress(bytes(48_000_000 // members), compresslevel=9) * members
    server.routes["/bomb"] = Reply(headers={"Content-Encoding": "gzip"}, body=bomb[:190_000])
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match=r"larger than 0\.19\d* MB"):
            fetch(server.url("/bomb"), policy=policy)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("packed", [gzip.compress(FEED), zlib.compress(FEED)], ids=["gzip", "deflate"])
def test_packing_that_ends_too_early_is_noticed(
    server: LocalServer, policy: FetchPolicy, packed: bytes, framing: str
) -> None:
    encoding = "gzip" if packed.startswith(b"\x1f") else "deflate"
    server.routes["/feed"] = Reply(headers={"Content-Encoding": encoding}, body=packed[:-9], framing=framing)
    with pytest.raises(BrokenBodyError, match="did not arrive whole: it ends in the middle"):
        fetch(server.url("/feed"), policy=policy)


def test_damaged_packing_is_noticed(server: LocalServer, policy: FetchPolicy) -> None:
    packed = gzip.compress(FEED)
    server.routes["/feed"] = Reply(headers={"Content-Encoding": "gzip"}, body=packed[:-8] + bytes(8))
    server.routes["/html"] = Reply(headers={"Content-Encoding": "gzip"}, body=FEED)
    for path in ("/feed", "/html"):
        with pytest.raises(BrokenBodyError, match="packing is damaged"):
            fetch(server.url(path), policy=policy)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 600 + "\x01"])
def test_packing_we_did_not_ask_for_is_refused(server: LocalServer, policy: FetchPolicy, encoding: str) -> None:
    server.routes["/feed"] = Reply(headers={"Content-Encoding": encoding}, body=FEED)
    with pytest.raises(BrokenBodyError, match="did not ask for"):
        fetch(server.url("/feed"), policy=policy)


# --- sizes


def test_a_body_of_exactly_the_cap_comes_and_one_byte_more_does_not(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/fits"] = Reply(body=bytes(policy.max_bytes))
    server.routes["/over"] = Reply(chunks=iter([bytes(policy.max_bytes), b"x"]))
    assert len(fetch(server.url("/fits"), policy=policy).body) == policy.max_bytes
    with pytest.raises(TooLargeError):
        fetch(server.url("/over"), policy=policy)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_body_without_end_is_left_at_the_cap(server: LocalServer, policy: FetchPolicy, framing: str) -> None:
    server.routes["/endless"] = Reply(chunks=itertools.repeat(b"x" * 10_000), framing=framing)
    with pytest.raises(TooLargeError):
        fetch(server.url("/endless"), policy=policy)


def test_a_body_that_says_it_is_too_large_is_not_read(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/large"] = Reply(content_length=policy.max_bytes + 1, chunks=[b"x"], pause=1)
    start = time.monotonic()
    with pytest.raises(TooLargeError):
        fetch(server.url("/large"), policy=policy)
    assert time.monotonic() - start < 0.5


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=FEED, content_length=len(FEED) + 1),
        Reply(body=FEED, framing="chunked", cut=True),
        Reply(raw=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"]),
        Reply(raw=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\nab"]),
        Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcde"]),
    ],
    ids=["length too long", "no last chunk", "cut chunk", "no chunk size", "two lengths"],
)
def test_a_body_that_is_cut_off_is_an_error_not_a_short_feed(
    server: LocalServer, policy: FetchPolicy, reply: Reply
) -> None:
    server.routes["/feed"] = reply
    with pytest.raises((BrokenBodyError, UnreachableError), match=r"broke off|speak HTTP"):
        fetch(server.url("/feed"), policy=policy)


def test_a_length_that_is_too_short_cuts_the_body_there(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/feed"] = Reply(body=FEED, content_length=len(FEED) - 3)
    assert fetch(server.url("/feed"), policy=policy).body == FEED[:-3]


# --- time


DRIPPING_HEADERS = [b"HTTP/1.1 200 OK\r\n", *[b"X-%d: y\r\n" % number for number in range(90)], b"\r\n"]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(body=FEED, wait=5), "silent for longer than 0.2 seconds"),
        (Reply(raw=DRIPPING_HEADERS, pause=0.02), "did not finish its answer within 0.4 seconds"),
        (Reply(chunks=[b"x"] * 100, pause=0.02), "did not finish its answer within 0.4 seconds"),
        (Reply(chunks=[b"x"] * 100, pause=0.02, framing="chunked"), "did not finish its answer within 0.4 seconds"),
        (Reply(chunks=[b"x", b"y"], pause=5), "silent for longer than 0.2 seconds"),
        (Reply(raw=[b"HTTP/1.1 100 Continue\r\n\r\n"] * 100, pause=0.02), "did not finish its answer within 0.4"),
    ],
    ids=["slow headers", "dripping headers", "dripping body", "dripping chunks", "silent body", "endless continue"],
)
def test_a_slow_server_is_left_in_time(server: LocalServer, policy: FetchPolicy, reply: Reply, says: str) -> None:
    server.routes["/slow"] = reply
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=says):
        fetch(server.url("/slow"), policy=quick(policy))
    assert time.monotonic() - start < 1.5


def test_all_redirects_together_have_the_total_time(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/slow"] = replace(redirect("/slow"), wait=0.1)
    start = time.monotonic()
    with pytest.raises(UnreachableError):
        fetch(server.url("/slow"), policy=replace(quick(policy), max_redirects=100))
    assert time.monotonic() - start < 1.5


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_to_where_the_feed_is(server: LocalServer, policy: FetchPolicy, status: int) -> None:
    server.routes["/old/feed"] = redirect("../new?x=é", status=status)
    server.routes["/new"] = Reply(body=FEED)
    fetched = fetch(server.url("/old/feed"), policy=policy)
    assert (fetched.body, fetched.url) == (FEED, server.url("/new?x=%C3%A9"))


def test_a_redirect_to_a_private_port_that_is_not_allowed_is_refused(server: LocalServer, policy: FetchPolicy) -> None:
    with serve({"/secret": Reply(body=b"secret")}) as other:
        server.routes["/feed"] = redirect(other.url("/secret"))
        with pytest.raises(AddressRefusedError, match="not an address on the public internet"):
            fetch(server.url("/feed"), policy=policy)
        assert other.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://ftp.example.org/feed",
        "data:text/xml,<rss/>",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "//[::ffff:7f00:1]/",
        "http://reader:sesame@example.org/",
        "http://[::1/",
    ],
)
def test_a_redirect_to_what_is_not_fetched_is_refused(server: LocalServer, policy: FetchPolicy, location: str) -> None:
    server.routes["/feed"] = redirect(location)
    with pytest.raises(AddressRefusedError) as caught:
        fetch(server.url("/feed"), policy=policy)
    assert "sesame" not in f"{caught.value} {caught.value.url}"
    assert len(server.requests) == 1


def test_redirects_that_never_end_are_given_up(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/a"] = redirect("/b")
    server.routes["/b"] = redirect("/a")
    with pytest.raises(TooManyRedirectsError, match="redirects more than 5 times"):
        fetch(server.url("/a"), policy=policy)
    assert len(server.requests) == 6


def test_the_last_allowed_redirect_still_counts(server: LocalServer, policy: FetchPolicy) -> None:
    for number in range(5):
        server.routes[f"/{number}"] = redirect(f"/{number + 1}")
    server.routes["/5"] = Reply(body=FEED)
    assert fetch(server.url("/0"), policy=policy).body == FEED


def test_a_redirect_without_a_place_is_a_bad_status(server: LocalServer, policy: FetchPolicy) -> None:
    server.routes["/feed"] = Reply(status=302)
    with pytest.raises(BadStatusError, match="answered 302 Found"):
        fetch(server.url("/feed"), policy=policy)


# --- statuses


def test_the_feed_in_which_a_refused_query_is_explained_can_be_read(server: LocalServer, policy: FetchPolicy) -> None:
    page = b"<rss><channel><title>Feed error for query: cs.XX</title></channel></rss>"
    server.routes["/rss/cs.XX"] = Reply(status=400, body=gzip.compress(page), headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadStatusError, match="answered 400 Bad Request") as caught:
        fetch(server.url("/rss/cs.XX"), policy=policy)
    assert (caught.value.status, caught.value.retry_after_seconds) == (400, None)
    assert caught.value.body_excerpt == page
    assert caught.value.url == server.url("/rss/cs.XX")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_in_seconds_how_long_to_wait(server: LocalServer, policy: FetchPolicy, status: int) -> None:
    server.routes["/feed"] = Reply(status=status, headers={"Retry-After": "120"})
    with pytest.raises(BadStatusError, match=r"asks us to wait 120 seconds\.$") as caught:
        fetch(server.url("/feed"), policy=policy)
    assert (caught.value.status, caught.value.retry_after_seconds) == (status, 120)


def test_a_busy_server_says_until_when_to_wait(server: LocalServer, policy: FetchPolicy) -> None:
    until = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10), usegmt=True)
    server.routes["/feed"] = Reply(status=429, headers={"Retry-After": until})
    with pytest.raises(BadStatusError) as caught:
        fetch(server.url("/feed"), policy=policy)
    assert caught.value.retry_after_seconds == pytest.approx(600, abs=5)


@pytest.mark.parametrize(
    "reply", [Reply(chunks=itertools.repeat(b"x" * 10_000)), Reply(body=FEED, content_length=9**9)]
)
def test_a_status_is_told_whatever_its_page_is(server: LocalServer, policy: FetchPolicy, reply: Reply) -> None:
    server.routes["/feed"] = replace(reply, status=500)
    with pytest.raises(BadStatusError, match="answered 500 Internal Server Error") as caught:
        fetch(server.url("/feed"), policy=policy)
    assert len(caught.value.body_excerpt) in {0, 65_536}


@pytest.mark.parametrize("status", [206, 401, 403, 404, 410, 502, 599])
def test_other_statuses_are_errors_too(server: LocalServer, policy: FetchPolicy, status: int) -> None:
    server.routes["/feed"] = Reply(status=status, body=FEED)
    with pytest.raises(BadStatusError) as caught:
        fetch(server.url("/feed"), policy=policy)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("0" * 5000 + "7", 7),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90),
        ("Mon, 23 Nov 2026 13:01:30 +0100", 90),
        ("Mon, 23 Nov 2026 12:01:30 -0000", 90),
        ("Monday, 23-Nov-26 12:01:30 GMT", 90),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
    ],
)
def test_retry_after_is_a_number_or_a_date_of_at_most_a_day(value: str, seconds: int | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


# --- no answer at all


def test_a_closed_port_is_unreachable(policy: FetchPolicy) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        pair = f"127.0.0.1:{reserved.getsockname()[1]}"
        allowing = replace(policy, allow=frozenset({pair}))
        with pytest.raises(UnreachableError, match=f"No connection to {pair} could be made: connection refused"):
            fetch(f"http://{pair}/feed", policy=allowing)
        assert not can_connect(f"http://{pair}/feed", policy=allowing, timeout=1)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(raw=[b""]), "it closed the connection"),
        (Reply(raw=[b"220 mail.example.org ESMTP\r\n"]), "it does not speak HTTP"),
        (Reply(raw=[b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"]), "it does not speak HTTP"),
        (Reply(raw=[b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"]), "it does not speak HTTP"),
    ],
    ids=["nothing", "a mail server", "too many headers", "a header too long"],
)
def test_an_answer_that_is_no_http_is_unreachable(
    server: LocalServer, policy: FetchPolicy, reply: Reply, says: str
) -> None:
    server.routes["/feed"] = reply
    with pytest.raises(UnreachableError, match=says):
        fetch(server.url("/feed"), policy=policy)


def test_a_name_that_turns_private_after_the_check_gains_nothing(
    server: LocalServer, policy: FetchPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when first asked, private from then on. Each hop asks once and uses that very answer."""
    asked: list[str] = []
    connected: list[Any] = []
    real_connect = socket.socket.connect

    def rebinding(host: str, port: int, *_args: object, **_options: object) -> list[Any]:
        asked.append(host)
        address = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(self: socket.socket, place: Any) -> None:
        connected.append(place)
        real_connect(self, ("127.0.0.1", server.port))  # stands for 8.8.8.8, so that nothing leaves the machine

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", connect, raising=False)
    server.routes["/feed"] = Reply(body=FEED)
    server.routes["/again"] = redirect("/feed")
    url = "http://rebinding.example:8080"
    assert fetch(f"{url}/feed", policy=policy).body == FEED
    assert (asked, connected) == (["rebinding.example"], [("8.8.8.8", 8080)])
    assert server.requests[0].headers["Host"] == "rebinding.example:8080"

    asked.clear()
    with pytest.raises(AddressRefusedError, match=r"127\.0\.0\.1"):  # the hop after the redirect is checked anew
        fetch(f"{url}/again", policy=policy)
    assert connected == [("8.8.8.8", 8080)] * 2
    assert [request.path for request in server.requests] == ["/feed", "/again"]


def test_errors_survive_the_way_between_processes() -> None:
    error = BadStatusError("busy", url="http://x/", status=429, retry_after_seconds=5, body_excerpt=b"x")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (str(copy), vars(copy)) == (str(error), vars(error))


# --- can we reach it at all


def test_can_connect_knows_a_server_and_asks_it_nothing(server: LocalServer, policy: FetchPolicy) -> None:
    assert can_connect(server.url("/feed"), policy=policy, timeout=1)
    assert not can_connect(server.url("/feed"), policy=replace(policy, allow=frozenset()), timeout=1)
    assert not can_connect("ftp://example.org/", policy=policy, timeout=1)
    assert server.requests == []


def test_can_connect_says_no_in_time_when_the_look_up_hangs(
    policy: FetchPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [release.wait(5)][1:])
    start = time.monotonic()
    assert not can_connect("http://slow.example/", policy=policy, timeout=0.1)
    assert time.monotonic() - start < 0.5
    release.set()
