"""What the owner is told of the send and the machine, by mail and once."""

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from digests import watching
from digests.models import EditionState
from digests.watching import tell_about_sending
from mailer.messages import render
from mailer.outbox import list_mails
from subscriptions.models import Notice, NoticeKind
from subscriptions.notices import send_notices
from subscriptions.outgoing import OutgoingState
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
AN_HOUR = dt.timedelta(hours=1)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching.shutil, "disk_usage", lambda path: Usage(100, 50, 50))
    monkeypatch.setattr(watching, "queue_lengths", lambda: {"celery": 3, "notices": 0})


def told() -> list[str]:
    tell_about_sending(now=NOW)
    assert tell_about_sending(now=NOW) == 0
    return [notice.details["about"] for notice in Notice.objects.filter(kind=NoticeKind.ATTENTION)]


def test_where_all_is_well_nobody_is_told_anything():
    make_delivery(edition=make_edition([make_paper()]), subscriber=make_subscriber())
    assert told() == []


@pytest.mark.parametrize(
    ("state", "late", "expected"),
    [
        (EditionState.HELD, AN_HOUR, ["unpublished"]),
        (EditionState.HELD, dt.timedelta(minutes=5), []),
        (EditionState.PUBLISHED, AN_HOUR, []),
        (EditionState.CANCELLED, AN_HOUR, []),
    ],
)
def test_a_cut_off_that_passed_without_publishing_is_told(state: str, late: dt.timedelta, expected: list[str]):
    make_edition([make_paper()], state=state, cutoff_at=NOW - late)
    assert told() == expected


def test_unknown_mails_are_told_once_they_have_waited(own_mailbox: Path):
    edition = make_edition([make_paper()])
    for settled_at in (NOW - AN_HOUR, NOW - AN_HOUR, NOW):
        make_delivery(edition=edition, subscriber=make_subscriber(), state=OutgoingState.UNKNOWN, settled_at=settled_at)
    assert told() == ["unknown"]
    send_notices(Notice.objects.values_list("pk", flat=True), now=NOW)
    (mail,) = list_mails(directory=own_mailbox)
    assert mail.subject == "Mails of 2026-11-23 are unknown: 2"
    assert f"/edition/{edition.pk}/board/" in mail.text


def test_a_mail_service_that_turns_everything_away_is_told_with_its_words():
    edition = make_edition([make_paper()])
    for _ in range(20):
        make_delivery(edition=edition, subscriber=make_subscriber(), attempt=3, reason="401 Invalid token")
    assert told() == ["rejecting"]
    assert "401 Invalid token" in Notice.objects.get().details["reason"]


def test_a_few_mailboxes_that_are_full_are_no_alarm():
    edition = make_edition([make_paper()])
    for _ in range(19):
        make_delivery(edition=edition, subscriber=make_subscriber(), attempt=5, reason="452 mailbox full")
    assert told() == []


def test_a_disk_and_a_queue_that_fill_up_are_told_once_a_day(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching.shutil, "disk_usage", lambda path: Usage(100, 95, 5))
    monkeypatch.setattr(watching, "queue_lengths", lambda: {"celery": 5000, "notices": 0})
    assert told() == ["disk", "queue"]
    assert tell_about_sending(now=NOW + dt.timedelta(days=1)) == 2


def test_a_queue_that_cannot_be_asked_keeps_nothing_else_from_being_told(monkeypatch: pytest.MonkeyPatch):
    def away() -> Any:
        raise watching.redis.ConnectionError

    monkeypatch.setattr(watching, "queue_lengths", away)
    make_edition([make_paper()], state=EditionState.HELD, cutoff_at=NOW - AN_HOUR)
    assert len(told()) == 1


@pytest.mark.parametrize("about", ["unpublished", "unknown", "rejecting", "disk", "queue"])
def test_every_alert_reads_well(about: str):
    facts = {"date": "2026-11-23", "time": "07:00", "number": "7", "reason": "401", "percent": "5%", "gigabytes": "1.0"}
    mail = render("attention", {**facts, "about": about, "queue": "celery", "admin_url": "https://example.org/admin/"})
    assert len(mail.subject) > 15
    assert mail.text.count(".") >= 2
    assert "https://example.org/admin/" in mail.html
