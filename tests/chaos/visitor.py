"""Somebody who reads and somebody who signs up, over and over, while everything around the site breaks. What each was
answered is kept, so that in the end the site can be held to it."""

import http.client
import itertools
import re
import threading
import time
from dataclasses import dataclass, field

from tests.chaos.processes import wait_for

PAGES = ("/", "/archive", "/about/", "/api/daily_papers")
# A visitor's patience, in seconds: longer than any answer may take.
PATIENCE = 8.0
PAUSE = 0.25
# Nobody fills in a form sooner (`guard.LEAST_SECONDS`).
FORM_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request: status 0 where nothing came. `at` and `seconds` by the clock that only goes on."""

    at: float
    seconds: float
    status: int
    path: str
    address: str = ""
    retry_after: str = ""


@dataclass
class Visitor:
    """Use as a context manager: asks the site at this host from the start to the end of the block."""

    host: str
    port: int
    answers: list[Answer] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Visitor":
        assert wait_for(lambda: self.ask("/healthz").status == 200, seconds=30, pause=0.3), "the site does not start"
        for act in (self._read, self._sign_up):
            self._threads.append(threading.Thread(target=act, daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=2 * PATIENCE)

    def ask(self, path: str, *, form: str = "", address: str = "") -> Answer:
        """One request."""
        started = time.monotonic()
        status, headers, _ = self._exchange(path, form=form)
        return Answer(
            started,
            time.monotonic() - started,
            status,
            path,
            address=address,
            retry_after=headers.get("Retry-After", ""),
        )

    def promised(self) -> list[str]:
        """The addresses of all who were told that a mail is on its way."""
        return [answer.address for answer in self.answers if answer.address and answer.status in {200, 302}]

    def between(self, start: float, end: float, *, sign_ups: bool) -> list[Answer]:
        """The answers to what was asked after `start` and answered before `end`."""
        return [
            answer
            for answer in self.answers
            if answer.at >= start and answer.at + answer.seconds <= end and bool(answer.address) == sign_ups
        ]

    def is_well(self) -> bool:
        """Whether the last pages and the last sign-up all succeeded."""
        pages = [answer for answer in self.answers if not answer.address][-len(PAGES) :]
        sign_ups = [answer for answer in self.answers if answer.address][-1:]
        return all(answer.status in {200, 302} for answer in pages + sign_ups)

    def _read(self) -> None:
        for path in itertools.cycle(PAGES):
            self.answers.append(self.ask(path))
            if self._over.wait(PAUSE):
                return

    def _sign_up(self) -> None:
        stamp = self._stamp()
        self._over.wait(FORM_SECONDS)
        for number in itertools.count():
            address = f"visitor{number}@example.net"
            form = f"email={address}&stamp={stamp}"
            self.answers.append(self.ask("/subscribe/", form=form, address=address))
            if self._over.wait(PAUSE):
                return

    def _stamp(self) -> str:
        found = re.search(rb'name="stamp"[^>]* value="([^"]+)"', self._exchange("/subscribe/", form="")[2])
        assert found, "the form has no stamp"
        return found[1].decode()

    def _exchange(self, path: str, *, form: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        headers = {"Host": "testserver", "Connection": "close"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request("POST" if form else "GET", path, body=form or None, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        except (OSError, http.client.HTTPException):
            return 0, {}, b""
        finally:
            connection.close()
