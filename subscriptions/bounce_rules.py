"""What a bounce says, and of whom: that the address is no good, that it may be later, or that our mail is not wanted.

Providers do not agree on these, so each is heard in its own words first, and then the receiving server in its own: the
enhanced status codes of RFC 3463.
Suppressing a reader over a word that meant something else would be worse than one more bounce: where in doubt, a bounce
is soft, and the third of five suppresses.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason


class Verdict(Enum):
    """What to make of a bounce. HARD: never mail it again. SOFT: count it. BLOCK: our fault, tell the owner."""

    HARD = auto()
    SOFT = auto()
    BLOCK = auto()


_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_BASIC = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])")
# Bad mailbox, bad system, bad syntax, ambiguous, moved, no MX, and the mailbox that was switched off.
_NO_SUCH_ADDRESS = {(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 6), (1, 10), (2, 1)}
# Other, and undefined: says nothing beyond the provider's own word.
_SAYS_NOTHING = {(0, 0), (5, 0)}
_BLOCKS = {RejectReason.SPAM, RejectReason.BLOCKED}


def judge(event: AnymailTrackingEvent, *, provider: str) -> Verdict | None:
    """What this event says, where it tells of a bounce; None for every other event."""
    if is_spam_note(event):
        return Verdict.BLOCK
    if event.event_type not in {EventType.BOUNCED, EventType.REJECTED}:
        return None
    raw = event.esp_event if isinstance(event.esp_event, Mapping) else {}
    reader = _READERS.get(provider.lower().replace(" ", "_"))
    said = reader(raw) if reader else None
    if said is None:
        if event.reject_reason in _BLOCKS:
            return Verdict.BLOCK
        if event.reject_reason not in {RejectReason.BOUNCED, RejectReason.INVALID}:
            return Verdict.SOFT if event.event_type == EventType.BOUNCED else None
        said = Verdict.HARD
    # The receiving server's own words outweigh a provider's «hard», never its «soft».
    return judge_answer(str(event.mta_response or "")) or said if said is Verdict.HARD else said


def kind_of(event: AnymailTrackingEvent) -> str:
    """What kind of event it is: Anymail's word, but for two that it reads otherwise than their providers mean them."""
    if is_spam_note(event):
        return str(EventType.BOUNCED)
    raw = event.esp_event
    # Brevo's page on transactional webhooks has both spellings; Anymail 15 knows the shorter one.
    if event.event_type == EventType.UNKNOWN and isinstance(raw, Mapping) and raw.get("event") == "unsubscribed":
        return str(EventType.UNSUBSCRIBED)
    return str(event.event_type)


def is_spam_note(event: AnymailTrackingEvent) -> bool:
    """Postmark's SpamNotification: a filter turned the mail away. Anymail calls it a complaint; nobody complained."""
    return isinstance(event.esp_event, Mapping) and event.esp_event.get("Type") == "SpamNotification"


def judge_answer(answer: str) -> Verdict | None:
    """What the receiving server's answer says, such as «550 5.1.1 no such user»; None where it leaves that open."""
    if enhanced := _ENHANCED.search(answer):
        return judge_status(enhanced[0])
    basic = _BASIC.search(answer)
    if basic is None:
        return None
    # Without more words 552 is a mailbox that is full (RFC 5321, section 4.2.2).
    return Verdict.SOFT if basic[1] == "4" or basic[0] == "552" else None


def judge_status(status: str) -> Verdict | None:
    """What an enhanced status code says, such as 5.2.2; None where it leaves that open."""
    found = _ENHANCED.fullmatch(status.strip())
    if found is None:
        return None
    if found[1] == "4":
        return Verdict.SOFT
    detail = int(found[2]), int(found[3])
    if detail in _SAYS_NOTHING:
        return None
    if detail in _NO_SUCH_ADDRESS:
        return Verdict.HARD
    # Security and policy: of the message or its sender, never of the mailbox.
    return Verdict.BLOCK if detail[0] == 7 else Verdict.SOFT


