"""The webhooks of Mailjet."""

import json
from typing import Any

from tests.providers.base import Facts, Payload


def mailjet(kind: str, facts: Facts) -> Payload | None:
    """https://dev.mailjet.com/email/guides/webhooks/"""
    common = {
        "time": facts.epoch,
        "MessageID": int(facts.message_id) if facts.message_id.isdecimal() else 19421777835146490,
        "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j",
        "email": facts.email,
        "mj_campaign_id": 7257,
        "mj_contact_id": 4,
        "customcampaign": "",
        "CustomID": "",
        "Payload": json.dumps(facts.metadata),
    }
    more: dict[str, dict[str, Any]] = {
        "delivered": {"event": "sent", "mj_message_id": "19421777835146490", "smtp_reply": "sent (250 2.0.0 OK)"},
        "deferred": {
            "event": "bounce",
            "blocked": False,
            "hard_bounce": False,
            "error_related_to": "domain",
            "error": "greylisted",
        },
        "hard": {
            "event": "bounce",
            "blocked": True,
            "hard_bounce": True,
            "error_related_to": "recipient",
            "error": "user unknown",
        },
        "soft": {
            "event": "bounce",
            "blocked": False,
            "hard_bounce": False,
            "error_related_to": "recipient",
            "error": "quota exceeded",
        },
        "blocked": {"event": "blocked", "error_related_to": "content", "error": "content blocked"},
        "complaint": {"event": "spam", "source": "JMRPP"},
        "unsubscribe": {"event": "unsub", "mj_list_id": 1, "ip": "192.0.2.9", "geo": "", "agent": "List-Unsubscribe"},
    }
    return [{**common, **more[kind]}]
