"""Fetch the bytes behind a web address within limits: of time, of size, of where it may lead.

The promise: `fetch` ends within the policy's total time (the look-up of the name included), keeps no more of a body
than the policy's size, follows only a few redirects, checks every hop as `papers.addresses` says, and answers with a
whole body or with an error whose text an owner understands. It uses no proxy of the environment, sends no cookies and
no credentials, and checks certificates. What the bytes mean is no matter here.
"""

import contextlib
import datetime as dt
import email.utils
import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import HTTPResponse

from papers.addresses import (
    AddressRefusedError,
    Deadline,
    FetchError,
    UnreachableError,
    WebAddress,
    open_checked_socket,
    parse_web_address,
)
from papers.connecting import Patience, ask
from papers.unpacking import KNOWN_ENCODINGS, PIECE_BYTES, DamagedPackingError, unpack

__all__ = [
    "AddressRefusedError",
    "BadStatusError",
    "BrokenBodyError",
    "FetchError",
    "FetchPolicy",
    "Fetched",
    "TooLargeError",
    "TooManyRedirectsError",
    "UnreachableError",
    "can_connect",
    "fetch",
    "parse_retry_after",
]

MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60
# Of an error page this much is kept: enough for the feed in which arXiv wraps its message.
EXCERPT_BYTES = 64 * 1024
# A validator or type longer than this is of no use to us, and nobody's column is that wide.
MAX_HEADER_LENGTH = 500
# Given a host and port, what is held while it is asked.
Turn = Callable[[str], contextlib.AbstractContextManager[None]]
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ACCEPT = "application/atom+xml, application/rss+xml, application/json;q=0.9, application/xml;q=0.9, */*;q=0.8"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What a fetch may cost and where it may go. Times are in seconds."""

    user_agent: str
    connect_timeout: float = 5  # the look-up and all attempts to connect, per hop
    read_timeout: float = 20  # the longest silence
    total_timeout: float = 60  # everything, over all hops
    max_bytes: int = 32 * 1024 * 1024  # on the wire, and again after unpacking
    max_redirects: int = 5
    allow: frozenset[str] = frozenset()  # exact "host:port" pairs that may be private addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole answer. `url` is where it finally came from; a header the server did not send is the empty text.

    After `not_modified` the body is empty, and the validators are still good for the next time.
    """

    status: int
    url: str
    body: bytes
    content_type: str
    etag: str
    last_modified: str
    not_modified: bool


class TooLargeError(FetchError):
    """The body is larger than the policy allows, packed or unpacked."""


class BrokenBodyError(FetchError):
    """The body did not arrive whole: cut off, or its packing is damaged or unknown. Worth another try later."""


class TooManyRedirectsError(FetchError):
    """The address leads on and on."""


class BadStatusError(FetchError):
    """The server answered, but with a refusal or a failure.

    `body_excerpt` is the start of what it said (at most 64 KiB, unpacked, perhaps empty): arXiv explains a refused
    query in a feed of its own. `retry_after_seconds` is how long it asks us to stay away, at most a day, or None.
    """

    def __init__(
        self,
        sentence: str,
        *,
        url: str = "",
        status: int = 0,
        retry_after_seconds: int | None = None,
        body_excerpt: bytes = b"",
    ) -> None:
        super().__init__(sentence, url=url)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.body_excerpt = body_excerpt


