"""Resend, with a key by which it knows a message that it was given before.

Resend takes an `Idempotency-Key` with each request and, for a day, answers a second one with the first one's answer
instead of sending again (https://resend.com/docs/dashboard/emails/idempotency-keys). Anymail 15 does not set it.
So where no answer came, asking again is safe, and `handoff.hand_off` does.
"""

import hashlib
from typing import Any

from anymail.backends.resend import EmailBackend as AnymailBackend
from anymail.backends.resend import ResendPayload


class EmailBackend(AnymailBackend):  # type: ignore[misc]  # Anymail has no types
    """Anymail's backend, whose requests may be repeated."""

    takes_idempotency_key = True

    def build_message_payload(self, message: Any, defaults: Any) -> ResendPayload:
        return _Payload(message, defaults, self)


class _Payload(ResendPayload):  # type: ignore[misc]
    def get_request_params(self, api_url: str) -> dict[str, Any]:
        params: dict[str, Any] = super().get_request_params(api_url)
        body = params.get("data") or ""
        octets = body.encode() if isinstance(body, str) else bytes(body)
        # The same key with other words would be refused, so the key follows from the words.
        params["headers"]["Idempotency-Key"] = hashlib.sha256(octets).hexdigest()
        return params
