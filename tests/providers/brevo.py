"""The webhooks of Brevo."""

import json

from tests.providers.base import Facts, Payload


def brevo(kind: str, facts: Facts) -> Payload | None:
    """https://developers.brevo.com/docs/transactional-webhooks"""
    names = {
        "delivered": "delivered",
        "deferred": "deferred",
        "hard": "hard_bounce",
        "soft": "soft_bounce",
        "blocked": "blocked",
        "complaint": "spam",
        "unsubscribe": "unsubscribed",
    }
    reasons = {
        "hard": "550 5.1.1 user unknown",
        "soft": "550 mailbox is full",
        "blocked": "blocked : due to blacklist user",
    }
    return {
        "event": names[kind],
        "email": facts.email,
        "id": 26224,
        "date": facts.at.strftime("%Y-%m-%d %H:%M:%S"),
        "ts": facts.epoch,
        "message-id": facts.message_id,
        "ts_event": facts.epoch,
        "subject": "Papers",
        "X-Mailin-custom": json.dumps(facts.metadata),
        "sending_ip": "192.0.2.4",
        "template_id": 22,
        "ts_epoch": facts.epoch * 1000,
        **({"reason": reasons[kind]} if kind in reasons else {}),
    }
