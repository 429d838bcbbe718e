"""Serves the bundled sample over HTTP on this machine, so that it takes the same way in as a real source.

Look at it in a browser with `python -m papers.sample.server --port 8801`.
"""

import argparse
import datetime as dt
import hashlib
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

SAMPLE_PATHS = {"arxiv": "/arxiv.xml", "hf": "/daily_papers.json"}

# The announcement day that stands in both files.
WRITTEN_FOR = dt.date(2025, 9, 3)

_LOOPBACK = "127.0.0.1"
_EASTERN = ZoneInfo("America/New_York")
_CONTENT_TYPES = {
    SAMPLE_PATHS["arxiv"]: "application/rss+xml; charset=utf-8",
    SAMPLE_PATHS["hf"]: "application/json; charset=utf-8",
}
_XML_DATE = re.compile(r"(?<=<pubDate>)[^<]+(?=</pubDate>)|(?<=<lastBuildDate>)[^<]+(?=</lastBuildDate>)")
_JSON_DATE = re.compile(r'("(?:publishedAt|submittedOnDailyAt)": ")(\d{4}-\d\d-\d\d)(?=T)')


def eastern_today() -> dt.date:
    """The day arXiv would date an announcement of this moment with: the one in US Eastern time."""
    return dt.datetime.now(tz=_EASTERN).date()


def stamp(document: bytes, *, day: dt.date) -> bytes:
    """A document of the sample with all its dates moved so that it is announced on `day`.

    Distances between dates stay, and arXiv's midnights stay midnights in US Eastern time, summer or winter.
    """
    text, shift = document.decode(), day - WRITTEN_FOR
    if document.startswith(b"<"):
        return _XML_DATE.sub(lambda match: _shift_mail_date(match[0], shift), text).encode()
    return _JSON_DATE.sub(lambda match: match[1] + (dt.date.fromisoformat(match[2]) + shift).isoformat(), text).encode()


@contextmanager
def serve_sample(*, port: int = 0, today: Callable[[], dt.date] = eastern_today) -> Iterator[str]:
    """Serve the sample on 127.0.0.1 while the block runs, and yield the base address, like http://127.0.0.1:41733.

    The documents are at the paths in `SAMPLE_PATHS`, dated `today()` at the time of each request. Port 0 takes any free
    one; raises OSError when the port asked for is taken. On leaving the block the port is free again.
    """
    with _SampleServer(port=port, today=today) as server:
        # The short poll is how long leaving the block may take.
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://{_LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _SampleServer(ThreadingHTTPServer):
    def __init__(self, *, port: int, today: Callable[[], dt.date]) -> None:
        super().__init__((_LOOPBACK, port), _SampleHandler)
        self.today = today

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for a name of this machine, which can take long where there is no network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, self.socket.getsockname()[1]

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        # A client that hangs up early is no error of ours; anything else is worth its traceback.
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _SampleHandler(BaseHTTPRequestHandler):
    server: _SampleServer
    server_version = "DailyPapersSample"
    timeout = 10  # Seconds a silent client is waited for.

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: the fetch that asks is the one to log."""

    def _answer(self, *, with_body: bool) -> None:
        url = urlsplit(self.path)
        content_type = _CONTENT_TYPES.get(url.path)
        if content_type is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = _read_document(url.path, parse_qs(url.query), self.server.today())
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        known = _matches(self.headers.get("If-None-Match", ""), etag)
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", etag)
        if not known:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body and not known:
            self.wfile.write(body)


def _read_document(path: str, query: dict[str, list[str]], day: dt.date) -> bytes:
    # The JSON list fits on one page. The real service answers a later page with an empty list, so that one who pages
    # on comes to an end.
    if path == SAMPLE_PATHS["hf"] and query.get("p", ["0"])[0] != "0":
        return b"[]"
    return stamp((Path(__file__).parent / path.lstrip("/")).read_bytes(), day=day)


def _matches(if_none_match: str, etag: str) -> bool:
    # RFC 9110, section 13.1.2: a list of tags or a star, compared weakly.
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag in tags


def _shift_mail_date(text: str, shift: dt.timedelta) -> str:
    written = parsedate_to_datetime(text)
    # Adding to a zone-aware time moves the wall clock, so midnight stays midnight across a change to winter time.
    moved = written.astimezone(_EASTERN) + shift
    return format_datetime(moved if written.utcoffset() else moved.astimezone(dt.UTC))


def main() -> None:
    """Serve the sample until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m papers.sample.server", description="Serve the bundled sample papers."
    )
    parser.add_argument("--port", type=int, default=8801, help="the port on 127.0.0.1 (default: %(default)s)")
    port = parser.parse_args().port
    try:
        with serve_sample(port=port) as base_url:
            sys.stdout.write("".join(f"{kind:6}{base_url}{path}\n" for kind, path in SAMPLE_PATHS.items()))
            sys.stdout.flush()
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except OSError as error:
        parser.exit(1, f"Cannot listen on port {port}: {error.strerror}.\n")


if __name__ == "__main__":
    main()
