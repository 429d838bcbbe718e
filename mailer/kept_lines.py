"""SMTP connections kept open from one batch of mails to the next: with TLS and a login, opening them can take longer
than sending over them.

Only SMTP: there a connection that the server closed meanwhile has carried nothing, and that is known. Over HTTP a
request on a connection that just closes may or may not have arrived, so those are opened for each batch.
"""

import contextlib
import threading

from django.conf import settings

from mailer.lines import Lines, open_lines
from mailer.smtp_lines import SmtpLines

# Servers do not like idle guests: whoever has no further batch within this time says goodbye.
KEPT_SECONDS = 10.0

_lock = threading.Lock()
_kept: list[tuple[tuple[object, ...], SmtpLines]] = []
_timers: list[threading.Timer] = []


def borrow_lines(count: int) -> Lines:
    """Up to `count` connections to the mail service, those kept from the batch before where there are some.

    Raises what `open_lines` raises. Whoever borrows gives back, or closes.
    """
    lines = _take()
    if lines is not None:
        if lines.refresh(count):
            return lines
        lines.close()
    return open_lines(count)


def give_back_lines(lines: Lines) -> None:
    """Keep these connections for the next batch; close them where mails are on their way, or where it is no SMTP."""
    if not isinstance(lines, SmtpLines) or lines.in_flight or not lines.free:
        with contextlib.suppress(OSError):
            lines.close()
        return
    close_kept_lines()
    timer = threading.Timer(KEPT_SECONDS, close_kept_lines)
    timer.daemon = True
    with _lock:
        _kept.append((_address(), lines))
        _timers.append(timer)
    timer.start()


def close_kept_lines() -> None:
    """Say goodbye on all connections that nobody uses now."""
    with _lock:
        closing = [lines for _, lines in _kept]
        _clear()
    for lines in closing:
        with contextlib.suppress(OSError):
            lines.close()


def _take() -> SmtpLines | None:
    with _lock:
        found = [lines for address, lines in _kept if address == _address()]
        if not found:
            return None
        _clear()
    return found[0]


def _clear() -> None:
    """Forget them; the lock is held. A timer that wakes up all the same finds nothing of them."""
    _kept.clear()
    for timer in _timers:
        timer.cancel()
    _timers.clear()


def _address() -> tuple[object, ...]:
    """The mail server of the settings."""
    return settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_HOST_USER
