"""The webhooks of Resend."""

import hashlib
import json
from typing import Any

from tests.providers.base import Facts, Headers, Payload


def resend(kind: str, facts: Facts) -> Payload | None:
    """https://resend.com/docs/dashboard/webhooks/event-types"""
    names = {"delivered": "delivered", "deferred": "delivery_delayed", "complaint": "complained"}
    names |= dict.fromkeys(("hard", "soft", "blocked"), "bounced")
    if kind not in names:
        return None
    data: dict[str, Any] = {
        "created_at": facts.iso,
        "email_id": facts.message_id,
        "from": "Daily Papers <papers@example.org>",
        "to": [facts.email],
        "subject": "Papers",
        "headers": [{"name": "X-Metadata", "value": json.dumps(facts.metadata)}],
        "tags": [],
    }
    bounces = {
        "hard": ("Permanent", "General", "The recipient's email provider sent a hard bounce message."),
        "soft": (
            "Transient",
            "MailboxFull",
            "The recipient's email provider sent a bounce message: the inbox was full.",
        ),
        "blocked": (
            "Transient",
            "ContentRejected",
            "The recipient's email provider sent a bounce message: the content.",
        ),
    }
    if kind in bounces:
        bounce_type, sub_type, message = bounces[kind]
        data["bounce"] = {"type": bounce_type, "subType": sub_type, "message": message}
    return {"type": f"email.{names[kind]}", "created_at": facts.iso, "data": data}


def svix_headers(body: bytes, payload: Payload, key: str) -> Headers:
    """https://docs.svix.com/receiving/verifying-payloads/how-manual: the id is the same when it is posted again."""
    return {"svix-id": f"msg_{hashlib.sha256(body).hexdigest()[:27]}", "svix-timestamp": "1763899500"}
