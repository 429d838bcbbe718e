"""What all providers' payloads are made of: the facts of one mail, and how a payload is posted."""

import base64
import datetime as dt
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
