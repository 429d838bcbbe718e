"""A real HTTP server on the loopback address, for tests: it answers as told, also badly, and remembers the requests.

    with serve({"/feed": Reply(body=feed, headers={"ETag": '"1"'})}) as server:
        fetch(server.url("/feed"), policy=FetchPolicy(user_agent="test", allow=frozenset({server.pair})))
        assert server.requests[0].headers["User-Agent"] == "test"

A route is a path (for any method) or a method and a path (`"POST /messages"`), and leads to one of

- a `Reply`, given every time;
- a list of them, given one after the other, the last one again and again: `[Reply(status=429), json_reply({"ok": 1})]`;
- a function that gets the `Received` request and returns a `Reply`: `server.requests` has the request too.

`conditional`, `json_reply` and `redirect` make the usual ones. Anything unknown is a 404. `server.routes` may be
changed while it runs. Every answer ends its connection. A route function that fails is reported when the server ends,
so that a test cannot pass over it. Replies that wait stop waiting when the server ends, so it ends at once.
"""

import contextlib
import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.client import responses
from typing import Any
from urllib.parse import parse_qs, urlsplit

# How long the server waits for the rest of a request, so that a client that connects and says nothing ends.
SILENCE_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer. The first four fields make an honest one; each of the others makes it misbehave.

    With `chunks` instead of `body`, each chunk is written by itself, so that `pause` has something to part. A list or
    tuple of them has a length; anything else may be without end (`itertools.repeat(b"x" * 1000)`), ends with the
    connection, and is written until the client leaves.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str = b""
    framing: str = "length"  # how the body's end is told: "length" (Content-Length), "chunked", or "close"

    chunks: Iterable[bytes] | None = None
    wait: float = 0  # seconds of silence before the first byte
    pause: float = 0  # seconds of silence before each chunk
    content_length: int | None = None  # what the header claims, whatever the body is
    cut: bool = False  # end without what `framing` owes: no last chunk
    raw: Sequence[bytes] | None = None  # send just this, piece by piece, in place of everything else


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it came. Header names are found in any case: `request.headers["user-agent"]`."""

    method: str
    target: str  # the path with its query, as sent
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def form(self) -> dict[str, list[str]]:
        """The body as a form, sent as application/x-www-form-urlencoded."""
        return parse_qs(self.body.decode())

    def json(self) -> Any:
        return json.loads(self.body)


Route = Reply | Sequence[Reply] | Callable[[Received], Reply]


def json_reply(value: object, *, status: int = 200) -> Reply:
    return Reply(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(value))


def redirect(location: str, *, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": location})


def conditional(body: bytes | str, *, etag: str, content_type: str = "application/xml") -> Callable[[Received], Reply]:
    """The body with its ETag, and 304 to whoever has it already, as a good feed server does."""

    def answer(request: Received) -> Reply:
        if request.headers["If-None-Match"] == etag:
            return Reply(status=304, headers={"ETag": etag})
        return Reply(headers={"ETag": etag, "Content-Type": content_type}, body=body)

    return answer


class LocalServer:
    """A server that runs. `pair` is its `host:port`, as FETCH_ALLOW names it; `requests` is what came, in order."""

    def __init__(self, routes: Mapping[str, Route], *, scheme: str) -> None:
        self.routes: MutableMapping[str, Route] = dict(routes)
        self.requests: list[Received] = []
        self.connections = 0
        self.errors: list[Exception] = []
        self.stopping = threading.Event()
        self.scheme = scheme
        self.port = 0
        self._turns: dict[str, tuple[Route, int]] = {}
        self._lock = threading.Lock()

    @property
    def pair(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{self.pair}{path}"

    def requests_to(self, path: str) -> list[Received]:
        return [request for request in self.requests if request.path == path]

    def answer(self, request: Received) -> Reply:
        """What the routes say to `request`, which is remembered."""
        with self._lock:
            self.requests.append(request)
            specific = f"{request.method} {request.path}"
            name = specific if specific in self.routes else request.path
            route = self.routes.get(name)
            if route is None:
                return Reply(status=404, body="There is nothing here.")
            # A list given in place of another starts at its beginning.
            last_route, last_turn = self._turns.get(name, (None, -1))
            turn = last_turn + 1 if last_route is route else 0
            self._turns[name] = (route, turn)
        if isinstance(route, Reply):
            return route
        if callable(route):
            return route(request)
        return route[min(turn, len(route) - 1)]


@contextlib.contextmanager
def serve(routes: Mapping[str, Route] | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[LocalServer]:
    """Run a server with these routes on a free port of 127.0.0.1; with `tls`, over https."""
    local = LocalServer(routes or {}, scheme="https" if tls else "http")
    with _Listener(local, tls) as listener:
        local.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, name="local server")
        thread.start()
        try:
            yield local
        finally:
            local.stopping.set()
            listener.shutdown()
            thread.join()
    if local.errors:
        raise ExceptionGroup("routes of the local server failed", local.errors)


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, local: LocalServer, tls: ssl.SSLContext | None) -> None:
        self.local = local
        self.tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, client = super().get_request()
        self.local.connections += 1
        if self.tls is not None:
            # The handshake comes with the first read, in the thread of the connection.
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, client

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave in the middle are what these tests are about; what a route raises is kept elsewhere."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    timeout = SILENCE_SECONDS

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        self.close_connection = True
        if not self.raw_requestline or not self.parse_request():
            return
        self.close_connection = True
        request = Received(method=self.command, target=self.path, headers=self.headers, body=self._read_body())
        try:
            reply = self.server.local.answer(request)
        except Exception as error:  # noqa: BLE001  # whatever a test's own route did, `serve` raises it in the end
            self.server.local.errors.append(error)
            reply = Reply(status=500, body=f"The route failed: {error!r}")
        self._send(reply)

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, reply: Reply) -> None:
        stopping = self.server.local.stopping
        silence = reply.wait
        for piece in _pieces(reply, self.command):
            if stopping.wait(silence):
                return
            self.wfile.write(piece)
            silence = reply.pause

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Tests look at `requests`, not at a log."""


def _pieces(reply: Reply, method: str) -> Iterator[bytes]:
    if reply.raw is not None:
        yield from reply.raw
        return
    body = reply.body.encode() if isinstance(reply.body, str) else reply.body
    chunks = [body] if reply.chunks is None else reply.chunks
    has_body = method != "HEAD" and reply.status not in {204, 304}
    yield _head(reply, chunks if has_body else None)
    if not has_body:
        return
    for chunk in chunks:
        if chunk:
            yield b"%x\r\n%b\r\n" % (len(chunk), chunk) if reply.framing == "chunked" else chunk
    if reply.framing == "chunked" and not reply.cut:
        yield b"0\r\n\r\n"


def _head(reply: Reply, chunks: Iterable[bytes] | None) -> bytes:
    headers = {"Connection": "close", **reply.headers}
    if reply.content_length is not None:
        headers["Content-Length"] = str(reply.content_length)
    elif chunks is not None and reply.framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    elif isinstance(chunks, list | tuple) and reply.framing == "length":
        headers["Content-Length"] = str(sum(map(len, chunks)))
    lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
