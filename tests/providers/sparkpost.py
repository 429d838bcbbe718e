"""The webhooks of SparkPost."""

from typing import Any

from tests.providers.base import Facts, Payload


def sparkpost(kind: str, facts: Facts) -> Payload | None:
    """https://developers.sparkpost.com/api/webhooks/"""
    more: dict[str, tuple[str, dict[str, Any]]] = {
        "delivered": ("message_event", {"type": "delivery", "queue_time": "12"}),
        "deferred": (
            "message_event",
            {"type": "delay", "bounce_class": "21", "error_code": "454", "raw_reason": "454 4.4.4 no MX"},
        ),
        "hard": (
            "message_event",
            {"type": "bounce", "bounce_class": "10", "error_code": "550", "raw_reason": "550 5.1.1 unknown"},
        ),
        "soft": (
            "message_event",
            {"type": "bounce", "bounce_class": "22", "error_code": "550", "raw_reason": "550 mailbox full"},
        ),
        "blocked": (
            "message_event",
            {"type": "bounce", "bounce_class": "51", "error_code": "554", "raw_reason": "554 5.7.1 spam"},
        ),
        "complaint": ("message_event", {"type": "spam_complaint", "fbtype": "abuse", "report_by": "example.net"}),
        "unsubscribe": ("unsubscribe_event", {"type": "list_unsubscribe"}),
    }
    group, values = more[kind]
    common = {
        "event_id": facts.event_id,
        "message_id": "000443ee14578172be22",
        "transmission_id": facts.message_id,
        "raw_rcpt_to": facts.email,
        "rcpt_to": facts.email,
        "rcpt_meta": facts.metadata,
        "rcpt_tags": [],
        "timestamp": str(facts.epoch),
        "customer_id": "1",
    }
    return [{"msys": {group: {**common, **values}}}]
