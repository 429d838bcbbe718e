"""What a reader would get from an edition: built by the very code that sends, and not sent."""

import datetime as dt
from dataclasses import dataclass
from email import message_from_bytes, policy

from digests.digest import Digest, build_digest, compose_digest, render_digest
from digests.models import Edition
from digests.shelf import Shelf
from mailer.messages import HTML_BUDGET, Rendered
from subscriptions.models import Subscriber


@dataclass(frozen=True, slots=True)
class Preview:
    """The digest, its parts, and the message as a mail service would get it."""

    digest: Digest
    rendered: Rendered
    octets: bytes

    @property
    def source(self) -> str:
        """The message as text: headers, both parts, signatures."""
        return self.octets.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Name and value of each header, decoded."""
        parsed = message_from_bytes(self.octets, policy=policy.default)
        return [(name, str(value).strip()) for name, value in parsed.items()]

    @property
    def html_kilobytes(self) -> int:
        return round(len(self.rendered.html.encode()) / 1024)

    @property
    def whole_kilobytes(self) -> int:
        return round(len(self.octets) / 1024)

    @property
    def budget_kilobytes(self) -> int:
        """Over so much HTML the digest would not be sent."""
        return HTML_BUDGET // 1024


def preview(subscriber: Subscriber, edition: Edition, *, now: dt.datetime) -> Preview:
    """Build the digest of this reader from this edition, as of now. Writes nothing.

    Raises OverBudgetError where it would be too big to be sent.
    """
    digest = build_digest(subscriber, edition, shelf=Shelf(now=now))
    rendered = render_digest(digest, subscriber, now=now)
    message = compose_digest(rendered, subscriber, public_id="preview", now=now)
    return Preview(digest=digest, rendered=rendered, octets=message.wire(eightbit=True, utf8=True))
