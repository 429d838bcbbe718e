"""The webhooks of Amazon SES, through SNS."""

import json
from typing import Any

from tests.providers.base import Facts, Headers, Payload


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
