"""The webhooks of MailerSend."""

import hashlib
import hmac

from tests.providers.base import Facts, Headers, Payload


def mailersend(kind: str, facts: Facts) -> Payload | None:
    """https://developers.mailersend.com/api/v1/webhooks.html#payload-example"""
    names = {
        "delivered": "delivered",
        "hard": "hard_bounced",
        "soft": "soft_bounced",
        "complaint": "spam_complaint",
        "unsubscribe": "unsubscribed",
    }
    if kind not in names:
        return None
    morphs = {
        "hard": {"object": "recipient_bounce", "reason": "Host or domain name not found"},
        "soft": {"object": "recipient_bounce", "reason": "Mailbox full"},
        "complaint": {"object": "spam_complaint", "reason": None},
        "unsubscribe": {"object": "recipient_unsubscribe", "reason": "option_3", "readable_reason": "Too many mails"},
    }
    return {
        "type": f"activity.{names[kind]}",
        "domain_id": "yv69oxl5kl785kw2",
        "created_at": facts.iso,
        "webhook_id": "2351ndgwr4zqx8ko",
        "url": "https://papers.example.org/anymail/mailersend/tracking/",
        "data": {
            "object": "activity",
            "id": facts.event_id,
            "type": names[kind],
            "created_at": facts.iso,
            "email": {
                "object": "email",
                "id": "62f114f7165fe0d8db0288e3",
                "created_at": facts.iso,
                "from": "papers@example.org",
                "subject": "Papers",
                "status": "delivered" if kind != "hard" else "rejected",
                "tags": None,
                "message": {"object": "message", "id": facts.message_id, "created_at": facts.iso},
                "recipient": {"object": "recipient", "id": "62c69b", "email": facts.email, "created_at": facts.iso},
            },
            "morph": morphs.get(kind),
            "template_id": "0z76k5jg0o3yeg2d",
        },
    }


def mailersend_headers(body: bytes, payload: Payload, key: str) -> Headers:
    """https://developers.mailersend.com/api/v1/webhooks.html#security"""
    return {"Signature": hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}
