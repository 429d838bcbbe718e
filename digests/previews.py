"""What a reader would get from an edition: built by the very code that sends, and not sent."""

import datetime as dt
from dataclasses import dataclass

from digests.digest import Digest, build_digest, compose_digest, render_digest
from digests.models import Edition
from digests.shelf import Shelf
from mailer.messages import Rendered
from subscriptions.models import Subscriber


@dataclass(frozen=True, slots=True)
class Preview:
    """The digest, its parts, and the message as a mail service would get it."""

    digest: Digest
    rendered: Rendered
    source: str

    @property
    def html_kilobytes(self) -> int:
        return round(len(self.rendered.html.encode()) / 1024)


def preview(subscriber: Subscriber, edition: Edition, *, now: dt.datetime) -> Preview:
    """Build the digest of this reader from this edition, as of now. Writes nothing."""
    digest = build_digest(subscriber, edition, shelf=Shelf(now=now))
    rendered = render_digest(digest, subscriber, now=now)
    message = compose_digest(rendered, subscriber, public_id="preview", now=now)
    return Preview(digest=digest, rendered=rendered, source=message.message().as_string())
