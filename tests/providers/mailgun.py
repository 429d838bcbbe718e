"""The webhooks of Mailgun."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from tests.providers.base import SIGNING_KEY, Facts, Payload


def mailgun(kind: str, facts: Facts) -> Payload | None:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads"""
    data: dict[str, Any] = {
        "id": "Ase7i2zsRYeDXztHGENqRA",
        "timestamp": facts.epoch + 0.5,
        "log-level": "info",
        "recipient": facts.email,
        "recipient-domain": "example.net",
        "tags": [],
        "campaigns": [],
        "user-variables": facts.metadata,
        "flags": {"is-test-mode": False},
        "message": {
            "headers": {
                "to": facts.email,
                "message-id": facts.message_id.strip("<>"),
                "from": "papers@example.org",
                "subject": "Papers",
            },
            "attachments": [],
            "size": 512,
        },
    }
    failures = {
        "hard": ("permanent", "bounce", 550, "5.1.1 The account does not exist"),
        "soft": ("permanent", "generic", 552, "5.2.2 The mailbox is full"),
        "blocked": ("permanent", "generic", 550, "5.7.1 Our system has found this to be spam"),
        "deferred": ("temporary", "generic", 451, "4.7.1 Greylisted"),
    }
    if kind in failures:
        severity, reason, code, words = failures[kind]
        data |= {
            "event": "failed",
            "severity": severity,
            "reason": reason,
            "log-level": "error",
            "delivery-status": {
                "attempt-no": 1,
                "code": code,
                "message": words,
                "description": "",
                "session-seconds": 0.4,
            },
        }
    elif kind == "delivered":
        data |= {
            "event": "delivered",
            "delivery-status": {"attempt-no": 1, "code": 250, "message": "OK", "description": ""},
        }
    else:
        data |= {"event": {"complaint": "complained", "unsubscribe": "unsubscribed"}[kind]}
    signature = {"timestamp": str(facts.epoch), "token": hashlib.sha256(facts.event_id.encode()).hexdigest()[:50]}
    return {"signature": mailgun_signature(signature, SIGNING_KEY), "event-data": data}


def mailgun_signature(signature: Mapping[str, str], key: str) -> dict[str, str]:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"""
    signed = f"{signature['timestamp']}{signature['token']}".encode()
    return {**signature, "signature": hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}
