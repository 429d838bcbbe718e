"""What single mail services cannot carry, and how they part digests from other mail. Pure.

Anymail gives them one shape; what is left are their own rules about header lines and metadata:

- Mailjet sets `Date`, `Message-ID` and `List-Id` itself and refuses a message that brings its own (error send-0011; its
  guide to the Send API, «Add email headers»);
- MailerSend has no metadata: reports of what became of a mail are told apart by the id in its answer. Header lines of
  one's own, and so those for one-click unsubscribing, it takes on its Enterprise plan only
  (https://developers.mailersend.com/api/v1/email.html);
- Postmark and Amazon SES part bulk mail from other mail: by message stream, by configuration set.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """The rules of one service. `stream_field` is how its API calls the stream that a message belongs to."""

    dropped_headers: frozenset[str] = frozenset()
    has_metadata: bool = True
    stream_field: str = ""


_ORDINARY = Service()
_SERVICES = {
    "mailjet": Service(dropped_headers=frozenset({"Date", "Message-ID", "List-Id"})),
    "mailersend": Service(has_metadata=False),
    "postmark": Service(stream_field="MessageStream"),
    "ses": Service(stream_field="ConfigurationSetName"),
    "amazon_ses": Service(stream_field="ConfigurationSetName"),
}


def service_of(provider: str) -> Service:
    """The rules of the service with this name in EMAIL_PROVIDER."""
    return _SERVICES.get(provider, _ORDINARY)
