"""What each mail provider posts to our webhook, in the shape its documentation gives; the values are made up.

    provider = PROVIDERS["postmark"]
    provider.post(client, provider.payload("hard", Facts(outgoing_id=…)))

Fields that a provider sends and nobody here reads are there as well, so that what reads them stays honest. Sources
stand beside each.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

SECRET = "webhook-user:a-long-made-up-password"
SIGNING_KEY = "made-up-signing-key"
SETTINGS = {
    "WEBHOOK_SECRET": SECRET,
    "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY,
    "MAILERSEND_SIGNING_SECRET": SIGNING_KEY,
    "MAILTRAP_TRACKING_SECRET": SIGNING_KEY,
    "MAILTRAP_API_TOKEN": "made-up",
    "AMAZON_SES_CLIENT_PARAMS": {"region_name": "eu-central-1"},
}
KINDS = ("delivered", "deferred", "hard", "soft", "blocked", "complaint", "unsubscribe")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """About which mail, to whom, and when."""

    outgoing_id: str
    message_id: str = "service-id-1"
    email: str = "reader@example.net"
    at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC).replace(microsecond=0))
    event_id: str = "event-1"

    @property
    def epoch(self) -> int:
        return int(self.at.timestamp())

    @property
    def iso(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    @property
    def metadata(self) -> dict[str, str]:
        return {"outgoing_id": self.outgoing_id}


Payload = Any
Headers = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """`build` makes the payload of a kind, or None where this provider tells of no such thing. `sign` makes what it
    sends in the head of the request."""

    path: str
    build: Callable[[str, Facts], Payload | None]
    sign: Callable[[bytes, Payload, str], Headers] = lambda body, payload, key: {}
    is_signed: bool = False
    # It does not give our own id back; the mail is known by the provider's.
    by_message_id: bool = False

    def payload(self, kind: str, facts: Facts) -> Payload | None:
        return self.build(kind, facts)

    def post(self, client: Client, payload: Payload, *, secret: str | None = SECRET, key: str = SIGNING_KEY) -> int:
        body = json.dumps(payload).encode()
        headers = dict(self.sign(body, payload, key))
        if secret:
            headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
        return client.post(self.path, body, "application/json", headers=headers).status_code


def amazon_ses(kind: str, facts: Facts) -> Payload | None:
    """https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html, inside a notification of
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html."""
    bounces = {
        "hard": ("Permanent", "General"),
        "soft": ("Transient", "MailboxFull"),
        "blocked": ("Transient", "ContentRejected"),
    }
    answers = {
        "hard": "smtp; 550 5.1.1 user unknown",
        "soft": "smtp; 552 5.2.2 mailbox full",
        "blocked": "smtp; 554 5.6.0 no",
    }
    names = {"delivered": "Delivery", "deferred": "DeliveryDelay", "complaint": "Complaint"} | dict.fromkeys(
        bounces, "Bounce"
    )
    if kind not in names:
        return None
    event: dict[str, Any] = {
        "eventType": names[kind],
        "mail": {
            "timestamp": facts.iso,
            "source": "papers@example.org",
            "sendingAccountId": "123456789012",
            "messageId": facts.message_id,
            "destination": [facts.email],
            "headersTruncated": False,
            "headers": [
                {"name": "To", "value": facts.email},
                {"name": "X-Metadata", "value": json.dumps(facts.metadata)},
            ],
            "tags": {"ses:configuration-set": ["papers"]},
        },
    }
    if kind in bounces:
        recipient = {
            "emailAddress": facts.email,
            "action": "failed",
            "status": "5.0.0",
            "diagnosticCode": answers[kind],
        }
        event["bounce"] = {
            "bounceType": bounces[kind][0],
            "bounceSubType": bounces[kind][1],
            "bouncedRecipients": [recipient],
            "timestamp": facts.iso,
            "feedbackId": "0100017-made-up-000000",
            "reportingMTA": "dsn; a1-2.smtp-out.example.com",
        }
    elif kind == "complaint":
        event["complaint"] = {
            "complainedRecipients": [{"emailAddress": facts.email}],
            "timestamp": facts.iso,
            "feedbackId": "0100017-made-up-000000",
            "complaintFeedbackType": "abuse",
        }
    elif kind == "delivered":
        event["delivery"] = {
            "timestamp": facts.iso,
            "processingTimeMillis": 546,
            "recipients": [facts.email],
            "smtpResponse": "250 2.6.0 Message received",
        }
    else:
        event["deliveryDelay"] = {
            "timestamp": facts.iso,
            "delayType": "MailboxFull",
            "delayedRecipients": [
                {"emailAddress": facts.email, "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2"}
            ],
        }
    return {
        "Type": "Notification",
        "MessageId": facts.event_id,
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:papers",
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(event),
        "Timestamp": facts.iso,
        "SignatureVersion": "1",
        "Signature": "made-up",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-made-up.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:made-up",
    }


def sns_headers(body: bytes, payload: Payload, key: str) -> Headers:
    """https://docs.aws.amazon.com/sns/latest/dg/http-header.html"""
    return {"x-amz-sns-message-type": payload["Type"], "x-amz-sns-message-id": payload["MessageId"]}


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


PROVIDERS = {
    "amazon_ses": Provider(path="/anymail/amazon_ses/tracking/", build=amazon_ses, sign=sns_headers),
    "brevo": Provider(path="/anymail/brevo/tracking/", build=brevo),
    "mailersend": Provider(
        path="/anymail/mailersend/tracking/",
        build=mailersend,
        sign=mailersend_headers,
        is_signed=True,
        by_message_id=True,
    ),
    "mailgun": Provider(path="/anymail/mailgun/tracking/", build=mailgun),
    "mailjet": Provider(path="/anymail/mailjet/tracking/", build=mailjet),
    "mailtrap": Provider(path="/anymail/mailtrap/tracking/", build=mailtrap, sign=mailtrap_headers, is_signed=True),
    "postmark": Provider(path="/anymail/postmark/tracking/", build=postmark),
    "resend": Provider(path="/anymail/resend/tracking/", build=resend, sign=svix_headers),
    "sparkpost": Provider(path="/anymail/sparkpost/tracking/", build=sparkpost),
}