def _any_time(host: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def fetch(url: str, *, policy: FetchPolicy, etag: str = "", last_modified: str = "", turn: Turn = _any_time) -> Fetched:
    """GET `url`, conditionally when `etag` or `last_modified` of an earlier answer are given.

    `turn` is asked for each hop, with its host and port, and held while the hop is asked: how the terms of a host are
    kept that a redirect leads to. Any 2xx answer but 206 counts, and 304 when we asked for it. Raises a FetchError:
    AddressRefusedError, UnreachableError, TooManyRedirectsError, BadStatusError, TooLargeError or BrokenBodyError.
    """
    address = parse_web_address(url)
    patience: Patience | None = None
    headers = _request_headers(policy, etag=etag, last_modified=last_modified)
    for _ in range(policy.max_redirects + 1):
        with turn(urlsplit(address.url).netloc):
            # The clock begins when it is our turn for the first time.
            patience = patience or _patience_of(policy)
            with ask(address, patience=patience, allow=policy.allow, headers=headers) as response:
                location = response.headers.get("Location", "")
                if response.status not in REDIRECTS or not location:
                    answer = _Answer(address=address, policy=policy, patience=patience, response=response)
                    return _read_answer(answer, etag=etag, last_modified=last_modified)
                address = _parse_redirect(address, location)
    sentence = f"The address redirects more than {policy.max_redirects} times, the last time to {address.url}."
    raise TooManyRedirectsError(sentence, url=address.url)


def can_connect(url: str, *, policy: FetchPolicy, timeout: float) -> bool:
    """Whether a TCP connection to the server behind `url` can be made within `timeout` seconds. Asks nothing of it."""
    try:
        address = parse_web_address(url)
        open_checked_socket(address, allow=policy.allow, deadline=Deadline.in_seconds(timeout)).close()
    except FetchError:
        return False
    return True


def parse_retry_after(value: str, *, now: dt.datetime) -> int | None:
    """Seconds to wait by a Retry-After header: a number or a date (RFC 9110, 10.2.3), or None when it is neither.

    Never more than a day, so that a server's mistake cannot switch a source off for years.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        return MAX_RETRY_AFTER_SECONDS if len(digits) > 6 else min(int(digits), MAX_RETRY_AFTER_SECONDS)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:  # "-0000": UTC, said by a server that does not know its zone
        until = until.replace(tzinfo=dt.UTC)
    return min(max(0, round((until - now).total_seconds())), MAX_RETRY_AFTER_SECONDS)


def _patience_of(policy: FetchPolicy) -> Patience:
    return Patience(connect=policy.connect_timeout, silence=policy.read_timeout, total=policy.total_timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An answer whose body is still on its way, with all that its reader must know."""

    address: WebAddress
    policy: FetchPolicy
    patience: Patience
    response: HTTPResponse

    def header(self, name: str) -> str:
        """A header to keep; empty when it is missing, endless or not text."""
        value = self.response.headers.get(name, "")
        return value if len(value) <= MAX_HEADER_LENGTH and value.isprintable() else ""

    def broken(self, sentence: str) -> BrokenBodyError:
        return BrokenBodyError(sentence, url=self.address.url)

    def too_large(self) -> TooLargeError:
        megabytes = self.policy.max_bytes / 1024 / 1024
        return TooLargeError(
            f"The answer of {self.address.host} is larger than {megabytes:g} MB.", url=self.address.url
        )


def _request_headers(policy: FetchPolicy, *, etag: str, last_modified: str) -> dict[str, str]:
    headers = {
        "User-Agent": policy.user_agent.encode("ascii", "replace").decode(),
        "Accept": ACCEPT,
        "Accept-Encoding": "gzip, deflate",
        "Connection": "close",
    }
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    return headers


def _parse_redirect(address: WebAddress, location: str) -> WebAddress:
    # Header bytes arrive as Latin-1; a path beyond ASCII was meant as UTF-8.
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        return parse_web_address(urljoin(address.url, location))
    except (AddressRefusedError, ValueError) as error:
        reason = error if isinstance(error, AddressRefusedError) else "It is not a web address."
        sentence = f"{address.host} redirects to an address that is not fetched. {reason}"
        raise AddressRefusedError(sentence, url=address.url) from error


def _read_answer(answer: _Answer, *, etag: str, last_modified: str) -> Fetched:
    status = answer.response.status
    not_modified = status == http.client.NOT_MODIFIED and bool(etag or last_modified)
    if not not_modified and (not 200 <= status < 300 or status == http.client.PARTIAL_CONTENT):
        raise _bad_status(answer)
    return Fetched(
        status=status,
        url=answer.address.url,
        body=b"" if not_modified else _read_body(answer),
        content_type=answer.header("Content-Type"),
        etag=answer.header("ETag") or (etag if not_modified else ""),
        last_modified=answer.header("Last-Modified") or (last_modified if not_modified else ""),
        not_modified=not_modified,
    )


def _bad_status(answer: _Answer) -> BadStatusError:
    status = answer.response.status
    wait = parse_retry_after(answer.response.headers.get("Retry-After", ""), now=dt.datetime.now(dt.UTC))
    sentence = f"{answer.address.host} answered {status} {http.client.responses.get(status, '')}".rstrip()
    if wait is not None:
        sentence += f" and asks us to wait {wait} seconds"
    return BadStatusError(
        f"{sentence}.",
        url=answer.address.url,
        status=status,
        retry_after_seconds=wait,
        body_excerpt=_read_excerpt(answer),
    )


def _read_body(answer: _Answer) -> bytes:
    body = bytearray()
    with _explain_broken_body(answer):
        for piece in _unpacked(answer):
            body += piece
            if len(body) > answer.policy.max_bytes:
                raise answer.too_large()
    return bytes(body)


def _read_excerpt(answer: _Answer) -> bytes:
    """The start of an error page; what is wrong with the page itself does not matter beside its status."""
    excerpt = bytearray()
    with contextlib.suppress(FetchError), _explain_broken_body(answer):
        for piece in _unpacked(answer):
            excerpt += piece
            if len(excerpt) >= EXCERPT_BYTES:
                break
    return bytes(excerpt[:EXCERPT_BYTES])


def _unpacked(answer: _Answer) -> Iterator[bytes]:
    encoding = answer.response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return _read_wire(answer)
    if encoding in KNOWN_ENCODINGS:
        return unpack(_read_wire(answer), encoding=encoding)
    sentence = f"{answer.address.host} packed its answer in a way we did not ask for ({encoding[:40]!a})."
    raise answer.broken(sentence)


def _read_wire(answer: _Answer) -> Iterator[bytes]:
    """The body as it was sent. That it is shorter than its Content-Length is noticed by urllib3.

    One that is longer is cut where the header says, as browsers do: a server that counts characters for bytes loses
    the last few of an otherwise good feed, and the parser tells what is missing.
    """
    declared = answer.response.length_remaining
    if declared is not None and declared > answer.policy.max_bytes:
        raise answer.too_large()
    taken = 0
    for chunk in answer.response.stream(PIECE_BYTES, decode_content=False):
        taken += len(chunk)
        if taken > answer.policy.max_bytes:
            raise answer.too_large()
        yield chunk


@contextlib.contextmanager
def _explain_broken_body(answer: _Answer) -> Iterator[None]:
    try:
        yield
    except (TimeoutError, ReadTimeoutError) as error:
        raise answer.patience.timed_out(answer.address) from error
    except DamagedPackingError as error:
        sentence = f"The answer of {answer.address.host} did not arrive whole: {error}."
        raise answer.broken(sentence) from error
    except (OSError, HTTPError, http.client.HTTPException) as error:
        sentence = f"{answer.address.host} broke off in the middle of its answer."
        raise answer.broken(sentence) from error
