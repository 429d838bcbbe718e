"""The webhooks of Mailtrap."""

import hashlib
import hmac
from typing import Any

from tests.providers.base import Facts, Headers, Payload


def mailtrap(kind: str, facts: Facts) -> Payload | None:
    """https://api-docs.mailtrap.io/docs/mailtrap-api-docs/016fe2a1efd5a-receive-events-json-format"""
    more: dict[str, dict[str, Any]] = {
        "delivered": {"event": "delivery"},
        "deferred": {
            "event": "soft bounce",
            "response": "451 4.7.1 Greylisted",
            "response_code": 451,
            "bounce_category": "spam",
        },
        "hard": {
            "event": "bounce",
            "response": "550 5.1.1 no such account",
            "response_code": 550,
            "bounce_category": "badmailbox",
        },
        "blocked": {"event": "reject", "reason": "unknown"},
        "complaint": {"event": "spam"},
        "unsubscribe": {"event": "unsubscribe", "ip": "192.0.2.9", "user_agent": "made-up"},
    }
    if kind not in more:
        return None
    common = {
        "timestamp": facts.epoch,
        "sending_stream": "bulk",
        "message_id": facts.message_id,
        "email": facts.email,
        "event_id": facts.event_id,
        "category": "",
        "custom_variables": facts.metadata,
    }
    return {"events": [{**common, **more[kind]}]}


def mailtrap_headers(body: bytes, payload: Payload, key: str) -> Headers:
    """https://docs.mailtrap.io/email-api-smtp/advanced/webhooks"""
    return {"Mailtrap-Signature": hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}
