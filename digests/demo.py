"""The whole loop once, without servers: a document comes in, and a reader's digest goes out."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from digests.delivering import due_deliveries, send_deliveries
from digests.digest import build_digest, render_digest
from digests.editions import publish_now
from digests.models import Delivery, Edition, EditionPaper
from digests.planning import plan_due
from digests.shelf import Shelf
from mailer.outbox import list_mails
from papers.feeds import parse_feed
from papers.ingest import take_document
from papers.models import FetchStatus, Paper, Source, SourceState
from papers.recording import Visit
from subscriptions.addresses import hash_address
from subscriptions.models import Subscriber, SubscriberState

READER = "reader@example.org"


@dataclass(frozen=True, slots=True)
class Document:
    """One document to feed in."""

    kind: str
    body: bytes
    name: str
    is_sample: bool = False


@dataclass
class DemoReport:
    """What the loop did, in the order it did it, and the files it wrote."""

    day: dt.date
    visits: list[Visit]
    rows: list[tuple[str, str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def run_demo(documents: list[Document], *, day: dt.date) -> DemoReport:
    """Take in the documents as if `day` were today, publish, and send to one reader without topics.

    Raises FeedRefusedError where a document says error.
    """
    now = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC)
    report = DemoReport(day=day, visits=[_take(document, day=day, now=now) for document in documents])
    _tell_fetched(report)
    published = publish_now(date=day, now=now + dt.timedelta(seconds=1))
    if published.edition is None:
        report.rows += [("edition", "none: nothing announced"), ("digest built", "no"), ("accepted", "0: no mail")]
        return report
    _tell_edition(report, published.edition)
    _send(report, published.edition, now=now + dt.timedelta(minutes=1))
    return report


def day_of(documents: list[Document]) -> dt.date:
    """The documents' own date: the newest day one of them speaks of."""
    days = [feed.feed_date for document in documents if (feed := parse_feed(body=document.body, kind=document.kind))]
    return max((day for day in days if day), default=dt.datetime.now(dt.UTC).date())


def _take(document: Document, *, day: dt.date, now: dt.datetime) -> Visit:
    source, _ = Source.objects.get_or_create(
        slug=f"demo-{document.kind}",
        defaults={
            "name": document.name,
            "kind": document.kind,
            "state": SourceState.OFF,
            "is_sample": document.is_sample,
        },
    )
    return take_document(source=source, body=document.body, now=now, today=day)


def _tell_fetched(report: DemoReport) -> None:
    reports = [visit.report for visit in report.visits]
    report.rows += [
        ("fetched", f"{sum(r.entries for r in reports)} entries"),
        ("new", f"{sum(r.new for r in reports)} papers"),
    ]
    problems = [problem for r in reports for problem in r.problems]
    if problems:
        report.rows.append(("reported", f"{len(problems)}: {problems[0]['item']}: {problems[0]['reason']}"))
    matched = Counter(
        Paper.objects.filter(topics__isnull=False).order_by("topics__position").values_list("topics__name", flat=True)
    )
    named = ", ".join(f"{name} {count}" for name, count in matched.most_common(4))
    report.rows.append(("topics matched", f"{len(matched)} topics{': ' if named else ''}{named}"))


def _tell_edition(report: DemoReport, edition: Edition) -> None:
    count = EditionPaper.objects.filter(edition=edition).shown().count()
    note = "new and cross-listed ones of the last week"
    report.rows.append(("edition", f"{edition.date}, {edition.state}, {count} papers: {note}"))


def _send(report: DemoReport, edition: Edition, *, now: dt.datetime) -> None:
    reader = Subscriber.objects.create(
        email=READER,
        address_hash=hash_address(READER),
        state=SubscriberState.ACTIVE,
        confirmed_at=now,
        next_due_at=now,
    )
    digest = build_digest(reader, edition, shelf=Shelf(now=now))
    rendered = render_digest(digest, reader, now=now)
    report.rows.append(
        ("digest built", f"{len(digest.lines)} papers, {len(rendered.html.encode()) // 1024} KB of HTML")
    )
    plan_due(now=now)
    sent = send_deliveries(due_deliveries(limit=10), now=now)
    report.rows.append(("accepted", str(sent.accepted)))
    skipped = list(Delivery.objects.exclude(reason="").values_list("reason", flat=True))
    report.rows.append(("skipped", f"{sent.skipped}{': ' + skipped[0] if skipped else ''}"))
    _write_files(report)


def _write_files(report: DemoReport) -> None:
    directory = Path(settings.OUTBOX_DIR)
    for mail in list_mails(directory=directory):
        page = directory / f"{mail.name}.html"
        page.write_text(mail.html, encoding="utf-8")
        report.files += [directory / f"{mail.name}.eml", page]


def understood(visit: Visit) -> bool:
    """Whether the document was read, even if it held nothing."""
    return visit.status == FetchStatus.STORED
