"""Reads the mail that tells of mail: delivery reports (RFC 3464) and complaints (RFC 5965). Pure: bytes in, facts out.

Anybody can send such a mail, so nothing in it is believed but the opaque id that only our own mail carried.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parsedate_to_datetime
from enum import StrEnum

# What stands in a real report is a few kilobytes; some servers return our whole mail with it.
LONGEST = 5 * 1024 * 1024
_ADDRESSED = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_COMPLAINTS = {"abuse", "fraud", "virus", "other"}


class ReportKind(StrEnum):
    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    OPT_OUT = "opt-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one part of one such mail says. `addresses` and `message_ids` are where our id may stand.

    `status` is an enhanced status code (RFC 3463) or empty, `happened_at` when it says it happened or was written, and
    `key` the same for the same report, read again.
    """

    kind: ReportKind
    addresses: tuple[str, ...]
    message_ids: tuple[str, ...]
    status: str = ""
    words: str = ""
    happened_at: dt.datetime | None = None
    key: str = ""


def read_reports(source: bytes) -> list[Report]:
    """What this mail reports; nothing where it is some other mail, such as a vacation note. Raises ValueError."""
    if len(source) > LONGEST:
        raise ValueError(f"This mail is larger than a report is ({len(source)} bytes).")
    mail = message_from_bytes(source, policy=policy.compat32)
    if mail.get_content_type() != "multipart/report":
        return []
    # The report's own Message-ID where it has one: servers put other lines around the same report.
    name = _text(mail, "Message-ID") or hashlib.sha256(source).hexdigest()
    readers = {"message/delivery-status": _read_delivery, "message/feedback-report": _read_complaint}
    # Its own parts alone: what a mail that was sent back says within itself is nobody's report.
    found = [
        report
        for part in _blocks(mail)
        if (reader := readers.get(part.get_content_type()))
        for report in reader(mail, part)
    ]
    keys = (hashlib.sha256(f"{name}\n{number}".encode()).hexdigest() for number in range(len(found)))
    return [replace(report, key=key) for report, key in zip(found, keys, strict=True)]


def _read_delivery(mail: Message, part: Message) -> Iterator[Report]:
    """One block of fields about the mail, then one for each of its recipients (RFC 3464, section 2.1)."""
    kinds = {"failed": ReportKind.FAILED, "delayed": ReportKind.DELAYED, "delivered": ReportKind.DELIVERED}
    for block in _blocks(part):
        kind = kinds.get(_text(block, "Action").lower())
        if kind is None:
            continue
        yield Report(
            kind=kind,
            addresses=_addressed(mail),
            message_ids=_message_ids(mail),
            status=_text(block, "Status").partition(" ")[0],
            # «smtp; 550 5.1.1 No such user»: the type says whose words follow.
            words=_text(block, "Diagnostic-Code").partition(";")[2].strip(),
            happened_at=_date(block, "Last-Attempt-Date") or _date(mail, "Date"),
        )


def _read_complaint(mail: Message, part: Message) -> Iterator[Report]:
    """One block of fields (RFC 5965, section 3)."""
    for block in _blocks(part):
        feedback = _text(block, "Feedback-Type").lower()
        if feedback in _COMPLAINTS:
            kind = ReportKind.COMPLAINT
        elif feedback == "opt-out":
            kind = ReportKind.OPT_OUT
        else:
            # «not-spam» is praise, «auth-failure» is for the doctor.
            continue
        yield Report(
            kind=kind,
            addresses=(_text(block, "Original-Mail-From").strip("<>"), *_addressed(mail)),
            message_ids=_message_ids(mail),
            words=f"{feedback}: {_text(block, 'User-Agent')}".rstrip(": "),
            happened_at=_date(mail, "Date"),
        )


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []


def _addressed(mail: Message) -> tuple[str, ...]:
    return tuple(
        address.strip() for name in _ADDRESSED for value in mail.get_all(name, []) for address in str(value).split(",")
    )


def _message_ids(mail: Message) -> tuple[str, ...]:
    """Of our mail, or its headers, as it was sent back with the report."""
    found = []
    for part in mail.walk():
        if part.get_content_type() in {"message/rfc822", "message/global"}:
            found += [_text(block, "Message-ID") for block in _blocks(part)]
        elif part.get_content_type() in {"text/rfc822-headers", "message/rfc822-headers"}:
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                found.append(_text(message_from_bytes(payload, policy=policy.compat32), "Message-ID"))
    return tuple(message_id for message_id in found if message_id)


def _text(block: Message, name: str) -> str:
    return " ".join(str(block.get(name, "")).split())


def _date(block: Message, name: str) -> dt.datetime | None:
    try:
        found = parsedate_to_datetime(_text(block, name))
    except ValueError:
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found
