"""One HTTP request over a socket that passed the guard, with a clock on every read.

HTTP itself is urllib3's. Ours are the socket it gets (`papers.addresses` looked the name up once and checked it) and
the clock: a socket's own timeout starts anew with each byte, so without it a server that sends one byte now and then
could hold a worker for days, in the body and already in the headers.
"""

import contextlib
import functools
import http.client
import io
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from papers.addresses import Deadline, UnreachableError, WebAddress, open_checked_socket


class Patience:
    """How long things may take, in seconds: to connect (each hop), in silence, and all together from now on."""

    def __init__(self, *, connect: float, silence: float, total: float) -> None:
        self.connect = connect
        self.silence = silence
        self.total = total
        self.deadline = Deadline.in_seconds(total)

    def connect_by(self) -> Deadline:
        return Deadline.in_seconds(min(self.connect, self.deadline.seconds_left()))

    def next_wait(self) -> float:
        """Seconds that the next read may wait. Raises TimeoutError when the whole time is used up."""
        left = self.deadline.seconds_left()
        if left <= 0:
            raise TimeoutError
        return min(self.silence, left)

    def timed_out(self, address: WebAddress) -> UnreachableError:
        """The error for a read that was given up, which names the limit that was reached."""
        if self.deadline.is_over():
            sentence = f"{address.host} did not finish its answer within {self.total:g} seconds."
        else:
            sentence = f"{address.host} was silent for longer than {self.silence:g} seconds."
        return UnreachableError(sentence, url=address.url)


@contextlib.contextmanager
def ask(
    address: WebAddress, *, patience: Patience, allow: Collection[str], headers: Mapping[str, str]
) -> Iterator[HTTPResponse]:
    """GET `address` and give the answer, its body still to be read (and packed as sent). Closes everything afterwards.

    Raises AddressRefusedError, or UnreachableError while there is no answer. What goes wrong with the body comes as
    urllib3 or the socket says it.
    """
    connection = _make_connection(address, patience=patience, allow=allow)
    answers = _Answers(patience)
    # http.client calls this to make an answer; anything that can be called serves as well as the class it is typed as.
    connection.response_class = answers  # type: ignore[assignment]
    try:
        with _explain_no_answer(address, patience):
            connection.request("GET", address.target, headers=headers, preload_content=False, decode_content=False)
            response = connection.getresponse()
        with contextlib.closing(response):
            yield response
    finally:
        connection.close()
        # urllib3 lets go of an answer whose head it refuses without closing it.
        answers.close()


class _TimedReader(io.RawIOBase):
    """What http.client reads from, with the timeout set anew before each read from the socket."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, patience: Patience) -> None:
        self._raw = raw
        self._sock = sock
        self._patience = patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # any writable buffer, as RawIOBase has it
        self._sock.settimeout(self._patience.next_wait())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *, patience: Patience, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, patience))


class _Answers:
    """Makes the answers of one connection, and closes what was made."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._made: list[_TimedResponse] = []

    def __call__(self, sock: socket.socket, *, method: str | None = None) -> _TimedResponse:
        self._made.append(_TimedResponse(sock, patience=self._patience, method=method))
        return self._made[-1]

    def close(self) -> None:
        for answer in self._made:
            answer.close()


class _CheckedHTTPConnection(HTTPConnection):
    """Asks `open_socket` for its connection, where urllib3 would look the name up itself."""

    open_socket: functools.partial[socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.open_socket()


class _CheckedHTTPSConnection(HTTPSConnection):
    """The same under TLS: the certificate is compared with the name, whatever address was connected to."""

    open_socket: functools.partial[socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.open_socket()


def _make_connection(
    address: WebAddress, *, patience: Patience, allow: Collection[str]
) -> _CheckedHTTPConnection | _CheckedHTTPSConnection:
    connection: _CheckedHTTPConnection | _CheckedHTTPSConnection
    if address.scheme == "https":
        connection = _CheckedHTTPSConnection(address.host, address.port, ssl_context=tls_context())
    else:
        connection = _CheckedHTTPConnection(address.host, address.port)
    connection.timeout = patience.silence
    connection.open_socket = functools.partial(_open_socket, address, patience=patience, allow=allow)
    return connection


def _open_socket(address: WebAddress, *, patience: Patience, allow: Collection[str]) -> socket.socket:
    opened = open_checked_socket(address, allow=allow, deadline=patience.connect_by())
    # For a TLS handshake this is the time for all of it. Zero would mean not to wait at all and be told so oddly.
    opened.settimeout(max(0.001, min(patience.silence, patience.deadline.seconds_left())))
    return opened


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The machine's own certificate authorities (or SSL_CERT_FILE's); certifi's where the machine has none."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        context.load_verify_locations(certifi.where())
    return context


@contextlib.contextmanager
def _explain_no_answer(address: WebAddress, patience: Patience) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise patience.timed_out(address) from error
    except (OSError, HTTPError, http.client.HTTPException) as error:
        sentence = f"{address.host} gave no answer: {_reason(error)}."
        raise UnreachableError(sentence, url=address.url) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message.rstrip('.')})"
    if isinstance(error, ssl.SSLError):
        return "no secure connection could be made"
    if isinstance(error, OSError):  # also http.client.RemoteDisconnected
        return "it closed the connection"
    return "it does not speak HTTP"
