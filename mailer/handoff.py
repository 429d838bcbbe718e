"""Handing one message to the mail service, and saying honestly what came of it.

Four outcomes, no more: it was accepted, it was refused for now, it was refused for good, or no answer came. Only an
answer is knowledge: a connection that breaks while we wait for one leaves the outcome open, and nobody may guess.
"""

import contextlib
import datetime as dt
import smtplib
import traceback
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import requests
import urllib3
from anymail.exceptions import (
    AnymailAPIError,
    AnymailConfigurationError,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from mailer.outbox import NotStoredError
from mailer.redacting import without_addresses


@dataclass(frozen=True, slots=True)
class Accepted:
    """The mail service took the message. That is not yet delivered."""

    provider: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class TryLater:
    """An answer came, or no connection: it did not take the message now."""

    reason: str
    # How many seconds the service asks all of us to wait, where it does.
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never take this message."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The message may or may not have left."""

    reason: str


Outcome: TypeAlias = Accepted | TryLater | Refused | NoAnswer

# Our side is wrong, not the message: keys, quota, a blocked sender. The mail waits until the owner has mended it.
_TOO_MANY_SECONDS = 60.0
# Whoever asks for more than a day is asked again after a day.
_LONGEST_WAIT = 86400.0
_OUR_FAULT = {401, 402, 403, 408, 425, 429}
# RFC 4954, section 6, and RFC 5248: log in first, differently, or with another password. Servers say so at any step.
_LOGIN_FAULT = {530, 534, 535, 538}


_AMAZON_TOO_MANY = {"Throttling", "ThrottlingException", "TooManyRequestsException", "LimitExceededException"}
_AMAZON_OUR_FAULT = {
    "AccountSuspendedException",
    "MailFromDomainNotVerifiedException",
    "NotFoundException",  # the configuration set
    "SendingPausedException",
}
# What its client raises before anything was sent, by name: it is not installed everywhere.
_AMAZON_NEVER_SENT = {
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProxyConnectionError",
}


def hand_off(message: EmailMessage, *, connection: BaseEmailBackend) -> Outcome:
    """Send one message over an open connection. Never raises for anything the mail service does; a worker whose time
    is up while it waits is told so (SoftTimeLimitExceeded), and nobody knows whether the message left.

    One message at a time: `send_messages([...])` stops at the first exception (Django 5.2, Anymail 15), and then
    nobody could say what became of the rest. Where no answer came, a service that knows a message again by its key is
    asked once more, and only such a one.
    """
    outcome = _hand_off_once(message, connection)
    if isinstance(outcome, NoAnswer) and getattr(connection, "takes_idempotency_key", False):
        second = _hand_off_once(message, connection)
        # Only a yes ends the doubt: a no to the second may have been preceded by a silent yes to the first.
        return second if isinstance(second, Accepted) else outcome
    return outcome


def _hand_off_once(message: EmailMessage, connection: BaseEmailBackend) -> Outcome:
    try:
        sent = connection.send_messages([message])
    except SoftTimeLimitExceeded:
        _close(connection)
        raise
    except Exception as error:  # noqa: BLE001 - whatever a backend raises, the row needs an honest state
        _close(connection)
        return classify(error)
    if not sent:
        return Refused("The mail service was given nothing to send.")
    status: Any = getattr(message, "anymail_status", None)
    answer = _doubt(status) if status else None
    message_id = getattr(status, "message_id", None)
    return answer or Accepted(
        provider=provider_name(connection), message_id=message_id if isinstance(message_id, str) else ""
    )


def _close(connection: BaseEmailBackend) -> None:
    # It may be broken, and then every later message on it would end in «no answer» too.
    with contextlib.suppress(Exception):
        connection.close()


def provider_name(connection: BaseEmailBackend) -> str:
    """What we call the service behind a connection: the ESP's name, or the backend's module (smtp, outbox)."""
    return str(getattr(connection, "esp_name", type(connection).__module__.rpartition(".")[2])).lower()[:40]


def classify(error: Exception) -> Outcome:
    """What an exception of Django's or Anymail's backends means for the message."""
    match error:
        case AnymailRecipientsRefused():
            return Refused("The mail service refused the recipient.")
        case AnymailUnsupportedFeature() | AnymailSerializationError() | AnymailConfigurationError():
            return Refused(f"The message cannot be sent through this mail service: {error.__class__.__name__}.")
        case AnymailAPIError():
            return _classify_api(error)
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            code, text = next(iter(recipients.values()))
            return classify_smtp(code, text)
        case smtplib.SMTPDataError(smtp_code=code, smtp_error=text) if not _came_before_message(error):
            return classify_smtp(code, text)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
            # Said of the greeting, the login, the sender or the wish to send at all: of us, not of this message or its
            # reader. A quota or a block ends, and the owner can mend the rest.
            return TryLater(smtp_answer(code, text))
        case smtplib.SMTPNotSupportedError():
            return Refused("The mail server cannot carry this message.")
        case NotStoredError():
            return TryLater(str(error))
        case ConnectionRefusedError():
            return TryLater("The mail service does not accept connections.")
        case ValueError() | UnicodeError():
            # Raised while the message is put together (a line break in a header, an address that cannot be encoded).
            return Refused(f"The message is not valid: {error.__class__.__name__}.")
        case _:
            return NoAnswer(f"No answer from the mail service: {error.__class__.__name__}.")


def _doubt(status: Any) -> Outcome | None:
    """What Anymail read in the service's answer, where that is no yes. It raises nothing for «failed» or «unknown», and
    makes «unknown» of Postmark's 422 where the words are not those it looks for."""
    states = set(status.status or ())
    if states <= {"sent", "queued"}:
        return None
    code = getattr(status.esp_response, "status_code", None)
    if states <= {"failed", "rejected", "invalid"} or (isinstance(code, int) and code >= 400):
        return Refused("The mail service refused the recipient.")
    return NoAnswer("The mail service answered, but did not say whether it took the message.")


def _classify_api(error: AnymailAPIError) -> Outcome:
    status = getattr(error, "status_code", None) or _amazon_status(error)
    if status is None:
        if isinstance(error.__cause__, requests.ConnectTimeout) or _never_connected(error.__cause__):
            return TryLater("The mail service could not be reached.")
        return NoAnswer("No answer from the mail service.")
    if status < 300:
        return NoAnswer(f"The mail service answered {status}, but in words we could not read.")
    if status in _OUR_FAULT or status >= 500:
        return TryLater(f"The mail service answered {status}.", wait_seconds=_asked_to_wait(error, status))
    return Refused(f"The mail service refused the message with {status}.")


def _amazon_status(error: AnymailAPIError) -> int | None:
    """The status of an answer of Amazon's, which its client takes apart. Some of its 400s are about our account, as
    much as a 403 is: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors"""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        return None
    code = str(answer.get("Error", {}).get("Code", ""))
    if code in _AMAZON_TOO_MANY:
        return 429
    if code in _AMAZON_OUR_FAULT:
        return 403
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _asked_to_wait(error: AnymailAPIError, status: int) -> float | None:
    """What 429 and 503 say in Retry-After (RFC 9110, section 10.2.3); too many requests without it is a minute."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    given = str(headers.get("Retry-After", "")).strip()
    seconds: float | None = None
    if given.isdecimal():
        seconds = float(given)
    elif given:
        with contextlib.suppress(ValueError, TypeError):
            until = parsedate_to_datetime(given)
            seconds = (until - dt.datetime.now(until.tzinfo or dt.UTC)).total_seconds()
    if seconds is None:
        return _TOO_MANY_SECONDS if status == 429 else None
    return min(max(seconds, 1.0), _LONGEST_WAIT) if status in {429, 503} else None


def _never_connected(cause: BaseException | None) -> bool:
    if type(cause).__module__ == "botocore.exceptions":
        return type(cause).__name__ in _AMAZON_NEVER_SENT
    # Requests wraps urllib3's MaxRetryError, whose reason says how far it came; a name that could not be looked up is a
    # NewConnectionError too.
    reasons = [getattr(wrapped, "reason", None) for wrapped in cause.args] if cause else []
    return isinstance(cause, requests.ConnectionError) and any(
        isinstance(reason, urllib3.exceptions.NewConnectionError) for reason in reasons
    )


def classify_smtp(code: int, text: bytes | str) -> Outcome:
    """What a no to a message or its recipient means (RFC 5321, section 4.2.1)."""
    answer = smtp_answer(code, text)
    is_for_now = 400 <= code < 500 or code == -1 or code in _LOGIN_FAULT
    return TryLater(answer) if is_for_now else Refused(answer)


def smtp_answer(code: int, text: bytes | str) -> str:
    """The server's own words, as a reason; not whom it spoke of."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"The mail server answered {code} {without_addresses(words)}"[:300]


def _came_before_message(error: Exception) -> bool:
    """Whether the server said no to DATA itself. smtplib raises one error for that and for a no to the message that
    follows: the first in its method `data`, the second in `sendmail`."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_code.co_name == "data"
