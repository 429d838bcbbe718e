"""The webhooks of Postmark."""

import hashlib

from tests.providers.base import Facts, Payload


def postmark(kind: str, facts: Facts) -> Payload | None:
    """https://postmarkapp.com/developer/webhooks/webhooks-overview"""
    common = {
        "MessageStream": "broadcast",
        "ServerID": 23,
        "MessageID": facts.message_id,
        "Metadata": facts.metadata,
        "Tag": "",
    }
    if kind == "delivered":
        return {
            **common,
            "RecordType": "Delivery",
            "Recipient": facts.email,
            "DeliveredAt": facts.iso,
            "Details": "smtp;250 OK",
        }
    if kind == "unsubscribe":
        return {
            **common,
            "RecordType": "SubscriptionChange",
            "Recipient": facts.email,
            "ChangedAt": facts.iso,
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        }
    types = {
        "hard": ("HardBounce", 1, "smtp;550 5.1.1 no such user"),
        "soft": ("SoftBounce", 4096, "smtp;552 5.2.2 mailbox full"),
        "deferred": ("Transient", 2, "smtp;451 4.3.0 try later"),
        "blocked": ("SpamNotification", 512, "smtp;550 5.7.1 looks like spam"),
        "complaint": ("SpamComplaint", 100001, ""),
    }
    name, code, details = types[kind]
    return {
        **common,
        "RecordType": "SpamComplaint" if kind == "complaint" else "Bounce",
        "ID": int(hashlib.sha256(facts.event_id.encode()).hexdigest()[:12], 16),
        "Type": name,
        "TypeCode": code,
        "Name": name,
        "Description": "Made up.",
        "Details": details,
        "Email": facts.email,
        "From": "papers@example.org",
        "BouncedAt": facts.iso,
        "DumpAvailable": True,
        "Inactive": kind in {"hard", "complaint"},
        "CanActivate": kind != "complaint",
        "Subject": "Papers",
    }