def _amazon_ses(raw: Mapping[str, Any]) -> Verdict | None:
    # https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
    bounce = raw.get("bounce") or {}
    if not bounce:
        return None
    if bounce.get("bounceSubType") in {"ContentRejected", "AttachmentRejected"}:
        return Verdict.BLOCK
    return Verdict.HARD if bounce.get("bounceType") == "Permanent" else Verdict.SOFT


def _postmark(raw: Mapping[str, Any]) -> Verdict | None:
    # https://postmarkapp.com/developer/api/bounce-api#bounce-types
    kinds = {
        "HardBounce": Verdict.HARD,
        "BadEmailAddress": Verdict.HARD,
        "SoftBounce": Verdict.SOFT,
        "VirusNotification": Verdict.BLOCK,
        "Blocked": Verdict.BLOCK,
        "DMARCPolicy": Verdict.BLOCK,
    }
    return kinds.get(str(raw.get("Type")))


def _mailgun(raw: Mapping[str, Any]) -> Verdict | None:
    # https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
    data = raw.get("event-data") or {}
    status = data.get("delivery-status") or {}
    if data.get("event") != "failed":
        return None
    if data.get("severity") != "permanent":
        return Verdict.SOFT
    if data.get("reason") == "suppress-complaint":
        return Verdict.BLOCK
    said = judge_answer(f"{status.get('code', '')} {status.get('enhanced-code', '')} {status.get('message', '')}")
    return said or (Verdict.HARD if data.get("reason") in {"bounce", "suppress-bounce"} else Verdict.SOFT)


def _resend(raw: Mapping[str, Any]) -> Verdict | None:
    # https://resend.com/docs/dashboard/emails/email-bounces
    bounce = (raw.get("data") or {}).get("bounce") or {}
    if kind := bounce.get("type"):
        if bounce.get("subType") in {"ContentRejected", "AttachmentRejected"}:
            return Verdict.BLOCK
        return Verdict.HARD if kind == "Permanent" else Verdict.SOFT
    message = str(bounce.get("message", ""))
    return Verdict.HARD if "hard bounce" in message or "suppressed sending" in message else Verdict.SOFT


def _brevo(raw: Mapping[str, Any]) -> Verdict | None:
    # https://developers.brevo.com/docs/transactional-webhooks
    kinds = {"hard_bounce": Verdict.HARD, "invalid_email": Verdict.HARD, "soft_bounce": Verdict.SOFT}
    return kinds.get(str(raw.get("event")))


def _mailersend(raw: Mapping[str, Any]) -> Verdict | None:
    # https://developers.mailersend.com/api/v1/webhooks.html
    kinds = {"hard_bounced": Verdict.HARD, "soft_bounced": Verdict.SOFT}
    return kinds.get(str((raw.get("data") or {}).get("type")))


def _mailjet(raw: Mapping[str, Any]) -> Verdict | None:
    # https://dev.mailjet.com/email/guides/webhooks/#possible-values-for-errors
    if raw.get("event") == "bounce":
        return Verdict.HARD if raw.get("hard_bounce") else Verdict.SOFT
    if raw.get("error") in {"quota exceeded", "connection issue", "greylisted"}:
        return Verdict.SOFT
    return None


def _sparkpost(raw: Mapping[str, Any]) -> Verdict | None:
    # https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
    event: Mapping[str, Any] = next(iter((raw.get("msys") or {}).values()), {})
    kind = str(event.get("bounce_class", ""))
    if kind in {"10", "30"}:
        return Verdict.HARD
    if kind in {"25", "50", "51", "52", "53", "54"}:
        return Verdict.BLOCK
    return Verdict.SOFT if kind and event.get("type") in {"bounce", "out_of_band"} else None


def _report(raw: Mapping[str, Any]) -> Verdict | None:
    # What `subscriptions.bounce_reading` made of a delivery report. With neither code it is in doubt.
    return judge_status(str(raw.get("status", ""))) or judge_answer(str(raw.get("words", ""))) or Verdict.SOFT


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Verdict | None]] = {
    "amazon_ses": _amazon_ses,
    "bounce_mailbox": _report,
    "brevo": _brevo,
    "mailersend": _mailersend,
    "mailgun": _mailgun,
    "mailjet": _mailjet,
    "postmark": _postmark,
    "resend": _resend,
    "sparkpost": _sparkpost,
}
