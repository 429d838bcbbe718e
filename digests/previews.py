"""What a reader would get from an edition: built by the very code that sends, and not sent.

A reader may be one who subscribed, or a persona: nobody in particular, with some topics. A test send is the same mail
to a curator, with links that lead nowhere: nobody may act for a reader whose mail they looked at.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes, policy

from django.core.mail import get_connection

from digests.digest import Digest, choose_digest, compose_digest, join_digest
from digests.models import Edition
from digests.readers import Recipient, look_back, read_recipients
from digests.shelf import Shelf
from limits.buckets import Rate, take
from mailer.handoff import Outcome, TryLater, hand_off
from mailer.messages import HTML_BUDGET, Rendered
from papers.models import Topic
from subscriptions.models import DEFAULT_PAPERS, Subscriber, SubscriberState
from subscriptions.outgoing import new_public_id
from subscriptions.schedule import Cadence, Schedule

# Whose links these are: nobody's.
NOBODY = "preview"
TESTS = Rate(per_second=1 / 60, burst=10)
_DARK = "@media (prefers-color-scheme: dark)"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A reader who does not exist: the topics they chose, by slug, and what they asked for besides."""

    topics: Sequence[str] = ()
    max_papers: int = DEFAULT_PAPERS
    is_weekly: bool = False
    language: str = ""


def preview(subscriber: Subscriber, edition: Edition, *, now: dt.datetime, with_own_links: bool = True) -> Preview:
    """Build the digest of this reader from this edition, as of now. Writes nothing.

    Without `with_own_links` the links that act for the reader are nobody's. Raises OverBudgetError where it would be
    too big to be sent.
    """
    shelf = Shelf(now=now)
    found = read_recipients([subscriber.pk], edition, returning=shelf.returning(edition), now=now)
    recipient = found[subscriber.pk]
    if not with_own_links:
        recipient = replace(recipient, public_id=NOBODY)
    return _preview(recipient, edition, shelf=shelf)


def preview_persona(persona: Persona, edition: Edition, *, now: dt.datetime) -> Preview:
    """The same for a reader who does not exist: they had the edition before, and none of these papers. Topics that
    nobody knows count for nothing."""
    topics = Topic.objects.active().filter(slug__in=list(persona.topics)).order_by("position", "name")
    names = list(topics.values_list("slug", "name"))
    recipient = Recipient(
        id=0,
        public_id=NOBODY,
        email="somebody@example.org",
        address_hash="",
        state=SubscriberState.ACTIVE,
        max_papers=persona.max_papers,
        wants_replacements=False,
        schedule=Schedule(cadence=Cadence.WEEKLY if persona.is_weekly else Cadence.DAILY, hour=8, zone="UTC"),
        seen_since=look_back(edition, now=now),
        topic_slugs=tuple(slug for slug, _ in names),
        topic_names=tuple(name for _, name in names),
        language=persona.language,
        # A reader of old: the words of welcome stand in nobody's second mail.
        last_date=edition.date - dt.timedelta(days=7 if persona.is_weekly else 1),
    )
    return _preview(recipient, edition, shelf=Shelf(now=now))


def send_test(shown: Preview, *, to: str, now: dt.datetime) -> Outcome:
    """Hand this digest over to the mail service once, to `to`, marked as a test in its subject. It is in no books.

    At most a few in a row to one address: TryLater where there were too many.
    """
    if not take(f"test-mail-{to}", rate=TESTS).count:
        return TryLater("There were ten tests in a row: wait a minute.")
    rendered = replace(shown.rendered, subject=f"[Test] {shown.rendered.subject}")
    # Never saved: all that a message must know of whom it goes to.
    addressee = Subscriber(email=to, public_id=NOBODY)
    message = compose_digest(rendered, addressee, public_id=new_public_id(), now=now)
    connection = get_connection()
    try:
        return hand_off(message, connection=connection)
    finally:
        connection.close()


def in_scheme(html: str, scheme: str) -> str:
    """The HTML as a mail program in the dark, or the light, would show it, whatever the browser is set to."""
    if scheme not in {"light", "dark"}:
        return html
    return html.replace(_DARK, "@media all" if scheme == "dark" else "@media not all")


def _preview(recipient: Recipient, edition: Edition, *, shelf: Shelf) -> Preview:
    digest = choose_digest(recipient, edition, shelf=shelf)
    rendered = join_digest(digest, recipient, shelf=shelf).rendered
    message = compose_digest(rendered, recipient, public_id="preview", now=shelf.now)
    return Preview(digest=digest, rendered=rendered, octets=message.wire(eightbit=True, utf8=True))
