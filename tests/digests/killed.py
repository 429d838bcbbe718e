"""A sending process that kills itself at a given step: python -m tests.digests.killed STEP DATABASE PORT LINES ID…"""

import datetime as dt
import json
import os
import signal
import sys
from typing import Any

import django


def die(*args: Any, **more: Any) -> Any:
    """As hard as a kill can be: nothing is closed, nothing is rolled back by us, nobody is told."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str, *, when: Any = lambda *args: True) -> None:
    """Die as soon as this function has done its work."""
    work = getattr(owner, name)

    def work_and_die(*args: Any, **more: Any) -> Any:
        done = work(*args, **more)
        if when(*args):
            die()
        return done

    setattr(owner, name, work_and_die)


def in_the_middle_of_the_message(line: Any) -> None:
    view = line._out[0]
    if len(view) < 2000:
        return write(line)
    line._socket.setblocking(True)
    line._socket.sendall(view[: len(view) // 2])
    return die()


def prepare(step: str) -> None:
    """Put the kill where it belongs."""
    global write
    from digests import delivering
    from mailer import smtp, smtp_lines
    from subscriptions import batch, journal

    write = smtp.SmtpLine._write
    match step:
        case "claimed":
            after(delivering.DigestWork, "claim")
        case "chosen":
            after(delivering, "choose_digest")
        case "about to commit the begin":
            after(journal, "begin_rows")
        case "begun":
            smtp_lines.SmtpLines.submit = die  # type: ignore[method-assign]
        case "in the middle of the message":
            smtp.SmtpLine._write = in_the_middle_of_the_message  # type: ignore[method-assign, assignment]
        case "handed over":
            smtp.SmtpLine._on_message_answer = die  # type: ignore[method-assign]
        case "answered":
            after(batch.Batch, "_hear", when=lambda held, *args: held._answers)
        case "about to commit the record":
            after(journal, "record_rows", when=lambda model, outcomes: outcomes)
        case "recorded":
            after(batch.Batch, "_journal", when=lambda held, *args: OutgoingState.ACCEPTED in held.states)
    from subscriptions.outgoing import OutgoingState


def main() -> None:
    step, database, port, lines, *ids = sys.argv[1:]
    from django.conf import settings

    settings.DATABASES["default"] |= json.loads(database)
    settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", int(port), False
    settings.SEND_CONNECTIONS = int(lines)
    django.setup()
    prepare(step)
    from digests.delivering import send_deliveries

    send_deliveries(map(int, ids), now=dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC))


if __name__ == "__main__":
    main()
